package gateways

import (
	"context"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// relay stands between a gateway and Doorward and counts the connections.
type relay struct {
	address  string
	accepted atomic.Int64
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
			all.Go(func() { join(t.Context(), from, to) })
		}
	})
	return r
}

// join ends when either side or the context does.
func join(ctx context.Context, from net.Conn, to string) {
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
	for _, way := range [][2]net.Conn{{from, onward}, {onward, from}} {
		both.Go(func() {
			_, _ = io.Copy(way[1], way[0])
			_ = from.Close()
			_ = onward.Close()
		})
	}
	both.Wait()
}
