package gateways

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/doorward/doorward/test/stack"
)

const (
	nginx          = "nginx"
	ingress        = "ingress-nginx"
	traefikIngress = "Traefik, ingress-nginx provider"
	traefik        = "Traefik"
	caddy          = "Caddy"
	envoyHTTP      = "Envoy, HTTP"
	envoyGRPC      = "Envoy, gRPC"
	haproxy        = "HAProxy"
)

// rows are the behaviours. The last one stops Doorward.
func rows() []row {
	// The two that read annotations turn each 401 into their own redirect.
	annotated := func(got string) map[string]string {
		return map[string]string{nginx: "401", ingress: got, traefikIngress: got}
	}
	return []row{
		{name: "signed in: passes, with every identity header", try: signedIn, want: "passes"},
		{name: "signed in: a form passes with its body", try: signedInForm, want: "passes"},
		{name: "nobody: opens a page", try: anonymous(ask{header: navigation()}), want: "302 to the sign-in"},
		{name: "nobody: HEAD of a page", try: anonymous(ask{method: "HEAD", header: navigation()}), want: "302 to the sign-in"},
		{
			name: "nobody: sends a form", try: anonymous(ask{method: "POST", header: navigation(), body: "a=b"}),
			want:   "303 to the sign-in",
			except: map[string]string{nginx: "302 to the sign-in", ingress: "302 to the sign-in"},
		},
		{name: "nobody: fetch", try: anonymous(ask{header: fetch()}), want: "401 with sign_in_url", except: annotated("302 to the sign-in")},
		{
			name: "nobody: preflight",
			try: anonymous(ask{method: "OPTIONS", header: []string{
				"Accept: */*", "Origin: https://other.example", "Access-Control-Request-Method: PUT", "Sec-Fetch-Mode: cors",
			}}),
			want: "401 with sign_in_url", except: annotated("302 to the sign-in"),
		},
		{
			name: "nobody: WebSocket",
			try: anonymous(ask{header: []string{
				"Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
			}}),
			want: "401 with sign_in_url", except: annotated("302 to the sign-in"),
		},
		{name: "signed in: WebSocket", try: webSocket, want: "101, echoes"},
		{
			name: "nobody: gRPC", try: grpcCall(func(*column) string { return "" }), want: "401",
			except: map[string]string{
				ingress: "302", traefikIngress: "302",
				envoyHTTP: "grpc-status 16", envoyGRPC: "grpc-status 16",
			},
		},
		{name: "signed in: gRPC", try: grpcCall(func(c *column) string { return c.ada }), want: "passes"},
		{name: "may not enter: opens a page", try: mayNot(navigation), want: "403, a page with the account", except: map[string]string{ingress: "403"}},
		{name: "may not enter: fetch", try: mayNot(fetch), want: "403 JSON", except: map[string]string{ingress: "403"}},
		{name: "public path: nobody", try: public(""), want: "passes, names nobody"},
		{name: "public path: somebody", try: public("ada"), want: "passes, with every identity header"},
		{name: "client sends X-Forwarded-*", try: hostile(forwarded), want: "no effect", except: map[string]string{ingress: "403"}},
		{name: "client sends X-Original-*", try: hostile(original), want: "no effect", except: map[string]string{traefikIngress: "403"}},
		{name: "client sends identity headers", try: hostile(identity), want: "no effect"},
		{name: "client's query asks what the check's may", try: ownQuery, want: "no effect"},
		{name: "paths that are not canonical", try: oddPaths, want: "judged as the app gets them"},
		{name: "odd hosts", try: oddHosts, want: "never led elsewhere"},
		{
			name: "deep link, through the login and back", try: deepLink, want: "byte for byte",
			except: map[string]string{traefik: "; as %3B", traefikIngress: "; as %3B"},
		},
		{name: "Set-Cookie lines on an answer", try: setCookies, want: "at most one"},
		{
			name: "new connections for 20 checks", try: connections, want: "at most 2",
			except: map[string]string{ingress: "20"},
		},
		{name: "checks that are read without net/http", try: plainChecks, want: "yes", except: map[string]string{envoyGRPC: "–"}},
		{
			name: "Doorward cannot tell who asks", try: cannotTell, want: "503, the session goes on",
			except: map[string]string{nginx: "500, the session goes on", ingress: "500, the session goes on"},
		},
		{
			name: "Doorward down", try: down, want: "500",
			except: map[string]string{caddy: "502", envoyHTTP: "503", envoyGRPC: "503", haproxy: "503"},
		},
	}
}

// identityHeaders are what Doorward says about Ada.
var identityHeaders = map[string]string{
	"X-Auth-Request-Email":              stack.Ada,
	"X-Auth-Request-Name":               "Ada",
	"X-Auth-Request-Groups":             "",
	"X-Auth-Request-Preferred-Username": "",
}

// identityIn says what is wrong with the identity that the app saw, if anything.
func identityIn(seen *stack.Seen) string {
	for name, want := range identityHeaders {
		if lines := seen.Headers[name]; len(lines) > 1 || strings.Join(lines, "") != want {
			return fmt.Sprintf("%s: %q", name, lines)
		}
	}
	if user := seen.Headers["X-Auth-Request-User"]; len(user) != 1 || user[0] == "" {
		return fmt.Sprintf("X-Auth-Request-User: %q", user)
	}
	for name := range seen.Headers {
		if strings.Contains(name, "_") {
			return name + " reached the app"
		}
	}
	return ""
}

func signedIn(t *testing.T, c *column) string {
	got := c.send(t, ask{header: fetch("Cookie: " + c.ada)})
	if got.seen == nil {
		return fmt.Sprintf("%d %s", got.StatusCode, got.body)
	}
	if wrong := identityIn(got.seen); wrong != "" {
		return wrong
	}
	return "passes"
}

// cannotTell shows a token whose issuer is out of reach, beside a good session:
// nobody gets in, no cookie is touched, and without the token the session is as
// good as before.
func cannotTell(t *testing.T, c *column) string {
	part := base64.RawURLEncoding.EncodeToString
	token := part([]byte(`{"alg":"RS256","typ":"at+jwt","kid":"1"}`)) + "." +
		part([]byte(`{"iss":"http://127.0.0.1:1","aud":"api","sub":"1","iat":1,"exp":9999999999}`)) + "." + part(make([]byte, 256))
	got := c.send(t, ask{header: fetch("Cookie: "+c.ada, "Authorization: Bearer "+token)})
	if got.seen != nil || len(got.Header["Set-Cookie"]) > 0 {
		return fmt.Sprintf("%d, Set-Cookie %q", got.StatusCode, got.Header["Set-Cookie"])
	}
	if after := signedIn(t, c); after != "passes" {
		return "afterwards " + after
	}
	return fmt.Sprintf("%d, the session goes on", got.StatusCode)
}

// public asks for a path that needs no login, as a client that claims to be
// somebody.
func public(who string) func(*testing.T, *column) string {
	return func(t *testing.T, c *column) string {
		header := navigation("X-Auth-Request-User: root", "X-Auth-Request-Email: root@example.com", "X-Auth-Request-Groups: root")
		if who != "" {
			header = append(header, "Cookie: "+c.ada)
		}
		got := c.send(t, ask{target: "/public", header: header})
		if got.seen == nil {
			return fmt.Sprintf("%d %s", got.StatusCode, got.body)
		}
		if who != "" {
			if wrong := identityIn(got.seen); wrong != "" {
				return wrong
			}
			return "passes, with every identity header"
		}
		for name, values := range got.seen.Headers {
			if strings.HasPrefix(name, "X-Auth-Request-") && strings.Join(values, "") != "" {
				return fmt.Sprintf("%s: %q", name, values)
			}
		}
		return "passes, names nobody"
	}
}

func signedInForm(t *testing.T, c *column) string {
	got := c.send(t, ask{method: "POST", header: navigation("Cookie: "+c.ada, "Content-Type: text/plain"), body: "hello"})
	if got.seen == nil || got.seen.Method != "POST" || got.seen.Headers.Get("Content-Length") != "5" {
		return fmt.Sprintf("%d %s", got.StatusCode, got.body)
	}
	return "passes"
}

// anonymous describes the answer to somebody who is not signed in.
func anonymous(a ask) func(*testing.T, *column) string {
	return func(t *testing.T, c *column) string { return c.describe(t, c.send(t, a)) }
}

// describe is an answer to nobody in words. One that leads to the sign-in has to
// lead back, too.
func (c *column) describe(t *testing.T, got answer) string {
	t.Helper()
	if got.seen != nil {
		return "reached the app"
	}
	status := fmt.Sprint(got.StatusCode)
	if back := c.signInFor(got); back != "" {
		if want := "https://" + c.host() + "/x"; back != want {
			return "leads back to " + back
		}
		return status + " to the sign-in"
	}
	if got.StatusCode == http.StatusUnauthorized && got.Header.Get("WWW-Authenticate") == "" {
		return status + " without WWW-Authenticate"
	}
	if strings.Contains(got.body, `"sign_in_url":"`+c.parts.AuthURL+`/start?rd=`) {
		return status + " with sign_in_url"
	}
	return status
}

func webSocket(t *testing.T, c *column) string {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, res, err := websocket.Dial(ctx, "wss://"+c.host()+"/ws", &websocket.DialOptions{
		HTTPClient: &http.Client{Transport: stack.NewTransport(c.parts.CA)},
		HTTPHeader: http.Header{"Cookie": {c.ada}},
	})
	if err != nil {
		return err.Error()
	}
	defer conn.CloseNow()
	if err := conn.Write(ctx, websocket.MessageText, []byte("hello")); err != nil {
		return err.Error()
	}
	_, echo, err := conn.Read(ctx)
	if err != nil || string(echo) != "hello" {
		return fmt.Sprintf("%q %v", echo, err)
	}
	return fmt.Sprintf("%d, echoes", res.StatusCode)
}

// grpcCall makes a call as far as a gateway can see one, over HTTP/2 where the
// gateway speaks it.
func grpcCall(cookie func(*column) string) func(*testing.T, *column) string {
	return func(t *testing.T, c *column) string {
		transport := stack.NewTransport(c.parts.CA)
		transport.ForceAttemptHTTP2 = true
		defer transport.CloseIdleConnections()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+c.host()+"/a.Service/Call", bytes.NewReader(make([]byte, 5)))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/grpc")
		req.Header.Set("Te", "trailers")
		req.Header.Set("Accept", "application/json") // for the app
		if value := cookie(c); value != "" {
			req.Header.Set("Cookie", value)
		}
		res, err := transport.RoundTrip(req)
		if err != nil {
			return err.Error()
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			return err.Error()
		}
		if status := res.Header.Get("Grpc-Status"); status != "" {
			return "grpc-status " + status
		}
		if res.StatusCode == http.StatusOK && strings.Contains(string(body), `"uri":"/a.Service/Call"`) {
			return "passes"
		}
		return fmt.Sprint(res.StatusCode)
	}
}

func mayNot(how func(...string) []string) func(*testing.T, *column) string {
	return func(t *testing.T, c *column) string {
		got := c.send(t, ask{header: how("Cookie: " + c.eve)})
		switch {
		case got.seen != nil:
			return "reached the app"
		case strings.Contains(got.body, "<html") && strings.Contains(got.body, stack.Eve):
			return fmt.Sprint(got.StatusCode) + ", a page with the account"
		case strings.Contains(got.body, `"error":"forbidden"`):
			return fmt.Sprint(got.StatusCode) + " JSON"
		}
		return fmt.Sprint(got.StatusCode)
	}
}

func deepLink(t *testing.T, c *column) string {
	const link = "/a%20b/c?x=1&y=%26&z=a+b;c,d&u=%C3%A9"
	ada := stack.NewVisitor(c.parts.CA)
	page, err := ada.Open(t.Context(), c.parts.AppURL+link)
	if err == nil {
		page, err = ada.SignIn(t.Context(), page, stack.Ada)
	}
	if err != nil {
		t.Fatal(err)
	}
	switch page.URL.String() {
	case c.parts.AppURL + link:
		return "byte for byte"
	case c.parts.AppURL + strings.Replace(link, ";", "%3B", 1):
		return "; as %3B"
	}
	return page.URL.String()
}

func setCookies(_ *testing.T, c *column) string {
	if c.cookies > 1 {
		return fmt.Sprint(c.cookies)
	}
	return "at most one"
}

func connections(t *testing.T, c *column) string {
	before := c.checks.accepted.Load()
	for range 20 {
		if got := c.send(t, ask{header: fetch("Cookie: " + c.ada)}); got.seen == nil {
			return fmt.Sprint(got.StatusCode)
		}
	}
	counted := c.checks.accepted.Load() - before
	t.Logf("%d new connections", counted)
	if counted <= 2 { // one that was idle for too long does no harm
		return "at most 2"
	}
	return fmt.Sprint(counted)
}

// down also comes last: nothing works after it.
func down(t *testing.T, c *column) string {
	if err := c.parts.Doorward.Stop(); err != nil {
		t.Fatal(err)
	}
	c.checks.close()
	for _, header := range [][]string{navigation(), fetch("Cookie: " + c.ada)} {
		got := c.send(t, ask{header: header})
		if got.seen != nil {
			return "reached the app"
		}
		if got.StatusCode < 500 {
			return fmt.Sprint(got.StatusCode)
		}
	}
	return fmt.Sprint(c.send(t, ask{header: fetch("Cookie: " + c.ada)}).StatusCode)
}
