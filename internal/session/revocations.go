package session

import (
	"sync"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/doorward/doorward/internal/auth"
)

// revocations remembers the sessions that were ended before their time, until
// they would have ended by themselves. It lives in memory: with the cookie store
// nothing else can know.
type revocations struct {
	mu    sync.RWMutex
	until map[ID]time.Time
	whose map[Whose]ended
	any   atomic.Bool // there was ever something in until, whose or unproven; most checks ask no more
	swept time.Time

	// known are sessions of providers that sessions here came from lately. What is
	// to end without a proof goes into whose when it is one of them, and otherwise
	// into unproven, which strangers may fill.
	known    *met
	unproven *lru.Cache[Whose, ended]
}

// ended is that all sessions of somebody that began by a time were ended.
type ended struct {
	at    time.Time
	until time.Time
}

// maxUnproven is how many sessions of providers that are not known can be ended
// without a proof.
const maxUnproven = 1 << 16

func newRevocations() *revocations {
	unproven, err := lru.New[Whose, ended](maxUnproven)
	if err != nil {
		panic(err) // only for a size below one
	}
	return &revocations{known: newMet(), unproven: unproven}
}

// meet makes the provider's session of s a known one.
func (r *revocations) meet(s *Session) {
	if s.ProviderSession != "" {
		r.known.add(Whose{Issuer: s.User.Issuer, ProviderSession: s.ProviderSession})
	}
}

// maxRevoked bounds the memory of sign-outs, at about 100 MB. Only somebody who
// was signed in can add to it.
const maxRevoked = 1 << 20

// clockSlack is by how much the clock may step back without bringing an ended
// session to life again.
const clockSlack = time.Hour

func (r *revocations) add(id ID, until, now time.Time) {
	r.any.Store(true)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.until == nil {
		r.until = map[ID]time.Time{}
	}
	if now.Sub(r.swept) > time.Minute || len(r.until) >= maxRevoked {
		r.sweep(now)
	}
	r.until[id] = until
}

// addAll ends all sessions of somebody. What needs no proof is done with by that:
// asked again, it is a stranger's wish until somebody signs in.
func (r *revocations) addAll(whose Whose, until, now time.Time) {
	r.any.Store(true)
	key := whose.key()
	if whose.Unproven && !r.known.has(key) {
		r.unproven.Add(key, ended{now, until})
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.whose == nil {
		r.whose = map[Whose]ended{}
	}
	if now.Sub(r.swept) > time.Minute || len(r.whose) >= maxRevoked {
		r.sweep(now)
	}
	r.whose[key] = ended{now, until}
	if whose.Unproven {
		r.known.forget(key)
	}
}

// learn is addAll for an end elsewhere: a later one that is known stays.
func (r *revocations) learn(whose Whose, until, at time.Time) {
	if !r.lastOf(whose).After(at) {
		r.addAll(whose, until, at)
	}
}

// key is what sessions are looked up by: a session of the provider is enough.
func (w Whose) key() Whose {
	if w.ProviderSession != "" {
		w.Subject = ""
	}
	w.Unproven = false
	return w
}

// sweep drops what has long ended by itself. When that is not enough it drops the
// one that would end next.
func (r *revocations) sweep(now time.Time) {
	r.swept = now
	sweep(r.until, now, func(until time.Time) time.Time { return until })
	sweep(r.whose, now, func(e ended) time.Time { return e.until })
}

func sweep[K comparable, V any](list map[K]V, now time.Time, until func(V) time.Time) {
	var next K
	var soonest time.Time
	for key, value := range list {
		switch end := until(value); {
		case !end.Add(clockSlack).After(now):
			delete(list, key)
		case soonest.IsZero() || end.Before(soonest):
			next, soonest = key, end
		}
	}
	if len(list) >= maxRevoked {
		delete(list, next)
	}
}

// has reports whether s was ended, by itself or with all of its kind.
func (r *revocations) has(s *Session) bool {
	if !r.any.Load() {
		return false
	}
	r.mu.RLock()
	_, ended := r.until[s.ID]
	r.mu.RUnlock()
	if ended {
		return true
	}
	last := r.lastEnd(s)
	return !last.IsZero() && s.Created.UnixMilli() <= last.UnixMilli() // a cookie holds no more
}

// lastEnd is when all sessions like s were last ended, zero when they were not.
func (r *revocations) lastEnd(s *Session) time.Time {
	if !r.any.Load() {
		return time.Time{}
	}
	r.mu.RLock()
	last := r.whose[Whose{Issuer: s.User.Issuer, Subject: s.User.Subject}].at
	if s.ProviderSession == "" {
		r.mu.RUnlock()
		return last
	}
	key := Whose{Issuer: s.User.Issuer, ProviderSession: s.ProviderSession}
	last = later(last, r.whose[key].at)
	r.mu.RUnlock()
	claimed, _ := r.unproven.Peek(key)
	return later(last, claimed.at)
}

// lastOf is when all sessions of somebody were last ended.
func (r *revocations) lastOf(whose Whose) time.Time {
	key := whose.key()
	return r.lastEnd(&Session{User: auth.User{Issuer: key.Issuer, Subject: key.Subject}, ProviderSession: key.ProviderSession})
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
