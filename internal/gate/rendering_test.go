package gate_test

import (
	"testing"
	"time"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/gate"
	"github.com/doorward/doorward/internal/policy"
)

// TestRenderingOfTheRules: the identity headers of a session are those of the
// rules that the check began with, also while others are being put in force.
func TestRenderingOfTheRules(t *testing.T) {
	g, cookie := signedInGate(t)
	rules := policy.New([]policy.Rule{{Name: "all", Allow: &policy.Allow{Any: true}}}, []string{"*.example.com"}, time.Now)
	named := func(name string) func(auth.User, auth.Tokens) auth.Identity {
		return func(u auth.User, _ auth.Tokens) auth.Identity {
			return auth.Identity{Headers: []auth.Header{{Name: name, Value: []string{u.ID}}}}
		}
	}
	demand := func(want string) {
		t.Helper()
		d := g.Check(t.Context(), auth.Request{Method: "GET", Host: "app.example.com", Path: "/", Cookies: []string{cookie}})
		if len(d.Identity.Headers) != 1 || d.Identity.Headers[0].Name != want || d.Identity.Headers[0].Value[0] != "user-1" {
			t.Errorf("%v, want %s", d.Identity.Headers, want)
		}
	}
	before := g.Sessions.SetRender(named("X-Before"))
	g.Govern(&gate.Rules{Set: rules, Rendering: before})
	demand("X-Before")
	after := g.Sessions.SetRender(named("X-After"))
	demand("X-Before")
	g.Govern(&gate.Rules{Set: rules, Rendering: after})
	demand("X-After")
	g.Govern(&gate.Rules{Set: rules, Rendering: before}) // a check that began long ago
	demand("X-Before")
}
