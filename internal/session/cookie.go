package session

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/gorilla/sessions"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/secret"
)

// CookieConfig is what a CookieStore is made of. All fields but the switches are
// required.
type CookieConfig struct {
	Keys     *Keyring
	Sites    auth.Sites
	Name     string        // base name; "__Host-" or "__Secure-" is put before it
	Insecure bool          // for plain http: no Secure attribute and no prefix
	Persist  bool          // outlives the browser
	Lifetime time.Duration // absolute
	Idle     time.Duration // since last use; 0: sessions do not idle

	// Issuers are the issuers whose sessions count, by the name of the provider. A
	// session of another one, from before the provider was changed, is nobody's.
	// Nil: all count.
	Issuers map[string]string

	// Accepts reports, by the name of a provider, whether the sessions of a subject
	// count. A provider that is not there accepts all of its issuer.
	Accepts map[string]func(subject string) bool

	// KeepAccessToken and KeepIDToken keep a token in the cookie, because the
	// configuration passes it on.
	KeepAccessToken, KeepIDToken bool

	// KeepRefreshToken keeps the refresh token in the cookie, because sessions are
	// to be renewed at the provider.
	KeepRefreshToken bool

	// Render makes the identity headers of a user. SetRender replaces it.
	Render Render

	Now func() time.Time
}

// CookieStore keeps each session in one sealed cookie of its browser, which every
// check opens: a million sessions cost a check what one does. Only what a cookie
// cannot know is kept here, in memory.
type CookieStore struct {
	jar
	renderer
	sealer  *sealer
	revoked *revocations
	used    uses
	renewed *renewals
	tokens  *idTokens
	shared  *sharing // with other replicas; nil without Redis
}

// Bounds of a cookie.
const (
	maxValue  = 3500 // bytes of the value
	maxCookie = 4096 // bytes of name, value and attributes; browsers drop more
)

// ErrTooLarge says that a session does not fit into a cookie.
var ErrTooLarge = errors.New("session: does not fit into a cookie")

// NewCookieStore returns a store that opens cookies sealed with any key of the
// ring.
func NewCookieStore(cfg CookieConfig) (*CookieStore, error) {
	sealer, err := cfg.Keys.sealer("session")
	if err != nil {
		return nil, err
	}
	c := &CookieStore{
		jar:     newJar(cfg),
		sealer:  sealer,
		used:    uses{timeout: cfg.Idle, started: cfg.Now()},
		revoked: newRevocations(),
		renewed: newRenewals(),
		tokens:  newIDTokens(maxIDTokens),
	}
	c.begin(cfg.Render)
	return c, nil
}

// Load implements Store. This one has nobody to ask, and so never an error. It
// opens the cookies of a request, until one holds a session that is good.
func (c *CookieStore) Load(_ context.Context, req auth.Request) (Session, error) {
	site, ok := c.Sites.For(req.Host)
	if !ok {
		return Session{}, nil
	}
	name, now := c.name(site), c.Now()
	for value := range c.sealer.candidates(req.Cookies, name) {
		var s Session
		if c.open(name, scope(site), value, &s) && c.lives(&s, now) {
			c.update(&s)
			return s, nil
		}
	}
	return Session{}, nil
}

// open reads what a cookie contains into a zero Session.
func (c *CookieStore) open(name, scope, value string, s *Session) bool {
	return codec{c.sealer, scope}.Decode(name, value, s) == nil && !s.User.Nobody()
}

// lives reports whether a session is still good, and counts this as a use of it.
func (c *CookieStore) lives(s *Session, now time.Time) bool {
	if !c.counts(s, now) || c.revoked.has(s) || c.used.touch(s, now) {
		return false
	}
	c.revoked.meet(s)
	return true
}

// Create implements Store.
func (c *CookieStore) Create(w http.ResponseWriter, r *http.Request, site auth.Site, s Session) (Session, error) {
	now := c.Now()
	s.ID, s.Created, s.Expires = NewID(), now, now.Add(c.Lifetime)
	s.Renewed, s.Version = now, 0
	if last := c.revoked.lastEnd(&s); !last.IsZero() {
		if !s.Begun.IsZero() && s.Begun.UnixMilli() < last.UnixMilli() && !last.After(now) {
			return Session{}, ErrEnded
		}
		s.Created = later(now, last.Add(time.Millisecond)) // also when the clock was set back
	}
	issued := s.Tokens.ID
	s.Tokens = c.keep(s.Tokens)
	session, err := c.at(site).New(r, c.name(site))
	if err != nil {
		return Session{}, err
	}
	session.Values[sessionValue] = s
	if err := session.Save(r, w); err != nil {
		return Session{}, err
	}
	c.remember(s.ID, issued)
	c.revoked.meet(&s)
	return c.rendered(s), nil
}

// remember keeps an ID token in memory for the sign-out. In the cookie it would
// take room on every request.
func (c *CookieStore) remember(id ID, token secret.Secret) {
	if !c.KeepIDToken {
		c.tokens.add(id, token)
	}
}

// End implements Store. ID tokens are in memory: after a restart none is known.
func (c *CookieStore) End(w http.ResponseWriter, r *http.Request, site auth.Site, s Session) (auth.Tokens, error) {
	tokens := s.Tokens
	if tokens.ID == "" {
		tokens.ID = c.tokens.take(s.ID)
	}
	c.revoke(s)
	session, err := c.at(site).New(r, c.name(site))
	if err != nil {
		return auth.Tokens{}, err
	}
	session.Options.MaxAge = -1
	return tokens, session.Save(r, w)
}

// Revoke implements Store.
func (c *CookieStore) Revoke(_ context.Context, s Session) error {
	c.revoke(s)
	return nil
}

func (c *CookieStore) revoke(s Session) {
	if !s.User.Nobody() {
		c.revoked.add(s.ID, s.Expires, c.Now())
		c.renewed.forget(s.ID)
		c.tokens.take(s.ID)
		if c.shared != nil {
			c.shared.tell(notice{ID: s.ID, Until: s.Expires.Unix()})
		}
	}
}

// RevokeAll implements Store.
func (c *CookieStore) RevokeAll(_ context.Context, whose Whose) error {
	whose = whose.clone() // it is kept, and not the request or the session that it came in
	// A login after the last end counts as later than that, also when the clock was
	// set back; so does the next end.
	at := later(c.Now(), c.revoked.lastOf(whose).Add(time.Millisecond))
	until := at.Add(c.Lifetime)
	stranger := whose.Unproven && !c.revoked.known.has(whose.key())
	c.revoked.addAll(whose, until, at)
	if c.shared != nil {
		c.shared.tell(notice{
			Issuer: whose.Issuer, ProviderSession: whose.ProviderSession, Subject: whose.Subject,
			At: at.UnixMilli(), Until: until.Unix(), Unproven: stranger,
		})
	}
	return nil
}

// at returns the store as gorilla/sessions wants one, for one site.
func (c *CookieStore) at(site auth.Site) sessions.Store {
	return &gorilla{jar: &c.jar, site: site, load: c.Load, encode: codec{c.sealer, scope(site)}.Encode}
}
