package telemetry

import (
	"net/http"
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics counts what Doorward does. Its labels are words of ours; nothing that a
// client sends ever becomes one.
type Metrics struct {
	registry *prometheus.Registry
	checks   *checks
	logins   *prometheus.CounterVec
	refresh  *prometheus.CounterVec
	signOuts *prometheus.CounterVec
	refusals *prometheus.CounterVec
	revoked  *prometheus.CounterVec
	insecure *prometheus.GaugeVec
	reloads  *prometheus.CounterVec
	stale    prometheus.Gauge
	graced   prometheus.Counter // there with Redis
}

// NewMetrics returns metrics in a registry of their own.
func NewMetrics(version string) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		graced:   newGraced(),
		checks:   newChecks(),
		logins: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "doorward_logins_total",
			Help: "Logins that came back from a provider, by provider and result.",
		}, []string{"provider", "result"}),
		signOuts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "doorward_sign_outs_total",
			Help: "Sign-outs, by provider and by who asked: user, user_elsewhere from another browser, or the provider by back_channel or front_channel.",
		}, []string{"provider", "kind"}),
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "doorward_logouts_refused_total",
			Help: "Logouts in the name of a provider that failed a check, by kind and reason.",
		}, []string{"kind", "reason"}),
		revoked: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "doorward_token_revocations_total",
			Help: "Tokens that a provider was asked to revoke after a sign-out, by provider and result.",
		}, []string{"provider", "result"}),
		insecure: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "doorward_insecure_option",
			Help: "1 for each option in force that weakens security.",
		}, []string{"option"}),
	}
	m.refresh = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "doorward_refreshes_total",
		Help: "Times a provider was asked to refresh a session, by provider and result.",
	}, []string{"provider", "result"})
	m.reloads = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "doorward_config_reloads_total",
		Help: "Times the configuration file was read again, by result.",
	}, []string{"result"})
	m.stale = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "doorward_config_stale",
		Help: "1 while the configuration file has mistakes and an older one is in force.",
	})
	m.registry.MustRegister(m.checks.vec, m.logins, m.refresh, m.signOuts, m.refusals, m.revoked, m.insecure, m.reloads, m.stale, newBuildInfo(version),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func newBuildInfo(version string) prometheus.Gauge {
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name:        "doorward_build_info",
		Help:        "1, with the version as a label.",
		ConstLabels: prometheus.Labels{"version": version, "go": runtime.Version()},
	})
	build.Set(1)
	return build
}

// Check counts one answered check.
func (m *Metrics) Check(endpoint, verdict, reason string) {
	m.checks.count(answered{endpoint, verdict, reason})
}

// Login counts one login that came back.
func (m *Metrics) Login(provider, result string) { m.logins.WithLabelValues(provider, result).Inc() }

// The kinds of sign-outs.
const (
	ByUser          = "user"
	ByUserElsewhere = "user_elsewhere" // in another browser than the one that ends
	ByBackChannel   = "back_channel"
	ByFrontChannel  = "front_channel"
)

// SignOut counts one sign-out of a kind.
func (m *Metrics) SignOut(provider, kind string) { m.signOuts.WithLabelValues(provider, kind).Inc() }

// Revocation counts one token that a provider was to revoke.
func (m *Metrics) Revocation(provider, result string) {
	m.revoked.WithLabelValues(provider, result).Inc()
}

// LogoutRefused counts one logout in the name of a provider that failed a check.
func (m *Metrics) LogoutRefused(kind, reason string) { m.refusals.WithLabelValues(kind, reason).Inc() }

// Refresh counts one question to a provider about a session.
func (m *Metrics) Refresh(provider, result string) {
	m.refresh.WithLabelValues(provider, result).Inc()
}

// Insecure marks an option in force that weakens security.
func (m *Metrics) Insecure(option string) { m.insecure.WithLabelValues(option).Set(1) }

// Reload counts one reading of the configuration file.
func (m *Metrics) Reload(ok bool) {
	if ok {
		m.reloads.WithLabelValues("success").Inc()
		m.stale.Set(0)
		return
	}
	m.reloads.WithLabelValues("mistakes").Inc()
	m.stale.Set(1)
}

// Handler serves the metrics in the Prometheus exposition format.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}
