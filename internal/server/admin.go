package server

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"github.com/doorward/doorward/internal/idp"
	"github.com/doorward/doorward/internal/telemetry"
)

// Admin is the second listener, for probes and metrics. It is never reached
// through a gateway.
type Admin struct {
	Providers idp.Providers
	Metrics   *telemetry.Metrics

	// Sessions says what is wrong with the store of sessions, "" when nothing is,
	// and whether checks can be answered all the same. Nil: it is never in trouble.
	Sessions func() (trouble string, serves bool)

	draining atomic.Bool
	stale    atomic.Pointer[string]
}

// Drain makes the process not ready, while it goes on serving what still comes.
func (a *Admin) Drain() { a.draining.Store(true) }

// Stale says what is wrong with the configuration file while an older one is in
// force; "" is that nothing is.
func (a *Admin) Stale(mistake string) {
	if mistake == "" {
		a.stale.Store(nil)
		return
	}
	a.stale.Store(&mistake)
}

// Handler serves /healthz, /readyz and /metrics.
func (a *Admin) Handler() http.Handler {
	r := chi.NewRouter()
	r.Use(middleware.GetHead)
	r.Get("/healthz", func(w http.ResponseWriter, _ *http.Request) {
		plain(w, http.StatusOK)
		_, _ = fmt.Fprintln(w, "ok")
	})
	r.Get("/readyz", a.ready)
	r.Method(http.MethodGet, "/metrics", a.Metrics.Handler())
	return r
}

// ready answers 503 with a line for each part that keeps Doorward from serving.
// What does not keep it from serving whoever is signed in is a line with 200: a
// provider that was reached once and is down now, a file with mistakes.
func (a *Admin) ready(w http.ResponseWriter, _ *http.Request) {
	status, lines := http.StatusOK, []string{}
	if a.draining.Load() {
		status, lines = http.StatusServiceUnavailable, append(lines, "shutting down")
	}
	for _, provider := range a.Providers {
		if err := provider.Ready(); err != nil {
			status, lines = http.StatusServiceUnavailable, append(lines, fmt.Sprintf("provider %s: %v", provider.Name(), err))
		} else if err := provider.Trouble(); err != nil {
			lines = append(lines, fmt.Sprintf("provider %s, which sessions do not need: %v", provider.Name(), err))
		}
	}
	if a.Sessions != nil {
		if trouble, serves := a.Sessions(); trouble != "" {
			lines = append(lines, "sessions: "+trouble)
			if !serves {
				status = http.StatusServiceUnavailable
			}
		}
	}
	if mistake := a.stale.Load(); mistake != nil {
		lines = append(lines, "configuration file, an older one is in force: "+*mistake)
	}
	for i, line := range lines {
		lines[i] = strings.ReplaceAll(line, "\n", "; ") // a file may have several mistakes, and an error several causes
	}
	if len(lines) == 0 {
		lines = append(lines, "ok")
	}
	plain(w, status)
	_, _ = fmt.Fprintln(w, strings.Join(lines, "\n"))
}

func plain(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
}
