package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/doorward/doorward/internal/bearer"
	"github.com/doorward/doorward/internal/config"
	"github.com/doorward/doorward/internal/secret"
)

// newKey returns the commands about API keys.
func newKey() *cobra.Command {
	key := &cobra.Command{
		Use:   "key",
		Short: "Make API keys for clients that cannot sign in",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			return errors.New("`doorward key` needs a command; see `doorward key --help`")
		},
	}
	var k draft
	made := &cobra.Command{
		Use:   "new",
		Short: "Make an API key, and the entry for the file of keys",
		Long: "Makes an API key and prints it, this once. What belongs into the file that `tokens:` names as keys_file\n" +
			"is printed below it or, with --file, appended to that file. It holds a hash, which cannot be turned back.",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return k.make(cmd, time.Now()) },
	}
	flags := made.Flags()
	flags.StringVar(&k.owner, "owner", "", "by which logs, rules and apps know whoever has the key (required)")
	flags.StringArrayVar(&k.groups, "group", nil, "a group of the owner, which rules may ask for; may be repeated")
	flags.StringVar(&k.email, "email", "", "e-mail address of the owner")
	flags.StringArrayVar(&k.hosts, "host", nil, "a host that the key is good for, as api.example.com or *.example.com; may be repeated; none: every host")
	flags.StringVar(&k.expires, "expires", "", "when the key ends: 90d, 12h, 2027-01-31 or 2027-01-31T18:00:00Z; none: never")
	flags.StringVar(&k.file, "file", "", "file of keys that the entry is appended to, made if it is not there")
	key.AddCommand(made)
	return key
}

// draft is a key as it is asked for.
type draft struct {
	owner, email, expires, file string
	groups, hosts               []string
}

// make prints a new key, after the file has its entry.
func (k *draft) make(cmd *cobra.Command, now time.Time) error {
	if strings.TrimSpace(k.owner) == "" {
		return errors.New("--owner is missing; say who will have the key")
	}
	ends, err := endOf(k.expires, now)
	if err != nil {
		return err
	}
	id, text := bearer.NewAPIKey()
	entry := k.entry(id, ends, text)
	if _, err := config.ParseKeys("the new key", entry); err != nil {
		return err // of which the server would say the same
	}
	out := cmd.OutOrStdout()
	if k.file == "" {
		_, err := fmt.Fprintf(out, "%s\n\n%s", text.Reveal(), entry)
		return err
	}
	if err := appendEntry(k.file, entry); err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, text.Reveal())
	return err
}

// endOf reads when a key ends: a time from now on, a day or a moment.
func endOf(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	var end time.Time
	if days, found := strings.CutSuffix(text, "d"); found {
		if n, err := strconv.Atoi(days); err == nil && n < 100*366 {
			end = now.AddDate(0, 0, n)
		}
	} else if span, err := time.ParseDuration(text); err == nil {
		end = now.Add(span)
	}
	for _, form := range []string{time.RFC3339, time.DateOnly} {
		if moment, err := time.Parse(form, text); err == nil {
			end = moment
		}
	}
	switch {
	case end.IsZero():
		return end, errors.New("--expires is no time; write for example 90d, 12h, 2027-01-31 or 2027-01-31T18:00:00Z")
	case !now.Before(end):
		return end, errors.New("--expires is over already")
	}
	return end.UTC().Truncate(time.Second), nil
}

// entry is what the file of keys gets.
func (k *draft) entry(id string, ends time.Time, text secret.Secret) string {
	var b strings.Builder
	fmt.Fprintf(&b, "- id: %q\n  owner: %s\n", id, quote(k.owner))
	for _, list := range []struct {
		key    string
		values []string
	}{{"groups", k.groups}, {"hosts", k.hosts}} {
		if len(list.values) > 0 {
			var quoted []string
			for _, value := range list.values {
				quoted = append(quoted, quote(value))
			}
			fmt.Fprintf(&b, "  %s: [%s]\n", list.key, strings.Join(quoted, ", "))
		}
	}
	if k.email != "" {
		fmt.Fprintf(&b, "  email: %s\n", quote(k.email))
	}
	if !ends.IsZero() {
		fmt.Fprintf(&b, "  expires: %q\n", ends.Format(time.RFC3339))
	}
	fmt.Fprintf(&b, "  hash: %q\n", bearer.NewHash(text))
	return b.String()
}

// quote writes a text as YAML that means the same to every reader.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// appendEntry adds an entry to a file of keys, which is good before and after.
func appendEntry(file, entry string) error {
	before, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		entry = "# API keys. `doorward key new --file` adds one; to withdraw one, remove its entry.\n" + entry
	case err != nil:
		return err
	case len(before) > 0 && !strings.HasSuffix(string(before), "\n"):
		entry = "\n" + entry
	}
	if _, err := config.ParseKeys(file, string(before)); err != nil {
		return err
	}
	if _, err := config.ParseKeys(file, string(before)+entry); err != nil {
		return fmt.Errorf("%s: an entry cannot simply follow what is there; without --file it is printed", file)
	}
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(entry)
	return errors.Join(err, f.Close())
}
