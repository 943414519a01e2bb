package http1

import (
	"net"
	"sync"
)

// rest is the listener of net/http: the connections whose requests are not plain
// come here, with what was read of them.
type rest struct {
	net.Listener
	accepted chan accepted
	once     sync.Once
	closed   chan struct{}
}

// accepted is what net.Listener.Accept returns.
type accepted struct {
	conn net.Conn
	err  error
}

// give hands something to whoever accepts, and reports false when nobody does any
// more.
func (r *rest) give(a accepted) bool {
	select {
	case r.accepted <- a:
		return true
	case <-r.closed:
		return false
	}
}

// Accept implements net.Listener.
func (r *rest) Accept() (net.Conn, error) {
	select {
	case a := <-r.accepted:
		return a.conn, a.err
	case <-r.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (r *rest) Close() error {
	r.once.Do(func() { close(r.closed) })
	return r.Listener.Close()
}

// begun is a connection of which some was read already.
type begun struct {
	net.Conn
	read []byte
}

func (b *begun) Read(p []byte) (int, error) {
	if len(b.read) == 0 {
		return b.Conn.Read(p)
	}
	n := copy(p, b.read)
	b.read = b.read[n:]
	return n, nil
}
