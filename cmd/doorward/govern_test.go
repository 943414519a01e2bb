package main

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/config"
	"github.com/doorward/doorward/internal/session"
)

// Two files that agree in nothing: what one lets pass the other denies, and each
// sends a header of its own.
const (
	oneFile = `
rules:
  - {name: one, hosts: [app.example.com], paths: [/one], allow: any}
  - {name: one for all, hosts: [app.example.com], paths: [/public], public: true}
headers: {X-One: user}
`
	otherFile = `
rules:
  - {name: other, hosts: [app.example.com], paths: [/other], allow: any}
  - {name: other for all, hosts: [app.example.com], paths: [/public], public: true}
headers: {X-Other: user}
`
)

func loadText(t *testing.T, text string) *config.Config {
	t.Helper()
	file := filepath.Join(t.TempDir(), "doorward.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, value := range environment(file) {
		t.Setenv(name, value)
	}
	cfg, _, err := config.Load()
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// TestGovernWhole: while rules and headers are replaced, every check sees those
// of one file.
func TestGovernWhole(t *testing.T) {
	one, other := loadText(t, oneFile), loadText(t, otherFile)
	p, err := assemble(one, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	cookie := sessionOf(t, p, one)
	done := make(chan struct{})
	var checks sync.WaitGroup
	for _, cookies := range [][]string{{cookie}, nil} {
		checks.Go(func() {
			for stop := false; !stop; {
				select {
				case <-done:
					stop = true // after a last round
				default:
				}
				for _, path := range []string{"/one", "/other", "/public"} {
					demandOne(t, p, path, cookies)
				}
			}
		})
	}
	for range 500 {
		for _, cfg := range []*config.Config{other, one} {
			if err := p.govern(cfg); err != nil {
				t.Error(err)
			}
		}
	}
	close(done)
	checks.Wait()
}

// demandOne checks a path and demands that rule and headers are of one file.
func demandOne(t *testing.T, p *process, path string, cookies []string) {
	d := p.main.Gate.Check(t.Context(), auth.Request{Method: "GET", Scheme: "https", Host: "app.example.com", Path: path, Cookies: cookies})
	if d.Verdict != auth.Allow {
		return
	}
	headers := map[string]bool{}
	for _, h := range d.Identity.Headers {
		headers[h.Name] = true
	}
	rule := d.Rule == "one" || d.Rule == "one for all"
	if headers["X-One"] != rule || headers["X-Other"] == rule {
		t.Errorf("%s: the rule %q with the headers %v", path, d.Rule, headers)
	}
}

func sessionOf(t testing.TB, p *process, cfg *config.Config) string {
	t.Helper()
	w := httptest.NewRecorder()
	user := auth.User{Provider: "oidc", Issuer: "https://id.example.com", Subject: "ada", ID: "ada"}
	_, err := p.main.Sessions.Create(w, httptest.NewRequest("GET", "/callback", nil), sites(cfg)[0], session.Session{User: user})
	if err != nil {
		t.Fatal(err)
	}
	set, err := http.ParseSetCookie(w.Header().Get("Set-Cookie"))
	if err != nil {
		t.Fatal(err)
	}
	return set.Name + "=" + set.Value
}
