package session

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/rueidis"

	"github.com/doorward/doorward/internal/auth"
)

// End implements Store.
func (r *RedisStore) End(w http.ResponseWriter, req *http.Request, site auth.Site, s Session) (auth.Tokens, error) {
	if err := r.Revoke(context.WithoutCancel(req.Context()), s); err != nil {
		return auth.Tokens{}, err
	}
	session, err := r.at(site).New(req, r.name(site))
	if err != nil {
		return auth.Tokens{}, err
	}
	session.Options.MaxAge = -1
	return s.Tokens, session.Save(req, w)
}

// Revoke implements Store. When Redis cannot be asked nothing has ended.
func (r *RedisStore) Revoke(ctx context.Context, s Session) error {
	if s.User.Nobody() || s.Held == nil {
		return nil
	}
	return r.endAll(ctx, []member{{s.Held.name, userOf(s.User.Issuer, s.User.Subject)}})
}

// RevokeAll implements Store. That it was asked for is there before the sessions
// are looked for, so that a login under way is ended too, unless anybody may have
// asked: that costs no memory.
func (r *RedisStore) RevokeAll(ctx context.Context, whose Whose) error {
	if !whose.Unproven {
		key := r.allEnded(whose.named())
		_, err := r.redis.Do(ctx, key, func(b rueidis.Builder) []rueidis.Completed {
			at := strconv.FormatInt(r.Now().UnixMilli(), 10)
			return []rueidis.Completed{b.Set().Key(key).Value(at).PxMilliseconds(milliseconds(2 * flowLifetime)).Build()}
		})
		if err != nil {
			return err
		}
	}
	members, err := r.members(ctx, whose)
	if err != nil {
		return err
	}
	return r.endAll(ctx, members)
}

// named is how the keys of somebody are named.
func (w Whose) named() string {
	if w.ProviderSession != "" {
		return providedOf(w.Issuer, w.ProviderSession)
	}
	return userOf(w.Issuer, w.Subject)
}

// member is a session of somebody, by the names of both.
type member struct{ session, user string }

// members are the sessions of somebody that there are now.
func (r *RedisStore) members(ctx context.Context, whose Whose) ([]member, error) {
	user := whose.named()
	key := r.used(user)
	build := func(b rueidis.Builder) rueidis.Completed { return b.Zrange().Key(key).Min("0").Max("-1").Build() }
	if whose.ProviderSession != "" {
		key = r.provided(user)
		build = func(b rueidis.Builder) rueidis.Completed { return b.Smembers().Key(key).Build() }
	}
	results, err := r.redis.Do(ctx, key, func(b rueidis.Builder) []rueidis.Completed { return []rueidis.Completed{build(b)} })
	if err != nil {
		return nil, err
	}
	texts, err := results[0].AsStrSlice()
	if err != nil {
		return nil, err
	}
	var all []member
	for _, text := range texts {
		m := member{text, user}
		if whose.ProviderSession != "" {
			m.session, m.user, _ = strings.Cut(text, " ")
		}
		all = append(all, m)
	}
	return all, nil
}

// endsAtOnce is how many sessions are ended with one question to Redis.
const endsAtOnce = 100

// endAll ends sessions, and forgets them here.
func (r *RedisStore) endAll(ctx context.Context, members []member) error {
	for some := range slices.Chunk(members, endsAtOnce) {
		_, err := r.redis.Do(ctx, r.value(some[0].session), func(b rueidis.Builder) []rueidis.Completed {
			var commands []rueidis.Completed
			for _, m := range some {
				commands = append(commands, r.strike(b, m.session, m.user, r.Lifetime)...)
			}
			return commands
		})
		if err != nil {
			return err
		}
		for _, m := range some {
			r.forget(m.session)
		}
	}
	return nil
}

// forget keeps an ended session from going on here, whatever Redis says: it may
// be away, or have lost the end with a server that failed.
func (r *RedisStore) forget(name string) {
	now := r.Now()
	if mark, err := encoding.DecodeString(name); err == nil && len(mark) == len(ID{}) {
		r.ended.add(ID(mark), now.Add(r.Lifetime), now)
	}
	r.known.drop(name)
}
