package session

import (
	"context"
	"errors"
	"net/http"

	"github.com/gorilla/sessions"
	"github.com/redis/rueidis"

	"github.com/doorward/doorward/internal/auth"
)

// Create implements Store.
func (r *RedisStore) Create(w http.ResponseWriter, req *http.Request, site auth.Site, s Session) (Session, error) {
	now := r.Now()
	s.Created, s.Expires, s.Renewed, s.Version = now, now.Add(r.Lifetime), now, 0
	s.Held = newReference(s.Expires).held()
	s.ID = s.Held.id
	s.Tokens = r.kept(s.Tokens)
	value, err := r.vault.seal(s.Held, s)
	if err != nil {
		return Session{}, err
	}
	if len(value) > maxRecord {
		return Session{}, ErrTooLarge
	}
	session, err := r.at(site).New(req, r.name(site))
	if err != nil {
		return Session{}, err
	}
	ctx := context.WithoutCancel(req.Context())
	if err := r.enlist(ctx, s, r.place(req, site, s)); err != nil {
		return Session{}, err
	}
	key := r.value(s.Held.name)
	_, err = r.redis.Do(ctx, key, func(b rueidis.Builder) []rueidis.Completed {
		return []rueidis.Completed{b.Set().Key(key).Value(rueidis.BinaryString(value)).PxMilliseconds(milliseconds(r.Lifetime)).Build()}
	})
	if err != nil {
		return Session{}, err
	}
	session.Values[sessionValue] = s
	if err := session.Save(req, w); err != nil {
		return Session{}, err
	}
	return r.rendered(s), nil
}

// kept are the tokens that are passed on or needed, and always the ID token: the
// provider wants to see it at the sign-out.
func (r *RedisStore) kept(t auth.Tokens) auth.Tokens {
	kept := r.keep(t)
	kept.ID, kept.IDExpiry = t.ID, t.IDExpiry
	return kept
}

// at returns the store as gorilla/sessions wants one, for one site.
func (r *RedisStore) at(site auth.Site) sessions.Store {
	return &gorilla{jar: &r.jar, site: site, load: r.Load, encode: func(name string, value any) (string, error) {
		s, ok := value.(Session)
		if !ok || s.Held == nil {
			return "", errors.New("session: encode a session that is not in redis")
		}
		return s.Held.seal(r.references, name+" "+scope(site)), nil
	}}
}
