package gateways

import (
	"bufio"
	"io"
	"log"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/http1"
	"github.com/doorward/doorward/test/stack"
)

// plainChecks: what a gateway asks, Doorward's own HTTP server reads by itself.
func plainChecks(t *testing.T, c *column) string {
	if c.gateway == stack.EnvoyGRPC {
		return "–"
	}
	for _, header := range [][]string{navigation("Cookie: " + c.ada), fetch("Cookie: " + c.ada), navigation()} {
		c.checks.asked.Store(nil)
		c.send(t, ask{header: header})
		asked := c.checks.asked.Load()
		if asked == nil {
			return "nothing was asked"
		}
		if !isPlain(t, *asked) {
			t.Logf("%q", *asked)
			return "no"
		}
	}
	return "yes"
}

// isPlain reports whether a request is answered without net/http.
func isPlain(t *testing.T, request []byte) bool {
	t.Helper()
	var given atomic.Int64 // connections to net/http
	s := &http1.Server{HTTP: &http.Server{
		Handler:     http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) }),
		ReadTimeout: patience, ReadHeaderTimeout: patience, WriteTimeout: patience, ErrorLog: log.New(io.Discard, "", 0),
		ConnState: func(_ net.Conn, state http.ConnState) {
			if state == http.StateNew {
				given.Add(1)
			}
		},
	}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = s.Serve(l) }()
	defer s.Close()
	conn, err := net.DialTimeout("tcp", l.Addr().String(), patience)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(request); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusAccepted && given.Load() == 0
}

// TestIsPlain: it can say no.
func TestIsPlain(t *testing.T) {
	const request = "GET /auth HTTP/1.1\r\nHost: doorward\r\nX-A: "
	if !isPlain(t, []byte(request+"b\r\n\r\n")) || isPlain(t, []byte(request+"\tb\r\n\r\n")) {
		t.Error("what is plain and what is not are not told apart")
	}
}
