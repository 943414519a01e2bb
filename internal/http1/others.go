package http1

import (
	"net"
	"time"
)

// others is the listener of net/http. The connections whose requests are not plain
// come there, with what was read of them.
type others struct {
	net.Listener
	accepted chan accepted
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

// Close implements net.Listener. http.Server calls it once.
func (o *others) Close() error {
	close(o.closed)
	return o.Listener.Close()
}

// begun is a connection of which some was read already.
type begun struct {
	net.Conn
	read []byte
	due  time.Time // the limit of the head that was begun; zero once net/http has set one
}

// SetReadDeadline implements net.Conn. The first is that of the head, of whose time
// some is over.
func (b *begun) SetReadDeadline(t time.Time) error {
	if !b.due.IsZero() && (t.IsZero() || t.After(b.due)) {
		t = b.due
	}
	b.due = time.Time{}
	return b.Conn.SetReadDeadline(t)
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
