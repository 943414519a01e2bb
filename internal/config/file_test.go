package config_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/doorward/doorward/internal/config"
	"github.com/doorward/doorward/internal/secret"
)

// write makes a file of the name in a directory of its own.
func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// loadFile reads an environment for a configuration file, with changes, and the
// file. Messages come back with the name of the file in place of its path.
func loadFile(t *testing.T, content string, changes env) (*config.Config, []string, []string) {
	t.Helper()
	path := write(t, "doorward.yaml", content)
	all := env{"CONFIG_FILE": path, "ALLOWED_GROUPS": unset, "COOKIE_DOMAINS": "example.com"}
	for name, value := range changes {
		all[name] = value
	}
	cfg, warnings, err := load(t, all)
	return cfg, short(path, warnings), short(path, mistakes(t, err))
}

func short(path string, lines []string) []string {
	var all []string
	for _, line := range lines {
		all = append(all, strings.TrimPrefix(line, filepath.Dir(path)+"/"))
	}
	return all
}

// goodFile loads a file that must have neither mistakes nor warnings.
func goodFile(t *testing.T, content string, changes env) *config.Config {
	t.Helper()
	cfg, warnings, mistakes := loadFile(t, content, changes)
	if len(mistakes)+len(warnings) > 0 {
		t.Fatalf("mistakes %q, warnings %q", mistakes, warnings)
	}
	return cfg
}

// inFile takes the provider out of the environment.
var inFile = env{"OIDC_ISSUER_URL": unset, "OIDC_CLIENT_ID": unset}

// contract returns the example of CONTRACT.md, with secrets that are there.
func contract(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("testdata/contract.yaml")
	if err != nil {
		t.Fatal(err)
	}
	s3cret := write(t, "s3cret", "hush\n")
	return strings.NewReplacer("/run/secrets/keycloak", s3cret, "/run/secrets/introspect", s3cret).Replace(string(text))
}

func TestContractFile(t *testing.T) {
	cfg := goodFile(t, contract(t), inFile)
	want := []config.Rule{
		{Name: "health checks", Line: 9, Column: 5, Redirect: true, Hosts: []string{"*.example.com"}, Paths: []string{"/healthz", "/static/**"}, Methods: []string{"GET", "HEAD"}, Public: true},
		{
			Name: "grafana", Line: 14, Column: 5, Hosts: []string{"grafana.example.com"},
			Allow: &config.Allow{
				Groups: []string{"sre", "platform"}, Emails: []string{"ada@example.com"}, EmailDomains: []string{"example.com"},
				Claims: map[string][]string{"department": {"eng", "ops"}}, Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
				When: "claims.level >= 3", WhenLine: 22, WhenColumn: 14,
			},
			ACR: []string{"mfa"}, MaxAge: 15 * time.Minute, Provider: "keycloak",
		},
		{Name: "deny the rest of admin", Line: 27, Column: 5, Redirect: true, Hosts: []string{"admin.example.com"}, Deny: true},
	}
	diff(t, "rules", want, cfg.Rules)
	diff(t, "tokens", []config.Token{
		{Line: 31, IssuerURL: "https://id.example.com/realms/main", Audiences: []string{"my-api"}, UserClaim: "sub", EmailClaim: "email", GroupsClaims: []string{"groups"}},
		{Line: 33, IntrospectionURL: "https://id.example.com/introspect", ClientID: "doorward", ClientSecret: "hush", UserClaim: "sub", EmailClaim: "email", GroupsClaims: []string{"groups"}},
	}, cfg.Tokens)
	diff(t, "headers", []config.Header{{Name: "X-Team", Source: "claims.team"}, {Name: "X-Webauth-User", Source: "email"}}, cfg.Headers)
	diff(t, "provider", config.Provider{
		Name: "keycloak", Label: "Company login", Line: 2, IssuerURL: "https://id.example.com/realms/main", ClientID: "doorward", ClientSecret: secret.Secret("hush"),
		Scopes: []string{"openid", "email", "profile"}, Discovery: true, UserClaim: "sub", EmailClaim: "email", GroupsClaims: []string{"groups"},
	}, cfg.Provider)
}

func diff(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.EquateComparable(netip.Prefix{})); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}
