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
	swept time.Time
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

// sweep drops what has long ended by itself. When that is not enough it drops the one
// that would end next.
func (r *revocations) sweep(now time.Time) {
	r.swept = now
	var next ID
	for id, until := range r.until {
		if !until.Add(clockSlack).After(now) {
			delete(r.until, id)
		} else if r.until[next].IsZero() || until.Before(r.until[next]) {
			next = id
		}
	}
	if len(r.until) >= maxRevoked {
		delete(r.until, next)
	}
}

func (r *revocations) has(id ID) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	_, ok := r.until[id]
	return ok
}
