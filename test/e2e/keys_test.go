package e2e

import (
	"net/http"
	"testing"

	"github.com/doorward/doorward/test/stack"
)

// testKeyRotation changes the cookie secret the way it is meant to be changed: a
// second one in front, and the first one taken away later (KEY).
func (h *house) testKeyRotation(t *testing.T) {
	first, second := stack.CookieSecret(), stack.CookieSecret()
	s := h.start(t, stack.PlainNginx, map[string]string{"DOORWARD_COOKIE_SECRET": first})
	ada := h.signedIn(t, s, stack.Ada, s.AppURL+"/")
	old := ada.cookie(t, sessionCookie)
	carl := h.visitor(s)
	underWay := carl.atProvider(t, s, s.AppURL+deepLink)

	h.restart(t, s, map[string]string{"DOORWARD_COOKIE_SECRET": second + "," + first})
	expect(t, s, "second,first", map[string]int{old: http.StatusAccepted})
	carl.arrive(t, s, underWay, stack.Bob, s.AppURL+deepLink) // a login begun under the first secret
	fresh := h.signedIn(t, s, stack.Ada, s.AppURL+"/").cookie(t, sessionCookie)
	expect(t, s, "second,first", map[string]int{old: http.StatusAccepted, fresh: http.StatusAccepted})

	// What is sealed under which is told by taking either away.
	h.restart(t, s, map[string]string{"DOORWARD_COOKIE_SECRET": first})
	expect(t, s, "first", map[string]int{old: http.StatusAccepted, fresh: http.StatusUnauthorized})
	h.restart(t, s, map[string]string{"DOORWARD_COOKIE_SECRET": second})
	expect(t, s, "second", map[string]int{old: http.StatusUnauthorized, fresh: http.StatusAccepted})

	// Through nginx the old cookie is nobody's, and its owner can sign in again.
	if page := ada.fetch(t, s.AppURL+"/data", nil); page.Status != http.StatusUnauthorized {
		t.Errorf("with a retired key a script gets %d, want 401", page.Status)
	}
	page := ada.atProvider(t, s, s.AppURL+"/again")
	ada.arrive(t, s, page, stack.Ada, s.AppURL+"/again")
}

// expect asks about cookies directly; nothing but the expected status will do.
func expect(t *testing.T, s *stack.Stack, secrets string, want map[string]int) {
	t.Helper()
	for cookie, status := range want {
		if got := check(t, s, cookie); got != status {
			t.Errorf("with the secrets %s a check is %d, want %d", secrets, got, status)
		}
	}
}
