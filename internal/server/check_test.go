package server_test

import (
	"bufio"
	"crypto/tls"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/policy"
)

// raw sends bytes as they are and reads one answer.
func (h *house) raw(request string) answer {
	h.t.Helper()
	conn, err := tls.Dial("tcp", h.addr, &tls.Config{InsecureSkipVerify: true})
	h.must(err)
	defer conn.Close()
	h.must(conn.SetDeadline(time.Now().Add(time.Minute)))
	_, err = conn.Write([]byte(request))
	h.must(err)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	h.must(err)
	defer resp.Body.Close()
	if resp.Close {
		resp.Header.Set("Connection", "close")
	}
	return answer{status: resp.StatusCode, header: resp.Header}
}

// TestAnswers is the table of CONTRACT.md, "Answers of the check", for the
// original family, through real HTTP.
func TestAnswers(t *testing.T) {
	h := newHouse(t, options{allow: policy.Allow{Groups: []string{"sre"}}})
	nobody, ada := h.browser(), h.browser()
	ada.signIn("/")
	signIn := "https://auth.example.com/start?rd=" + url.QueryEscape(deepLink)
	for _, tt := range []struct {
		name      string
		b         *browser
		address   string
		pairs     []string
		status    int
		location  string
		challenge string
	}{
		{"may pass", ada, deepLink, nil, 202, "", ""},
		{"navigation", nobody, deepLink, nil, 401, signIn, `Bearer realm="doorward"`},
		{"fetch", nobody, deepLink, []string{"Sec-Fetch-Mode", "cors"}, 401, "", `Bearer realm="doorward"`},
		{"WebSocket", nobody, deepLink, []string{"Sec-Websocket-Key", "x", "Sec-Fetch-Mode", "websocket"}, 401, "", `Bearer realm="doorward"`},
		{"preflight", nobody, deepLink, []string{"X-Original-Method", "OPTIONS"}, 401, "", `Bearer realm="doorward"`},
		{"gRPC", nobody, deepLink, []string{"Content-Type", "application/grpc", "Sec-Fetch-Mode", "-"}, 401, "", `Bearer realm="doorward"`},
		{"no HTML wanted", nobody, deepLink, []string{"Sec-Fetch-Mode", "-", "Accept", "*/*"}, 401, "", `Bearer realm="doorward"`},
		{"an original method of any name is judged", ada, deepLink, []string{"X-Original-Method", "TRACE"}, 202, "", ""},
		{"narrowed", ada, deepLink, []string{"Narrow", "?allowed_groups=ops"}, 403, "", ""},
		{"narrowed to a group of theirs", ada, deepLink, []string{"Narrow", "?allowed_groups=ops,platform"}, 202, "", ""},
		{"unknown host", ada, "https://elsewhere.net/", nil, 403, "", ""},
		{"HDR-1 the other family too", ada, deepLink, []string{"X-Forwarded-Uri", "/public"}, 403, "", ""},
		{"HDR-3 no method", ada, deepLink, []string{"X-Original-Method", "-"}, 403, "", ""},
		{"HDR-4 aliases are other headers", ada, deepLink, []string{"X_original_url", "https://elsewhere.net/"}, 202, "", ""},
		{"HDR-6 hop by hop", ada, deepLink, []string{"Connection", "X-Original-Url"}, 202, "", ""},
		{"PATH-3 a bad escape", ada, "https://app.example.com/%zz", nil, 403, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := tt.b.check(tt.address, tt.pairs...)
			if got.status != tt.status || got.header.Get("Location") != tt.location || got.header.Get("Www-Authenticate") != tt.challenge {
				t.Errorf("got %d, Location %q, WWW-Authenticate %q", got.status, got.header.Get("Location"), got.header.Get("Www-Authenticate"))
			}
			if got.body != "" || got.header.Get("Content-Length") != "0" || got.header.Get("Cache-Control") != "no-store" || len(got.cookies()) != 0 {
				t.Errorf("body %q, headers %v", got.body, got.header)
			}
			identity := 0
			for name, values := range got.header {
				if strings.HasPrefix(name, "X-Auth-Request-") {
					identity += len(values)
				}
			}
			if want := map[bool]int{true: 5}[tt.status == 202]; identity != want {
				t.Errorf("HDR-5: %d identity headers, want %d: %v", identity, want, got.header)
			}
		})
	}
}

// TestUnreadBody is rule 11 of GATEWAYS.md: nginx passes on the length of a body
// that it does not pass on.
func TestUnreadBody(t *testing.T) {
	h := newHouse(t, options{})
	got := h.raw("GET /auth HTTP/1.1\r\nHost: x\r\nX-Original-URL: " + deepLink + "\r\nX-Original-Method: POST\r\nContent-Length: 1000\r\n\r\n")
	if got.status != http.StatusUnauthorized || got.header.Get("Connection") != "close" {
		t.Errorf("%d %v", got.status, got.header)
	}
}

// TestLifetimes is SES-7 over HTTP.
func TestLifetimes(t *testing.T) {
	h := newHouse(t, options{lifetime: 10 * time.Hour, idle: time.Hour})
	b := h.browser()
	b.signIn("/")
	for range 19 { // every half hour, until half an hour before the end
		h.clock.advance(30 * time.Minute)
		if got := b.check(deepLink); got.status != http.StatusAccepted {
			t.Fatalf("in use: %d", got.status)
		}
	}
	h.clock.advance(31 * time.Minute)
	if got := b.check(deepLink); got.status != http.StatusUnauthorized {
		t.Errorf("past the lifetime: %d", got.status)
	}
	b.signIn("/")
	h.clock.advance(61 * time.Minute)
	if got := b.check(deepLink); got.status != http.StatusUnauthorized {
		t.Errorf("idle: %d", got.status)
	}
}

// TestLog is LOG-1 to LOG-3: denials and logins are there, and no secret is.
func TestLog(t *testing.T) {
	h := newHouse(t, options{allow: policy.Allow{Groups: []string{"ops"}}, keepID: true})
	b := h.browser()
	b.signIn("/")
	b.check(deepLink, "X-Request-Id", "request-1")
	b.check("https://app.example.com/a\tb", "X-Request-Id", "forged\",\"x\":\"y")
	b.get("/callback?code=abc&state=secret-state")
	b.get("/sign_out", "Sec-Fetch-Site", "none")
	log := h.log.String()
	for _, want := range []string{`"event":"login"`, `"reason":"group_missing"`, `"request_id":"request-1"`, `"event":"logout"`} {
		if !strings.Contains(log, want) {
			t.Errorf("the log has no %s", want)
		}
	}
	secrets := append(h.provider.Secrets(), "secret-state", "forged")
	for _, c := range strings.Split(b.cookieHeader(h.url)+"; "+b.cookieHeader(deepLink), "; ") {
		if _, value, _ := strings.Cut(c, "="); value != "" {
			secrets = append(secrets, value)
		}
	}
	if len(secrets) < 5 {
		t.Fatalf("only %d secrets to look for", len(secrets))
	}
	for _, secret := range secrets {
		if strings.Contains(log, secret) {
			t.Errorf("LOG-2: the log holds %q", secret)
		}
	}
}
