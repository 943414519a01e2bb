package session

import (
	"context"
	"net/http"
	"time"

	"github.com/gorilla/sessions"

	"github.com/doorward/doorward/internal/auth"
)

// gorilla is a Store at one site as a sessions.Store. What a sessions.Session
// holds here is one value, our Session.
type gorilla struct {
	*jar
	site   auth.Site
	load   func(context.Context, auth.Request) (Session, error)
	encode func(name string, value any) (string, error) // of the cookie, for a Session
}

var _ sessions.Store = (*gorilla)(nil)

// sessionValue is the key of the one value.
const sessionValue = "session"

// Get implements sessions.Store.
func (g *gorilla) Get(r *http.Request, name string) (*sessions.Session, error) {
	return sessions.GetRegistry(r).Get(g, name)
}

// New implements sessions.Store. A cookie that does not open is no error; the
// session is a new one then.
func (g *gorilla) New(r *http.Request, name string) (*sessions.Session, error) {
	session := sessions.NewSession(g, name)
	session.Options = &sessions.Options{
		Path:     "/",
		Domain:   g.site.CookieDomain,
		Secure:   !g.Insecure,
		HttpOnly: true,
		SameSite: http.SameSiteLaxMode,
	}
	s, err := g.load(r.Context(), auth.Request{Host: g.site.Host, Cookies: r.Header["Cookie"]})
	if err != nil {
		return session, err
	}
	session.IsNew = s.User.Nobody()
	session.Values[sessionValue] = s
	return session, nil
}

// Save implements sessions.Store: it sets the one cookie, or takes it away when
// MaxAge is negative.
func (g *gorilla) Save(_ *http.Request, w http.ResponseWriter, session *sessions.Session) error {
	if session.Options.MaxAge < 0 {
		http.SetCookie(w, sessions.NewCookie(session.Name(), "", session.Options))
		return nil
	}
	s, _ := session.Values[sessionValue].(Session)
	value, err := g.encode(session.Name(), s)
	if err != nil {
		return err
	}
	if g.Persist {
		session.Options.MaxAge = int(s.Expires.Sub(g.Now()) / time.Second)
	}
	cookie := sessions.NewCookie(session.Name(), value, session.Options)
	if len(value) > maxValue || len(cookie.String()) > maxCookie {
		return ErrTooLarge
	}
	http.SetCookie(w, cookie)
	return nil
}
