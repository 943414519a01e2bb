package session

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/fxamacker/cbor/v2"
	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/doorward/doorward/internal/auth"
)

// Bounds of what is kept in memory of sessions that were renewed. The one that
// was not used for the longest time goes first; its cookie stays as it was.
const (
	maxRenewed      = 1 << 14  // sessions
	maxRenewedBytes = 64 << 20 // of all of them, tokens and all
)

// renewals holds what refreshes brought, by session, until a cookie carries it
// and after, since nobody can know whether the browser took that cookie. It lets
// one refresh of a session run at a time.
type renewals struct {
	flights flights

	held   atomic.Int64 // sessions; most servers never have one
	mu     sync.Mutex
	newest *simplelru.LRU[ID, renewed]
	bytes  int
}

// renewed is the newest state of a session, and about how many bytes it has.
type renewed struct {
	Session
	bytes int
}

func newRenewals() *renewals {
	r := &renewals{}
	newest, err := simplelru.NewLRU(maxRenewed, func(_ ID, gone renewed) { r.bytes -= gone.bytes })
	if err != nil {
		panic(err) // only for a size below one
	}
	r.newest = newest
	return r
}

// replace puts the state that is kept of a session in the place of the one that
// came out of a cookie. It reports false, and does nothing, where there is none or
// the cookie's is the newer one, because another process wrote it.
func (r *renewals) replace(s *Session) bool {
	if r.held.Load() == 0 {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	kept, ok := r.newest.Get(s.ID)
	if !ok || kept.Version < s.Version {
		return false
	}
	*s = kept.Session
	return true
}

// keep holds a state that is newer than the cookie's.
func (r *renewals) keep(s Session) {
	size := weigh(s)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.newest.Remove(s.ID)
	r.newest.Add(s.ID, renewed{s, size})
	for r.bytes += size; r.bytes > maxRenewedBytes; {
		r.newest.RemoveOldest()
	}
	r.held.Store(int64(r.newest.Len()))
}

// rendered replaces the identity of a state that is still the newest one.
func (r *renewals) rendered(s Session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if kept, ok := r.newest.Peek(s.ID); ok && kept.Version == s.Version {
		kept.Session = s
		r.newest.Add(s.ID, kept)
	}
}

func (r *renewals) forget(id ID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.newest.Remove(id)
	r.held.Store(int64(r.newest.Len()))
}

// weigh estimates how much memory a session takes: what it says, the identity
// made of that, and what Go needs around both.
func weigh(s Session) int {
	const around = 1 << 10
	plain, err := cbor.Marshal(newRecord(s))
	if err != nil {
		return around + maxValue
	}
	return around + 2*len(plain) + s.Identity.Size
}

// Renew implements Store. What a refresh brought is kept in memory until the
// session ends: a check cannot set a cookie.
func (c *CookieStore) Renew(ctx context.Context, s Session, refresh Refresh) (Session, error) {
	result, err := c.renewed.flights.once(ctx, string(s.ID[:]), func(ctx context.Context) (any, error) {
		latest := s
		c.update(&latest)
		switch {
		case c.revoked.has(&latest):
			return Session{}, nil
		case latest.Version > s.Version:
			return latest, nil
		}
		next, err := refresh(ctx, latest)
		switch {
		case errors.Is(err, ErrEnded):
			c.revoke(latest)
			return Session{}, nil
		case err != nil:
			return latest, err
		case c.revoked.has(&latest): // while the provider was asked
			return Session{}, nil
		}
		next, err = latest.renewedBy(next)
		if err != nil {
			return latest, err
		}
		c.remember(s.ID, next.Tokens.ID)
		next.Tokens = c.keep(next.Tokens)
		next = c.rendered(next)
		c.renewed.keep(next)
		return next, nil
	})
	next, ok := result.(Session)
	if !ok { // a panic, or the end of ctx
		return s, err
	}
	return next, err
}

// renewedBy is s with what a refresh may change of it. A refresh that speaks of
// another user is an error.
func (s Session) renewedBy(next Session) (Session, error) {
	if next.User.Provider != s.User.Provider || next.User.Issuer != s.User.Issuer || next.User.Subject != s.User.Subject {
		return Session{}, errors.New("session: renew: the refresh is of another user")
	}
	s.User, s.Tokens, s.Renewed = next.User, next.Tokens, next.Renewed
	s.Version++
	return s, nil
}

// update makes a session that a cookie opened the newest state of it, rendered.
func (c *CookieStore) update(s *Session) {
	kept := c.renewed.replace(s)
	if kept && s.Rendered == c.generation() {
		return
	}
	c.render(s)
	if kept {
		c.renewed.rendered(*s)
	}
}

// Carry implements Store.
func (c *CookieStore) Carry(w http.ResponseWriter, r *http.Request, site auth.Site, s Session) {
	if s.Version == 0 || s.User.Nobody() || c.carried(r, site, s) {
		return
	}
	session, err := c.at(site).New(r, c.name(site))
	if err != nil {
		return
	}
	session.Values[sessionValue] = s
	_ = session.Save(r, w) // what does not fit stays in memory
}

// carried reports whether the cookie of r holds s already, or a newer state.
func (c *CookieStore) carried(r *http.Request, site auth.Site, s Session) bool {
	name := c.name(site)
	for value := range c.sealer.candidates(r.Header["Cookie"], name) {
		var held Session
		if c.open(name, scope(site), value, &held) && held.ID == s.ID {
			return held.Version >= s.Version
		}
	}
	return false
}
