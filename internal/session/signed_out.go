package session

import (
	"crypto/rand"
	"net/http"
	"time"

	"github.com/doorward/doorward/internal/auth"
)

// signedOutLifetime is long enough for a slow browser to notice the cookie.
const signedOutLifetime = 10 * time.Second

// MarkSignedOut sets a cookie of no meaning beside the session cookie of site, so
// that the back button shows no page of the session. Chromium keeps pages as they
// were drawn, Cache-Control: no-store or not, until a cookie of theirs changes. Of
// a page that a login ended on, it overlooks the first change of every cookie that
// the login set: to miss the session cookie is not enough. Its value is new each
// time, as the same one again is no change.
func (f *Flows) MarkSignedOut(w http.ResponseWriter, site auth.Site) {
	http.SetCookie(w, &http.Cookie{
		Name: cookiePrefix(f.Insecure, site.CookieDomain) + f.Name + "_signed_out", Value: rand.Text(),
		Path: "/", Domain: site.CookieDomain, MaxAge: int(signedOutLifetime / time.Second),
		Secure: !f.Insecure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}
