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

// BenchmarkCheck is a whole check as it is served, without the kernel, beside the
// least that net/http can do with the same bytes.
func BenchmarkCheck(b *testing.B) {
	file := filepath.Join(b.TempDir(), "doorward.yaml")
	if err := os.WriteFile(file, []byte(checkedFile), 0o600); err != nil {
		b.Fatal(err)
	}
	for name, value := range environment(file) {
		b.Setenv(name, value)
	}
	cfg, _, err := config.Load()
	if err != nil {
		b.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	p, err := assemble(cfg, log)
	if err != nil {
		b.Fatal(err)
	}
	cookie := sessionOf(b, p, cfg)
	if d := p.main.Gate.Check(b.Context(), auth.Request{Host: "app.example.com", Path: "/", Method: "GET", Cookies: []string{cookie}}); d.Verdict != auth.Allow {
		b.Fatal(d.Reason)
	}
	bare := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		h.Set("X-Auth-Request-User", "f1b4f4c0-8f7e-4b6e-9d3a-2f1f5a9f7c11")
		h.Set("X-Auth-Request-Email", "ada@example.com")
		h.Set("X-Auth-Request-Groups", "sre,platform")
		h.Set("Cache-Control", "no-store")
		w.WriteHeader(http.StatusAccepted)
	})
	for _, bb := range []struct {
		name, request string
	}{
		{"cookie", asked("https://app.example.com/dashboards/team/42?from=now-6h", cookie)},
		{"public", asked("https://app.example.com/static/app.css", cookie)},
		{"nobody", asked("https://app.example.com/dashboards/team/42?from=now-6h", "")},
	} {
		b.Run(bb.name+"/bare", func(b *testing.B) { benchmarkServing(b, &http.Server{Handler: bare}, bb.request) })
		b.Run(bb.name+"/doorward", func(b *testing.B) {
			benchmarkServing(b, &http1.Server{HTTP: server.NewHTTP(p.main.Handler(), log)}, bb.request)
		})
	}
}

// benchmarkServing asks over one connection in memory.
func benchmarkServing(b *testing.B, s httpServer, request string) {
	conn := newMemoryConn()
	listener := &memoryListener{conns: make(chan net.Conn, 1), closed: make(chan struct{})}
	listener.conns <- conn
	go func() { _ = s.Serve(listener) }()
	defer s.Close()
	bytes := []byte(request)
	b.ReportAllocs()
	for b.Loop() {
		conn.asked <- bytes
		<-conn.answered
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
	answered chan struct{}
	woken    chan struct{} // by a deadline that has passed, with which net/http ends a read
	ctx      context.Context
	cancel   context.CancelFunc
}

func newMemoryConn() *memoryConn {
	c := &memoryConn{asked: make(chan []byte), answered: make(chan struct{}), woken: make(chan struct{}, 1)}
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
	c.answered <- struct{}{}
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
