package gateways

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/doorward/doorward/test/stack"
)

// TestRenewedCookie follows the Set-Cookie of an allow, and those of a denial, to
// the browser. A stand-in answers as Doorward does when it renews a session.
// Where a renewal is lost, README's table of gateways says so.
func TestRenewedCookie(t *testing.T) {
	lost := map[string]bool{traefikIngress: true, caddy: true}
	for _, c := range columns() {
		if c.gateway == stack.EnvoyGRPC {
			continue // its answer is made by the product's own code, see internal/gateway
		}
		t.Run(c.name, func(t *testing.T) {
			c.startWith(t, http.HandlerFunc(renewing))
			got := c.send(t, ask{header: fetch("Cookie: __Secure-doorward=old")})
			if got.seen == nil {
				t.Fatalf("%d %s\n%s", got.StatusCode, got.body, c.parts.Front.Process().Log())
			}
			want := "__Secure-doorward=new; Path=/; HttpOnly; Secure; SameSite=Lax"
			if lost[c.name] {
				want = ""
			}
			if cookies := strings.Join(got.Header["Set-Cookie"], " and "); cookies != want {
				t.Errorf("Set-Cookie: %q, want %q", cookies, want)
			}
		})
	}
}

// renewing lets everybody pass, with a new cookie.
func renewing(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Set-Cookie", "__Secure-doorward=new; Path=/; HttpOnly; Secure; SameSite=Lax")
	h.Set("X-Auth-Request-User", "u-1")
	h.Set("Content-Length", "0")
	if !strings.HasPrefix(r.URL.Path, "/auth/envoy") {
		w.WriteHeader(http.StatusAccepted)
	}
}

// startWith starts the gateway and the app with a stand-in for Doorward.
func (c *column) startWith(t *testing.T, doorward http.Handler) {
	t.Helper()
	c.layOut(t, "/bin/false")
	stand := httptest.NewServer(doorward)
	t.Cleanup(stand.Close)
	c.parts.Front.Doorward = stand.Listener.Addr().String()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := c.parts.App.Start(c.parts.Front.App); err != nil {
		t.Fatal(err)
	}
	if err := c.parts.Front.Start(ctx); err != nil {
		t.Fatal(err)
	}
}
