package main

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/config"
	"github.com/doorward/doorward/internal/http1"
	"github.com/doorward/doorward/internal/server"
	"github.com/doorward/doorward/internal/telemetry"
)

const checkedFile = `
rules:
  - {name: static, hosts: ["*.example.com"], paths: [/healthz, /static/**], methods: [GET, HEAD], public: true}
  - {name: closed, hosts: [closed.example.com], allow: {groups: [board]}}
  - {name: app, hosts: [app.example.com], allow: any}
`

// asked is a page load as nginx passes it on.
func asked(url, cookie string) string {
	lines := []string{
		"GET /auth/nginx HTTP/1.1", "Host: doorward", "X-Original-URL: " + url, "X-Original-Method: GET", "X-Forwarded-For: 203.0.113.7",
		`sec-ch-ua: "Chromium";v="142", "Not;A=Brand";v="24"`, "sec-ch-ua-mobile: ?0", `sec-ch-ua-platform: "Linux"`,
		"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
		"Upgrade-Insecure-Requests: 1", "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
		"Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document", "Sec-Fetch-Site: same-origin", "Referer: https://app.example.com/",
		"Accept-Encoding: gzip, deflate, br, zstd", "Accept-Language: en-GB,en;q=0.9",
	}
	if cookie != "" {
		lines = append(lines, "Cookie: "+cookie)
	}
	return strings.Join(lines, "\r\n") + "\r\n\r\n"
}

// checks are the kinds of checks that are asked of a whole Doorward here, and the
// bare handler that they are compared with.
func checks(t testing.TB) (ours, bare func() httpServer, requests []sample) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "doorward.yaml")
	if err := os.WriteFile(file, []byte(checkedFile), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, value := range environment(file) {
		t.Setenv(name, value)
	}
	cfg, _, err := config.Load()
	if err != nil {
		t.Fatal(err)
	}
	log := telemetry.NewLog(io.Discard, slog.LevelInfo, "json")
	p, err := assemble(cfg, log)
	if err != nil {
		t.Fatal(err)
	}
	cookie := sessionOf(t, p, cfg)
	if d := p.main.Gate.Check(t.Context(), auth.Request{Host: "app.example.com", Path: "/", Method: "GET", Cookies: []string{cookie}}); d.Verdict != auth.Allow {
		t.Fatal(d.Reason)
	}
	ours = func() httpServer { return &http1.Server{HTTP: server.NewHTTP(p.main.Handler(), log)} }
	bare = func() httpServer { return &http.Server{Handler: http.HandlerFunc(bareCheck)} }
	return ours, bare, []sample{
		{"cookie", asked("https://app.example.com/dashboards/team/42?from=now-6h", cookie), "202"},
		{"public", asked("https://app.example.com/static/app.css", cookie), "202"},
		{"nobody", asked("https://app.example.com/dashboards/team/42?from=now-6h", ""), "401"},
		{"denied", asked("https://closed.example.com/papers", cookie), "403"},
	}
}

// sample is a check on the wire, and the status that Doorward answers.
type sample struct{ name, request, status string }

// bareCheck is the least that a check can be.
func bareCheck(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	h.Set("X-Auth-Request-User", "f1b4f4c0-8f7e-4b6e-9d3a-2f1f5a9f7c11")
	h.Set("X-Auth-Request-Email", "ada@example.com")
	h.Set("X-Auth-Request-Groups", "sre,platform")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusAccepted)
}

// TestCheckAllocates at most five objects more than the bare handler, the line of a
// denial in the log included.
func TestCheckAllocates(t *testing.T) {
	ours, bare, requests := checks(t)
	for _, q := range requests {
		objects := func(s httpServer, status string) float64 {
			ask, end := serving(s, q.request)
			defer end()
			if got := ask(); got != status { // also makes what is made once
				t.Fatalf("%s: %s, want %s", q.name, got, status)
			}
			return testing.AllocsPerRun(200, func() { ask() })
		}
		ofBare, ofOurs := objects(bare(), "202"), objects(ours(), q.status)
		t.Logf("%s: %v objects, and %v of the bare handler", q.name, ofOurs, ofBare)
		if ofOurs > ofBare+5 {
			t.Errorf("%s: %v objects, and %v of the bare handler", q.name, ofOurs, ofBare)
		}
	}
}

// BenchmarkCheck is a whole check as it is served, without the kernel, beside the
// least that net/http can do with the same bytes.
func BenchmarkCheck(b *testing.B) {
	ours, bare, requests := checks(b)
	for _, q := range requests {
		for who, s := range map[string]func() httpServer{"bare": bare, "doorward": ours} {
			b.Run(q.name+"/"+who, func(b *testing.B) {
				ask, end := serving(s(), q.request)
				defer end()
				b.ReportAllocs()
				for b.Loop() {
					ask()
				}
			})
		}
	}
}

// serving returns what asks a server over one connection in memory, for the status
// of its answer, and what ends it.
func serving(s httpServer, request string) (ask func() string, end func()) {
	conn := newMemoryConn()
	listener := &memoryListener{conns: make(chan net.Conn, 1), closed: make(chan struct{})}
	listener.conns <- conn
	served := make(chan struct{})
	go func() {
		_ = s.Serve(listener)
		close(served)
	}()
	bytes := []byte(request)
	ask = func() string {
		conn.asked <- bytes
		return <-conn.answered
	}
	return ask, func() {
		_ = s.Close()
		<-served
	}
}

// memoryListener accepts the connections that it is given.
type memoryListener struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (l *memoryListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *memoryListener) Close() error { close(l.closed); return nil }

func (*memoryListener) Addr() net.Addr { return loopback }

var loopback = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80}

// memoryConn hands requests to a server and says when each was answered.
type memoryConn struct {
	asked    chan []byte
	answered chan string   // statuses
	woken    chan struct{} // by a deadline that has passed, with which net/http ends a read
	ctx      context.Context
	cancel   context.CancelFunc
}

func newMemoryConn() *memoryConn {
	c := &memoryConn{asked: make(chan []byte), answered: make(chan string), woken: make(chan struct{}, 1)}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c
}

// Read returns one request, which has to fit.
func (c *memoryConn) Read(p []byte) (int, error) {
	if len(p) == 1 { // net/http looks whether the client has gone
		select {
		case <-c.woken:
			return 0, os.ErrDeadlineExceeded
		case <-c.ctx.Done():
			return 0, io.EOF
		}
	}
	select {
	case request := <-c.asked:
		return copy(p, request), nil
	case <-c.ctx.Done():
		return 0, io.EOF
	}
}

func (c *memoryConn) Write(p []byte) (int, error) {
	c.answered <- string(p[len("HTTP/1.1 "):len("HTTP/1.1 202")])
	return len(p), nil
}

func (c *memoryConn) SetReadDeadline(t time.Time) error {
	if !t.IsZero() && t.Before(time.Unix(2, 0)) {
		c.woken <- struct{}{}
	}
	return nil
}

func (c *memoryConn) Close() error                   { c.cancel(); return nil }
func (*memoryConn) LocalAddr() net.Addr              { return loopback }
func (*memoryConn) RemoteAddr() net.Addr             { return loopback }
func (*memoryConn) SetDeadline(time.Time) error      { return nil }
func (*memoryConn) SetWriteDeadline(time.Time) error { return nil }
