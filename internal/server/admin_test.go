package server_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/server"
)

// TestReady is the second listener's word on whether decisions can be made.
func TestReady(t *testing.T) {
	h := newHouse(t, options{})
	admin := &server.Admin{Providers: h.server.Providers, Metrics: h.server.Metrics}
	ask := func(path string) (int, string) {
		w := httptest.NewRecorder()
		admin.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w.Code, w.Body.String()
	}
	if status, body := ask("/readyz"); status != http.StatusServiceUnavailable || !strings.Contains(body, "provider oidc") {
		t.Errorf("before the first discovery: %d %q", status, body)
	}
	if status, _ := ask("/healthz"); status != http.StatusOK {
		t.Errorf("health: %d", status)
	}
	h.browser().signIn("/")
	if status, body := ask("/readyz"); status != http.StatusOK || body != "ok\n" {
		t.Errorf("after it: %d %q", status, body)
	}
	admin.Stale("rules.yaml:3:1: nonsense\nrules.yaml:4:1: more of it")
	if status, body := ask("/readyz"); status != http.StatusOK || !strings.HasSuffix(body, ": rules.yaml:3:1: nonsense; rules.yaml:4:1: more of it\n") || strings.Count(body, "\n") != 1 {
		t.Errorf("L18 with a file that has mistakes: %d %q", status, body)
	}
	admin.Stale("")
	admin.Drain()
	if status, body := ask("/readyz"); status != http.StatusServiceUnavailable || body != "shutting down\n" {
		t.Errorf("L11 shutting down: %d %q", status, body)
	}
	if status, body := ask("/metrics"); status != http.StatusOK || !strings.Contains(body, `doorward_logins_total{provider="oidc",result="success"} 1`) {
		t.Errorf("metrics: %d", status)
	}
	if status, _ := ask("/auth"); status != http.StatusNotFound {
		t.Errorf("HTTP-6: the admin listener answers checks with %d", status)
	}
}
