package main

import (
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/spf13/cobra"

	"github.com/doorward/doorward/internal/config"
	"github.com/doorward/doorward/internal/idp"
)

// newCheck returns the command that reads the configuration as serve does, says
// what will be enforced, and fails with every mistake.
func newCheck() *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "Check the configuration and say what it enforces",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, warnings, err := config.Load()
			printWarnings(cmd.ErrOrStderr(), warnings)
			if err != nil {
				return err
			}
			if _, _, err := ruleSets(cfg); err != nil {
				return err
			}
			if _, err := newClients(cfg, nil, nil, nil, renderer(cfg).Render, slog.New(slog.DiscardHandler)); err != nil {
				return err
			}
			for _, weakness := range cfg.Insecure() {
				fmt.Fprintf(cmd.ErrOrStderr(), "doorward: insecure: %s\n", weakness)
			}
			fmt.Fprintln(cmd.OutOrStdout(), "configuration is good")
			summarize(cmd.OutOrStdout(), cfg)
			return nil
		},
	}
}

// summarize writes what will be enforced, for the eyes of the operator.
func summarize(w io.Writer, cfg *config.Config) {
	for _, line := range []struct{ label, text string }{
		{"hosts", strings.Join(cfg.Hosts(), ", ")},
		{"sign-in", strings.Join(signIns(cfg), ", ")},
		{"provider", strings.Join(providerLines(cfg.Providers), "; ")},
		{"may pass", admitted(cfg)},
		{"tokens", strings.Join(tokenLines(cfg.Tokens), "; ")},
		{"session", sessionLine(cfg)},
		{"gateways", gateways(cfg)},
		{"return to", strings.Join(append([]string{"the hosts above"}, cfg.AllowedRedirectHosts...), ", ")},
		{"headers", strings.Join(cfg.IdentityHeaders, ", ")},
		{"listen", listenLine(cfg)},
	} {
		if line.text == "" {
			continue // no tokens
		}
		fmt.Fprintf(w, "  %-10s %s\n", line.label, line.text)
	}
}

func signIns(cfg *config.Config) []string {
	var addresses []string
	for _, site := range cfg.Sites {
		host := site.Host
		if site.Port != "" {
			host += ":" + site.Port
		}
		addresses = append(addresses, site.Scheme+"://"+host+cfg.PathPrefix+"/start")
	}
	return addresses
}

func providerLines(providers []config.Provider) []string {
	var lines []string
	for _, p := range providers {
		lines = append(lines, fmt.Sprintf("%s (%s), issuer %s", p.Name, clientKind(p), idp.IssuerOf(providerConfig(p, nil))))
	}
	return lines
}

func clientKind(p config.Provider) string {
	kind, known := map[string]string{
		"client_secret_basic": "client with a secret",
		"client_secret_post":  "client with a secret, in the form",
		"none":                "public client",
		"private_key_jwt":     "client with a key",
		"tls_client_auth":     "client with a certificate",
		"federated_token":     "client with a federated token",
	}[p.ClientAuth]
	switch {
	case known:
		return kind
	case p.ClientSecret == "":
		return "public client"
	}
	return "client with a secret"
}

// tokenLines are whose tokens API clients may send.
func tokenLines(tokens []config.Token) []string {
	var lines []string
	for _, t := range tokens {
		switch {
		case t.KeysFile != "":
			lines = append(lines, "API keys of "+t.KeysFile)
		case t.IntrospectionURL != "":
			lines = append(lines, "what "+t.IntrospectionURL+" calls active")
		default:
			lines = append(lines, fmt.Sprintf("of %s for %s", t.IssuerURL, strings.Join(t.Audiences, ", ")))
		}
	}
	return lines
}

func listenLine(cfg *config.Config) string {
	text := cfg.Listen.String()
	if cfg.GRPC.Listen != (config.Listener{}) {
		text += fmt.Sprintf(", gRPC on %s", cfg.GRPC.Listen)
	}
	return fmt.Sprintf("%s, health and metrics on %s", text, cfg.AdminListen)
}

func admitted(cfg *config.Config) string {
	if n := len(cfg.Rules); n > 0 && cfg.Rules[0].Line > 0 {
		return fmt.Sprintf("whom the rules of %s admit; there are %d", cfg.File, n)
	}
	if cfg.AllowAnyUser {
		return "anybody whom the provider signs in"
	}
	var emails []string
	if len(cfg.AllowedEmails) > 0 {
		emails = append(emails, "e-mail "+strings.Join(cfg.AllowedEmails, ", "))
	}
	if len(cfg.AllowedEmailDomains) > 0 {
		emails = append(emails, "e-mail at "+strings.Join(cfg.AllowedEmailDomains, ", "))
	}
	var all []string
	if len(emails) > 0 {
		all = append(all, strings.Join(emails, " or "))
	}
	if len(cfg.AllowedGroups) > 0 {
		all = append(all, "group "+strings.Join(cfg.AllowedGroups, ", "))
	}
	return strings.Join(all, "; and ")
}

func sessionLine(cfg *config.Config) string {
	where := "in the cookie"
	switch {
	case cfg.SessionStore == "redis":
		where = "in Redis"
	case cfg.Redis.Configured():
		where = "in the cookie, sign-outs shared through Redis"
	}
	text := fmt.Sprintf("%s, ends after %s", where, cfg.SessionLifetime)
	if cfg.SessionIdleTimeout > 0 {
		text += fmt.Sprintf(" or when unused for %s", cfg.SessionIdleTimeout)
	}
	if cfg.SessionRecheck > 0 {
		text += fmt.Sprintf("; claims are at most %s old", cfg.SessionRecheck)
	}
	return fmt.Sprintf("%s; cookie secrets: %d", text, len(cfg.CookieSecrets))
}

func gateways(cfg *config.Config) string {
	if len(cfg.TrustedProxies) == 0 {
		return "whoever may open the socket"
	}
	var networks []string
	for _, prefix := range cfg.TrustedProxies {
		networks = append(networks, prefix.String())
	}
	return strings.Join(networks, ", ")
}
