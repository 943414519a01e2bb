package redis

import (
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/redis/redistest"
)

// TestEndsEverywhere is L19: what ends a session on one replica ends it on the other,
// which knows it, within a second.
func TestEndsEverywhere(t *testing.T) {
	server := redistest.Start(t)
	for _, store := range []string{"redis", "cookie"} {
		h := newHouse(t, map[string]string{"DOORWARD_REDIS_URL": "unix://" + server.Socket, "DOORWARD_SESSION_STORE": store}, nil, nil)
		for _, tt := range []struct {
			name string
			end  func(cookie string) answer
			want int
		}{
			{"sign-out", func(cookie string) answer {
				header := navigation(cookie)
				header.Set("Origin", "https://auth.example.com")
				return h.ask(0, http.MethodPost, "/sign_out", header, "")
			}, http.StatusOK},
			{"back-channel logout by sub", func(string) answer {
				token := h.provider.LogoutToken("RS256", nil, map[string]any{"sid": nil})
				header := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
				return h.ask(0, http.MethodPost, "/backchannel_logout", header, url.Values{"logout_token": {token}}.Encode())
			}, http.StatusOK},
		} {
			t.Run(store+" "+tt.name, func(t *testing.T) {
				h.t = t
				var took []time.Duration
				for range 100 {
					cookie := h.signIn(0)
					if h.check(1, cookie).status != http.StatusAccepted || h.lost(1, []string{cookie}) > 0 {
						t.Fatal("L19: a session of one replica is not known to the other")
					}
					a := tt.end(cookie)
					if a.status != tt.want && a.status != http.StatusFound && a.status != http.StatusSeeOther {
						t.Fatalf("the end is %d: %s", a.status, a.body)
					}
					began := time.Now()
					h.await("L19: it ends on the other", func() bool { return h.check(1, cookie).status == http.StatusUnauthorized })
					took = append(took, time.Since(began))
				}
				slices.Sort(took)
				t.Logf("L19 %s store, %s: effective on the other replica after %s (median) and %s (worst of 100)",
					store, tt.name, took[50].Round(10*time.Microsecond), took[99].Round(10*time.Microsecond))
			})
		}
	}
}
