package telemetry

import "github.com/prometheus/client_golang/prometheus"

// Redis has the state of Redis read whenever metrics are asked for: whether it
// answers, and how often it did not.
func (m *Metrics) Redis(up func() bool, troubles func() int64) {
	m.registry.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "doorward_redis_up",
			Help: "1 while Redis answers, 0 while it is in trouble.",
		}, func() float64 {
			if up() {
				return 1
			}
			return 0
		}),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "doorward_redis_troubles_total",
			Help: "Questions that Redis did not answer. While it is known to be in trouble none is asked.",
		}, func() float64 { return float64(troubles()) }),
		m.graced)
}

// Graced counts one check that was answered from memory because Redis is away.
func (m *Metrics) Graced() { m.graced.Inc() }

func newGraced() prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{
		Name: "doorward_checks_in_grace_total",
		Help: "Checks answered with a session from memory while Redis is away.",
	})
}
