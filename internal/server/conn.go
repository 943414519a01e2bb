package server

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

// conn is a connection whose time limits cost little. http1 sets two for each
// request and net/http seven, nearly all of them later than the one before, and most
// set a timer. Here a timer that goes off before its time is set again; so a limit
// that moves away costs nothing until then.
type conn struct {
	net.Conn
	reads, writes limit
}

func newConn(c net.Conn) *conn {
	return &conn{Conn: c, reads: limit{set: c.SetReadDeadline}, writes: limit{set: c.SetWriteDeadline}}
}

func (c *conn) SetReadDeadline(t time.Time) error  { return c.reads.move(t) }
func (c *conn) SetWriteDeadline(t time.Time) error { return c.writes.move(t) }

func (c *conn) SetDeadline(t time.Time) error {
	return errors.Join(c.reads.move(t), c.writes.move(t))
}

func (c *conn) Read(p []byte) (int, error) {
	for {
		n, err := c.Conn.Read(p)
		if n > 0 || err == nil || !c.reads.early(err) {
			return n, err
		}
	}
}

func (c *conn) Write(p []byte) (int, error) {
	written := 0
	for {
		n, err := c.Conn.Write(p[written:])
		if written += n; err == nil || !c.writes.early(err) {
			return written, err
		}
	}
}

// limit is when reading, or writing, has to be done.
type limit struct {
	set func(time.Time) error // the timer of the connection

	mu    sync.Mutex
	at    time.Time // zero: never
	timer time.Time // goes off then, and never after at but while past; zero: never
	past  bool      // the timer was made to go off at once, which ends what goes on
}

// move sets the limit. The timer is set where it would go off too late.
func (l *limit) move(to time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.at = to
	switch {
	case to.Equal(longAgo):
		l.past = true
		return l.set(to)
	case !l.past && !sooner(to, l.timer):
		return nil
	case sooner(to, l.timer):
		l.timer = to
	}
	l.past = false
	return l.set(l.timer)
}

// longAgo is what net/http sets to end a read that it has no use for any more.
var longAgo = time.Unix(1, 0)

// sooner reports whether a is before b, where the zero time is never.
func sooner(a, b time.Time) bool {
	return !a.IsZero() && (b.IsZero() || a.Before(b))
}

// early reports whether err is of a timer that went off before the limit. It is
// set anew then, and what it ended may go on.
func (l *limit) early(err error) bool {
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !sooner(time.Now(), l.at) {
		return false
	}
	l.timer = l.at
	return l.set(l.at) == nil
}
