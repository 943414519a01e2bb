package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/doorward/doorward/internal/config"
	"github.com/doorward/doorward/internal/idp"
	"github.com/doorward/doorward/internal/server"
	"github.com/doorward/doorward/internal/session"
	"github.com/doorward/doorward/internal/telemetry"
)

// newSessions returns the commands about the sessions of a user.
func newSessions() *cobra.Command {
	all := &cobra.Command{
		Use:   "sessions",
		Short: "List and end the sessions of a user",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			return errors.New("`doorward sessions` needs a command; see `doorward sessions --help`")
		},
	}
	const whom = "\n--user is the user as apps and the log name them, or their e-mail address, as of the login; there may be\n" +
		"several of one name. --subject is the subject that the provider gave them. It reads the configuration of\n" +
		"the server, and needs sessions that are kept in Redis."
	var listing, ending people
	list := &cobra.Command{
		Use: "list --user USER", Short: "List the sessions of a user", Args: noArgs,
		Long: "Lists the sessions of a user, one on a line: its id as in the log, the user, when it was last used, when it\nbegan, the program and the address.\n" + whom,
		RunE: func(cmd *cobra.Command, _ []string) error { return listing.run(cmd, listing.list) },
	}
	list.Flags().BoolVar(&listing.asJSON, "json", false, "print a JSON array")
	end := &cobra.Command{
		Use: "end --user USER [--all|--session ID]", Short: "End the sessions of a user, on every replica", Args: noArgs,
		Long: "Ends all sessions of a user, or one. With --all logins that are under way end too, and sessions that are still\nin cookies.\n" + whom,
		RunE: func(cmd *cobra.Command, _ []string) error { return ending.run(cmd, ending.end) },
	}
	end.Flags().BoolVar(&ending.all, "all", false, "end all of them")
	end.Flags().StringVar(&ending.session, "session", "", "end the one of this id, which `doorward sessions list` and the log have")
	for cmd, p := range map[*cobra.Command]*people{list: &listing, end: &ending} {
		cmd.Flags().StringVar(&p.user, "user", "", "the user, or an e-mail address")
		cmd.Flags().StringVar(&p.subject, "subject", "", "the subject (`sub`) instead")
		cmd.Flags().StringVar(&p.provider, "provider", "", "only users of the provider of this name")
	}
	end.MarkFlagsMutuallyExclusive("all", "session")
	all.AddCommand(list, end)
	return all
}

// people are whose sessions a command is about, and what it does with them.
type people struct {
	user, subject, provider string
	asJSON, all             bool
	session                 string
}

// run connects to Redis for as long as do takes.
func (p *people) run(cmd *cobra.Command, do func(ctx context.Context, w io.Writer, s *session.Moving, whose []session.Whose) error) error {
	if (p.user == "") == (p.subject == "") {
		return errors.New("say whose sessions: --user USER, or --subject SUB")
	}
	cfg, warnings, err := config.Load()
	printWarnings(cmd.ErrOrStderr(), warnings)
	if err != nil {
		return err
	}
	if cfg.SessionStore != "redis" {
		return errors.New("sessions are in the cookies of browsers, and nobody has a list of them; it takes DOORWARD_SESSION_STORE=redis")
	}
	issuers, err := p.issuers(cfg)
	if err != nil {
		return err
	}
	stores, err := newStores(cfg, slog.New(slog.DiscardHandler), telemetry.NewMetrics(versionText()))
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(cmd.Context())
	var running sync.WaitGroup
	running.Go(func() { stores.run(ctx) })
	defer running.Wait()
	defer stop()
	whose, err := p.whose(ctx, stores.both.Redis, issuers)
	if err != nil {
		return err
	}
	return do(ctx, cmd.OutOrStdout(), stores.both, whose)
}

// issuers are those whose users are meant, each once, as sessions have them.
func (p *people) issuers(cfg *config.Config) ([]string, error) {
	var found, names []string
	for _, provider := range cfg.Providers {
		names = append(names, provider.Name)
		issuer := idp.IssuerOf(providerConfig(provider, nil))
		if (p.provider == "" || p.provider == provider.Name) && !slices.Contains(found, issuer) {
			found = append(found, issuer)
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("--provider: there is none named %q; there is %s", p.provider, strings.Join(names, ", "))
	}
	return found, nil
}

// whose are the users who are meant. A name is looked for as a subject too: it is
// one where nothing else is configured.
func (p *people) whose(ctx context.Context, store *session.RedisStore, issuers []string) ([]session.Whose, error) {
	var all []session.Whose
	for _, issuer := range issuers {
		subject := session.Whose{Issuer: issuer, Subject: p.subject + p.user} // one of them is empty
		all = append(all, subject)
		if p.user == "" {
			continue
		}
		called, err := store.Called(ctx, issuer, p.user)
		if err != nil {
			return nil, err
		}
		all = append(all, slices.DeleteFunc(called, func(w session.Whose) bool { return w == subject })...)
	}
	return all, nil
}

// found is a session as the command prints it.
type found struct {
	ID         string    `json:"id"`
	User       string    `json:"user"`
	Issuer     string    `json:"issuer"`
	Subject    string    `json:"subject"`
	Device     string    `json:"device"`
	UserAgent  string    `json:"user_agent"`
	Address    string    `json:"address"`
	Site       string    `json:"site"`
	SignedInAt time.Time `json:"signed_in_at"`
	LastUsedAt time.Time `json:"last_used_at"`
	ExpiresAt  time.Time `json:"expires_at"`
}

// list prints the sessions of all who are meant.
func (p *people) list(ctx context.Context, w io.Writer, s *session.Moving, whose []session.Whose) error {
	all := []found{}
	for _, of := range whose {
		sessions, err := s.Listed(ctx, of)
		if err != nil {
			return err
		}
		for _, l := range sessions {
			all = append(all, found{
				ID: l.ID, User: l.User, Issuer: of.Issuer, Subject: of.Subject, Device: server.Device(l.Agent), UserAgent: l.Agent,
				Address: l.Client, Site: l.Site, SignedInAt: l.Created.UTC(), LastUsedAt: l.Used.UTC(), ExpiresAt: l.Expires.UTC(),
			})
		}
	}
	if p.asJSON {
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		return encoder.Encode(all)
	}
	for _, f := range all {
		// Quoted: what the provider named must not write to the terminal.
		if _, err := fmt.Fprintf(w, "%s  %q  used %s  since %s  %s  %s\n", f.ID, f.User,
			f.LastUsedAt.Format(time.DateTime), f.SignedInAt.Format(time.DateTime), f.Device, f.Address); err != nil {
			return err
		}
	}
	return nil
}

// end ends the sessions of all who are meant, or the one that is named.
func (p *people) end(ctx context.Context, w io.Writer, s *session.Moving, whose []session.Whose) error {
	if !p.all && p.session == "" {
		return errors.New("say which to end: --all, or --session ID")
	}
	ended := 0
	for _, of := range whose {
		sessions, err := s.Listed(ctx, of)
		if err != nil {
			return err
		}
		if p.all {
			err = s.RevokeAll(ctx, of)
		} else {
			sessions = slices.DeleteFunc(sessions, func(l session.Listed) bool { return l.ID != p.session })
			err = s.EndListed(ctx, sessions)
		}
		if err != nil {
			return err
		}
		ended += len(sessions)
	}
	if ended == 0 && !p.all {
		return fmt.Errorf("there is no session %q of this user; see `doorward sessions list`", p.session)
	}
	_, err := fmt.Fprintf(w, "ended: %d\n", ended)
	return err
}
