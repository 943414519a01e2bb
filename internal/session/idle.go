package session

import (
	"sync"
	"time"
)

// uses remembers when a session was last used, for the idle timeout. It lives in
// memory. A session that it does not know counts as used when the process
// started or when it was created, whichever is later: a restart gives everybody
// one more idle period and signs nobody out.
type uses struct {
	timeout time.Duration // 0: sessions do not idle
	started time.Time

	mu    sync.Mutex
	last  map[ID]time.Time
	swept time.Time
}

// touch records a use at now and reports whether the session had idled too long.
func (u *uses) touch(s *Session, now time.Time) (idle bool) {
	if u.timeout == 0 {
		return false
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	last, known := u.last[s.ID]
	if !known {
		last = u.started
		if s.Created.After(last) {
			last = s.Created
		}
	}
	if now.Sub(last) > u.timeout {
		return true
	}
	if u.last == nil {
		u.last = map[ID]time.Time{}
	}
	if now.Sub(u.swept) > u.timeout {
		u.sweep(now)
	}
	if len(u.last) < maxUses {
		u.last[s.ID] = now
	}
	return false
}

// maxUses bounds the memory of last uses, at about 100 MB. A session beyond it
// idles from its login on.
const maxUses = 1 << 20

// sweep forgets the sessions that have idled too long. They stay ended: what is
// not known counts as used at a time that is earlier still.
func (u *uses) sweep(now time.Time) {
	u.swept = now
	for id, last := range u.last {
		if now.Sub(last) > u.timeout {
			delete(u.last, id)
		}
	}
}
