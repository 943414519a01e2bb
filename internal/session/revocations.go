package session

import (
	"sync"
	"time"
)

// revocations remembers the sessions that were ended before their time, until
// they would have ended by themselves. It lives in memory: with the cookie store
// nothing else can know.
type revocations struct {
	mu    sync.RWMutex
	until map[ID]time.Time
	whose map[Whose]ended
	swept time.Time
}

// ended is that all sessions of somebody were ended at a time.
type ended struct {
	at    time.Time // sessions of before; those of a provider's session end whenever they began
	until time.Time
}

// maxRevoked bounds the memory of sign-outs, at about 100 MB. Only somebody who
// was signed in can add to it.
const maxRevoked = 1 << 20

// clockSlack is by how much the clock may step back without bringing an ended
// session to life again.
const clockSlack = time.Hour

func (r *revocations) add(id ID, until, now time.Time) {
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

// addAll ends all sessions of somebody.
func (r *revocations) addAll(whose Whose, until, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.whose == nil {
		r.whose = map[Whose]ended{}
	}
	if now.Sub(r.swept) > time.Minute || len(r.whose) >= maxRevoked {
		r.sweep(now)
	}
	r.whose[whose.key()] = ended{now, until}
}

// key is what sessions are looked up by: a session of the provider is enough.
func (w Whose) key() Whose {
	if w.ProviderSession != "" {
		w.Subject = ""
	}
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
func (r *revocations) has(s Session) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if _, ok := r.until[s.ID]; ok {
		return true
	}
	if len(r.whose) == 0 {
		return false
	}
	if s.ProviderSession != "" {
		if _, ok := r.whose[Whose{Issuer: s.User.Issuer, ProviderSession: s.ProviderSession}]; ok {
			return true
		}
	}
	// A cookie holds whole seconds.
	all, ok := r.whose[Whose{Issuer: s.User.Issuer, Subject: s.User.Subject}]
	return ok && s.Created.Unix() <= all.at.Unix()
}
