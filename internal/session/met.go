package session

import (
	"hash/maphash"
	"sync/atomic"
)

// met remembers the sessions of providers that sessions here came from lately, by
// their hashes. Every check says one, and so it is without a lock and in one line
// of the processor's cache: each has a set by its hash, in which the one that came
// first makes room. Where two goroutines change a set at once one may be lost, stand
// there twice, or come back; at its next check it is met again.
type met struct {
	sets [metSets]metSet // first, where a line of the cache begins
	seed maphash.Seed
}

type metSet [8]atomic.Uint64

// metSets bounds this memory, at 2 MB: 65,536 sessions find room, nearly always.
const metSets = 1 << 15

func newMet() *met {
	m := new(met)
	m.seed = maphash.MakeSeed() // a literal would touch all of the memory
	return m
}

// set is where a session of a provider is remembered, and as what.
func (m *met) set(whose Whose) (*metSet, uint64) {
	hash := maphash.String(m.seed, whose.ProviderSession) ^ maphash.String(m.seed, whose.Issuer)*31
	return &m.sets[hash%metSets], hash
}

func (m *met) add(whose Whose) {
	set, hash := m.set(whose)
	if set.find(hash) != nil {
		return
	}
	for i := len(set) - 1; i > 0; i-- {
		set[i].Store(set[i-1].Load())
	}
	set[0].Store(hash)
}

func (m *met) has(whose Whose) bool {
	set, hash := m.set(whose)
	return set.find(hash) != nil
}

func (m *met) forget(whose Whose) {
	set, hash := m.set(whose)
	if place := set.find(hash); place != nil {
		place.CompareAndSwap(hash, 0)
	}
}

func (s *metSet) find(hash uint64) *atomic.Uint64 {
	for i := range s {
		if s[i].Load() == hash {
			return &s[i]
		}
	}
	return nil
}
