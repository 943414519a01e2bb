package gateways

import (
	"bytes"
	"context"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// relay stands between a gateway and Doorward, counts the connections and hears
// what is asked.
type relay struct {
	address  string
	accepted atomic.Int64
	asked    atomic.Pointer[[]byte] // the last request, when it had no body
	close    func()
}

// newRelay passes connections on to an address until the test ends.
func newRelay(t *testing.T, to string) *relay {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{address: listener.Addr().String(), close: func() { _ = listener.Close() }}
	var all sync.WaitGroup
	t.Cleanup(all.Wait)
	t.Cleanup(r.close)
	all.Go(func() {
		for {
			from, err := listener.Accept()
			if err != nil {
				return
			}
			r.accepted.Add(1)
			all.Go(func() { r.join(t.Context(), from, to) })
		}
	})
	return r
}

// join ends when either side or the context does.
func (r *relay) join(ctx context.Context, from net.Conn, to string) {
	var dialer net.Dialer
	onward, err := dialer.DialContext(ctx, "tcp", to)
	if err != nil {
		_ = from.Close()
		return
	}
	defer context.AfterFunc(ctx, func() {
		_ = from.Close()
		_ = onward.Close()
	})()
	var both sync.WaitGroup
	for _, way := range []struct {
		from io.Reader
		to   io.Writer
	}{{io.TeeReader(from, &ear{relay: r}), onward}, {onward, from}} {
		both.Go(func() {
			_, _ = io.Copy(way.to, way.from)
			_ = from.Close()
			_ = onward.Close()
		})
	}
	both.Wait()
}

// ear tells a relay what is asked on a connection.
type ear struct {
	relay *relay
	heard []byte
}

func (e *ear) Write(p []byte) (int, error) {
	e.heard = append(e.heard, p...)
	if bytes.HasSuffix(e.heard, []byte("\r\n\r\n")) {
		whole := e.heard
		e.relay.asked.Store(&whole)
		e.heard = nil
	}
	return len(p), nil
}
