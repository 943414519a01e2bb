package session

import (
	"context"
	"errors"
	"net/http"

	"github.com/doorward/doorward/internal/auth"
)

// Moving is two stores of which one keeps new sessions and both have some: a
// change of the store signs nobody out. The two have the same CookieConfig.
type Moving struct {
	Cookie  *CookieStore
	Redis   *RedisStore
	InRedis bool // where new sessions are kept
}

var (
	_ Store   = (*Moving)(nil)
	_ Listing = (*Moving)(nil)
)

// NewMoving returns both stores as one. Sessions in cookies that are ended are ended
// on every replica.
func NewMoving(cookie *CookieStore, inRedis *RedisStore, newInRedis bool) (*Moving, error) {
	sealer, err := cookie.Keys.sealer("revocation")
	if err != nil {
		return nil, err
	}
	cookie.shared = &sharing{redis: inRedis, revoked: cookie.revoked, sealer: sealer, now: cookie.Now, wake: make(chan struct{}, 1)}
	return &Moving{Cookie: cookie, Redis: inRedis, InRedis: newInRedis}, nil
}

// Run keeps the connection to Redis until the context ends.
func (m *Moving) Run(ctx context.Context) {
	connected, stop := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() { defer close(done); m.Redis.Run(connected) }()
	m.Cookie.shared.run(ctx)
	stop()
	<-done
}

// Shared reports whether sign-outs of other replicas are known here, since before
// this process began.
func (m *Moving) Shared() bool { return m.Cookie.shared.heard.Load() }

// newer keeps new sessions, older has those of before the change.
func (m *Moving) newer() Store {
	if m.InRedis {
		return m.Redis
	}
	return m.Cookie
}

func (m *Moving) older() Store {
	if m.InRedis {
		return m.Cookie
	}
	return m.Redis
}

// of is the store that has s; the newer one for nobody's.
func (m *Moving) of(s Session) Store {
	switch {
	case s.Held != nil:
		return m.Redis
	case s.User.Nobody():
		return m.newer()
	default:
		return m.Cookie
	}
}

// Load implements Store. A cookie of one store is no cookie of the other, and so
// Redis is asked only for what is there.
func (m *Moving) Load(ctx context.Context, req auth.Request) (Session, error) {
	s, err := m.newer().Load(ctx, req)
	if !s.User.Nobody() {
		return s, err
	}
	s, err2 := m.older().Load(ctx, req)
	if !s.User.Nobody() {
		return s, err2
	}
	return Session{}, errors.Join(err, err2)
}

// Create implements Store.
func (m *Moving) Create(w http.ResponseWriter, r *http.Request, site auth.Site, s Session) (Session, error) {
	return m.newer().Create(w, r, site, s)
}

// End implements Store.
func (m *Moving) End(w http.ResponseWriter, r *http.Request, site auth.Site, s Session) (auth.Tokens, error) {
	return m.of(s).End(w, r, site, s)
}

// Revoke implements Store.
func (m *Moving) Revoke(ctx context.Context, s Session) error { return m.of(s).Revoke(ctx, s) }

// RevokeAll implements Store, in both.
func (m *Moving) RevokeAll(ctx context.Context, whose Whose) error {
	return errors.Join(m.Cookie.RevokeAll(ctx, whose), m.Redis.RevokeAll(ctx, whose))
}

// Renew implements Store.
func (m *Moving) Renew(ctx context.Context, s Session, refresh Refresh) (Session, error) {
	return m.of(s).Renew(ctx, s, refresh)
}

// Carry implements Store.
func (m *Moving) Carry(w http.ResponseWriter, r *http.Request, site auth.Site, s Session) {
	m.of(s).Carry(w, r, site, s)
}

// SetRender implements Store. Both count alike.
func (m *Moving) SetRender(render Render) Rendering {
	m.older().SetRender(render)
	return m.newer().SetRender(render)
}

// Listed implements Listing. Sessions in cookies are not known.
func (m *Moving) Listed(ctx context.Context, whose Whose) ([]Listed, error) {
	return m.Redis.Listed(ctx, whose)
}

// EndListed implements Listing.
func (m *Moving) EndListed(ctx context.Context, sessions []Listed) error {
	return m.Redis.EndListed(ctx, sessions)
}

// EndOthers implements Listing. Sessions in cookies are others, unless s is one of
// them: then they cannot be told apart from it.
func (m *Moving) EndOthers(ctx context.Context, s Session) ([]Listed, error) {
	ended, err := m.Redis.EndOthers(ctx, s)
	if err != nil || s.Held == nil {
		return ended, err
	}
	return ended, m.Cookie.RevokeAll(ctx, Whose{Issuer: s.User.Issuer, Subject: s.User.Subject})
}
