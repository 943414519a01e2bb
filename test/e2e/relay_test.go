package e2e

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// relay stands between two parts: it counts the connections and can make them
// wait. What passes through it is not changed.
type relay struct {
	address string
	to      string

	accepted atomic.Int64
	mu       sync.Mutex
	gate     chan struct{} // closed: connections pass
	open     []net.Conn    // all that ever came
}

// newRelay listens until the test ends and passes on to an address.
func newRelay(t *testing.T, to string) *relay {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{address: listener.Addr().String(), to: to, gate: make(chan struct{})}
	r.release()
	var connections sync.WaitGroup
	t.Cleanup(func() {
		_ = listener.Close()
		r.release()
		r.hangUp()
		connections.Wait()
	})
	connections.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			gate := r.take(conn)
			connections.Go(func() {
				<-gate
				r.pass(conn)
			})
		}
	})
	return r
}

// take counts a connection and returns what it has to wait for.
func (r *relay) take(conn net.Conn) chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open = append(r.open, conn)
	r.accepted.Add(1)
	return r.gate
}

// hangUp ends every connection.
func (r *relay) hangUp() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, conn := range r.open {
		_ = conn.Close()
	}
}

// hold ends the connections there are and makes those that come from now on
// wait for release.
func (r *relay) hold() {
	r.hangUp()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gate = make(chan struct{})
}

// release lets everything pass.
func (r *relay) release() {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-r.gate:
	default:
		close(r.gate)
	}
}

// pass copies both ways until either side has ended.
func (r *relay) pass(from net.Conn) {
	defer from.Close()
	to, err := net.Dial("tcp", r.to)
	if err != nil {
		return
	}
	defer to.Close()
	done := make(chan struct{}, 2)
	go func() { _, _ = io.Copy(to, from); done <- struct{}{} }()
	go func() { _, _ = io.Copy(from, to); done <- struct{}{} }()
	<-done
}
