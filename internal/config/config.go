// Package config turns the environment into one checked Config. It reports
// everything that is wrong at once, and never a value.
package config

import (
	"crypto/sha256"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/kelseyhightower/envconfig"
)

// Config is everything that can be configured, checked and complete.
type Config struct {
	Listen      Listener
	AdminListen Listener
	GRPC        GRPC

	// Sites are the public URLs, at least one, each with its cookie domain. All
	// have one scheme: http with CookieInsecure, and https without.
	Sites      []Site
	PathPrefix string // "" or as "/oauth2", without a slash at its end

	CookieSecrets  Keys
	CookieName     string // without a __Host- or __Secure- before it
	CookiePersist  bool
	CookieInsecure bool

	SignInPage         bool
	SessionLifetime    time.Duration
	SessionIdleTimeout time.Duration // 0: none
	SessionRecheck     time.Duration // how old claims may be; 0: as old as the session
	SessionStore       string        // "cookie" or "redis"

	// Redis is there when sessions are kept in it, and optional otherwise: then
	// sign-outs are shared through it.
	Redis              Redis
	SessionOutageGrace time.Duration // how long known sessions go on without Redis

	// Providers are at least one. They come from the file, or one from the
	// environment.
	Providers []Provider

	// Either AllowAnyUser is true and the lists are empty, or one of the lists is
	// not: (e-mail or domain) and group, and an empty list does not restrict.
	AllowAnyUser        bool
	AllowedEmails       []string // domain in lower case
	AllowedEmailDomains []string // lower case
	AllowedGroups       []string

	AllowedRedirectHosts []string // lower case; "x.org" or "*.x.org"
	TrustedProxies       []netip.Prefix
	ForceScheme          string // "", "http" or "https"

	IdentityHeaders []string // of "x-auth-request", "x-forwarded" and "remote"
	PassAccessToken bool
	PassIDToken     bool
	AllowStatus     int // 200 or 202
	ReasonHeader    bool

	LogLevel      slog.Level
	LogFormat     string // "json" or "text"
	ShutdownDelay time.Duration

	// File is the path of the configuration file, or "". Rules, Tokens and
	// Headers come from it, in its order; Reload reads them again. Rules are never
	// empty: without rules in the file they are the one that DOORWARD_ALLOW* makes.
	File    string
	Rules   []Rule
	Tokens  []Token
	Headers []Header

	// FileDigest is the SHA-256 of what File held when it was read.
	FileDigest [sha256.Size]byte
}

// Load reads the environment and the files that it names. The warnings are for
// what has no effect or is seldom meant; the configuration is usable with them.
// The error is of type Mistakes.
func Load() (cfg *Config, warnings []string, err error) {
	var s spec
	if err := envconfig.Process(prefix, &s); err != nil {
		return nil, nil, errors.New("config: the environment cannot be read") // err could hold a value
	}
	r := newReader()
	c := r.resolve(&s)
	r.warnUnknown()
	if len(r.mistakes) > 0 {
		return nil, r.warnings, r.mistakes
	}
	return c, r.warnings, nil
}

func (r *reader) resolve(s *spec) *Config {
	c := &Config{}
	c.Listen, c.AdminListen = r.listeners(s)
	c.GRPC = r.grpc(s, c.Listen, c.AdminListen)
	c.CookieInsecure = r.boolean("DOORWARD_COOKIE_INSECURE", s.CookieInsecure)
	c.Sites = r.sites(s, c.CookieInsecure)
	c.PathPrefix = r.pathPrefix(s.PathPrefix, c.Sites)
	c.CookieSecrets = r.cookieSecrets(s)
	c.CookieName = r.cookieName(s.CookieName)
	c.CookiePersist = r.boolean("DOORWARD_COOKIE_PERSIST", s.CookiePersist)
	r.session(s, c)
	c.AllowedRedirectHosts = r.redirectHosts(s.AllowedRedirectHosts)
	c.TrustedProxies = r.proxies(s.TrustedProxies, c.Listen)
	c.ForceScheme = r.forceScheme(s.ForceScheme, c.Sites)
	r.answers(s, c)
	r.operation(s, c)
	r.file(s, c)
	return c
}

// ownRule is the rule that DOORWARD_ALLOW* makes.
func (c *Config) ownRule() Rule {
	return Rule{Name: "DOORWARD_ALLOW", Redirect: true, Allow: &Allow{
		Any: c.AllowAnyUser, Emails: c.AllowedEmails, EmailDomains: c.AllowedEmailDomains, Groups: c.AllowedGroups,
	}}
}

// cookieName wants a token (RFC 6265, 4.1.1).
func (r *reader) cookieName(text string) string {
	const name = "DOORWARD_COOKIE_NAME"
	text = r.plain(name, text)
	lower := strings.ToLower(text)
	switch {
	case strings.HasPrefix(lower, "__host-"), strings.HasPrefix(lower, "__secure-"):
		r.mistake(name, "begins with a prefix that Doorward adds itself; leave it out")
	case len(text) > 64:
		r.mistake(name, "is longer than 64 characters")
	case strings.ContainsFunc(text, notInToken):
		r.mistake(name, "has to be made of letters, digits and - _ . ! # $ %% & ' * + ^ ` | ~")
	}
	return text
}

func notInToken(c rune) bool {
	return notPrintable(c) || strings.ContainsRune(`()<>@,;:\"/[]?={}`, c)
}

func (r *reader) session(s *spec, c *Config) {
	const store, idle = "DOORWARD_SESSION_STORE", "DOORWARD_SESSION_IDLE_TIMEOUT"
	c.SignInPage = r.boolean("DOORWARD_SIGN_IN_PAGE", s.SignInPage)
	c.SessionLifetime = r.duration("DOORWARD_SESSION_LIFETIME", s.SessionLifetime, time.Second)
	if r.plain(idle, s.SessionIdleTimeout) != "off" {
		c.SessionIdleTimeout = r.duration(idle, s.SessionIdleTimeout, time.Second)
		if c.SessionIdleTimeout > c.SessionLifetime {
			r.warn(idle, "is longer than DOORWARD_SESSION_LIFETIME and has no effect")
		}
	}
	c.SessionRecheck = r.recheck(s.SessionRecheck, c.SessionLifetime)
	c.SessionStore = r.oneOf(store, s.SessionStore, "cookie", "redis")
	r.redis(s, c)
}

// recheck is at least a minute: less would only ask the provider for every page.
func (r *reader) recheck(text string, lifetime time.Duration) time.Duration {
	const name = "DOORWARD_SESSION_RECHECK"
	if r.plain(name, text) == "off" {
		return 0
	}
	recheck := r.duration(name, text, time.Minute)
	if recheck >= lifetime {
		r.warn(name, "is not shorter than DOORWARD_SESSION_LIFETIME and has no effect")
	}
	return recheck
}

func (r *reader) forceScheme(text string, sites []Site) string {
	const name = "DOORWARD_FORCE_SCHEME"
	if strings.TrimSpace(text) == "" {
		return ""
	}
	scheme := r.oneOf(name, text, "https", "http")
	if len(sites) > 0 && sites[0].Scheme != scheme {
		r.warn(name, "is not the scheme of DOORWARD_PUBLIC_URL, so that nobody comes back to where they were after a login")
	}
	return scheme
}

// answers reads what an allow consists of.
func (r *reader) answers(s *spec, c *Config) {
	const families = "DOORWARD_IDENTITY_HEADERS"
	for i, family := range r.list(families, s.IdentityHeaders) {
		switch {
		case !slices.Contains([]string{"x-auth-request", "x-forwarded", "remote"}, family):
			r.mistake(families, "entry %d has to be x-auth-request, x-forwarded or remote", i+1)
		case !slices.Contains(c.IdentityHeaders, family):
			c.IdentityHeaders = append(c.IdentityHeaders, family)
		}
	}
	c.PassAccessToken = r.boolean("DOORWARD_PASS_ACCESS_TOKEN", s.PassAccessToken)
	c.PassIDToken = r.boolean("DOORWARD_PASS_ID_TOKEN", s.PassIDToken)
	c.ReasonHeader = r.boolean("DOORWARD_REASON_HEADER", s.ReasonHeader)
	c.AllowStatus = 202
	if r.oneOf("DOORWARD_ALLOW_STATUS", s.AllowStatus, "200", "202") == "200" {
		c.AllowStatus = 200
	}
}

func (r *reader) operation(s *spec, c *Config) {
	levels := map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}
	c.LogLevel = levels[r.oneOf("DOORWARD_LOG_LEVEL", s.LogLevel, "debug", "info", "warn", "error")]
	c.LogFormat = r.oneOf("DOORWARD_LOG_FORMAT", s.LogFormat, "json", "text")
	c.ShutdownDelay = r.duration("DOORWARD_SHUTDOWN_DELAY", s.ShutdownDelay, 0)
}

// Renews reports whether sessions are renewed at their provider: for tokens that
// are passed on, or for claims that may not grow too old.
func (c *Config) Renews() bool {
	return c.PassAccessToken || c.PassIDToken || c.SessionRecheck > 0
}

// Hosts are the hosts that Doorward decides about, as patterns: "app.example.com"
// is this host alone, "*.example.com" every host below example.com.
func (c *Config) Hosts() []string {
	var hosts []string
	for _, site := range c.Sites {
		if site.CookieDomain == "" {
			hosts = append(hosts, site.Host)
			continue
		}
		hosts = append(hosts, site.CookieDomain, "*."+site.CookieDomain)
	}
	return hosts
}

// Weakness is an option that weakens security and is on.
type Weakness struct {
	Variable string // that switches it on, for every provider by the name of the one of the environment
	Text     string // what it means
}

func (w Weakness) String() string { return w.Variable + ": " + w.Text }

// Insecure lists the options that weaken security and are on, for the log at start
// (CFG-2).
func (c *Config) Insecure() []Weakness {
	var on []Weakness
	for _, option := range []struct {
		on bool
		Weakness
	}{
		{c.CookieInsecure, Weakness{"DOORWARD_COOKIE_INSECURE", "cookies travel over plain http and lose their __Host- or __Secure- prefix"}},
		{slices.ContainsFunc(c.Providers, func(p Provider) bool { return p.InsecureSkipTLSVerify }), Weakness{"DOORWARD_OIDC_INSECURE_SKIP_TLS_VERIFY", "whoever is on the way to the provider can sign in as anybody"}},
		{slices.ContainsFunc(c.Providers, func(p Provider) bool { return p.InsecureAllowUnverifiedEmail }), Weakness{"DOORWARD_OIDC_INSECURE_ALLOW_UNVERIFIED_EMAIL", "e-mail addresses are believed that the provider has not verified"}},
	} {
		if option.on {
			on = append(on, option.Weakness)
		}
	}
	return on
}
