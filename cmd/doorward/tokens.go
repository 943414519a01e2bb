package main

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/doorward/doorward/internal/bearer"
	"github.com/doorward/doorward/internal/config"
	"github.com/doorward/doorward/internal/idp"
)

// keeper is a verifier that can be told which claims its users are to carry.
type keeper interface {
	bearer.Verifier
	Keep(paths []string)
}

// newTokens makes the verifiers of a configuration's tokens; nil when it has
// none, and then the Authorization header means nothing. claims are those that
// rules and headers look at. Tokens of the login provider's own issuer share its
// keys.
func newTokens(cfg *config.Config, providers idp.Providers, claims []string, render bearer.Render, log *slog.Logger) (*bearer.Tokens, error) {
	if len(cfg.Tokens) == 0 {
		return nil, nil //nolint:nilnil // no tokens is a configuration, not a failure
	}
	conf := bearer.Config{Issuers: map[string]bearer.Verifier{}, Render: render, Now: time.Now}
	for _, t := range cfg.Tokens {
		verifier, err := newVerifier(t, providers, log)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: tokens: %w", cfg.File, t.Line, err)
		}
		verifier.Keep(slices.Clone(claims))
		if t.IssuerURL != "" {
			conf.Issuers[t.IssuerURL] = verifier
		} else {
			conf.Others = append(conf.Others, verifier)
		}
	}
	return bearer.New(conf), nil
}

func newVerifier(t config.Token, providers idp.Providers, log *slog.Logger) (keeper, error) {
	switch {
	case t.KeysFile != "":
		return nil, errors.New("`keys_file`: this version has no API keys; remove it")
	case t.IssuerURL == "":
		return idp.NewIntrospection(idp.IntrospectionConfig{
			IntrospectionURL: t.IntrospectionURL, ClientID: t.ClientID, ClientSecret: t.ClientSecret,
			Audiences: t.Audiences, UserClaim: t.UserClaim, EmailClaim: t.EmailClaim, GroupsClaims: t.GroupsClaims,
			CAFile: t.CAFile, Log: log,
		})
	}
	conf := idp.AccessTokenConfig{
		IssuerURL: t.IssuerURL, Audiences: t.Audiences, LegacyIDTokens: t.LegacyIDTokens,
		UserClaim: t.UserClaim, EmailClaim: t.EmailClaim, GroupsClaims: t.GroupsClaims, CAFile: t.CAFile, Log: log,
	}
	for _, provider := range providers {
		if t.IssuerURL == provider.Issuer() {
			conf.Provider, conf.Keys = provider.Name(), provider.Keys()
			break
		}
	}
	return idp.NewAccessTokens(conf)
}
