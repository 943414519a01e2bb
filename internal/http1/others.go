package http1

import (
	"net"
	"sync"
)

// others is the listener of net/http. The connections whose requests are not plain
// come there, with what was read of them.
type others struct {
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
func (o *others) give(a accepted) bool {
	select {
	case o.accepted <- a:
		return true
	case <-o.closed:
		return false
	}
}

// Accept implements net.Listener.
func (o *others) Accept() (net.Conn, error) {
	select {
	case a := <-o.accepted:
		return a.conn, a.err
	case <-o.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (o *others) Close() error {
	o.once.Do(func() { close(o.closed) })
	return o.Listener.Close()
}

// begun is a connection of which some was read already.
type begun struct {
	net.Conn
	read []byte
}

func (b *begun) Read(p []byte) (int, error) {
	if b.read == nil {
		return b.Conn.Read(p)
	}
	n := copy(p, b.read)
	if b.read = b.read[n:]; len(b.read) == 0 {
		b.read = nil
	}
	return n, nil
}
