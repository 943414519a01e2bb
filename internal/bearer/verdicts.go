package bearer

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/secret"
)

// Bounds of what is remembered (BEAR-4, LIM-2). A good verdict is made of at most
// 64 KiB of claims, which only an issuer can write; a bad one is a short text.
const (
	maxGood = 4096
	maxBad  = 4096
	goodFor = 60 * time.Second
	badFor  = 5 * time.Second
)

// verdict is what was found out about a token.
type verdict struct {
	user     auth.User
	identity auth.Identity
	expiry   time.Time // of the token; zero when it is not known
	err      error
}

// key stands for a token and everything else that its verdict depends on.
type key = [sha256.Size]byte

// keyOf is the key of a token. The issuers, audiences and claims are no part of
// it: they are the same for all tokens of one Tokens.
func keyOf(token secret.Secret) key { return digestOf(token.Reveal()) }

// digestOf hashes texts each after its length, so that no two lists of texts are
// the same bytes (CON-2).
func digestOf(texts ...string) [sha256.Size]byte {
	size := 0
	for _, text := range texts {
		size += 8 + len(text)
	}
	buf := make([]byte, 0, size)
	for _, text := range texts {
		buf = append(binary.BigEndian.AppendUint64(buf, uint64(len(text))), text...)
	}
	return sha256.Sum256(buf)
}

// verdicts remembers. Bad tokens have a place of their own, since anybody can make
// up as many as they like: they push out no good ones.
type verdicts struct {
	now  func() time.Time
	good *lru.Cache[key, remembered]
	bad  *lru.Cache[key, remembered]
}

// remembered is a verdict that holds until a time.
type remembered struct {
	verdict
	until time.Time
}

func newVerdicts(now func() time.Time) *verdicts {
	return &verdicts{now: now, good: newCache(maxGood), bad: newCache(maxBad)}
}

func newCache(size int) *lru.Cache[key, remembered] {
	cache, err := lru.New[key, remembered](size)
	if err != nil {
		panic(err) // only for a size below one
	}
	return cache
}

// get returns a verdict that still holds.
func (v *verdicts) get(k key) (verdict, bool) {
	for _, cache := range []*lru.Cache[key, remembered]{v.good, v.bad} {
		if r, ok := cache.Get(k); ok && v.now().Before(r.until) {
			return r.verdict, true
		}
	}
	return verdict{}, false
}

// put remembers a verdict, unless it is that nobody could tell. A good one is
// forgotten when the token expires, without any skew.
func (v *verdicts) put(k key, found verdict) {
	now := v.now()
	switch {
	case found.err == nil:
		until := now.Add(goodFor)
		if !found.expiry.IsZero() && found.expiry.Before(until) {
			until = found.expiry
		}
		if now.Before(until) {
			v.good.Add(k, remembered{found, until})
		}
	case isInvalid(found.err):
		v.bad.Add(k, remembered{found, now.Add(badFor)})
	}
}

func isInvalid(err error) bool { return errors.Is(err, auth.ErrInvalidToken) }
