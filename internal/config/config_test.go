package config_test

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/doorward/doorward/internal/config"
)

// key1 and key2 are cookie secrets; nothing but these tests uses them.
const (
	key1 = "sdOvmfGTqcZpDR7fyKXtDGF4S8wJ0R9Qh3bWmDnE4kc="
	key2 = "-_-vmfGTqcZpDR7fyKXtDGF4S8wJ0R9Qh3bWmDnE4kc"
)

// env are variables, by their name without DOORWARD_.
type env map[string]string

// unset in an env takes a variable away.
const unset = "\x00unset"

// load reads a good configuration with changes.
func load(t *testing.T, changes env) (*config.Config, []string, error) {
	t.Helper()
	for _, entry := range os.Environ() {
		if name, _, _ := strings.Cut(entry, "="); strings.HasPrefix(strings.ToUpper(name), "DOORWARD_") {
			t.Setenv(name, "") // restores it afterwards
			os.Unsetenv(name)
		}
	}
	all := env{
		"PUBLIC_URL":      "https://auth.example.com",
		"COOKIE_SECRET":   key1,
		"OIDC_ISSUER_URL": "https://id.example.com/realms/main",
		"OIDC_CLIENT_ID":  "doorward",
		"ALLOWED_GROUPS":  "sre",
	}
	for name, value := range changes {
		all[name] = value
	}
	for name, value := range all {
		if value != unset {
			t.Setenv("DOORWARD_"+name, value)
		}
	}
	return config.Load()
}

// good loads a configuration that must have no mistakes.
func good(t *testing.T, changes env) *config.Config {
	t.Helper()
	cfg, _, err := load(t, changes)
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	return cfg
}

func TestDefaults(t *testing.T) {
	cfg, warnings, err := load(t, nil)
	if err != nil || len(warnings) > 0 {
		t.Fatalf("Load: %v, warnings %q", err, warnings)
	}
	want := &config.Config{
		Listen:          config.Listener{Network: "tcp", Address: ":4180"},
		AdminListen:     config.Listener{Network: "tcp", Address: ":4181"},
		Sites:           []config.Site{{Scheme: "https", Host: "auth.example.com"}},
		CookieSecrets:   cfg.CookieSecrets,
		CookieName:      "doorward",
		CookiePersist:   true,
		SessionLifetime: 168 * time.Hour,
		SessionStore:    "cookie", SessionOutageGrace: time.Minute,
		Providers: []config.Provider{{
			Name: "oidc", Type: "oidc", IssuerURL: "https://id.example.com/realms/main", ClientID: "doorward",
			Scopes: []string{"openid", "email", "profile"}, Discovery: true,
			UserClaim: "sub", EmailClaim: "email", GroupsClaims: []string{"groups"},
		}},
		AllowedGroups: []string{"sre"},
		TrustedProxies: []netip.Prefix{
			netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"), netip.MustParsePrefix("10.0.0.0/8"),
			netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.168.0.0/16"), netip.MustParsePrefix("fc00::/7"),
		},
		IdentityHeaders: []string{"x-auth-request"},
		AllowStatus:     202,
		LogLevel:        slog.LevelInfo,
		LogFormat:       "json",
		ShutdownDelay:   5 * time.Second,
		Rules:           []config.Rule{{Name: "DOORWARD_ALLOW", Redirect: true, Allow: &config.Allow{Groups: []string{"sre"}}}},
	}
	if diff := cmp.Diff(want, cfg, cmpopts.EquateEmpty(), cmpopts.EquateComparable(netip.Prefix{})); diff != "" {
		t.Errorf("defaults (-want +got):\n%s", diff)
	}
	if len(cfg.CookieSecrets) != 1 || len(cfg.CookieSecrets[0]) != 32 {
		t.Errorf("cookie secrets: %d", len(cfg.CookieSecrets))
	}
}

// A variable that is set to nothing counts as unset, as composing tools set them.
func TestEmptyIsUnset(t *testing.T) {
	want := good(t, nil)
	empty := env{}
	for _, v := range config.Variables() {
		name := strings.TrimPrefix(v.Name, "DOORWARD_")
		switch name {
		case "PUBLIC_URL", "COOKIE_SECRET", "OIDC_ISSUER_URL", "OIDC_CLIENT_ID", "ALLOWED_GROUPS": // required here
		case "ALLOWED_EMAILS", "ALLOWED_EMAIL_DOMAINS", "TRUSTED_PROXIES": // empty restrictions are mistakes
		default:
			empty[name] = " "
		}
	}
	empty["OIDC_CLIENT_SECRET"] = ""
	empty["COOKIE_SECRET_FILE"] = ""
	if diff := cmp.Diff(want, good(t, empty), cmpopts.EquateEmpty(), cmpopts.EquateComparable(netip.Prefix{})); diff != "" {
		t.Errorf("set to nothing (-unset +empty):\n%s", diff)
	}
}

func TestValues(t *testing.T) {
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, []byte(certificate), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		env  env
		got  func(*config.Config) any
		want any
	}{
		{"listen on a socket", env{"LISTEN": "unix:/run/doorward.sock"}, func(c *config.Config) any { return c.Listen }, config.Listener{Network: "unix", Address: "/run/doorward.sock"}},
		{"listen on an address", env{"ADMIN_LISTEN": "[::1]:9000"}, func(c *config.Config) any { return c.AdminListen }, config.Listener{Network: "tcp", Address: "[::1]:9000"}},
		{"listen on any port twice", env{"LISTEN": "127.0.0.1:0", "ADMIN_LISTEN": "127.0.0.1:0"}, func(c *config.Config) any { return c.AdminListen.Address }, "127.0.0.1:0"},
		{"path prefix", env{"PATH_PREFIX": "/oauth2"}, func(c *config.Config) any { return c.PathPrefix }, "/oauth2"},
		{"path prefix of two", env{"PATH_PREFIX": "/a/b-c"}, func(c *config.Config) any { return c.PathPrefix }, "/a/b-c"},
		{"cookie name", env{"COOKIE_NAME": "_dw"}, func(c *config.Config) any { return c.CookieName }, "_dw"},
		{"cookie of the browser's run", env{"COOKIE_PERSIST": "false"}, func(c *config.Config) any { return c.CookiePersist }, false},
		{"sign-in page", env{"SIGN_IN_PAGE": "TRUE"}, func(c *config.Config) any { return c.SignInPage }, true},
		{"lifetime", env{"SESSION_LIFETIME": "12h"}, func(c *config.Config) any { return c.SessionLifetime }, 12 * time.Hour},
		{"idle timeout", env{"SESSION_IDLE_TIMEOUT": "30m"}, func(c *config.Config) any { return c.SessionIdleTimeout }, 30 * time.Minute},
		{"idle timeout off", env{"SESSION_IDLE_TIMEOUT": "off"}, func(c *config.Config) any { return c.SessionIdleTimeout }, time.Duration(0)},
		{"recheck", env{"SESSION_RECHECK": "15m"}, func(c *config.Config) any { return []any{c.SessionRecheck, c.Renews()} }, []any{15 * time.Minute, true}},
		{"recheck off", env{"SESSION_RECHECK": "off"}, func(c *config.Config) any { return []any{c.SessionRecheck, c.Renews()} }, []any{time.Duration(0), false}},
		{"an access token renews", env{"PASS_ACCESS_TOKEN": "true"}, func(c *config.Config) any { return c.Renews() }, true},
		{"an ID token renews", env{"PASS_ID_TOKEN": "true"}, func(c *config.Config) any { return c.Renews() }, true},
		{"no shutdown delay", env{"SHUTDOWN_DELAY": "0s"}, func(c *config.Config) any { return c.ShutdownDelay }, time.Duration(0)},
		{"log", env{"LOG_LEVEL": "warn", "LOG_FORMAT": "text"}, func(c *config.Config) any { return []any{c.LogLevel, c.LogFormat} }, []any{slog.LevelWarn, "text"}},
		{"allow status", env{"ALLOW_STATUS": "200"}, func(c *config.Config) any { return c.AllowStatus }, 200},
		{"headers", env{"IDENTITY_HEADERS": "remote, x-forwarded,remote"}, func(c *config.Config) any { return c.IdentityHeaders }, []string{"remote", "x-forwarded"}},
		{"tokens", env{"PASS_ACCESS_TOKEN": "true", "PASS_ID_TOKEN": "1"}, func(c *config.Config) any { return []bool{c.PassAccessToken, c.PassIDToken} }, []bool{true, true}},
		{"force scheme", env{"FORCE_SCHEME": "https"}, func(c *config.Config) any { return c.ForceScheme }, "https"},
		{"redirect hosts", env{"ALLOWED_REDIRECT_HOSTS": "X.org,*.y.org"}, func(c *config.Config) any { return c.AllowedRedirectHosts }, []string{"x.org", "*.y.org"}},
		{"proxies, bare and with host bits", env{"TRUSTED_PROXIES": "192.0.2.7,2001:db8::7, 10.1.2.3/8,::ffff:192.0.2.9"}, func(c *config.Config) any { return fmt.Sprint(c.TrustedProxies) }, "[192.0.2.7/32 2001:db8::7/128 10.0.0.0/8 192.0.2.9/32]"},
		{"HDR-2 no proxies, but a socket", env{"TRUSTED_PROXIES": "", "LISTEN": "unix:/run/x"}, func(c *config.Config) any { return len(c.TrustedProxies) }, 0},
		{"anybody", env{"ALLOW_ANY_USER": "true", "ALLOWED_GROUPS": unset}, func(c *config.Config) any { return c.AllowAnyUser }, true},
		{"AUTHZ-2 e-mail", env{"ALLOWED_EMAILS": "Ada@Example.COM, b@x.org"}, func(c *config.Config) any { return c.AllowedEmails }, []string{"Ada@example.com", "b@x.org"}},
		{"AUTHZ-2 domain", env{"ALLOWED_EMAIL_DOMAINS": "Example.COM"}, func(c *config.Config) any { return c.AllowedEmailDomains }, []string{"example.com"}},
		{"groups with spaces inside", env{"ALLOWED_GROUPS": "on call , /sre"}, func(c *config.Config) any { return c.AllowedGroups }, []string{"on call", "/sre"}},
		{"issuer byte for byte", env{"OIDC_ISSUER_URL": "https://ID.example.com:443/x//"}, func(c *config.Config) any { return c.Providers[0].IssuerURL }, "https://ID.example.com:443/x//"},
		{"scopes with spaces", env{"OIDC_SCOPES": "openid  groups"}, func(c *config.Config) any { return c.Providers[0].Scopes }, []string{"openid", "groups"}},
		{"group claims", env{"OIDC_GROUPS_CLAIM": "groups,realm_access.roles"}, func(c *config.Config) any { return c.Providers[0].GroupsClaims }, []string{"groups", "realm_access.roles"}},
		{"parameters with a colon in the value", env{"OIDC_AUTH_PARAMS": "kc_idp_hint:google,resource:https://x"}, func(c *config.Config) any { return c.Providers[0].AuthParams }, map[string]string{"kc_idp_hint": "google", "resource": "https://x"}},
		{"endpoint with a query", env{"OIDC_AUTH_URL": "https://id.example.com/a?p=1"}, func(c *config.Config) any { return c.Providers[0].AuthURL }, "https://id.example.com/a?p=1"},
		{"no discovery", env{"OIDC_DISCOVERY": "false", "OIDC_AUTH_URL": "http://a/a", "OIDC_TOKEN_URL": "http://a/t", "OIDC_JWKS_URL": "http://a/j"}, func(c *config.Config) any { return c.Providers[0].Discovery }, false},
		{"other endpoints", env{"OIDC_USERINFO_URL": "http://a/u", "OIDC_END_SESSION_URL": "http://a/e"}, func(c *config.Config) any { return c.Providers[0].UserinfoURL + " " + c.Providers[0].EndSessionURL }, "http://a/u http://a/e"},
		{"CA file", env{"OIDC_CA_FILE": ca}, func(c *config.Config) any { return c.Providers[0].CAFile }, ca},
		{"client secret", env{"OIDC_CLIENT_SECRET": "a,b"}, func(c *config.Config) any { return c.Providers[0].ClientSecret.Reveal() }, "a,b"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.got(good(t, tt.env)); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestSites(t *testing.T) {
	for _, tt := range []struct {
		name  string
		env   env
		want  []config.Site
		hosts []string
	}{
		{"host-only", env{"PUBLIC_URL": "https://Auth.Example.com:443/"},
			[]config.Site{{Scheme: "https", Host: "auth.example.com"}},
			[]string{"auth.example.com"}},
		{"other port", env{"PUBLIC_URL": "https://auth.example.com:8443"},
			[]config.Site{{Scheme: "https", Host: "auth.example.com", Port: "8443"}},
			[]string{"auth.example.com"}},
		{"every host its own", env{"PUBLIC_URL": "https://*.example.com"},
			[]config.Site{{Scheme: "https", Host: "*.example.com"}},
			[]string{"*.example.com"}},
		{"wildcard over a cookie domain", env{"PUBLIC_URL": "https://*.example.com", "COOKIE_DOMAINS": "example.com"},
			[]config.Site{{Scheme: "https", Host: "*.example.com", CookieDomain: "example.com"}},
			[]string{"example.com", "*.example.com"}},
		{"pairs by longest suffix", env{"PUBLIC_URL": "https://a.dev.example.com,https://auth.example.com,https://x.org", "COOKIE_DOMAINS": "dev.example.com,x.org,.example.com"},
			[]config.Site{
				{Scheme: "https", Host: "a.dev.example.com", CookieDomain: "dev.example.com"},
				{Scheme: "https", Host: "auth.example.com", CookieDomain: "example.com"},
				{Scheme: "https", Host: "x.org", CookieDomain: "x.org"},
			},
			[]string{"dev.example.com", "*.dev.example.com", "example.com", "*.example.com", "x.org", "*.x.org"}},
		{"localhost without TLS", env{"PUBLIC_URL": "http://localhost:4180", "COOKIE_INSECURE": "true"},
			[]config.Site{{Scheme: "http", Host: "localhost", Port: "4180"}},
			[]string{"localhost"}},
		{"address without TLS", env{"PUBLIC_URL": "http://127.0.0.1", "COOKIE_INSECURE": "true"},
			[]config.Site{{Scheme: "http", Host: "127.0.0.1"}},
			[]string{"127.0.0.1"}},
		{"name below localhost", env{"PUBLIC_URL": "http://auth.doorward.localhost:8080", "COOKIE_DOMAINS": "doorward.localhost", "COOKIE_INSECURE": "true"},
			[]config.Site{{Scheme: "http", Host: "auth.doorward.localhost", Port: "8080", CookieDomain: "doorward.localhost"}},
			[]string{"doorward.localhost", "*.doorward.localhost"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := good(t, tt.env)
			if diff := cmp.Diff(tt.want, cfg.Sites); diff != "" {
				t.Errorf("sites (-want +got):\n%s", diff)
			}
			if got := cfg.Hosts(); !slices.Equal(got, tt.hosts) {
				t.Errorf("hosts %q, want %q", got, tt.hosts)
			}
		})
	}
}

func TestInsecure(t *testing.T) {
	if got := good(t, nil).Insecure(); len(got) != 0 {
		t.Errorf("CFG-2: a secure configuration lists %q", got)
	}
	got := good(t, env{
		"PUBLIC_URL": "http://localhost", "COOKIE_INSECURE": "true",
		"OIDC_INSECURE_SKIP_TLS_VERIFY": "true", "OIDC_INSECURE_ALLOW_UNVERIFIED_EMAIL": "true",
	}).Insecure()
	var listed []string
	for _, weakness := range got {
		listed = append(listed, weakness.Variable)
	}
	var known []string
	for _, v := range config.Variables() {
		if strings.Contains(v.Name, "INSECURE") {
			known = append(known, v.Name)
		}
	}
	if !slices.Equal(listed, known) {
		t.Errorf("CFG-2: listed %q, of %q", listed, known)
	}
}

func mistakes(t *testing.T, err error) config.Mistakes {
	t.Helper()
	if err == nil {
		return nil
	}
	m, ok := errors.AsType[config.Mistakes](err)
	if !ok {
		t.Fatalf("error is %T: %v", err, err)
	}
	return m
}
