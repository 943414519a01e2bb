// Package idp signs people in at an OpenID Connect provider: discovery, the
// authorization request, the code's exchange, the ID token's checks, userinfo,
// and the user that comes out of them. It keeps no state of a login; that is in
// the Flow, which the caller binds to the browser.
//
// On top of go-oidc it brings what that leaves to its callers: claims read by
// exact name, a nonce, iat, azp and at_hash that are checked, skew, bounded
// answers, a token endpoint that is asked once, and keys that are fetched at a
// bounded rate.
package idp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"sync/atomic"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/doorward/doorward/internal/secret"
)

// Config is everything about one provider, as configured.
type Config struct {
	Name, Label string

	// Type is the kind of provider: oidc (also for ""), github, google or entra.
	Type string

	// IssuerURL is the issuer byte for byte: what discovery and each token must
	// say. With http instead of https the endpoints may be http too.
	IssuerURL    string
	ClientID     string
	ClientSecret secret.Secret // empty: a public client, which PKCE alone protects
	Scopes       []string      // empty: openid, email, profile

	// ClientAuth is one of the Auth constants. Empty: by the secret, as the metadata
	// asks for it, or not at all without a secret. The files are those that it needs;
	// a key is in PEM form or a JWK, and files are read again when they change.
	ClientAuth      string
	ClientKeyFile   string
	ClientKeyID     string // kid of assertions; empty: that of the JWK, or none
	ClientCertFile  string // PEM; beside AuthPrivateKey its thumbprint names the key
	ClientTokenFile string // a JWT

	// AssertionAudience is aud of assertions by this client. Empty: the issuer, and
	// for Entra the token endpoint.
	AssertionAudience string

	// Discovery fetches the provider's metadata (OpenID Connect Discovery 1.0).
	// Without it AuthURL, TokenURL and JWKSURL must be set. Each of the addresses
	// below replaces the discovered one, and is used as it is.
	Discovery     bool
	AuthURL       string
	TokenURL      string
	JWKSURL       string
	UserinfoURL   string
	EndSessionURL string

	// DiscoveryURL is where the discovery document is, when that is not below the
	// issuer: the issuer is then still what the document must name.
	DiscoveryURL string

	// APIURL is where the API of a company is. Empty: where GitHub has it for the
	// server of IssuerURL, and where Google and Microsoft have theirs. For a GitHub,
	// one that ends with /api/v1 is Gitea's.
	APIURL string

	// HostedDomains are those of which a Google account must be; empty: any account.
	HostedDomains []string

	// GroupsFrom says where a Google user's groups are: GoogleDirectory,
	// GoogleIdentity or GoogleIdentityDirect, and "" for nowhere, so that they are
	// unknown. ServiceAccountFile is the key with which that is asked, and
	// ServiceAccountSubject the administrator in whose name; Cloud Identity can be
	// asked without, as the user.
	GroupsFrom            string
	ServiceAccountFile    string
	ServiceAccountSubject string

	// Tenants are the ids of those of Entra whose users may sign in, at least one.
	// IssuerURL is then the address of the cloud alone, and empty for the public one.
	Tenants []string

	// NoPushedRequests sends authorization requests through the browser also where
	// the provider takes them itself (RFC 9126).
	NoPushedRequests bool

	// Claims are dotted paths, as realm_access.roles; a claim whose own name is
	// the whole path wins. Empty: sub, email, groups. An address of EmailClaim is
	// verified when the claim beside it with _verified appended is true.
	UserClaim    string
	EmailClaim   string
	GroupsClaims []string

	AuthParams map[string]string // extra parameters of the authorization request

	// UntypedLogoutTokens takes logout tokens that do not say logout+jwt: some
	// providers type them JWT, or not at all.
	UntypedLogoutTokens bool

	CAFile                       string // PEM, trusted besides the system's roots
	InsecureSkipTLSVerify        bool
	InsecureAllowUnverifiedEmail bool

	Now func() time.Time // nil: time.Now
	Log *slog.Logger     // nil: no log
}

// Provider is one OpenID provider. It is safe for concurrent use.
type Provider struct {
	conf   Config
	kind   kind
	client *http.Client
	cred   *credentials
	keys   *Keys
	log    *slog.Logger

	kept      atomic.Pointer[[]string] // see Keep
	meta      atomic.Pointer[metadata] // nil until discovery has succeeded
	discovery discovery
}

// reserved are the parameters of an authorization request that are this
// package's own. response_mode is among them: the answer is read from a query.
var reserved = []string{
	"response_type", "response_mode", "client_id", "redirect_uri", "scope", "state", "nonce",
	"code_challenge", "code_challenge_method", "request", "request_uri",
}

// New checks the configuration and returns the provider. It never touches the
// network. The error lists every mistake.
func New(cfg Config) (*Provider, error) {
	kind, err := kindOf(cfg.Type)
	if err != nil {
		return nil, fmt.Errorf("idp: provider %s: %w", cfg.Name, err)
	}
	kind.prepare(&cfg)
	cfg = cfg.withDefaults()
	tlsConf, err := tlsConfig(cfg.CAFile, cfg.InsecureSkipTLSVerify)
	if err = errors.Join(cfg.check(kind), wrap("CA file", err)); err != nil {
		return nil, fmt.Errorf("idp: provider %s: %w", cfg.Name, err)
	}
	cred, err := newCredentials(cfg)
	if err != nil {
		return nil, fmt.Errorf("idp: provider %s: %w", cfg.Name, err)
	}
	cred.present(tlsConf)
	p := &Provider{conf: cfg, kind: kind, client: newClient(tlsConf), cred: cred, log: cfg.Log.With("provider", cfg.Name)}
	p.keys = NewKeys(p.jwksURL, p.client, cfg.Now, p.log)
	if !cfg.Discovery {
		p.meta.Store(cfg.undiscovered())
	}
	p.warnPlain()
	return p, nil
}

// IssuerOf is what Issuer will be for a provider of this configuration.
func IssuerOf(cfg Config) string {
	kind, err := kindOf(cfg.Type)
	if err != nil {
		return cfg.IssuerURL
	}
	kind.prepare(&cfg)
	return cfg.IssuerURL
}

// Name is the configured name, which is part of addresses and sessions.
func (p *Provider) Name() string { return p.conf.Name }

// Label is what people read on a button.
func (p *Provider) Label() string { return p.conf.Label }

// Issuer is what the users of this provider carry as theirs, the same for as long
// as the configuration is. For OpenID providers it is the configured issuer.
func (p *Provider) Issuer() string { return p.conf.IssuerURL }

// Keys are the provider's signing keys, for tokens that reach the server by
// other ways than a login. They implement oidc.KeySet, and their address is
// discovered when it is needed. A kind of provider that signs nothing has none: nil.
func (p *Provider) Keys() *Keys {
	if !p.kind.openID() {
		return nil
	}
	return p.keys
}

func (c Config) withDefaults() Config {
	c.Scopes = slices.Clone(c.Scopes)
	if len(c.Scopes) == 0 {
		c.Scopes = []string{oidc.ScopeOpenID, "email", "profile"}
	}
	if c.Label == "" {
		c.Label = c.Name
	}
	if c.UserClaim == "" {
		c.UserClaim = "sub"
	}
	if c.EmailClaim == "" {
		c.EmailClaim = "email"
	}
	if len(c.GroupsClaims) == 0 {
		c.GroupsClaims = []string{"groups"}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

func (c Config) check(kind kind) error {
	errs := []error{wrap("issuer URL", checkIssuer(c.IssuerURL)), kind.check(&c), c.checkClientAuth()}
	if c.ClientID == "" {
		errs = append(errs, errors.New("client id is missing"))
	}
	if kind.openID() && !slices.Contains(c.Scopes, oidc.ScopeOpenID) {
		errs = append(errs, errors.New("scopes lack openid"))
	}
	for name := range c.AuthParams {
		if slices.Contains(reserved, name) {
			errs = append(errs, fmt.Errorf("authorization parameter %s cannot be set", name))
		}
	}
	for _, e := range []struct {
		name, url string
		required  bool
	}{
		{"auth URL", c.AuthURL, !c.Discovery},
		{"token URL", c.TokenURL, !c.Discovery},
		{"JWKS URL", c.JWKSURL, !c.Discovery && kind.openID()},
		{"userinfo URL", c.UserinfoURL, false},
		{"end-session URL", c.EndSessionURL, false},
		{"discovery URL", c.DiscoveryURL, false},
	} {
		if e.url != "" {
			_, err := parseEndpoint(e.url)
			errs = append(errs, wrap(e.name, err))
		} else if e.required {
			errs = append(errs, fmt.Errorf("%s is missing, and discovery is off", e.name))
		}
	}
	return errors.Join(errs...)
}

func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}

// checkIssuer follows OpenID Connect Discovery 2: a URL without query and
// fragment.
func checkIssuer(issuer string) error {
	u, err := parseEndpoint(issuer)
	if err != nil {
		return err
	}
	if u.RawQuery != "" || u.ForceQuery {
		return errors.New("an issuer has no query")
	}
	return nil
}

// parseEndpoint accepts absolute http and https addresses without user name and
// fragment (RFC 6749 3.1 and 3.2). The error does not repeat the address, which
// may hold a password.
func parseEndpoint(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return nil, errors.New("not a URL")
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, errors.New("not an http or https URL")
	case u.Hostname() == "":
		return nil, errors.New("the URL names no host")
	case u.User != nil:
		return nil, errors.New("the URL holds a user name")
	case u.Fragment != "":
		return nil, errors.New("the URL has a fragment")
	}
	return u, nil
}

// plainIssuer reports whether the operator chose an http issuer.
func (c Config) plainIssuer() bool {
	u, err := url.Parse(c.IssuerURL)
	return err == nil && u.Scheme == "http"
}

// warnPlain says once that the issuer is reached without TLS. The options that
// weaken security by name are announced by whoever starts the process.
func (p *Provider) warnPlain() {
	if u, err := url.Parse(p.conf.IssuerURL); err == nil && u.Scheme == "http" && !isLoopback(u.Hostname()) {
		p.log.Warn("the issuer URL is http: whoever is on the way can sign in as anybody", "issuer", p.conf.IssuerURL)
	}
}

func isLoopback(host string) bool {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.Unmap().IsLoopback()
	}
	return host == "localhost" || len(host) > len(".localhost") && host[len(host)-len(".localhost"):] == ".localhost"
}

// jwksURL is where Keys find the set.
func (p *Provider) jwksURL(ctx context.Context) (string, error) {
	meta, err := p.metadata(ctx)
	if err != nil {
		return "", err
	}
	return meta.jwksURL, nil
}
