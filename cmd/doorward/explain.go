package main

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/config"
	"github.com/doorward/doorward/internal/gateway"
	"github.com/doorward/doorward/internal/policy"
)

// question is what `doorward explain` is asked about.
type question struct {
	url, method, client string
	user                auth.User
	claims              []string
	age                 time.Duration
}

func newExplain() *cobra.Command {
	var q question
	cmd := &cobra.Command{
		Use:   "explain --url URL",
		Short: "Say which rule decides about a request, and why",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, warnings, err := config.Load()
			printWarnings(cmd.ErrOrStderr(), warnings)
			if err != nil {
				return err
			}
			rules, _, err := ruleSets(cfg)
			if err != nil {
				return err
			}
			return q.explain(cmd.OutOrStdout(), rules, cfg.Provider.Name)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&q.url, "url", "", "the address that is asked for, as the browser writes it")
	flags.StringVar(&q.method, "method", "GET", "the method")
	flags.StringVar(&q.client, "client", "", "the address of the client, for rules with networks")
	flags.StringVar(&q.user.ID, "user", "", "the user, for rules that look at it; with this, --email or --group somebody is signed in")
	flags.StringVar(&q.user.Email, "email", "", "the verified e-mail address")
	flags.StringArrayVar(&q.user.Groups, "group", nil, "a group; may be repeated")
	flags.StringArrayVar(&q.claims, "claim", nil, "a claim as name=value; repeated names make a list")
	flags.StringVar(&q.user.ACR, "acr", "", "how the user proved who they are")
	flags.DurationVar(&q.age, "age", 0, "how long ago that was")
	return cmd
}

func (q *question) explain(w io.Writer, rules *policy.Set, provider string) error {
	var req auth.Request
	if q.url == "" {
		return errors.New("--url is missing; write the address that is asked for, for example --url https://app.example.com/admin")
	}
	if !gateway.ReadAddress(q.url, &req) {
		return errors.New("--url is no absolute http or https address with a path")
	}
	req.Method = q.method
	if q.client != "" {
		client, err := netip.ParseAddr(q.client)
		if err != nil {
			return errors.New("--client is no IP address")
		}
		req.Client = client.Unmap()
	}
	user, err := q.asked(provider)
	if err != nil {
		return err
	}
	steps, judgement := rules.Explain(req, user)
	for _, step := range steps {
		fmt.Fprintf(w, "%-24s %s\n", step.Rule, outcome(step))
	}
	fmt.Fprintf(w, "\n%s: %s. %s\n", judgement.Verdict, judgement.Reason.Code, judgement.Reason.Text)
	return nil
}

// asked is the user that the flags describe; nobody when they describe none.
func (q *question) asked(provider string) (auth.User, error) {
	user := q.user
	if user.ID == "" && user.Email == "" && len(user.Groups) == 0 && len(q.claims) == 0 {
		return auth.User{}, nil
	}
	user.Subject, user.Provider = "explain", provider
	if user.ID != "" {
		user.Subject = user.ID
	}
	user.AuthTime = time.Now().Add(-q.age)
	for _, claim := range q.claims {
		name, value, ok := strings.Cut(claim, "=")
		if !ok || name == "" {
			return auth.User{}, fmt.Errorf("--claim %s has to be name=value", strconv.Quote(claim))
		}
		if user.Claims == nil {
			user.Claims = map[string]any{}
		}
		user.Claims[name] = addValue(user.Claims[name], typed(value))
	}
	return user, nil
}

// addValue makes a list of a claim that is given more than once.
func addValue(before, value any) any {
	switch before := before.(type) {
	case nil:
		return value
	case []any:
		return append(before, value)
	default:
		return []any{before, value}
	}
}

// typed reads a value as JSON would write it: a number, a boolean, or a text.
func typed(value string) any {
	if whole, err := strconv.ParseInt(value, 10, 64); err == nil {
		return whole
	}
	if value == "true" || value == "false" {
		return value == "true"
	}
	if number, err := strconv.ParseFloat(value, 64); err == nil {
		return number
	}
	return value
}

func outcome(step policy.Step) string {
	text := ""
	switch step.Passed {
	case "host":
		text = "is not about this host"
	case "method":
		text = "is not about this method"
	case "path":
		text = "is not about this path"
	case "not canonical":
		text = "is public, which a path that can be read in two ways never is"
	default:
		text = fmt.Sprintf("decides: %s (%s)", step.Judgement.Verdict, step.Judgement.Reason.Code)
	}
	_, err := url.Parse(step.Path)
	if err != nil {
		return text + ", for the path " + strconv.Quote(step.Path)
	}
	return text + ", for the path " + step.Path
}
