package session

import (
	"hash/maphash"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// known holds sessions that were read from Redis, opened and rendered, so that a
// check asks nobody. Redis says by itself when one changes; what it has said of a
// session while that was being read keeps it out.
type known struct {
	seed   maphash.Seed
	shards [knownShards]knownShard

	// epoch counts how often news may have been missed. A session of an earlier
	// epoch has to be read again.
	epoch atomic.Uint64
}

// Bounds of the memory for known sessions, in all.
const (
	knownShards     = 32
	maxSessions     = 1 << 15  // sessions
	maxSessionBytes = 64 << 20 // of all sessions, tokens and all
)

// knownShard is a part of them with a lock of its own.
type knownShard struct {
	mu       sync.Mutex
	sessions *simplelru.LRU[string, *entry] // by the name in Redis
	bytes    int
	changes  uint64 // that were heard of
}

// entry is one known session.
type entry struct {
	held    *Held
	user    string                  // that the keys of its user have in their names
	session atomic.Pointer[Session] // with its identity; nil once it changed or was forgotten
	epoch   uint64
	bytes   int
	passing bool // something changed while it was read: good for this once

	used    atomic.Int64 // Unix seconds of the last use that is known here
	waiting atomic.Bool  // for its last use to be written
}

func newKnown() *known {
	k := &known{seed: maphash.MakeSeed()}
	for i := range k.shards {
		shard := &k.shards[i]
		var err error
		shard.sessions, err = simplelru.NewLRU(maxSessions/knownShards, func(_ string, e *entry) {
			e.session.Store(nil) // nobody would hear of its changes
			shard.bytes -= e.bytes
		})
		if err != nil {
			panic("session: no room for known sessions") // only for a size below one
		}
	}
	return k
}

func (k *known) shard(text string) *knownShard {
	return &k.shards[maphash.String(k.seed, text)%knownShards]
}

// byName is the session of a name in Redis, nil when it is not known, and how
// many changes were heard of so far; put wants to know.
func (k *known) byName(name string) (*entry, uint64) {
	shard := k.shard(name)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	e, _ := shard.sessions.Get(name)
	return e, shard.changes
}

// put adds a session that was read after changes, and returns the one to go on
// with: somebody may have put the same one before. When something changed since it
// was read, it is good for this once and not known.
func (k *known) put(e *entry, changes uint64) *entry {
	shard := k.shard(e.held.name)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if shard.changes != changes {
		e.passing = true
		return e
	}
	if same, ok := shard.sessions.Get(e.held.name); ok && same.epoch == e.epoch && same.held.secret == e.held.secret {
		return same
	}
	shard.sessions.Remove(e.held.name)
	shard.sessions.Add(e.held.name, e)
	for shard.bytes += e.bytes; shard.bytes > maxSessionBytes/knownShards && shard.sessions.Len() > 1; {
		shard.sessions.RemoveOldest()
	}
	return e
}

// drop forgets a session that has changed.
func (k *known) drop(name string) {
	shard := k.shard(name)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	shard.changes++
	shard.sessions.Remove(name)
}
