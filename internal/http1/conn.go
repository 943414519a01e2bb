package http1

import (
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"
)

// conn is a connection while its requests are plain.
type conn struct {
	net.Conn
	server *Server
	head   head
	answer answer

	room    []byte
	unread  int         // how much of room came and is not answered yet
	waiting atomic.Bool // nothing of the next request has come
}

// firstRoom holds what a browser sends through a gateway, as a rule.
const firstRoom = 4 << 10

func newConn(c net.Conn, s *Server) *conn {
	return &conn{
		Conn: c, server: s, room: make([]byte, firstRoom),
		head:   head{peer: c.RemoteAddr().String()},
		answer: answer{header: http.Header{}},
	}
}

// serve answers requests until none comes any more, or one that is not plain.
func (c *conn) serve() {
	given := false
	defer func() {
		if failure := recover(); failure != nil {
			c.server.HTTP.ErrorLog.Printf("http1: panic serving %s: %v\n%s", c.head.peer, failure, debug.Stack())
		}
		if !given {
			_ = c.Close()
		}
	}()
	for limit := c.server.HTTP.ReadHeaderTimeout; ; limit = c.server.HTTP.IdleTimeout {
		length, came := c.await(limit)
		if !came {
			return
		}
		handler, r := c.plain(length)
		if handler == nil {
			given = c.server.rest.give(accepted{conn: &begun{c.Conn, c.room[:c.unread]}})
			return
		}
		if !c.reply(handler, r) {
			return
		}
		c.unread = copy(c.room, c.room[length:c.unread])
	}
}

// await reads until there is a whole head, and returns its length, or 0 for one
// that has no room. It reports false when none comes within the limits.
func (c *conn) await(limit time.Duration) (int, bool) {
	if c.unread == 0 && !c.first(limit) {
		return 0, false
	}
	looked := 0
	for limit = c.server.HTTP.ReadHeaderTimeout; ; limit = 0 {
		length := complete(c.room[:c.unread], looked)
		if length > 0 || c.unread == maxHead {
			return length, true
		}
		looked = c.unread
		if !c.more(limit) {
			return 0, false
		}
	}
}

// first reads the beginning of a request. Only here may Shutdown interrupt.
func (c *conn) first(limit time.Duration) bool {
	c.waiting.Store(true)
	defer c.waiting.Store(false)
	return c.more(limit)
}

// more reads what comes next, within a new limit; 0 leaves the one that there is.
func (c *conn) more(limit time.Duration) bool {
	if c.unread == len(c.room) {
		c.room = append(c.room, make([]byte, len(c.room))...)
	}
	if limit > 0 && c.SetReadDeadline(time.Now().Add(limit)) != nil {
		return false
	}
	if c.waiting.Load() && c.server.closing.Load() { // the limit may have undone an interrupt
		return false
	}
	n, _ := c.Read(c.room[c.unread:])
	c.unread += n
	return n > 0
}

// interrupt ends the waiting for a request.
func (c *conn) interrupt() {
	if c.waiting.Load() {
		_ = c.SetReadDeadline(longAgo)
	}
}

// plain returns the handler of the request that begins the room, nil when that has
// no room, is not plain or not asked often.
func (c *conn) plain(length int) (http.Handler, *http.Request) {
	if length == 0 {
		return nil, nil
	}
	r, ok := c.head.read(c.room[:length])
	if !ok {
		return nil, nil
	}
	path, _, _ := strings.Cut(r.RequestURI, "?")
	return c.server.Quick(path), r
}

// reply answers a request, and reports whether another may follow.
func (c *conn) reply(handler http.Handler, r *http.Request) bool {
	c.answer.begin(r)
	handler.ServeHTTP(&c.answer, r)
	closes := r.Close || c.server.closing.Load()
	now := time.Now()
	if c.SetWriteDeadline(now.Add(c.server.HTTP.WriteTimeout)) != nil {
		return false
	}
	_, err := c.Write(c.answer.bytes(closes, now))
	return err == nil && !closes
}
