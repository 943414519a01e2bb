package session

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/redis/rueidis"
)

// lastUses are the sessions that were used since their last use was written down.
type lastUses struct {
	mu      sync.Mutex
	waiting []*entry
}

// Bounds of the writing of last uses.
const (
	usesEvery  = time.Minute
	usesAtOnce = 200
	maxWaiting = maxSessions
)

// note counts a use. What it costs is an atomic store at most, but for the first
// use in a minute.
func (u *lastUses) note(e *entry, now time.Time) {
	if at := now.Unix(); at > e.used.Load() {
		e.used.Store(at)
	}
	if e.waiting.Load() || !e.waiting.CompareAndSwap(false, true) {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.waiting) >= maxWaiting {
		e.waiting.Store(false)
		return
	}
	u.waiting = append(u.waiting, e)
}

// take returns the sessions that wait.
func (u *lastUses) take() []*entry {
	u.mu.Lock()
	defer u.mu.Unlock()
	waiting := u.waiting
	u.waiting = nil
	return waiting
}

// writeUses writes last uses once a minute, and at the end.
func (r *RedisStore) writeUses(ctx context.Context) {
	ticker := time.NewTicker(usesEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			r.flushUses(ctx)
		case <-ctx.Done():
			r.flushUses(context.WithoutCancel(ctx))
			return
		}
	}
}

// flushUses writes what waits, also of sessions that were renewed since they were
// used. What could not be written is given up: the next use counts again.
func (r *RedisStore) flushUses(ctx context.Context) {
	for some := range slices.Chunk(r.uses.take(), usesAtOnce) {
		type use struct{ key, name, at string }
		var uses []use
		for _, e := range some {
			e.waiting.Store(false)
			uses = append(uses, use{r.used(e.user), e.held.name, strconv.FormatInt(e.used.Load(), 10)})
		}
		_, _ = r.redis.Do(ctx, uses[0].key, func(b rueidis.Builder) []rueidis.Completed {
			commands := make([]rueidis.Completed, 0, len(uses))
			for _, u := range uses { // only of sessions that are still there
				commands = append(commands, b.Arbitrary("ZADD").Keys(u.key).Args("XX", "GT", u.at, u.name).Build())
			}
			return commands
		})
	}
}

// idles reports whether a session was not used for too long, by this process or
// another one. Then it is ended. What was written down may be a minute older than
// the last use.
func (r *RedisStore) idles(ctx context.Context, e *entry, s Session, now time.Time) (bool, error) {
	if r.Idle == 0 || now.Sub(time.Unix(e.used.Load(), 0)) <= r.Idle {
		return false, nil
	}
	last, err := r.lastUse(ctx, s)
	if err != nil {
		return false, err
	}
	if now.Sub(last) < r.Idle+usesEvery {
		e.used.Store(last.Unix())
		return false, nil
	}
	return true, r.Revoke(context.WithoutCancel(ctx), s)
}

// lastUse is when a session was last used, as far as it was written down. One that
// Redis has lost counts as used when the process started.
func (r *RedisStore) lastUse(ctx context.Context, s Session) (time.Time, error) {
	key := r.used(userOf(s.User.Issuer, s.User.Subject))
	results, err := r.redis.Do(ctx, key, func(b rueidis.Builder) []rueidis.Completed {
		return []rueidis.Completed{b.Zscore().Key(key).Member(s.Held.name).Build()}
	})
	if err != nil {
		return time.Time{}, err
	}
	seconds, err := results[0].AsFloat64()
	switch {
	case rueidis.IsRedisNil(err):
		return r.started, nil
	case err != nil:
		return time.Time{}, err
	}
	return time.Unix(int64(seconds), 0), nil
}
