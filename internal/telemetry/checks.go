package telemetry

import (
	"maps"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// checks counts answered checks. Every check comes by, so a counter is asked of
// the vector once, and found without a lock from then on. The labels are words of
// ours, a few dozen in all.
type checks struct {
	vec *prometheus.CounterVec

	mu    sync.Mutex // one at a time replaces known
	known atomic.Pointer[map[answered]prometheus.Counter]
}

// answered are the labels of a counter, in its order.
type answered struct{ endpoint, verdict, reason string }

func newChecks() *checks {
	c := &checks{vec: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "doorward_checks_total",
		Help: "Checks answered, by the endpoint that was asked, the verdict and its reason.",
	}, []string{"endpoint", "verdict", "reason"})}
	c.known.Store(&map[answered]prometheus.Counter{})
	return c
}

func (c *checks) count(a answered) {
	counter, ok := (*c.known.Load())[a]
	if !ok {
		counter = c.learn(a)
	}
	counter.Inc()
}

func (c *checks) learn(a answered) prometheus.Counter {
	c.mu.Lock()
	defer c.mu.Unlock()
	counter := c.vec.WithLabelValues(a.endpoint, a.verdict, a.reason)
	next := maps.Clone(*c.known.Load())
	next[a] = counter
	c.known.Store(&next)
	return counter
}
