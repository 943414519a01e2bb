package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/doorward/doorward/test/stack"
)

// asNginx returns the bytes with which the shipped configuration of nginx asks
// about a page load.
func (h *house) asNginx(ctx context.Context, url, cookie string) ([]byte, error) {
	catcher, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	defer catcher.Close()
	front, err := h.nginxFront(catcher.Addr().String())
	if err != nil {
		return nil, err
	}
	if err := front.Start(ctx); err != nil {
		return nil, err
	}
	h.running = append(h.running, front.Process())
	go h.visit(ctx, front.Listen, url, cookie)
	return caught(catcher)
}

// nginxFront is the shipped configuration, as if it had TLS.
func (h *house) nginxFront(doorward string) (*stack.Front, error) {
	addresses, err := stack.FreeAddresses(0, 0)
	if err != nil {
		return nil, err
	}
	h.started++
	dir := filepath.Join(h.dir, "nginx-"+addresses[0])
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	return &stack.Front{
		Gateway: stack.PlainNginx, Dir: dir, Listen: addresses[0], App: addresses[1], Doorward: doorward,
		AppHost: "app.bench.test", AuthHost: "auth.bench.test", AuthURL: "https://auth.bench.test",
	}, nil
}

// visit loads a page, as the browser that the page loads of this program are of.
func (h *house) visit(ctx context.Context, address, url, cookie string) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return // nothing will be caught
	}
	defer conn.Close()
	_, host, _ := strings.Cut(url, "://")
	host, target, _ := strings.Cut(host, "/")
	q := question{endpoint: "/" + target, host: host, cookie: cookie}
	text := strings.Replace(string(q.bytes()), "X-Forwarded-For: 203.0.113.7\r\n", "", 1)
	if _, err := io.WriteString(conn, text); err == nil {
		_, _ = http.ReadResponse(bufio.NewReader(conn), nil) // it is the question that counts
	}
}

// caught is the first request that arrives.
func caught(listener net.Listener) ([]byte, error) {
	if l, ok := listener.(*net.TCPListener); ok {
		if err := l.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
			return nil, err
		}
	}
	conn, err := listener.Accept()
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	var request []byte
	reader := bufio.NewReader(conn)
	for {
		line, err := reader.ReadBytes('\n')
		request = append(request, line...)
		if err != nil || len(line) == 2 {
			return request, errors.Join(err, conn.Close())
		}
	}
}

// measureNginx is what people see of it all: pages through nginx.
func measureNginx(context.Context, *house) (string, error) { return "", nil }
