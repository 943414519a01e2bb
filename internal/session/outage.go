package session

import (
	"sync"
	"sync/atomic"
	"time"
)

// outage is a time in which Redis is away. Sessions that were known when it began
// go on for a while, those that were not cannot be told.
type outage struct {
	grace time.Duration
	now   func() time.Time

	under atomic.Bool
	mu    sync.Mutex
	since time.Time
	epoch uint64 // of the sessions that were known when it began
}

// begin notes that what was known in epoch is not certain any more.
func (o *outage) begin(epoch uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.under.Load() {
		o.since, o.epoch = o.now(), epoch
		o.under.Store(true)
	}
}

// end notes that Redis was asked in epoch and has answered. What it was asked before
// the outage, and whose answer is only now looked at, does not end it.
func (o *outage) end(epoch uint64) {
	if !o.under.Load() {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if epoch > o.epoch {
		o.under.Store(false)
	}
}

// spares reports whether a session of epoch goes on.
func (o *outage) spares(epoch uint64) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.under.Load() && epoch == o.epoch && o.now().Sub(o.since) < o.grace
}

// left is how much longer known sessions go on.
func (o *outage) left() time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.grace - o.now().Sub(o.since)
}
