package e2e

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/test/stack"
)

// browserLike asks as a navigation does.
var browserLike = http.Header{"Sec-Fetch-Mode": {"navigate"}, "Accept": {"text/html"}}

// testProviderDown: without the provider Doorward starts and serves whoever is
// signed in; logins wait for it and say so.
func (h *house) testProviderDown(t *testing.T) {
	s := h.start(t, stack.PlainNginx, nil)
	ada := h.signedIn(t, s, stack.Ada, s.AppURL+"/")
	session := ada.cookie(t, sessionCookie)
	if err := s.Doorward.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := s.Dex.Stop(); err != nil {
		t.Fatal(err)
	}

	before := time.Now()
	begin(t, func(ctx context.Context) error { return s.Doorward.StartUntil(ctx, "/healthz") })
	t.Logf("Doorward listens %s after its start (wanted: 2s; built with -race)", seconds(time.Since(before)))
	if took := time.Since(before); took > 15*time.Second {
		t.Errorf("Doorward listens only after %s", took)
	}
	if status := check(t, s, session); status != http.StatusAccepted {
		t.Errorf("the check of a session is %d, want 202", status)
	}
	if page := ada.fetch(t, s.AppURL+"/data", nil); page.Status != http.StatusOK {
		t.Errorf("Ada gets %d through nginx, want 200", page.Status)
	}
	if page := admin(t, s, "/readyz"); page.Status != http.StatusServiceUnavailable || !strings.Contains(page.Body, "provider oidc") {
		t.Errorf("/readyz is %d %q, want 503 and a line for the provider", page.Status, page.Body)
	}
	h.unavailable(t, s)

	begin(t, s.Dex.Start)
	back := time.Now()
	h.loginReturns(t, s)
	t.Logf("a login works %s after the provider's return (wanted: 5s)", seconds(time.Since(back)))
	if took := time.Since(back); took > 15*time.Second {
		t.Errorf("a login works only %s after the provider's return", took)
	}
	if page := admin(t, s, "/readyz"); page.Status != http.StatusOK {
		t.Errorf("/readyz is %d after the provider's return, want 200", page.Status)
	}
}

// unavailable fails unless /start says that the provider is away and when to try
// again, and begins no login.
func (h *house) unavailable(t *testing.T, s *stack.Stack) {
	t.Helper()
	page := h.visitor(s).fetch(t, s.AuthURL+"/start", browserLike)
	after, err := strconv.Atoi(page.Header.Get("Retry-After"))
	if page.Status != http.StatusServiceUnavailable || err != nil || after < 1 {
		t.Errorf("/start is %d with Retry-After %q, want 503 and seconds", page.Status, page.Header.Get("Retry-After"))
	}
	if !strings.HasPrefix(page.Header.Get("Content-Type"), "text/html") || !strings.Contains(page.Body, "<h1>") {
		t.Errorf("/start is no page: %s", page.Header.Get("Content-Type"))
	}
	if n := len(page.Header["Set-Cookie"]); n != 0 {
		t.Errorf("/start set %d cookies while the provider is away", n)
	}
}

// loginReturns tries until somebody new can sign in.
func (h *house) loginReturns(t *testing.T, s *stack.Stack) {
	t.Helper()
	until(t, "a login works", func() bool {
		v := h.visitor(s)
		page, err := v.Open(t.Context(), s.AppURL+deepLink)
		if err != nil || page.Status != http.StatusOK || !strings.HasPrefix(page.URL.String(), s.Dex.Issuer()) {
			return false
		}
		page, err = v.SignIn(t.Context(), page, stack.Bob)
		return err == nil && page.Status == http.StatusOK && page.URL.String() == s.AppURL+deepLink
	})
}

// testProviderForgets: Dex keeps its keys in memory, so after a restart it signs
// with others. Doorward goes on without being told.
func (h *house) testProviderForgets(t *testing.T) {
	s := h.start(t, stack.PlainNginx, nil)
	ada := h.signedIn(t, s, stack.Ada, s.AppURL+"/")
	if err := s.Dex.Stop(); err != nil {
		t.Fatal(err)
	}
	if page := admin(t, s, "/readyz"); page.Status != http.StatusOK {
		t.Errorf("/readyz is %d while the provider is away, want 200: sessions are served", page.Status)
	}
	if page := ada.fetch(t, s.AppURL+"/data", nil); page.Status != http.StatusOK {
		t.Errorf("Ada gets %d while the provider is away, want 200", page.Status)
	}
	begin(t, s.Dex.Start)
	back := time.Now()
	h.loginReturns(t, s)
	t.Logf("a login works %s after the provider's return with new keys", seconds(time.Since(back)))
}

// testCrash: sessions and logins under way survive kill -9 (L12).
func (h *house) testCrash(t *testing.T) {
	s := h.start(t, stack.PlainNginx, nil)
	ada := h.signedIn(t, s, stack.Ada, s.AppURL+"/")
	session := ada.cookie(t, sessionCookie)
	bob := h.visitor(s)
	atProvider := bob.atProvider(t, s, s.AppURL+deepLink)

	s.Doorward.Kill()
	if page := ada.fetch(t, s.AppURL+"/data", nil); page.Status != http.StatusInternalServerError {
		t.Errorf("without Doorward Ada gets %d, want 500: nobody gets in", page.Status)
	}
	begin(t, s.Doorward.Start)

	if status := check(t, s, session); status != http.StatusAccepted {
		t.Errorf("after the crash the check of the session is %d, want 202", status)
	}
	adaIdentity.check(t, seen(t, ada.fetch(t, s.AppURL+"/data", nil)).Headers)
	bob.arrive(t, s, atProvider, stack.Bob, s.AppURL+deepLink)
}

// admin asks the listener for probes.
func admin(t *testing.T, s *stack.Stack, path string) stack.Page {
	t.Helper()
	page, err := stack.NewVisitor(nil).Fetch(t.Context(), "http://"+s.Doorward.AdminListen+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return page
}
