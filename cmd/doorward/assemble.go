package main

import (
	"crypto/tls"
	"log/slog"
	"strings"
	"time"

	"google.golang.org/grpc/credentials"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/config"
	"github.com/doorward/doorward/internal/extauthz"
	"github.com/doorward/doorward/internal/gate"
	"github.com/doorward/doorward/internal/gateway"
	"github.com/doorward/doorward/internal/headers"
	"github.com/doorward/doorward/internal/idp"
	"github.com/doorward/doorward/internal/policy"
	"github.com/doorward/doorward/internal/redirect"
	"github.com/doorward/doorward/internal/server"
	"github.com/doorward/doorward/internal/server/pages"
	"github.com/doorward/doorward/internal/session"
	"github.com/doorward/doorward/internal/telemetry"
)

// process is everything that runs, wired together.
type process struct {
	main     *server.Server
	admin    *server.Admin
	envoy    *extauthz.Server
	provider *idp.Provider
	log      *slog.Logger
}

// assemble makes the parts of a configuration. It touches no network.
func assemble(cfg *config.Config, log *slog.Logger) (*process, error) {
	metrics := telemetry.NewMetrics(versionText())
	for _, option := range cfg.Insecure() {
		name, _, _ := strings.Cut(option, ":")
		metrics.Insecure(name)
	}
	provider, err := newProvider(cfg.Provider, log)
	if err != nil {
		return nil, err
	}
	keys, err := session.NewKeyring(cfg.CookieSecrets)
	if err != nil {
		return nil, err
	}
	flows, err := session.NewFlows(keys, cfg.CookieName, cfg.CookieInsecure, time.Now)
	if err != nil {
		return nil, err
	}
	identity := headers.New(headers.Config{
		Families: cfg.IdentityHeaders, PassAccessToken: cfg.PassAccessToken, PassIDToken: cfg.PassIDToken,
	})
	sessions, err := session.NewCookieStore(session.CookieConfig{
		Keys: keys, Sites: sites(cfg), Name: cfg.CookieName, Insecure: cfg.CookieInsecure,
		Persist: cfg.CookiePersist, Lifetime: cfg.SessionLifetime, Idle: cfg.SessionIdleTimeout,
		KeepAccessToken: cfg.PassAccessToken, KeepIDToken: cfg.PassIDToken,
		Render: identity.Render, Now: time.Now,
	})
	if err != nil {
		return nil, err
	}
	look, err := pages.New()
	if err != nil {
		return nil, err
	}
	g := &gate.Gate{
		Sessions: sessions, Sites: sites(cfg), Nobody: identity.Render(auth.User{}, auth.Tokens{}),
		StartPath: cfg.PathPrefix + "/start", Log: log, Metrics: metrics,
	}
	g.Govern(rules(cfg))
	settings := gateway.Settings{Proxies: cfg.TrustedProxies, ForceScheme: cfg.ForceScheme, AllowStatus: cfg.AllowStatus}
	main := &server.Server{
		Gate: g, Gateway: settings, Sessions: sessions, Flows: flows, Provider: provider, Sites: sites(cfg),
		Redirects: redirects(cfg), Pages: look, Log: log, Metrics: metrics,
		Prefix: cfg.PathPrefix, SignInPage: cfg.SignInPage,
	}
	direct := gateway.Direct{Denied: main.DeniedPage}
	return &process{
		main:     main,
		admin:    &server.Admin{Provider: provider, Metrics: metrics},
		envoy:    &extauthz.Server{Gate: g, Dialect: gateway.GRPC{Settings: settings, Direct: direct}},
		provider: provider,
		log:      log,
	}, nil
}

// grpcCredentials are nil when the gRPC listener speaks plain text.
func grpcCredentials(cfg config.GRPC) credentials.TransportCredentials {
	if cfg.Certificate == nil {
		return nil
	}
	conf := &tls.Config{Certificates: []tls.Certificate{*cfg.Certificate}, MinVersion: tls.VersionTLS12}
	if cfg.ClientCAs != nil {
		conf.ClientCAs, conf.ClientAuth = cfg.ClientCAs, tls.RequireAndVerifyClientCert
	}
	return credentials.NewTLS(conf)
}

func newProvider(p config.Provider, log *slog.Logger) (*idp.Provider, error) {
	return idp.New(idp.Config{
		Name: p.Name, IssuerURL: p.IssuerURL, ClientID: p.ClientID, ClientSecret: p.ClientSecret, Scopes: p.Scopes,
		Discovery: p.Discovery, AuthURL: p.AuthURL, TokenURL: p.TokenURL, JWKSURL: p.JWKSURL,
		UserinfoURL: p.UserinfoURL, EndSessionURL: p.EndSessionURL,
		UserClaim: p.UserClaim, EmailClaim: p.EmailClaim, GroupsClaims: p.GroupsClaims,
		AuthParams: p.AuthParams, CAFile: p.CAFile,
		InsecureSkipTLSVerify: p.InsecureSkipTLSVerify, InsecureAllowUnverifiedEmail: p.InsecureAllowUnverifiedEmail,
		Log: log,
	})
}

func sites(cfg *config.Config) auth.Sites {
	var all auth.Sites
	for _, site := range cfg.Sites {
		all = append(all, auth.Site(site))
	}
	return all
}

func redirects(cfg *config.Config) *redirect.Rules {
	r := &redirect.Rules{Hosts: cfg.AllowedRedirectHosts, Prefix: cfg.PathPrefix}
	for _, site := range cfg.Sites {
		r.Sites = append(r.Sites, redirect.Site(site))
	}
	return r
}

// rules is the one rule that DOORWARD_ALLOW* makes, for every host of the cookie
// domains and of the public URLs.
func rules(cfg *config.Config) *policy.Set {
	return policy.New([]policy.Rule{{
		Name: "DOORWARD_ALLOW",
		Allow: &policy.Allow{
			Any:    cfg.AllowAnyUser,
			Emails: cfg.AllowedEmails, EmailDomains: cfg.AllowedEmailDomains, Groups: cfg.AllowedGroups,
		},
	}}, cfg.Hosts())
}
