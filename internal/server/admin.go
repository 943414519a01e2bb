package server

import (
	"fmt"
	"net/http"
	"sync/atomic"

	"github.com/go-chi/chi/v5"

	"github.com/doorward/doorward/internal/idp"
	"github.com/doorward/doorward/internal/telemetry"
)

// Admin is the second listener, for probes and metrics. It is never reached
// through a gateway.
type Admin struct {
	Provider *idp.Provider
	Metrics  *telemetry.Metrics

	draining atomic.Bool
}

// Drain makes the process not ready, while it goes on serving what still comes.
func (a *Admin) Drain() { a.draining.Store(true) }

// Handler serves /healthz, /readyz and /metrics.
func (a *Admin) Handler() http.Handler {
	r := chi.NewRouter()
	r.Get("/healthz", func(w http.ResponseWriter, _ *http.Request) {
		plain(w, http.StatusOK)
		_, _ = fmt.Fprintln(w, "ok")
	})
	r.Get("/readyz", a.ready)
	r.Method(http.MethodGet, "/metrics", a.Metrics.Handler())
	return r
}

// ready answers 503 with a line for each part that keeps Doorward from serving.
// A provider that was reached once and is down now is a line with 200: whoever is
// signed in is still served.
func (a *Admin) ready(w http.ResponseWriter, _ *http.Request) {
	notReady := a.Provider.Ready()
	switch {
	case a.draining.Load():
		plain(w, http.StatusServiceUnavailable)
		_, _ = fmt.Fprintln(w, "shutting down")
	case notReady != nil:
		plain(w, http.StatusServiceUnavailable)
		_, _ = fmt.Fprintf(w, "provider %s: %v\n", a.Provider.Name(), notReady)
	default:
		plain(w, http.StatusOK)
		_, _ = fmt.Fprintln(w, "ok")
	}
}

func plain(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
}
