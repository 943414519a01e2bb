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
		{"session", sessionLine(cfg)},
		{"gateways", gateways(cfg)},
		{"return to", strings.Join(append([]string{"the hosts above"}, cfg.AllowedRedirectHosts...), ", ")},
		{"headers", strings.Join(cfg.IdentityHeaders, ", ")},
		{"listen", fmt.Sprintf("%s, health and metrics on %s", cfg.Listen, cfg.AdminListen)},
	} {
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
		kind := "client with a secret"
		switch {
		case p.ClientAuth != "" && p.ClientAuth != "none":
			kind = "client with " + p.ClientAuth
		case p.ClientSecret == "":
			kind = "public client"
		}
		lines = append(lines, fmt.Sprintf("%s (%s), issuer %s", p.Name, kind, idp.IssuerOf(providerConfig(p, nil))))
	}
	return lines
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
	text := fmt.Sprintf("in the cookie, ends after %s", cfg.SessionLifetime)
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
