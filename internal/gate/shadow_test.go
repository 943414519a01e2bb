package gate_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/gate"
	"github.com/doorward/doorward/internal/headers"
	"github.com/doorward/doorward/internal/policy"
	"github.com/doorward/doorward/internal/telemetry"
)

// TestShadow: rules that are only a shadow change no decision, and a line is
// logged for each one that they would have changed, and for no other.
func TestShadow(t *testing.T) {
	g, cookie := signedInGate(t)
	var log bytes.Buffer
	g.Log = telemetry.NewLog(&log, slog.LevelInfo, "json")
	hosts := []string{"example.com", "*.example.com"}
	anybody, ops, staff := &policy.Allow{Any: true}, &policy.Allow{Groups: []string{"ops"}}, &policy.Allow{Groups: []string{"staff"}}
	real := policy.New([]policy.Rule{
		{Name: "open", Paths: []string{"/open/**"}, Public: true},
		{Name: "ops", Paths: []string{"/ops/**"}, Allow: ops},
		{Name: "rest", Allow: anybody},
	}, hosts, time.Now)
	shadow := policy.New([]policy.Rule{
		{Name: "closing", Paths: []string{"/open/old/**", "/x/**"}, Deny: true},
		{Name: "opening", Paths: []string{"/ops/new/**"}, Allow: staff},
		{Name: "open", Paths: []string{"/open/**"}, Public: true},
		{Name: "ops again", Paths: []string{"/ops/**"}, Allow: &policy.Allow{Emails: []string{"ada@example.com"}}},
		{Name: "rest", Allow: anybody},
	}, hosts, time.Now)
	render := headers.New(headers.Config{Families: []string{"x-auth-request"}})
	govern := func(shadow *policy.Set) {
		g.Govern(&gate.Rules{Set: real, Shadow: shadow, Nobody: render.Render(auth.User{}, auth.Tokens{})})
	}
	for _, tt := range []struct {
		name   string
		host   string
		path   string
		cookie string
		rule   string            // that decides
		line   map[string]string // what is logged; nil: nothing
	}{
		{"the same", "app.example.com", "/y", cookie, "rest", nil},
		{"the same for nobody", "app.example.com", "/y", "", "rest", nil},
		{"the same verdict for another reason", "app.example.com", "/ops/x", cookie, "ops", nil},
		{"public in both", "app.example.com", "/open/x", "", "open", nil},
		{"public, and closed in the shadow", "app.example.com", "/open/old/x", "", "open", map[string]string{"verdict": "allow", "rule": "open", "shadow_verdict": "deny", "shadow_rule": "closing", "shadow_reason": "rule_denies", "user": "", "host": "app.example.com", "path": "/open/old/x", "method": "GET"}},
		{"allowed, and closed in the shadow", "app.example.com", "/x/y", cookie, "rest", map[string]string{"verdict": "allow", "rule": "rest", "shadow_verdict": "deny", "shadow_rule": "closing", "shadow_reason": "rule_denies", "user": "user-1", "host": "app.example.com", "path": "/x/y", "method": "GET"}},
		{"a login, and closed in the shadow", "app.example.com", "/x/y", "", "rest", map[string]string{"verdict": "sign_in", "rule": "rest", "shadow_verdict": "deny", "shadow_rule": "closing", "shadow_reason": "rule_denies", "user": "", "host": "app.example.com", "path": "/x/y", "method": "GET"}},
		{"denied, and open in the shadow", "app.example.com", "/ops/new/x", cookie, "ops", map[string]string{"verdict": "deny", "rule": "ops", "shadow_verdict": "allow", "shadow_rule": "opening", "shadow_reason": "admitted", "user": "user-1", "host": "app.example.com", "path": "/ops/new/x", "method": "GET"}},
		{"by the second reading", "app.example.com", "/y/../x/z", cookie, "rest", map[string]string{"verdict": "allow", "rule": "rest", "shadow_verdict": "deny", "shadow_rule": "closing", "shadow_reason": "rule_denies", "user": "user-1", "host": "app.example.com", "path": "/y/../x/z", "method": "GET"}},
		{"unknown in both", "evil.test", "/x/y", cookie, "", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			req := auth.Request{Method: "GET", Scheme: "https", Host: tt.host, Path: tt.path, Navigation: true}
			if tt.cookie != "" {
				req.Cookies = []string{tt.cookie}
			}
			govern(nil)
			alone := g.Check(t.Context(), req)
			log.Reset()
			govern(shadow)
			beside := g.Check(t.Context(), req)
			if diff := cmp.Diff(alone, beside); diff != "" {
				t.Errorf("the shadow changes the decision\n%s", diff)
			}
			if beside.Rule != tt.rule {
				t.Errorf("the rule %q decides", beside.Rule)
			}
			if diff := cmp.Diff(tt.line, logged(t, log.String())); diff != "" {
				t.Errorf("logged (-want +got)\n%s", diff)
			}
		})
	}
}

// logged is the one line of the event shadow, without what every line has.
func logged(t *testing.T, text string) map[string]string {
	t.Helper()
	if text == "" {
		return nil
	}
	var line map[string]string
	if err := json.Unmarshal([]byte(text), &line); err != nil || strings.Count(text, "\n") != 1 || line["event"] != "shadow" {
		t.Fatalf("%v: %q", err, text)
	}
	for _, name := range []string{"event", "time", "level", "msg"} {
		delete(line, name)
	}
	return line
}
