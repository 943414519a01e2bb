package gate_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/gate"
	"github.com/doorward/doorward/internal/headers"
	"github.com/doorward/doorward/internal/policy"
	"github.com/doorward/doorward/internal/session"
	"github.com/doorward/doorward/internal/telemetry"
)

// signedInGate returns a gate with a few rules, and the cookie of user-1, who is
// in the group staff.
func signedInGate(t *testing.T) (*gate.Gate, string) {
	t.Helper()
	keys, err := session.NewKeyring([][]byte{bytes.Repeat([]byte{7}, 32)})
	if err != nil {
		t.Fatal(err)
	}
	sites := auth.Sites{{Scheme: "https", Host: "auth.example.com", CookieDomain: "example.com"}}
	render := headers.New(headers.Config{Families: []string{"x-auth-request"}})
	sessions, err := session.NewCookieStore(session.CookieConfig{
		Keys: keys, Sites: sites, Name: "doorward", Lifetime: time.Hour, Render: render.Render, Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	g := &gate.Gate{
		Sessions: sessions, Sites: sites, StartPath: "/start",
		Log: telemetry.NewLog(io.Discard, 0, "json"), Metrics: telemetry.NewMetrics("test"),
	}
	g.Govern(&gate.Rules{Nobody: render.Render(auth.User{}, auth.Tokens{}), Set: policy.New([]policy.Rule{
		{Name: "open", Hosts: []string{"open.example.com"}, Public: true},
		{Name: "ops", Hosts: []string{"ops.example.com"}, Allow: &policy.Allow{Groups: []string{"ops"}}},
		{Name: "rest", Allow: &policy.Allow{Any: true}},
	}, []string{"example.com", "*.example.com"}, time.Now)})
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "https://auth.example.com/callback", nil)
	user := auth.User{Issuer: "https://id.example.com", Subject: "user-1", ID: "user-1", Groups: []string{"staff"}}
	if _, err := sessions.Create(w, r, sites[0], session.Session{User: user}); err != nil {
		t.Fatal(err)
	}
	cookie := w.Result().Cookies()[0]
	return g, cookie.Name + "=" + cookie.Value
}
