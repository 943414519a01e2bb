package bearer

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/secret"
)

// Keyring is all API keys of one configuration. It is safe for concurrent use. The
// first request with a key costs an Argon2 hash, every later one a SHA-256.
type Keyring struct {
	keys    map[string]*ringed // by id
	now     func() time.Time
	work    chan struct{} // hashes being computed
	flights *flights
}

// ringed is a key and what was found out about it.
type ringed struct {
	APIKey
	proof *proof
}

// proof is what the hash of a key said last. It outlives a reload that leaves id
// and hash as they are.
type proof struct{ said atomic.Pointer[statement] }

// statement says whether a hash matches a secret, which its digest stands for.
type statement struct {
	digest [sha256.Size]byte
	good   bool
}

// NewKeyring makes a ring of keys, which have different ids. before, unless it is
// nil, is the one that this replaces: what it found out about keys that are in
// both is still known.
func NewKeyring(keys []APIKey, before *Keyring, now func() time.Time) *Keyring {
	ring := &Keyring{keys: make(map[string]*ringed, len(keys)), now: now}
	if before != nil {
		ring.work, ring.flights = before.work, before.flights
	} else {
		ring.work, ring.flights = make(chan struct{}, max(1, min(4, runtime.GOMAXPROCS(0)/2))), newFlights()
	}
	for _, k := range keys {
		known := &proof{}
		if before != nil {
			if old := before.keys[k.User.Subject]; old != nil && old.Hash.text == k.Hash.text {
				known = old.proof
			}
		}
		ring.keys[k.User.Subject] = &ringed{k, known}
	}
	return ring
}

// find returns the key that a text is, whether or not it is for the host that
// somebody wants. The error is auth.ErrInvalidToken, or says that the hash could
// not be computed in time.
func (r *Keyring) find(ctx context.Context, text secret.Secret) (*ringed, error) {
	id, ok := keyID(text)
	k := r.keys[id]
	switch {
	case !ok:
		return nil, invalid("the API key is malformed")
	case k == nil:
		return nil, invalid("there is no API key %s", id)
	case !k.Expires.IsZero() && !r.now().Before(k.Expires):
		return nil, invalid("the API key %s has expired", id)
	}
	good, err := r.proven(ctx, k, text)
	if err != nil {
		return nil, err
	}
	if !good {
		return nil, invalid("the API key %s does not match its hash", id)
	}
	return k, nil
}

// proven reports whether text is the key k. Once the hash has matched a secret, no
// other one can be good; once it did not, only a text of the same id could be.
func (r *Keyring) proven(ctx context.Context, k *ringed, text secret.Secret) (bool, error) {
	digest := k.digest(text)
	if good, known := k.proof.tell(digest); known {
		return good, nil
	}
	v := r.flights.join(ctx, digest, func() verdict { return verdict{err: r.prove(k, text, digest)} })
	if v.err != nil {
		return false, v.err
	}
	good, _ := k.proof.tell(digest)
	return good, nil
}

// tell returns what is known about a secret.
func (p *proof) tell(digest [sha256.Size]byte) (good, known bool) {
	said := p.said.Load()
	if said == nil {
		return false, false
	}
	same := subtle.ConstantTimeCompare(said.digest[:], digest[:]) == 1
	return same && said.good, same || said.good
}

// prove computes the hash. Only so many are computed at a time: each takes the
// memory that it says, and a processor.
func (r *Keyring) prove(k *ringed, text secret.Secret, digest [sha256.Size]byte) error {
	turn := time.NewTimer(maxVerifying)
	defer turn.Stop()
	select {
	case r.work <- struct{}{}:
	case <-turn.C:
		return fmt.Errorf("%w: no turn to compute the hash of an API key", errBusy)
	}
	defer func() { <-r.work }()
	if _, known := k.proof.tell(digest); known {
		return nil // found out while this waited
	}
	k.proof.said.Store(&statement{digest, k.Hash.matches([]byte(text.Reveal()))})
	return nil
}

// digest stands for a text and everything else that its being good depends on
// (CON-2). The text has more bits than anybody can try, so that its digest may lie
// in memory.
func (k *ringed) digest(text secret.Secret) [sha256.Size]byte {
	return digestOf(k.User.Subject, k.Hash.text, text.Reveal())
}

// askKey is Ask for an API key.
func (t *Tokens) askKey(ctx context.Context, host string, text secret.Secret) (auth.User, auth.Identity, error) {
	k, err := t.keys.find(ctx, text)
	if err != nil {
		return auth.User{}, auth.Identity{}, err
	}
	if !k.admits(host) {
		return k.User, auth.Identity{}, fmt.Errorf("bearer: %w", auth.ErrOtherHost)
	}
	return k.User, t.identities[k.User.Subject], nil
}
