package main

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/config"
	"github.com/doorward/doorward/internal/redis/redistest"
	"github.com/doorward/doorward/internal/session"
	"github.com/doorward/doorward/internal/telemetry"
)

// doorward runs a command line.
func doorward(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errors bytes.Buffer
	code = run(t.Context(), args, &out, &errors, announceOnly)
	return code, out.String(), errors.String()
}

// withRedis is a configuration whose sessions are in a server.
func withRedis(t *testing.T, changes map[string]string) *config.Config {
	t.Helper()
	env := map[string]string{
		"DOORWARD_PUBLIC_URL": "https://auth.example.com", "DOORWARD_COOKIE_SECRET": "MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1ub3BxcnN0dXY=",
		"DOORWARD_OIDC_ISSUER_URL": "https://id.example.com", "DOORWARD_OIDC_CLIENT_ID": "doorward", "DOORWARD_ALLOW_ANY_USER": "true",
		"DOORWARD_SESSION_STORE": "redis",
	}
	maps.Copy(env, changes)
	for name, value := range env {
		t.Setenv(name, value)
	}
	cfg, _, err := config.Load()
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func TestSessionsCommands(t *testing.T) {
	cfg := withRedis(t, map[string]string{"DOORWARD_REDIS_URL": "unix://" + redistest.Start(t).Socket})
	stores, err := newStores(cfg, slog.New(slog.DiscardHandler), telemetry.NewMetrics("test"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { stores.run(ctx) })
	t.Cleanup(func() { stop(); running.Wait() })
	login := func(subject, id, email string) {
		r := httptest.NewRequest("GET", "/callback", nil)
		r.Header.Set("User-Agent", "curl/8")
		user := auth.User{Provider: "oidc", Issuer: "https://id.example.com", Subject: subject, ID: id, Email: email}
		if _, err := stores.Create(httptest.NewRecorder(), r, sites(cfg)[0], session.Session{User: user, Client: "203.0.113.9"}); err != nil {
			t.Fatal(err)
		}
	}
	login("1", "ada", "ada@example.com")
	login("1", "ada", "ada@example.com")
	login("2", "eve\x1b[2J", "")
	var listed []map[string]any
	for _, tt := range []struct {
		name string
		args string
		want string // of the lines
	}{
		{"by user", "list --user ada", `^([0-9a-f]{16}  "ada"  used [-0-9]{10} [:0-9]{8}  since [-0-9]{10} [:0-9]{8}  curl  203\.0\.113\.9\n){2}$`},
		{"by e-mail", "list --user ADA@example.com --provider oidc", `^([^\n]*"ada"[^\n]*\n){2}$`},
		{"by subject", "list --subject 1", `^([^\n]*"ada"[^\n]*\n){2}$`},
		{"a subject as user", "list --user 2", `^[0-9a-f]{16}  "eve\\x1b\[2J"  used [^\x1b]*\n$`},
		{"a user as subject", "list --subject ada", `^$`},
		{"nobody, JSON", "list --user nobody --json", `^\[\]\n$`},
		{"JSON", "list --user ada --json", `^\[\n  \{\n    "id": "`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			code, out, stderr := doorward(t, append([]string{"sessions"}, strings.Fields(tt.args)...)...)
			if code != 0 || stderr != "" || !regexp.MustCompile(tt.want).MatchString(out) {
				t.Errorf("%d %q %q", code, out, stderr)
			}
			_ = json.Unmarshal([]byte(out), &listed)
		})
	}
	if len(listed) != 2 || listed[0]["subject"] != "1" || listed[0]["address"] != "203.0.113.9" {
		t.Fatalf("%v", listed)
	}
	for _, tt := range []struct {
		args           []string
		code           int
		stdout, stderr string
	}{
		{[]string{"--user", "2", "--session", listed[0]["id"].(string)}, 1, "", `there is no session "` + listed[0]["id"].(string) + `" of this user`},
		{[]string{"--user", "ada", "--session", listed[0]["id"].(string)}, 0, "ended: 1\n", ""},
		{[]string{"--user", "ada", "--session", listed[0]["id"].(string)}, 1, "", "there is no session"},
		{[]string{"--user", "ada"}, 1, "", "say which to end: --all, or --session ID"},
		{[]string{"--all"}, 1, "", "say whose sessions: --user USER, or --subject SUB"},
		{[]string{"--user", "ada", "--subject", "1", "--all"}, 1, "", "say whose sessions"},
		{[]string{"--user", "ada", "--all", "--session", "x"}, 1, "", "[all session]"},
		{[]string{"--user", "ada", "--all", "--provider", "x"}, 1, "", `--provider: there is none named "x"; there is oidc`},
		{[]string{"--user", "ada@example.com", "--all"}, 0, "ended: 1\n", ""},
		{[]string{"--user", "ada", "--all"}, 0, "ended: 0\n", ""},
	} {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			code, out, stderr := doorward(t, append([]string{"sessions", "end"}, tt.args...)...)
			if code != tt.code || out != tt.stdout || !strings.Contains(stderr, tt.stderr) || (stderr == "") != (code == 0) {
				t.Errorf("%d %q %q", code, out, stderr)
			}
		})
	}
	if _, out, _ := doorward(t, "sessions", "list", "--user", "2"); strings.Count(out, "\n") != 1 {
		t.Errorf("eve's has ended too: %q", out)
	}
}

// TestSessionsCommandsOfTypes: the issuer of a provider need not be written into its
// configuration, and its users are found all the same.
func TestSessionsCommandsOfTypes(t *testing.T) {
	file := filepath.Join(t.TempDir(), "doorward.yaml")
	const providers = `providers:
  - {name: github, type: github, client_id: a}
  - {name: entra, type: entra, client_id: b, tenants: [11111111-2222-3333-4444-555555555555, 66666666-2222-3333-4444-555555555555]}
rules:
  - {name: all, allow: any}
`
	if err := os.WriteFile(file, []byte(providers), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := withRedis(t, map[string]string{
		"DOORWARD_REDIS_URL": "unix://" + redistest.Start(t).Socket, "DOORWARD_CONFIG_FILE": file,
		"DOORWARD_OIDC_ISSUER_URL": "", "DOORWARD_OIDC_CLIENT_ID": "", "DOORWARD_ALLOW_ANY_USER": "",
	})
	stores, err := newStores(cfg, slog.New(slog.DiscardHandler), telemetry.NewMetrics("test"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { stores.run(ctx) })
	t.Cleanup(func() { stop(); running.Wait() })
	made, err := newProviders(cfg.Providers, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range made {
		user := auth.User{Provider: p.Name(), Issuer: p.Issuer(), Subject: "1", ID: "ada"}
		if _, err := stores.Create(httptest.NewRecorder(), httptest.NewRequest("GET", "/callback", nil), sites(cfg)[0], session.Session{User: user}); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct{ args, want string }{
		{"--user ada --provider github", "ended: 1\n"}, {"--user ada", "ended: 1\n"}, {"--user ada", "ended: 0\n"},
	} {
		if code, out, stderr := doorward(t, append([]string{"sessions", "end", "--all"}, strings.Fields(tt.args)...)...); code != 0 || out != tt.want {
			t.Errorf("OUT-4 %s: %d %q %q, want %q", tt.args, code, out, stderr, tt.want)
		}
	}
}

// TestSessionsCommandsWithoutRedis: what keeps the commands from an answer is an
// error of one line, in which no secret is.
func TestSessionsCommandsWithoutRedis(t *testing.T) {
	for _, tt := range []struct {
		name    string
		changes map[string]string
		want    string
	}{
		{"in cookies", map[string]string{"DOORWARD_SESSION_STORE": "cookie"}, "it takes DOORWARD_SESSION_STORE=redis"},
		{"away", map[string]string{"DOORWARD_REDIS_URL": "redis://user:hunter2@127.0.0.1:1"}, "redis: down: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			withRedis(t, tt.changes)
			for _, args := range [][]string{{"list", "--user", "ada"}, {"end", "--user", "ada", "--all"}} {
				code, out, stderr := doorward(t, append([]string{"sessions"}, args...)...)
				if code != 1 || out != "" || !strings.Contains(stderr, tt.want) || strings.Count(stderr, "\n") != 1 || strings.Contains(stderr, "hunter2") {
					t.Errorf("%d %q %q", code, out, stderr)
				}
			}
		})
	}
}
