package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/config"
	"github.com/doorward/doorward/internal/gateway"
	"github.com/doorward/doorward/internal/policy"
)

// question is what `doorward explain` is asked about.
type question struct {
	url, method, client, origin string
	user                        auth.User
	claims                      []string
	age                         time.Duration
}

func newExplain() *cobra.Command {
	var q question
	cmd := &cobra.Command{
		Use:   "explain --url URL",
		Short: "Say which rule decides about a request, and why",
		Long: "Say which rule decides about a request, and why. Without a user nobody is signed in;\n" +
			"--user, --email, --group or --claim describe somebody who is.",
		Args: noArgs,
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
			return q.explain(cmd.OutOrStdout(), rules, cfg.Providers)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&q.url, "url", "", "the address that is asked for, as the browser writes it")
	flags.StringVar(&q.method, "method", "GET", "the method")
	flags.StringVar(&q.client, "client", "", "the address of the client, for rules with networks")
	flags.StringVar(&q.origin, "origin", "", "the page that asks, for rules with cors; with --method OPTIONS the request is a preflight")
	flags.StringVar(&q.user.ID, "user", "", "the user, as the user claim of the provider names them")
	flags.StringVar(&q.user.Email, "email", "", "the verified e-mail address")
	flags.StringArrayVar(&q.user.Groups, "group", nil, "a group; may be repeated")
	flags.StringArrayVar(&q.claims, "claim", nil, "a claim as name=value, with a text or a value in JSON; a name that is repeated makes a list")
	flags.StringVar(&q.user.ACR, "acr", "", "how the user proved who they are")
	flags.DurationVar(&q.age, "age", 0, "how long ago that was, as 10m")
	flags.StringVar(&q.user.Provider, "provider", "", "the provider that signed the user in, when it is not the first")
	return cmd
}

func (q *question) explain(w io.Writer, rules *policy.Set, providers []config.Provider) error {
	req, err := q.request()
	if err != nil {
		return err
	}
	user, err := q.asked(providers)
	if err != nil {
		return err
	}
	user.ClaimsAsked = rules.Claims() // what is not among the flags is not there
	steps, judgement, rule := rules.Explain(req, user)
	for _, step := range steps {
		fmt.Fprintf(w, "%-24s %s\n", step.Rule, outcome(step))
	}
	by := ""
	if rule != "" {
		by = fmt.Sprintf(", by the rule %q", rule)
	}
	fmt.Fprintf(w, "\n%s: %s%s. %s\n", judgement.Verdict, judgement.Reason.Code, by, judgement.Reason.Text)
	return nil
}

// request is what the flags say that is asked for.
func (q *question) request() (auth.Request, error) {
	var req auth.Request
	if q.url == "" {
		return req, errors.New("--url is missing; write the address that is asked for, for example --url https://app.example.com/admin")
	}
	if !gateway.ReadAddress(q.url, &req) {
		return req, errors.New("--url is no absolute http or https address with a path")
	}
	req.Method, req.Origin = q.method, q.origin
	req.Preflight = q.method == http.MethodOptions && q.origin != ""
	if q.client != "" {
		client, err := netip.ParseAddr(q.client)
		if err != nil {
			return req, errors.New("--client is no IP address")
		}
		req.Client = client.Unmap()
	}
	return req, nil
}

// asked is the user that the flags describe; nobody when they describe none.
func (q *question) asked(providers []config.Provider) (auth.User, error) {
	user := q.user
	if user.ID == "" && user.Email == "" && len(user.Groups) == 0 && len(q.claims) == 0 {
		return auth.User{}, nil
	}
	user.Subject = "explain"
	if user.ID != "" {
		user.Subject = user.ID
	}
	user.Provider = cmp.Or(user.Provider, providers[0].Name)
	user.AuthTime = time.Now().Add(-q.age)
	var err error
	user.Claims, err = readClaims(q.claims, providers)
	return user, err
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
