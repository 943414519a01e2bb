package gate

import (
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/doorward/doorward/internal/idp"
	"github.com/doorward/doorward/internal/session"
)

// Bounds of a wait after a failure.
const (
	firstWait   = time.Second
	longestWait = 30 * time.Second
	maxTroubles = 1 << 14 // sessions with a failure of their own
)

// troubles remembers what failed, so that a provider that is down is asked by one
// session now and then, and not by every check of all of them.
type troubles struct {
	now func() time.Time

	mu        sync.Mutex
	providers map[string]trouble
	sessions  *lru.Cache[session.ID, trouble]
}

// trouble is a failure that may repeat itself.
type trouble struct {
	wait  time.Duration // after the last failure
	until time.Time     // no attempt before
	tried bool          // an attempt is under way, and until is its end at the latest
	away  bool          // it was out of reach, and not just unwilling
}

func newTroubles(now func() time.Time) troubles {
	sessions, err := lru.New[session.ID, trouble](maxTroubles)
	if err != nil {
		panic(err) // only for a size below one
	}
	return troubles{now: now, providers: map[string]trouble{}, sessions: sessions}
}

// may reports whether s may be renewed now. After a failure of its provider one
// session may at a time, and the others only after that has succeeded.
func (t *troubles) may(s *session.Session) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	if own, ok := t.sessions.Peek(s.ID); ok && own.holds(now) {
		return false
	}
	provider, failing := t.providers[s.User.Provider]
	if !failing {
		return true
	}
	if provider.holds(now) {
		return false
	}
	provider.until, provider.tried = now.Add(renewTimeout), true
	t.providers[s.User.Provider] = provider
	return true
}

// holds reports whether it is too early for another attempt. A clock that stepped
// back does not make the wait longer.
func (t trouble) holds(now time.Time) bool {
	return now.Before(t.until) && t.until.Sub(now) <= max(longestWait, renewTimeout)
}

// again is the trouble after another failure: twice the wait, with jitter. What
// fails while nothing was to be tried had begun before, and says nothing new.
func (t trouble) again(now time.Time, away bool) trouble {
	if t.away = t.away || away; t.holds(now) && !t.tried {
		return t
	}
	t.wait, t.tried, t.away = min(max(2*t.wait, firstWait), longestWait), false, away
	t.until = now.Add(t.wait/2 + rand.N(t.wait/2)) // #nosec G404 -- only spreads attempts
	return t
}

// note remembers a failure: of the session and, where it is not the session's own
// fault, of its provider.
func (t *troubles) note(s *session.Session, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	own, _ := t.sessions.Peek(s.ID)
	t.sessions.Add(s.ID, own.again(now, false))
	if away, theirs := fault(err); theirs {
		t.providers[s.User.Provider] = t.providers[s.User.Provider].again(now, away)
	}
}

// fault reports whether a failure says something about every session of the
// provider, and whether that is that it is out of reach.
func fault(err error) (away, theirs bool) {
	if _, ok := errors.AsType[*idp.UnavailableError](err); ok {
		return true, true
	}
	if rejected, ok := errors.AsType[*idp.RejectedError](err); ok {
		switch rejected.Code {
		case "server_error", "temporarily_unavailable":
			return true, true
		case "invalid_client", "unauthorized_client", "unsupported_grant_type":
			return false, true // it is the client that the provider does not like
		}
	}
	return false, false
}

// over forgets the failures of a provider that has answered. A session of which
// it did not say everything waits before it asks again.
func (t *troubles) over(s *session.Session, whole bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.providers, s.User.Provider)
	if whole {
		t.sessions.Remove(s.ID)
		return
	}
	own, _ := t.sessions.Peek(s.ID)
	t.sessions.Add(s.ID, own.again(t.now(), false))
}

// slow remembers that a provider lets checks wait, before it has failed.
func (t *troubles) slow(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.providers[name] = t.providers[name].again(t.now(), true)
}

// away reports whether the last that was heard of a provider is that it cannot be
// reached.
func (t *troubles) away(name string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.providers[name].away
}
