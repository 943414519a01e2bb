package session

import (
	"hash/maphash"
	"strings"
	"sync/atomic"

	"github.com/doorward/doorward/internal/auth"
)

// seen remembers what was found behind the Cookie line of a host, so that a page
// with a hundred requests looks for its session twice. It is asked by every check
// and so is as plain as a memory can be: a line has one place, given by its hash,
// and takes it from whoever is there when it is looked for a second time before
// another line of that place is. Lines that come once take nobody's place.
type seen[T any] struct {
	seed   maphash.Seed
	places [seenPlaces]seenPlace[T]
}

type seenPlace[T any] struct {
	last atomic.Uint64 // hash of the line that was looked for last
	here atomic.Pointer[seenLine[T]]
}

// seenLine is everything that what was found depends on, and what that was.
type seenLine[T any] struct {
	hash       uint64 // under a seed that nobody knows
	host, line string
	found      T
}

// Bounds of this memory.
const (
	seenPlaces  = 1 << 11
	maxSeenLine = 4 << 10 // bytes; who has longer ones is looked for each time
)

func newSeen[T any]() *seen[T] { return &seen[T]{seed: maphash.MakeSeed()} }

// place is where a request is remembered, nil when it is not, and its hash.
func (s *seen[T]) place(req *auth.Request) (*seenPlace[T], uint64) {
	if len(req.Cookies) != 1 || len(req.Cookies[0]) > maxSeenLine {
		return nil, 0
	}
	hash := maphash.String(s.seed, req.Cookies[0]) ^ maphash.String(s.seed, req.Host)*31
	return &s.places[hash%seenPlaces], hash
}

// find returns what was found for a request before, nil when that is not known.
func (s *seen[T]) find(req *auth.Request) *T {
	place, hash := s.place(req)
	if place == nil {
		return nil
	}
	if l := place.here.Load(); l != nil && l.hash == hash && l.line == req.Cookies[0] && l.host == req.Host {
		return &l.found
	}
	return nil
}

// add says what was found for a request.
func (s *seen[T]) add(req *auth.Request, found T) {
	place, hash := s.place(req)
	if place == nil || place.last.Swap(hash) != hash {
		return
	}
	// Not the whole header that these are parts of.
	place.here.Store(&seenLine[T]{hash, strings.Clone(req.Host), strings.Clone(req.Cookies[0]), found})
}
