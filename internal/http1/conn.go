package http1

import (
	"errors"
	"io"
	"net"
	"net/http"
	"runtime/debug"
	"sync/atomic"
	"time"
)

// conn is a connection while its requests are plain.
type conn struct {
	net    net.Conn
	server *Server
	head   head
	answer answer

	room    []byte
	unread  int         // how much of room came and is not answered yet
	due     time.Time   // the limit of what is read now; zero where none of it was waited for
	waiting atomic.Bool // nothing of the next request has come
}

// usualRoom is what a connection keeps between requests, as much as in net/http.
const usualRoom = 8 << 10

func newConn(c net.Conn, s *Server) *conn {
	return &conn{
		net: c, server: s, room: make([]byte, usualRoom),
		head:   head{peer: c.RemoteAddr().String()},
		answer: answer{header: http.Header{}},
	}
}

// serve answers requests until none comes any more, or one that is not plain.
func (c *conn) serve() {
	given := false
	defer func() {
		if failure := recover(); failure != nil && failure != http.ErrAbortHandler { //nolint:errorlint // panics carry it as it is
			c.server.HTTP.ErrorLog.Printf("http1: panic serving %s: %v\n%s", c.head.peer, failure, debug.Stack())
		}
		if !given {
			_ = c.net.Close()
		}
	}()
	// The time of a first head runs from the beginning, that of another from its
	// first byte.
	header, idle := c.server.HTTP.ReadHeaderTimeout, c.server.HTTP.IdleTimeout
	for first, rest := header, time.Duration(0); ; first, rest = idle, header {
		state := c.await(first, rest)
		if state == gone {
			return
		}
		if state == plain {
			if r, ok := c.head.request(c.room); ok {
				if !c.reply(r) {
					return
				}
				c.next()
				continue
			}
		}
		given = c.server.others.give(accepted{conn: &begun{c.net, c.room[:c.unread], c.due}})
		return
	}
}

// await reads until a head is complete, or known not to be plain. first is how long
// it may take to begin, and rest how long from then on; 0 is within first.
func (c *conn) await(first, rest time.Duration) state {
	if c.unread == 0 && !c.begin(first) {
		return gone
	}
	for limit := rest; ; limit = 0 {
		if s := c.head.take(c.room[:c.unread]); s != unfinished {
			return s
		}
		if c.unread >= c.server.longest() {
			return odd
		}
		switch err := c.more(limit); {
		case errors.Is(err, io.EOF):
			return odd // net/http says what is missing
		case err != nil:
			return gone
		}
	}
}

// begin reads the first bytes of a request. Only here may Shutdown interrupt.
func (c *conn) begin(limit time.Duration) bool {
	c.waiting.Store(true)
	defer c.waiting.Store(false)
	return c.more(limit) == nil
}

// more reads what comes next, within a new limit; 0 leaves the one that there is.
func (c *conn) more(limit time.Duration) error {
	if c.unread == len(c.room) {
		more := min(len(c.room), c.server.longest()-len(c.room))
		c.room = append(c.room, make([]byte, more)...)
	}
	if limit > 0 {
		c.due = time.Now().Add(limit)
		if err := c.net.SetReadDeadline(c.due); err != nil {
			return err
		}
	}
	if c.waiting.Load() && c.server.closing.Load() { // the limit may have undone an interrupt
		return net.ErrClosed
	}
	for {
		n, err := c.net.Read(c.room[c.unread:])
		if c.unread += n; n > 0 {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// interrupt ends the waiting for a request.
func (c *conn) interrupt() {
	if c.waiting.Load() {
		_ = c.net.SetReadDeadline(time.Unix(1, 0))
	}
}

// reply answers a request, and reports whether another may follow.
func (c *conn) reply(r *http.Request) bool {
	c.answer.begin(r)
	c.server.HTTP.Handler.ServeHTTP(&c.answer, r)
	closes := r.Close || c.answer.closes() || c.server.closing.Load()
	now := time.Now()
	if c.net.SetWriteDeadline(now.Add(c.server.HTTP.WriteTimeout)) != nil {
		return false
	}
	_, err := c.net.Write(c.answer.bytes(closes, now))
	return err == nil && !closes
}

// next makes room for the next request, of which some may be there already.
func (c *conn) next() {
	c.unread, c.due = copy(c.room, c.room[c.head.at:c.unread]), time.Time{}
	if c.unread == 0 && len(c.room) > usualRoom {
		c.room = make([]byte, usualRoom)
	}
	c.head.next()
	c.answer.next()
}
