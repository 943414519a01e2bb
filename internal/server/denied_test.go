package server_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/policy"
)

// forwarded asks as Traefik does about a page of host, as a browser that opens it.
func (b *browser) forwarded(host string, pairs ...string) answer {
	b.h.t.Helper()
	headers := append([]string{
		"X-Forwarded-Method", "GET", "X-Forwarded-Proto", "https", "X-Forwarded-Host", host, "X-Forwarded-Uri", "/",
		"Cookie", b.cookieHeader("https://" + host + "/"),
	}, pairs...)
	return b.send(http.MethodGet, "https://doorward.internal"+b.h.server.Prefix+"/auth/forwarded", headers...)
}

// TestDenialIsFoundInTheLog is LOG-3: what a person quotes from the page of a 403 is
// in the line about it, also when the gateway gives no id.
func TestDenialIsFoundInTheLog(t *testing.T) {
	h := newHouse(t, options{allow: policy.Allow{Groups: []string{"ops"}}})
	b := h.browser()
	b.signIn("/")
	for _, tt := range []struct {
		name  string
		pairs []string
		want  string
	}{
		{"an id of our own", nil, "[a-z2-7]{12}"},
		{"the gateway's", []string{"X-Request-Id", "request-1"}, "request-1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := b.forwarded("app.example.com", tt.pairs...)
			id := regexp.MustCompile("<code>(" + tt.want + ")</code>").FindStringSubmatch(got.body)
			if got.status != http.StatusForbidden || id == nil {
				t.Fatalf("%d, without an id: %s", got.status, got.body)
			}
			h.await("the log has "+id[1], func() bool { // the line comes after the answer
				return strings.Contains(h.log.String(), `"request_id":"`+id[1]+`"`)
			})
		})
	}
}

// TestDenialOfAnUnknownHost has no place to sign in at, so its page has no links.
func TestDenialOfAnUnknownHost(t *testing.T) {
	got := newHouse(t, options{}).browser().forwarded("elsewhere.net")
	if got.status != http.StatusForbidden || !strings.Contains(got.body, "unknown_host") {
		t.Fatalf("%d: %s", got.status, got.body)
	}
	if strings.Contains(got.body, `class="button`) || strings.Contains(got.body, "ZgotmplZ") {
		t.Errorf("links to nowhere: %s", got.body)
	}
}
