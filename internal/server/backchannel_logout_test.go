package server_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/idp/idptest"
	"github.com/doorward/doorward/internal/session"
)

// logOut sends a back-channel logout as a provider does, from inside the cluster
// and under a name that is nobody's.
func (h *house) logOut(body string, pairs ...string) answer {
	h.t.Helper()
	dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, h.addr)
	}
	transport := &http.Transport{DialContext: dial, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	defer transport.CloseIdleConnections()
	address := "https://doorward.svc.cluster.local:4180" + h.server.Prefix + "/backchannel_logout"
	req, err := http.NewRequestWithContext(h.t.Context(), http.MethodPost, address, strings.NewReader(body))
	h.must(err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i] == "Query" {
			req.URL.RawQuery = pairs[i+1]
			continue
		}
		req.Header.Set(pairs[i], pairs[i+1])
	}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	h.must(err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	h.must(err)
	if resp.Header.Get("Cache-Control") != "no-store" || len(resp.Header["Set-Cookie"]) > 0 {
		h.t.Errorf("OUT-3 HTTP-1: headers %v", resp.Header)
	}
	return answer{resp.StatusCode, resp.Header, string(text)}
}

type members = map[string]any

func form(token string) string { return url.Values{"logout_token": {token}}.Encode() }

func TestBackchannelLogout(t *testing.T) {
	for _, tt := range []struct {
		name           string
		header, claims members
		status         int
		ends           bool
	}{
		{"by sid and sub", nil, nil, 200, true},
		{"by sid", nil, members{"sub": nil}, 200, true},
		{"by sub", nil, members{"sid": nil}, 200, true},
		{"OUT-3 another session of the user", nil, members{"sid": "another"}, 200, false},
		{"OUT-3 another user", nil, members{"sid": nil, "sub": "user-2"}, 200, false},
		{"OUT-3 another issuer", nil, members{"iss": "https://evil.example.com"}, 400, false},
		{"OUT-3 a nonce", nil, members{"nonce": "n"}, 400, false},
		{"TOK-3 another type", members{"typ": "at+jwt"}, nil, 400, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHouse(t, options{})
			b := h.browser()
			b.signIn("/")
			got := h.logOut(form(h.provider.LogoutToken("RS256", tt.header, tt.claims)))
			if got.status != tt.status {
				t.Errorf("%d %s", got.status, got.body)
			}
			if got.status == http.StatusBadRequest && got.json(t)["error"] != "invalid_request" {
				t.Errorf("body %s", got.body)
			}
			if got.status == http.StatusOK && got.body != "" {
				t.Errorf("body %s", got.body)
			}
			want := `doorward_sign_outs_total{kind="back_channel",provider="oidc"} 1`
			if got.status != http.StatusOK {
				want = `doorward_logouts_refused_total{kind="back_channel",reason="`
			}
			if name, _, _ := strings.Cut(want, "{"); !strings.HasPrefix(h.metric(name), want) {
				t.Errorf("LOG-3: counted as %q, want %q", h.metric(name), want)
			}
			if ended := b.check(deepLink).status == http.StatusUnauthorized; ended != tt.ends {
				t.Errorf("ended: %v, want %v", ended, tt.ends)
			}
			b.signIn("/")
			if b.check(deepLink).status != http.StatusAccepted {
				t.Error("OUT-4: a login of after the logout is ended")
			}
			for _, secret := range h.provider.Secrets() {
				if strings.Contains(h.log.String(), secret) {
					t.Fatalf("LOG-2: a secret is in the log: %s", h.log.String())
				}
			}
			if tt.claims["sid"] == nil && strings.Contains(h.log.String(), idptest.SessionID) {
				t.Error("LOG-2: the provider's session is in the log")
			}
		})
	}
}

// TestBackchannelForm: what is no proper form of one logout token ends nothing, and
// a browser's headers change nothing about the answer.
func TestBackchannelForm(t *testing.T) {
	h := newHouse(t, options{prefix: "/oauth2"})
	b := h.browser()
	b.signIn("/")
	good := h.provider.LogoutToken("RS256", nil, nil)
	for _, tt := range []struct {
		name, body string
		pairs      []string
		status     int
	}{
		{"OIDC-6 twice", form(good) + "&" + form(good), nil, 400},
		{"OIDC-6 an empty one beside it", form(good) + "&logout_token=", nil, 400},
		{"OUT-3 none", "", nil, 400},
		{"OUT-3 empty", "logout_token=", nil, 400},
		{"OUT-3 in the query", "", []string{"Query", form(good)}, 400},
		{"OUT-3 as JSON", `{"logout_token":"` + good + `"}`, []string{"Content-Type", "application/json"}, 400},
		{"OUT-3 another kind of form", form(good), []string{"Content-Type", "multipart/form-data; boundary=x"}, 400},
		{"OUT-3 a form that is malformed", form(good) + "&%zz=1", nil, 400},
		{"LIM-1 64 KiB", form(good) + "&x=" + strings.Repeat("x", 64<<10), nil, 400},
		{"HDR-1 a check of a gateway", form(good), []string{"X-Forwarded-Uri", "/x"}, 403},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := h.logOut(tt.body, tt.pairs...); got.status != tt.status || got.json(t)["error"] == "" {
				t.Errorf("%d %s", got.status, got.body)
			}
			if b.check(deepLink).status != http.StatusAccepted {
				t.Fatal("the session ended")
			}
		})
	}
	t.Run("OUT-3 other parameters do not matter", func(t *testing.T) {
		got := h.logOut(form(good)+"&x=1", "Accept", "text/html", "Origin", "https://id.example.com", "Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
		if got.status != http.StatusOK || b.check(deepLink).status != http.StatusUnauthorized {
			t.Errorf("%d %s", got.status, got.body)
		}
	})
	t.Run("OUT-3 replayed", func(t *testing.T) {
		b.signIn("/")
		if got := h.logOut(form(good)); got.status != http.StatusBadRequest || b.check(deepLink).status != http.StatusAccepted {
			t.Errorf("%d %s", got.status, got.body)
		}
	})
	t.Run("HTTP-7 by GET", func(t *testing.T) {
		if got := b.get("/oauth2/backchannel_logout"); got.status != http.StatusMethodNotAllowed || got.header.Get("Allow") != "POST" {
			t.Errorf("%d %q", got.status, got.header.Get("Allow"))
		}
	})
}

// brokenStore cannot end sessions.
type brokenStore struct{ session.Store }

func (brokenStore) RevokeAll(context.Context, session.Whose) error { return errors.New("down") }

// A provider that cannot be heard now may try again with the same token.
func TestBackchannelLogoutStoreDown(t *testing.T) {
	h := newHouse(t, options{})
	b := h.browser()
	b.signIn("/")
	token, working := h.provider.LogoutToken("RS256", nil, nil), h.server.Sessions
	h.server.Sessions = brokenStore{working}
	if got := h.logOut(form(token)); got.status != http.StatusServiceUnavailable || got.header.Get("Retry-After") == "" {
		t.Errorf("SES-4: %d %s", got.status, got.body)
	}
	h.server.Sessions = working
	if got := h.logOut(form(token)); got.status != http.StatusOK || b.check(deepLink).status != http.StatusUnauthorized {
		t.Errorf("SES-4: tried again: %d %s", got.status, got.body)
	}
}

// TestLogoutDuringLogin: what the provider ended while somebody was on the way back
// from it does not become a session, and the login begins anew, once.
func TestLogoutDuringLogin(t *testing.T) {
	h := newHouse(t, options{})
	b := h.browser()
	first := b.atProvider(b.get("/start?rd=/x"))
	h.clock.advance(time.Second)
	h.logOut(form(h.provider.LogoutToken("RS256", nil, nil)))
	h.clock.advance(time.Second)
	again := b.get(first)
	if again.status != http.StatusFound || again.cookies()["__Secure-doorward"] == "set" {
		t.Fatalf("OUT-4: %d %v", again.status, again.cookies())
	}
	second := b.atProvider(again)
	h.clock.advance(time.Second)
	if end := b.get(second); end.header.Get("Location") != "/x" || b.check(deepLink).status != http.StatusAccepted {
		t.Errorf("OUT-4: the second login ended with %d", end.status)
	}
	third := h.browser()
	callback := third.atProvider(third.get("/start"))
	for i, want := range []int{http.StatusFound, http.StatusForbidden} {
		h.clock.advance(time.Second)
		h.logOut(form(h.provider.LogoutToken("RS256", nil, nil)))
		h.clock.advance(time.Second)
		got := third.get(callback)
		if got.status != want || got.cookies()["__Secure-doorward"] == "set" {
			t.Fatalf("OUT-4: time %d: %d %v", i, got.status, got.cookies())
		}
		if want == http.StatusFound {
			callback = third.atProvider(got)
		}
	}
}
