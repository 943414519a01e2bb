package session

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/doorward/doorward/internal/auth"
)

// TestMarkSignedOut: the cookie lies where the session cookie lay, and is another
// one each time.
func TestMarkSignedOut(t *testing.T) {
	for _, tt := range []struct {
		name     string
		site     auth.Site
		insecure bool
		want     http.Cookie
	}{
		{"COOK-1 one host", alone, false, http.Cookie{Name: "__Host-doorward_signed_out", Path: "/", MaxAge: 10, Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode}},
		{"COOK-1 a domain", shared, false, http.Cookie{Name: "__Secure-doorward_signed_out", Path: "/", Domain: "example.com", MaxAge: 10, Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode}},
		{"COOK-1 plain http", shared, true, http.Cookie{Name: "doorward_signed_out", Path: "/", Domain: "example.com", MaxAge: 10, HttpOnly: true, SameSite: http.SameSiteLaxMode}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFlows(t, newClock())
			f.Insecure = tt.insecure
			seen := map[string]bool{}
			for range 3 {
				w := httptest.NewRecorder()
				f.MarkSignedOut(w, tt.site)
				got := *onlyCookie(t, w)
				seen[got.Value] = true
				got.Value, got.Raw, got.RawExpires, got.Expires = "", "", "", time.Time{}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("(-want +got)\n%s", diff)
				}
			}
			if len(seen) != 3 || seen[""] {
				t.Errorf("%d values of three, want each new", len(seen))
			}
		})
	}
}
