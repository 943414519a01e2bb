package session

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"time"
)

// reference is all that the cookie holds of a session that is kept in Redis: its
// ID and a secret without which the value in Redis does not open. It is sealed
// like a whole session, and bound to the cookie's name and scope, so that nobody
// has Redis asked for what we did not make.
type reference struct {
	id      ID
	secret  [32]byte
	expires int64 // Unix seconds
}

// Held is what a session that is kept in Redis is found and opened with.
type Held struct {
	reference
	mark ID     // what the name is made of
	name string // of its keys
}

const referenceSize = 16 + 32 + 8

// newReference returns a reference of its own to a session that ends at expires.
func newReference(expires time.Time) reference {
	r := reference{id: NewID(), expires: expires.Unix()}
	_, _ = rand.Read(r.secret[:]) // never fails: it ends the program instead
	return r
}

// held is a reference with the name that it has in Redis. The name is not the ID,
// and the ID does not follow from it.
func (r reference) held() *Held {
	sum := sha256.Sum256(append([]byte("doorward session "), r.id[:]...))
	return &Held{reference: r, mark: ID(sum[:16]), name: encoding.EncodeToString(sum[:16])}
}

// seal is the value of the cookie.
func (r reference) seal(s *sealer, binding string) string {
	plain := make([]byte, 0, referenceSize)
	plain = append(plain, r.id[:]...)
	plain = append(plain, r.secret[:]...)
	return s.seal(binary.BigEndian.AppendUint64(plain, uint64(r.expires)), binding)
}

// openReference is the opposite of seal. It reports false for everything else.
func openReference(s *sealer, value, binding string) (reference, bool) {
	plain, ok := s.open(value, binding)
	if !ok || len(plain) != referenceSize {
		return reference{}, false
	}
	return reference{
		id: ID(plain[:16]), secret: [32]byte(plain[16:48]), expires: int64(binary.BigEndian.Uint64(plain[48:])),
	}, true
}
