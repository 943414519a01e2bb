package session

import (
	"math"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/doorward/doorward/internal/secret"
)

// Bounds of the ID tokens that are kept for sign-outs.
const (
	maxIDTokens   = 32 << 20 // bytes of all, about 20,000 sessions
	idTokenBeside = 160      // bytes that each takes beside its own
)

// idTokens holds the ID tokens of the sessions that began lately, by session. A
// provider that is shown one ends its own session without asking (OpenID Connect
// RP-Initiated Logout 1.0 section 2). Without one a sign-out works as well.
type idTokens struct {
	mu     sync.Mutex
	most   int // bytes
	bytes  int
	recent *simplelru.LRU[ID, secret.Secret]
}

func newIDTokens(most int) *idTokens {
	t := &idTokens{most: most}
	recent, err := simplelru.NewLRU(math.MaxInt, func(_ ID, token secret.Secret) { t.bytes -= cost(token) })
	if err != nil {
		panic(err) // only for a size below one
	}
	t.recent = recent
	return t
}

func cost(token secret.Secret) int { return len(token) + idTokenBeside }

// add keeps the newest token of a session, in the place of the oldest of others.
func (t *idTokens) add(id ID, token secret.Secret) {
	if token == "" || cost(token) > t.most {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.recent.Remove(id)
	t.recent.Add(id, token)
	for t.bytes += cost(token); t.bytes > t.most; {
		t.recent.RemoveOldest()
	}
}

// take returns the token of a session, "" when it is not known, and forgets it.
func (t *idTokens) take(id ID) secret.Secret {
	t.mu.Lock()
	defer t.mu.Unlock()
	token, _ := t.recent.Peek(id)
	t.recent.Remove(id)
	return token
}
