package idp

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
)

const (
	keysCoolDown  = 10 * time.Second // from the start of one fetch to the next
	keysFresh     = time.Hour        // older sets are renewed beside their use
	keysUsable    = 24 * time.Hour   // older sets are not used at all
	partKeys      = "keys"
	partDiscovery = "discovery"
)

// Keys are the signing keys that an issuer publishes, fetched when a token needs
// them. Whatever tokens arrive, one fetch is in flight at most and ten seconds
// lie between two: for so long a key that the set lacks counts as absent, and no
// longer. A set that cannot be renewed is used for 24 hours (JWK-2).
// Keys are safe for concurrent use.
type Keys struct {
	source   func(context.Context) (string, error)
	client   *http.Client
	now      func() time.Time
	log      *slog.Logger
	coolDown time.Duration

	mu      sync.Mutex
	set     keySet
	starts  uint64        // fetches begun so far
	tried   time.Time     // when the last of them began
	failed  error         // why it failed; nil after a success
	running chan struct{} // closed at the end of the one in flight; nil without
}

var _ oidc.KeySet = (*Keys)(nil)

// keySet is what one fetch brought. It is never changed.
type keySet struct {
	keys    []publicKey
	start   uint64 // which fetch; 0 is none
	fetched time.Time
}

// NewKeys returns the keys at the address that source tells; it is asked before
// each fetch, and its error counts as a failed one.
func NewKeys(source func(context.Context) (string, error), client *http.Client, now func() time.Time, log *slog.Logger) *Keys {
	return &Keys{source: source, client: client, now: now, log: log, coolDown: keysCoolDown}
}

// VerifySignature returns the payload of a token in compact form that one of the
// keys signed. It checks the form, the algorithm and the signature, and no claim
// of the payload. The error is an *InvalidError, or an *UnavailableError when
// the keys that would tell could not be fetched.
func (k *Keys) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	return k.verify(ctx, token, false)
}

// verify is VerifySignature; a patient caller waits for the next fetch that is
// allowed when the key is not known, so that a login passes whose token was
// signed right after a rotation. Only tokens that came from the provider itself
// deserve that.
func (k *Keys) verify(ctx context.Context, token string, patient bool) ([]byte, error) {
	head, err := parseHeader(token)
	if err != nil {
		return nil, err
	}
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{head.alg})
	if err != nil {
		return nil, invalid(ReasonTokenFormat, "the token is malformed")
	}
	set, arrived := k.current()
	for {
		payload, bad := set.verify(jws, head)
		if bad == nil {
			k.renewIfOld(set)
			return payload, nil
		}
		unknown := bad.Reason == ReasonUnknownKey
		if set.start > arrived {
			return nil, bad
		}
		err := k.renew(ctx, set.start, patient && (unknown || head.kid == ""))
		if errors.Is(err, errTooSoon) || err != nil && !unknown {
			return nil, bad
		} else if err != nil {
			return nil, err
		}
		set, _ = k.current()
	}
}

// current returns the set, empty when it is too old, and how many fetches have
// begun: only a later one is sure to know a key that was published before now.
func (k *Keys) current() (keySet, uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.now().Sub(k.set.fetched) > keysUsable {
		return keySet{start: k.set.start}, k.starts
	}
	return k.set, k.starts
}

// verify tries the keys that the header allows.
func (s keySet) verify(jws *jose.JSONWebSignature, head header) ([]byte, *InvalidError) {
	var known bool
	tried := 0
	for _, key := range s.keys {
		if head.kid != "" && key.kid != head.kid {
			continue
		}
		known = true
		if !key.fits(head.alg) {
			continue
		}
		if tried++; tried > maxTried {
			break
		}
		if payload, err := jws.Verify(key.key); err == nil {
			return payload, nil
		}
	}
	switch {
	case !known:
		return nil, invalid(ReasonUnknownKey, "the issuer publishes no key %q", head.kid)
	case tried == 0:
		return nil, invalid(ReasonAlgorithm, "no published key fits %s", head.alg)
	default:
		return nil, invalid(ReasonSignature, "the signature does not verify with any of %d keys", min(tried, maxTried))
	}
}

// errTooSoon says that no fetch is allowed now, and that the last one worked.
var errTooSoon = errors.New("idp: too soon for another fetch of the keys")

// renew returns nil once there is a newer set than the one that fetch number
// have brought. It joins a fetch in flight; with wait it sits out the cool-down
// once.
func (k *Keys) renew(ctx context.Context, have uint64, wait bool) error {
	for {
		k.mu.Lock()
		if k.set.start > have {
			k.mu.Unlock()
			return nil
		}
		running, failed := k.running, k.failed
		rest := k.rest()
		if running == nil && rest == 0 {
			running = k.begin()
		}
		k.mu.Unlock()
		switch {
		case running != nil:
			return k.join(ctx, running, have)
		case wait && rest > 0:
			wait = false
			if err := sleep(ctx, rest); err != nil {
				return unavailable(partKeys, err)
			}
		case failed != nil:
			return unavailable(partKeys, failed)
		default:
			return errTooSoon
		}
	}
}

// join waits for a fetch in flight.
func (k *Keys) join(ctx context.Context, running <-chan struct{}, have uint64) error {
	select {
	case <-running:
	case <-ctx.Done():
		return unavailable(partKeys, ctx.Err())
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.set.start > have {
		return nil
	}
	return unavailable(partKeys, k.failed)
}

// renewIfOld begins a fetch beside the use of a set that is no longer fresh.
func (k *Keys) renewIfOld(set keySet) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.running == nil && k.now().Sub(set.fetched) > keysFresh && k.rest() == 0 {
		k.begin()
	}
}

// rest is how long no fetch may begin. A clock that was set back does not
// prolong it. The caller holds mu, as for the methods below.
func (k *Keys) rest() time.Duration {
	passed := k.now().Sub(k.tried)
	if passed < 0 {
		return 0
	}
	return max(0, k.coolDown-passed)
}

func (k *Keys) begin() chan struct{} {
	k.starts++
	k.running = make(chan struct{})
	go k.fetch(k.starts, k.running)
	return k.running
}

// fetch is detached from the token that caused it: others wait for it too.
func (k *Keys) fetch(start uint64, done chan struct{}) {
	ctx, cancel := context.WithTimeout(context.Background(), totalTimeout)
	defer cancel()
	keys, err := k.load(ctx)
	k.mu.Lock()
	defer k.mu.Unlock()
	if err == nil {
		k.set = keySet{keys: keys, start: start, fetched: k.now()}
	} else {
		k.log.Warn("the provider's keys could not be fetched", "cause", err, "keys_in_use", len(k.set.keys))
	}
	k.failed = err
	k.running = nil
	close(done)
}

func (k *Keys) load(ctx context.Context) ([]publicKey, error) {
	url, err := k.source(ctx)
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	k.tried = k.now()
	k.mu.Unlock()
	answer, err := get(ctx, k.client, url, "")
	if err != nil {
		return nil, err
	}
	keys, skipped, err := parseKeys(answer.body)
	if err != nil {
		return nil, err
	}
	if len(keys) == 0 {
		return nil, errors.New("the set holds no usable key")
	}
	if skipped > 0 {
		k.log.Debug("keys of the provider that are not usable here were skipped", "skipped", skipped, "used", len(keys))
	}
	return keys, nil
}

// sleep returns after d, or with the context's error.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
