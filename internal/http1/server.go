// Package http1 serves HTTP/1.1. A request in the plain form that gateways send it
// reads and answers by itself, which costs a fraction of what net/http takes
// (test/bench/PROFILE.md). All others go to net/http, with every byte that came and
// for as long as their connection lasts, so that there is nothing here to be lenient
// about: no body, no folded line, no second Host, no other version.
package http1

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Server is an http.Server that is quick where requests are plain.
type Server struct {
	// HTTP has the handler of all requests, the limits of all connections, and the
	// ErrorLog of both; these are required. With a request that is plain some things
	// are different for the handler. Its context does not end when the client leaves.
	// The answer goes out as a whole when the handler returns, without informational
	// ones, and cannot be flushed or hijacked; none at all is a 500. The names of its
	// headers have to be valid. BaseContext, ConnContext and ConnState do not apply.
	HTTP *http.Server

	closing atomic.Bool
	mu      sync.Mutex // guards conns, and open until closing
	conns   map[*conn]struct{}
	open    sync.WaitGroup // conns, and whoever accepts them
	others  others
}

// Serve answers what comes in on l. It returns what http.Server.Serve does, and is
// called once.
func (s *Server) Serve(l net.Listener) error {
	s.mu.Lock()
	if s.closing.Load() {
		s.mu.Unlock()
		_ = l.Close()
		return http.ErrServerClosed
	}
	s.conns = map[*conn]struct{}{}
	s.others = others{Listener: l, accepted: make(chan accepted), closed: make(chan struct{})}
	s.open.Go(func() { s.accept(l) })
	s.mu.Unlock()
	return s.HTTP.Serve(&s.others)
}

// accept has each connection begin here. It waits where the system is short of
// something, and leaves it to net/http whether to go on after another failure.
func (s *Server) accept(l net.Listener) {
	wait := firstWait
	for {
		c, err := l.Accept()
		switch {
		case err == nil:
			wait = firstWait
			s.begin(c)
		case !passes(err):
			if !s.others.give(accepted{err: err}) {
				return
			}
		default:
			s.HTTP.ErrorLog.Printf("http1: accept: %v; trying again in %s", err, wait)
			select {
			case <-time.After(wait):
			case <-s.others.closed:
				return
			}
			wait = min(2*wait, longestWait)
		}
	}
}

// Bounds of the wait for descriptors.
const (
	firstWait   = 5 * time.Millisecond
	longestWait = time.Second
)

// passes reports whether accepting may succeed when it is tried again: the system
// has no descriptor or no memory left for now.
func passes(err error) bool {
	for _, shortage := range [...]error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM} {
		if errors.Is(err, shortage) {
			return true
		}
	}
	return false
}

func (s *Server) begin(c net.Conn) {
	one := newConn(c, s)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing.Load() {
		_ = c.Close()
		return
	}
	s.conns[one] = struct{}{}
	s.open.Go(func() {
		one.serve()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.conns, one)
	})
}

// longest is how many bytes a head may have, and a few more, so that net/http can
// tell when it has too many.
func (s *Server) longest() int {
	return max(usualRoom, cmp.Or(s.HTTP.MaxHeaderBytes, http.DefaultMaxHeaderBytes)+4<<10)
}

// Shutdown stops accepting, closes the connections on which nothing is asked, and
// waits until the others have their answers, or the context ends.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.closing.Store(true)
	for c := range s.conns {
		c.interrupt()
	}
	s.mu.Unlock()
	err := s.HTTP.Shutdown(ctx)
	ended := make(chan struct{})
	go func() {
		s.open.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return err
	case <-ctx.Done():
		return errors.Join(err, ctx.Err())
	}
}

// Close closes every connection, whatever is asked on it.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closing.Store(true)
	for c := range s.conns {
		_ = c.net.Close()
	}
	s.mu.Unlock()
	return s.HTTP.Close()
}
