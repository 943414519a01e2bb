package main

import (
	"crypto/tls"
	"errors"
	"log/slog"
	"net/url"
	"time"

	"google.golang.org/grpc/credentials"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/config"
	"github.com/doorward/doorward/internal/extauthz"
	"github.com/doorward/doorward/internal/gate"
	"github.com/doorward/doorward/internal/gateway"
	"github.com/doorward/doorward/internal/idp"
	"github.com/doorward/doorward/internal/redirect"
	"github.com/doorward/doorward/internal/server"
	"github.com/doorward/doorward/internal/server/pages"
	"github.com/doorward/doorward/internal/telemetry"
)

// process is everything that runs, wired together.
type process struct {
	main      *server.Server
	admin     *server.Admin
	envoy     *extauthz.Server
	providers idp.Providers
	sessions  *stores
	clients   *clients       // of the configuration in force; only the reloading looks at it
	refused   []config.Token // of the configuration that could not be put in force last
	log       *slog.Logger
}

// assemble makes the parts of a configuration. It touches no network.
func assemble(cfg *config.Config, log *slog.Logger) (*process, error) {
	metrics := telemetry.NewMetrics(versionText())
	for _, weakness := range cfg.Insecure() {
		metrics.Insecure(weakness.Variable)
	}
	providers, err := newProviders(cfg.Providers, log)
	if err != nil {
		return nil, err
	}
	sessions, err := newStores(cfg, log, metrics)
	if err != nil {
		return nil, err
	}
	look, err := pages.New()
	if err != nil {
		return nil, err
	}
	renewals := gate.NewRenewals(gate.RenewalConfig{
		Sessions: sessions, Providers: providers, PassAccessToken: cfg.PassAccessToken, PassIDToken: cfg.PassIDToken,
		Recheck: cfg.SessionRecheck, Log: log, Metrics: metrics, Now: time.Now,
	})
	g := &gate.Gate{
		Sessions: sessions.Store, Renewals: renewals, Sites: sites(cfg),
		StartPath: cfg.PathPrefix + "/start", Log: log, Metrics: metrics,
	}
	settings := gateway.Settings{Proxies: cfg.TrustedProxies, ForceScheme: cfg.ForceScheme, AllowStatus: cfg.AllowStatus, Reasons: cfg.ReasonHeader}
	main := &server.Server{
		Gate: g, Gateway: settings, Sessions: sessions, Listing: sessions.listing, Flows: sessions.flows, Providers: providers, Sites: sites(cfg),
		Logouts:   idp.NewLogoutTokens(providers),
		Redirects: redirects(cfg), Pages: look, Log: log, Metrics: metrics,
		Prefix: cfg.PathPrefix, SignInPage: cfg.SignInPage, Now: time.Now,
	}
	direct := gateway.Direct{Denied: main.DeniedPage}
	p := &process{
		main: main,
		admin: &server.Admin{Providers: providers, Metrics: metrics, Sessions: func() (string, bool) {
			return sessions.ready(cfg.SessionStore)
		}},
		sessions:  sessions,
		envoy:     &extauthz.Server{Gate: g, Dialect: gateway.GRPC{Settings: settings, Direct: direct}},
		providers: providers,
		log:       log,
	}
	return p, p.govern(cfg)
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

// issuers are those whose sessions count, by the name of the provider.
func issuers(providers []config.Provider) map[string]string {
	all := map[string]string{}
	for _, p := range providers {
		all[p.Name] = idp.IssuerOf(providerConfig(p, nil))
	}
	return all
}

// tenants say whose sessions count, by the name of a provider with several tenants:
// who takes one off the list does not want its users any more.
func tenants(providers []config.Provider) map[string]func(subject string) bool {
	all := map[string]func(string) bool{}
	for _, p := range providers {
		if accepts := idp.TenantsOf(providerConfig(p, nil)); accepts != nil {
			all[p.Name] = accepts
		}
	}
	return all
}

func newProviders(all []config.Provider, log *slog.Logger) (idp.Providers, error) {
	var providers idp.Providers
	var mistakes []error
	for _, p := range all {
		provider, err := newProvider(p, log)
		providers, mistakes = append(providers, provider), append(mistakes, err)
	}
	return providers, errors.Join(mistakes...)
}

func newProvider(p config.Provider, log *slog.Logger) (*idp.Provider, error) {
	return idp.New(providerConfig(p, log))
}

func providerConfig(p config.Provider, log *slog.Logger) idp.Config {
	return idp.Config{
		Name: p.Name, Type: p.Type, Label: label(p), IssuerURL: p.IssuerURL, Scopes: p.Scopes,
		ClientID: p.ClientID, ClientSecret: p.ClientSecret, ClientAuth: p.ClientAuth,
		ClientKeyFile: p.ClientKeyFile, ClientKeyID: p.ClientKeyID, ClientCertFile: p.ClientCertFile,
		ClientTokenFile: p.ClientTokenFile, AssertionAudience: p.ClientAudience,
		Discovery: p.Discovery, DiscoveryURL: p.DiscoveryURL, AuthURL: p.AuthURL, TokenURL: p.TokenURL, JWKSURL: p.JWKSURL,
		UserinfoURL: p.UserinfoURL, EndSessionURL: p.EndSessionURL, NoPushedRequests: p.NoPushedRequests,
		APIURL: p.APIURL, Tenants: p.Tenants, HostedDomains: p.HostedDomains, GroupsFrom: p.GroupsFrom,
		ServiceAccountFile: p.ServiceAccountFile, ServiceAccountSubject: p.ServiceAccountSubject,
		UserClaim: p.UserClaim, EmailClaim: p.EmailClaim, GroupsClaims: p.GroupsClaims,
		AuthParams: p.AuthParams, CAFile: p.CAFile,
		UntypedLogoutTokens:   p.UntypedLogoutTokens,
		InsecureSkipTLSVerify: p.InsecureSkipTLSVerify, InsecureAllowUnverifiedEmail: p.InsecureAllowUnverifiedEmail,
		Log: log,
	}
}

// label is what people read where they sign in: the provider's host says more to
// them than its name in a configuration.
func label(p config.Provider) string {
	if p.Label != "" {
		return p.Label
	}
	issuer, err := url.Parse(p.IssuerURL)
	switch {
	case p.Type == "google":
		return "Google"
	case p.Type == "entra":
		return "Microsoft"
	case p.Type == "github" && (p.IssuerURL == "" || p.IssuerURL == "https://github.com"):
		return "GitHub"
	case err != nil || issuer.Hostname() == "":
		return p.Name
	}
	return issuer.Hostname()
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
