package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
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
	front, err := h.nginx(ctx, catcher.Addr().String(), serverCore, nil)
	if err != nil {
		return nil, err
	}
	go visit(ctx, front.address, browsed(url, cookie))
	return caught(catcher)
}

// itself is the address of nginx's own answer to checks.
const itself = "itself"

// nginx starts the shipped configuration on a core, as if it had TLS, with a small
// app of nginx's own behind it. replace changes the configuration.
func (h *house) nginx(ctx context.Context, doorward string, core int, replace [][2]string) (*server, error) {
	addresses, err := stack.FreeAddresses(0, 0)
	if err != nil {
		return nil, err
	}
	if doorward == itself {
		doorward = addresses[1]
	}
	dir := filepath.Join(h.dir, "nginx-"+addresses[0])
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	front := &stack.Front{
		Gateway: stack.PlainNginx, Dir: dir, Listen: addresses[0], App: addresses[1], Doorward: doorward,
		AppHost: "app.bench.test", AuthHost: "auth.bench.test", AuthURL: "https://auth.bench.test",
		Replace: append([][2]string{
			{"# An app that needs a login.", "upstream app {\n\tserver " + addresses[1] + ";\n\tkeepalive 32;\n}\n" +
				"server {\n\tlisten " + addresses[1] + ";\n\tlocation / { return 200 hello; }\n\tlocation /auth { return 202; }\n}"},
			{"proxy_pass http://127.0.0.1:8080;", "proxy_pass http://app;"},
		}, replace...),
	}
	if err := front.Start(ctx); err != nil {
		return nil, err
	}
	h.running = append(h.running, front.Process())
	if err := settle(front.Process().PID(), core); err != nil {
		return nil, err
	}
	none := func(context.Context) (float64, error) { return 0, nil }
	return &server{name: "nginx", address: addresses[0], process: front.Process(), mallocs: none}, nil
}

// visit sends a request; it is the question about it that counts.
func visit(ctx context.Context, address string, request []byte) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return // nothing will be caught
	}
	defer conn.Close()
	if _, err := conn.Write(request); err == nil {
		_, _ = http.ReadResponse(bufio.NewReader(conn), nil)
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

// browsed is a page load as the browser sends it to nginx.
func browsed(url, cookie string) []byte {
	_, rest, _ := strings.Cut(url, "://")
	host, target, _ := strings.Cut(rest, "/")
	q := question{endpoint: "/" + target, host: host, cookie: cookie}
	return bytes.Replace(q.bytes(), []byte("X-Forwarded-For: 203.0.113.7\r\n"), nil, 1)
}

// way is one that a page takes through nginx. asked is who is asked about it, nil
// for nobody but nginx itself.
type way struct {
	name    string
	address string // of who is asked
	asked   *server
	replace [][2]string // in the configuration
	cookie  string

	nginx  *server
	slices []slice
}

// measureNginx is what people see of it all: pages through nginx, which shares its
// core with the load; who is asked has the other.
func measureNginx(ctx context.Context, h *house) (string, error) {
	return h.pages(ctx, loadCore, h.ways)
}

// measureOneCore has nginx share its core with whoever it asks.
func measureOneCore(ctx context.Context, h *house) (string, error) {
	return h.pages(ctx, serverCore, h.waysOfOurs)
}

// pages measures the ways that there are, through an nginx of its own for each.
func (h *house) pages(ctx context.Context, core int, find func(context.Context) ([]*way, error)) (string, error) {
	defer h.stopAll()
	if err := pin(true); err != nil {
		return "", err
	}
	ways, err := find(ctx)
	if err != nil {
		return "", err
	}
	for _, w := range ways {
		if w.nginx, err = h.nginx(ctx, w.address, core, w.replace); err != nil {
			return "", fmt.Errorf("%s: %w", w.name, err)
		}
	}
	for round := range h.turns() {
		for _, w := range ways {
			one, err := h.through(ctx, w)
			if err != nil {
				return "", fmt.Errorf("%s: %w", w.name, err)
			}
			if round >= h.warmUps {
				w.slices = append(w.slices, one)
			}
		}
	}
	return wayTable(ways), nil
}

// ways are those of ours, and those of the peers.
func (h *house) ways(ctx context.Context) ([]*way, error) {
	ways, err := h.waysOfOurs(ctx)
	for _, p := range h.peers {
		if err != nil {
			return nil, err
		}
		var s subject
		if s, err = h.peerSubject(ctx, p); err != nil {
			return nil, err
		}
		w := &way{name: "asking " + p.name, address: p.url.Host, asked: s.server, cookie: p.cookie}
		w.replace, err = h.instead(p)
		ways = append(ways, w)
	}
	return ways, err
}

// instead has the shipped configuration ask a peer at its own path.
func (h *house) instead(p peer) ([][2]string, error) {
	const ours = "proxy_pass http://doorward/auth/nginx;"
	snippet, err := os.ReadFile(filepath.Join(h.root, "deploy", "nginx", "snippets", "doorward-server.conf"))
	if err == nil && !strings.Contains(string(snippet), ours) {
		err = fmt.Errorf("deploy/nginx has no %q", ours)
	}
	file := filepath.Join(h.dir, "ask-"+p.url.Port()+".conf")
	theirs := strings.Replace(string(snippet), ours, "proxy_pass http://doorward"+p.url.RequestURI()+";", 1)
	return [][2]string{{"include snippets/doorward-server.conf;", "include " + file + ";"}},
		errors.Join(err, os.WriteFile(file, []byte(theirs), 0o600))
}

func (h *house) waysOfOurs(ctx context.Context) ([]*way, error) {
	bare, err := h.bareServer(ctx, true)
	if err != nil {
		return nil, err
	}
	d, err := h.doorward(ctx, houseRules, nil, true)
	if err != nil {
		return nil, err
	}
	socket := "unix:" + filepath.Join(h.dir, "doorward.sock")
	overSocket, err := h.onSocket(ctx, socket)
	if err != nil {
		return nil, err
	}
	cookie, err := h.signIn(ctx, d)
	nobody := [][2]string{{"include snippets/doorward-protect.conf;", ""}, {"include snippets/doorward-server.conf;", ""}}
	return []*way{
		{name: "nginx alone", address: d.address, replace: nobody, cookie: cookie},
		{name: "asking nginx, which says 202", address: itself, cookie: cookie},
		{name: "asking the bare handler", address: bare.address, asked: bare, cookie: cookie},
		{name: "asking Doorward", address: d.address, asked: d, cookie: cookie},
		{name: "asking Doorward over a socket", address: socket, asked: overSocket, cookie: cookie},
	}, err
}

// onSocket starts a Doorward that listens on a unix socket.
func (h *house) onSocket(ctx context.Context, socket string) (*server, error) {
	l, _, err := h.product(houseRules, map[string]string{"DOORWARD_LISTEN": socket})
	if err != nil {
		return nil, err
	}
	l.address, l.pinned = socket, true
	return h.start(ctx, l)
}

// through loads a page through nginx and looks at what it costs who is asked.
func (h *house) through(ctx context.Context, w *way) (slice, error) {
	var one slice
	var before, after time.Duration
	var err error
	if w.asked != nil {
		if before, err = spent(w.asked.process.PID()); err != nil {
			return one, err
		}
	}
	page := subject{w.name, w.nginx, browsed(grown, w.cookie), http.StatusOK}
	if one.outcome, err = h.wrk(ctx, page, true); err != nil {
		return one, err
	}
	if w.asked != nil {
		after, err = spent(w.asked.process.PID())
	}
	one.cpu = (after - before) / time.Duration(one.checks)
	return one, err
}

func wayTable(ways []*way) string {
	var b strings.Builder
	b.WriteString("| pages through nginx | pages/s | share of nginx alone | CPU of who is asked, µs | p50, ms | p99, ms |\n|---|---|---|---|---|---|\n")
	rate := func(s slice) float64 { return s.rate }
	for _, w := range ways {
		asked := "–"
		if w.asked != nil {
			asked = fmt.Sprintf("%.1f", median(each(w.slices, func(s slice) float64 { return s.cpu.Seconds() * 1e6 })))
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", w.name,
			thousands(median(each(w.slices, rate))), ratios(w.slices, ways[0].slices, rate), asked,
			milliseconds(median(each(w.slices, func(s slice) float64 { return s.p50.Seconds() }))),
			milliseconds(median(each(w.slices, func(s slice) float64 { return s.p99.Seconds() }))))
	}
	return b.String()
}
