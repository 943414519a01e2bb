package gateway

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/doorward/doorward/internal/auth"
)

// decision is one row of the contract's table of answers.
func decision(v auth.Verdict, signInURL string, identity ...auth.Header) auth.Decision {
	return auth.Decision{Judgement: auth.Judgement{Verdict: v}, SignInURL: signInURL, Identity: auth.Identity{Headers: identity}}
}

// TestAnswers reads every answer as a gateway gets it, over one connection: each
// row must leave it open (nginx pays dearly for a new one).
func TestAnswers(t *testing.T) {
	const signIn = "https://auth.example.com/start?rd=x"
	user := []auth.Header{{Name: "X-Auth-Request-User", Value: []string{"ada"}}, {Name: "X-Auth-Request-Groups", Value: []string{""}}}
	bare := func(more ...string) http.Header {
		h := http.Header{"Cache-Control": {"no-store"}, "Content-Length": {"0"}}
		for i := 0; i < len(more); i += 2 {
			h[more[i]] = []string{more[i+1]}
		}
		return h
	}
	rows := []struct {
		name        string
		allowStatus int
		navigation  bool
		decision    auth.Decision
		status      int
		header      http.Header // all but Date
	}{
		{"HTTP-4 allow", 0, false, decision(auth.Allow, ""), 202, bare()},
		{"HTTP-4 allow for auth-keepalive", 200, true, decision(auth.Allow, ""), 200, bare()},
		{"HDR-5 allow with identity, empty ones too", 0, false, decision(auth.Allow, "", user...), 202, bare("X-Auth-Request-User", "ada", "X-Auth-Request-Groups", "")},
		{"HTTP-3 sign-in, navigation", 0, true, decision(auth.SignIn, signIn), 401, bare("Www-Authenticate", `Bearer realm="doorward"`, "Location", signIn)},
		{"HTTP-3 sign-in, fetch", 0, false, decision(auth.SignIn, signIn), 401, bare("Www-Authenticate", `Bearer realm="doorward"`)},
		{"HTTP-3 sign-in, nowhere to go", 0, true, decision(auth.SignIn, ""), 401, bare("Www-Authenticate", `Bearer realm="doorward"`)},
		{"BEAR-3 bad token", 0, true, decision(auth.BadToken, signIn), 401, bare("Www-Authenticate", `Bearer error="invalid_token"`)},
		{"AUTHZ-7 deny", 0, true, decision(auth.Deny, signIn, user...), 403, bare()},
		{"SES-4 cannot tell", 200, true, decision(auth.Unknown, signIn, user...), 503, bare("Retry-After", "5")},
		{"HTTP-4 the zero decision denies", 200, true, auth.Decision{}, 403, bare()},
		{"HTTP-4 a verdict that nobody knows denies", 200, true, decision(auth.Verdict(99), signIn, user...), 403, bare()},
	}

	var row atomic.Int32
	var connections atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		tt := rows[row.Load()]
		Original{Settings{AllowStatus: tt.allowStatus}}.Answer(w, auth.Request{Navigation: tt.navigation}, tt.decision)
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	defer server.Close()

	for i, tt := range rows {
		t.Run(tt.name, func(t *testing.T) {
			row.Store(int32(i))
			for _, method := range []string{"GET", "HEAD", "POST"} {
				status, header, body := roundTrip(t, server, method)
				if status != tt.status || body != "" {
					t.Errorf("%s: status %d with body %q, want %d and none", method, status, body, tt.status)
				}
				want := tt.header.Clone()
				if method == "HEAD" {
					want.Del("Content-Length") // the length of what a GET would get (RFC 9110 section 8.6), which nobody needs
				}
				if diff := cmp.Diff(want, header); diff != "" {
					t.Errorf("%s: headers (-want +got)\n%s", method, diff)
				}
			}
		})
	}
	if n := connections.Load(); n != 1 {
		t.Errorf("HTTP-3: %d connections were needed, want 1", n)
	}
}

func roundTrip(t *testing.T, server *httptest.Server, method string) (int, http.Header, string) {
	t.Helper()
	r, err := http.NewRequest(method, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := server.Client().Transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	answer.Header.Del("Date")
	return answer.StatusCode, answer.Header, string(body)
}

// TestOnTheWire sends the bytes of a gateway, so that the spellings that
// net/http folds are tested with net/http in the way.
func TestOnTheWire(t *testing.T) {
	const tail = "Host: auth\r\nConnection: close\r\n\r\n"
	loopback := Settings{Proxies: Proxies{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // a trailer is known only after the body
		req, err := auto(loopback).Read(r)
		if code := refusalCode(t, err); code != "" {
			_, _ = io.WriteString(w, code)
			return
		}
		_, _ = io.WriteString(w, req.Method+" "+req.Scheme+" "+req.Host+" "+req.Path)
	}))
	defer server.Close()
	for _, tt := range []struct {
		name string
		raw  string
		want string
	}{
		{"HDR-4 lower case is the same header", "GET /auth HTTP/1.1\r\nx-original-url: https://a.test/p\r\nx-original-method: PUT\r\n" + tail, "PUT https a.test /p"},
		{"HDR-4 upper case is the same header", "GET /auth HTTP/1.1\r\nX-ORIGINAL-URL: https://a.test/p\r\nX-ORIGINAL-METHOD: PUT\r\n" + tail, "PUT https a.test /p"},
		{"HDR-3 two spellings are a repetition", "GET /auth HTTP/1.1\r\nX-Original-URL: https://a.test/p\r\nx-original-url: https://b.test/\r\nX-Original-Method: GET\r\n" + tail, "malformed_headers"},
		{"HDR-1 the other family in lower case", "GET /auth HTTP/1.1\r\nX-Original-URL: https://a.test/p\r\nX-Original-Method: GET\r\nx-forwarded-uri: /public\r\n" + tail, "ambiguous_headers"},
		{"HDR-4 underscores", "GET /auth HTTP/1.1\r\nX_Original_URL: https://a.test/p\r\nX_Original_Method: GET\r\n" + tail, "missing_headers"},
		{"HDR-4 CVE-2026-88011 dots", "GET /auth HTTP/1.1\r\nX.Original.URL: https://a.test/p\r\nX-Original-Method: GET\r\n" + tail, "missing_headers"},
		{"HDR-4 CVE-2026-88004 a trailer", "POST /auth HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTrailer: X-Original-URL, X-Original-Method\r\n" + tail +
			"0\r\nX-Original-URL: https://a.test/p\r\nX-Original-Method: GET\r\n\r\n", "missing_headers"},
		{"HDR-4 a trailer of the other family", "POST /auth HTTP/1.1\r\nX-Original-URL: https://a.test/p\r\nX-Original-Method: GET\r\nTransfer-Encoding: chunked\r\nTrailer: X-Forwarded-Uri\r\n" + tail +
			"0\r\nX-Forwarded-Uri: /public\r\n\r\n", "GET https a.test /p"},
		{"HDR-6 CVE-2024-45410 nominated by Connection", "GET /auth HTTP/1.1\r\nConnection: X-Original-URL, X-Forwarded-Uri\r\nX-Original-URL: https://a.test/p\r\nX-Original-Method: GET\r\n" + tail, "GET https a.test /p"},
		{"HDR-6 nominated, the other family still counts", "GET /auth HTTP/1.1\r\nConnection: X-Forwarded-Uri\r\nX-Forwarded-Uri: /\r\nX-Original-URL: https://a.test/p\r\nX-Original-Method: GET\r\n" + tail, "ambiguous_headers"},
		{"HDR-3 spaces around", "GET /auth HTTP/1.1\r\nX-Original-URL: \t https://a.test/p \r\nX-Original-Method:GET\r\n" + tail, "GET https a.test /p"},
		{"HDR-3 two lines with an empty one", "GET /auth HTTP/1.1\r\nX-Original-URL: https://a.test/p\r\nX-Original-URL:\r\nX-Original-Method: GET\r\n" + tail, "malformed_headers"},
		{"PATH-2 raw bytes arrive", "GET /auth HTTP/1.1\r\nX-Original-URL: https://a.test/J\xc3\xb6rg\xff#/..//x\r\nX-Original-Method: GET\r\n" + tail, "GET https a.test /J\xc3\xb6rg\xff#/..//x"},
		{"HDR-3 the check's own path and host are no fallback", "GET /public HTTP/1.1\r\n" + tail, "missing_headers"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			conn, err := net.Dial("tcp", server.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			if _, err := io.WriteString(conn, tt.raw); err != nil {
				t.Fatal(err)
			}
			answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = answer.Body.Close() }()
			body, err := io.ReadAll(answer.Body)
			if err != nil {
				t.Fatal(err)
			}
			if string(body) != tt.want {
				t.Errorf("got %q, want %q", body, tt.want)
			}
		})
	}
}

// TestAnswersShareNothing: the header values of answers are prepared once; what
// a handler does to one answer must not reach the next.
func TestAnswersShareNothing(t *testing.T) {
	for _, v := range []auth.Verdict{auth.Allow, auth.SignIn, auth.BadToken, auth.Unknown, auth.Deny} {
		first := httptest.NewRecorder()
		Original{}.Answer(first, auth.Request{}, decision(v, ""))
		want := fmt.Sprint(first.Header())
		for name := range first.Header() {
			first.Header().Add(name, "spoilt")
		}
		second := httptest.NewRecorder()
		Original{}.Answer(second, auth.Request{}, decision(v, ""))
		if got := fmt.Sprint(second.Header()); got != want || strings.Contains(got, "spoilt") {
			t.Errorf("CON-1 %v: %s, want %s", v, got, want)
		}
	}
}
