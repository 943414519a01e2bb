package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/config"
	"github.com/doorward/doorward/internal/session"
	"github.com/doorward/doorward/internal/telemetry"
)

var (
	providerSnippet = regexp.MustCompile("(?s)```ya?ml\n(providers:.*?)```")
	otherSnippet    = regexp.MustCompile("(?s)```ya?ml\n((?:rules|tokens):.*?)```")
	secretPath      = regexp.MustCompile(`/run/secrets/[a-z-]+`)
)

// TestREADMEProviders loads every snippet of README.md that has providers, and
// makes those, so that neither a key nor a value in them can be out of date.
func TestREADMEProviders(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	files := map[string]string{"google-account": serviceAccount(t), "azure-token": "a.b.c\n"}
	seen := map[string]bool{}
	for _, match := range providerSnippet.FindAllStringSubmatch(string(readme), -1) {
		snippet := secretPath.ReplaceAllStringFunc(match[1], func(path string) string {
			name := filepath.Base(path)
			content, special := files[name]
			if !special {
				content = "hush"
			}
			return writeFile(t, filepath.Join(dir, name), content)
		})
		for name, value := range environment(writeFile(t, filepath.Join(dir, "doorward.yaml"), withRules(snippet))) {
			t.Setenv(name, value)
		}
		t.Setenv("DOORWARD_OIDC_ISSUER_URL", "")
		t.Setenv("DOORWARD_OIDC_CLIENT_ID", "")
		cfg, warnings, err := config.Load()
		if err != nil || len(warnings) > 0 {
			t.Errorf("%s\n%v %v", match[1], warnings, err)
			continue
		}
		providers, err := newProviders(cfg.Providers, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Errorf("%s\n%v", match[1], err)
			continue
		}
		seen[cfg.Providers[0].Name] = true
		if p := providers[0]; p.Issuer() == "" || issuers(cfg.Providers)[p.Name()] != p.Issuer() {
			t.Errorf("%s: sessions are looked for with the issuer %q, and users carry %q", p.Name(), issuers(cfg.Providers)[p.Name()], p.Issuer())
		}
	}
	for _, name := range []string{"keycloak", "dex", "google", "github", "gitea", "entra"} {
		if !seen[name] {
			t.Errorf("README.md has no snippet for %s", name)
		}
	}
}

// withRules is a file in which everybody may enter, unless it says who.
func withRules(snippet string) string {
	if strings.Contains("\n"+snippet, "\nrules:") {
		return snippet
	}
	return "rules: [{allow: any}]\n" + snippet
}

// TestREADMERules loads the snippets of README.md about rules and API clients, as
// `doorward check` does.
func TestREADMERules(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	keys := writeFile(t, filepath.Join(dir, "keys.yaml"), "")
	snippets := otherSnippet.FindAllStringSubmatch(string(readme), -1)
	if len(snippets) < 2 {
		t.Errorf("README.md shows %d files of rules and of tokens", len(snippets))
	}
	for _, match := range snippets {
		snippet := secretPath.ReplaceAllStringFunc(match[1], func(path string) string {
			return writeFile(t, filepath.Join(dir, filepath.Base(path)), "hush")
		})
		snippet = strings.ReplaceAll(snippet, "/etc/doorward/keys.yaml", keys)
		loadRules(t, writeFile(t, filepath.Join(dir, "doorward.yaml"), withRules(snippet)))
	}
}

func TestIssuersOfKinds(t *testing.T) {
	const a, b = "11111111-aaaa-4aaa-8aaa-111111111111", "22222222-BBBB-4bbb-8bbb-222222222222"
	all := []config.Provider{
		{Name: "kc", Type: "oidc", IssuerURL: "https://id.test/realms/x", ClientID: "c", Discovery: true},
		{Name: "slash", Type: "oidc", IssuerURL: "https://id.test/", ClientID: "c", Discovery: true},
		{Name: "hub", Type: "github", ClientID: "c"},
		{Name: "ghe", Type: "github", IssuerURL: "https://git.test/", ClientID: "c"},
		{Name: "google", Type: "google", ClientID: "c", Discovery: true},
		{Name: "one", Type: "entra", Tenants: []string{a}, ClientID: "c", Discovery: true},
		{Name: "two", Type: "entra", Tenants: []string{a, b}, ClientID: "c", Discovery: true},
	}
	want := map[string]string{
		"kc": "https://id.test/realms/x", "slash": "https://id.test/", "hub": "https://github.com", "ghe": "https://git.test",
		"google": "https://accounts.google.com", "one": "https://login.microsoftonline.com/" + a + "/v2.0",
		"two": "https://login.microsoftonline.com/organizations/v2.0",
	}
	providers, err := newProviders(all, nil)
	if err != nil {
		t.Fatal(err)
	}
	labels := []string{}
	for _, p := range providers {
		labels = append(labels, p.Label())
		if got := issuers(all)[p.Name()]; got != want[p.Name()] || got != p.Issuer() {
			t.Errorf("AUTHZ-1 %s: sessions of %q, users of %q, want %q", p.Name(), got, p.Issuer(), want[p.Name()])
		}
	}
	if got := strings.Join(labels, " "); got != "id.test id.test GitHub git.test Google Microsoft Microsoft" {
		t.Errorf("labels %s", got)
	}
}

// TestTenantTakenAway: the sessions of a tenant that is not on the list any more do
// not count, and those of the others do.
func TestTenantTakenAway(t *testing.T) {
	const a, b, c = "11111111-aaaa-4aaa-8aaa-111111111111", "22222222-BBBB-4bbb-8bbb-222222222222", "33333333-cccc-4ccc-8ccc-333333333333"
	store := func(tenants ...string) *stores {
		cfg := &config.Config{
			Providers: []config.Provider{{Name: "entra", Type: "entra", Tenants: tenants, ClientID: "c", Discovery: true}},
			Sites:     []config.Site{{Scheme: "https", Host: "app.example.com"}}, CookieName: "doorward",
			CookieSecrets: [][]byte{make([]byte, 32)}, SessionLifetime: time.Hour,
		}
		all, err := newStores(cfg, slog.New(slog.DiscardHandler), telemetry.NewMetrics("test"))
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	site := auth.Site{Scheme: "https", Host: "app.example.com"}
	for _, tt := range []struct {
		tenant string
		want   bool
	}{{a, true}, {strings.ToLower(b), true}, {c, false}, {"", false}} {
		w := httptest.NewRecorder()
		user := auth.User{Provider: "entra", Issuer: "https://login.microsoftonline.com/organizations/v2.0", Subject: tt.tenant + "/1", ID: "ada"}
		if _, err := store(a, b, c).Create(w, httptest.NewRequest("GET", "/", nil), site, session.Session{User: user}); err != nil {
			t.Fatal(err)
		}
		cookie, _, _ := strings.Cut(w.Header().Get("Set-Cookie"), ";")
		who, err := store(a, b).Load(t.Context(), auth.Request{Host: site.Host, Cookies: []string{cookie}})
		if err != nil || who.User.Nobody() == tt.want {
			t.Errorf("AUTHZ-6: a session of the tenant %q: %q, %v", tt.tenant, who.User.ID, err)
		}
	}
}

func writeFile(t *testing.T, path, content string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// serviceAccount is a key file as Google gives them out.
func serviceAccount(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(map[string]string{
		"type": "service_account", "private_key_id": "1", "client_email": "doorward@p.iam.example.com", "token_uri": "https://oauth2.example.com/token",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
