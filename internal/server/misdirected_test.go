package server_test

import (
	"net/http"
	"testing"
)

// TestCheckSentToAPage: a gateway whose checks go to a page and not to a check
// endpoint must not take the page's 200 for a yes.
func TestCheckSentToAPage(t *testing.T) {
	h := newHouse(t, options{})
	b := h.browser()
	b.signIn("/")
	for _, path := range []string{"/", "/userinfo", "/start", "/sign_out", "/callback"} {
		for _, header := range []string{"X-Original-Url", "X-Forwarded-Uri", "X-Forwarded-Method"} {
			if got := b.get(path, header, "https://app.example.com/"); got.status != http.StatusForbidden {
				t.Errorf("%s with %s answers %d", path, header, got.status)
			}
		}
	}
	if got := b.get("/"); got.status != http.StatusOK {
		t.Errorf("a browser gets %d", got.status)
	}
}
