// Package http1 serves HTTP/1.1. What is asked often and in a plain form it reads
// and answers by itself, at about half of what net/http needs for it. Whatever is
// not plain goes to net/http, with every byte that came and for as long as its
// connection lasts, so that there is nothing here to be lenient about: no body, no
// folded line, no second Host, no version but one.
package http1

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Server is an http.Server that is quick where it matters. Set both fields before
// Serve, which is called once.
type Server struct {
	// Quick returns the handler of a path that is asked often, and nil for all
	// others. The path is raw: nothing of it is decoded. Its requests have no body, and
	// their URL belongs to others, too; their context does not end when a client
	// leaves. The handler answers with a status that allows a body, and then leaves
	// the headers of the answer alone.
	Quick func(path string) http.Handler

	// HTTP serves everything else. Its limits in time are those of every connection,
	// and its ErrorLog hears of what goes wrong on any.
	HTTP *http.Server

	closing atomic.Bool
	mu      sync.Mutex // guards conns, and open until closing
	conns   map[*conn]struct{}
	open    sync.WaitGroup // conns, and whoever accepts them
	rest    rest
}

// Serve answers what comes in on l. It returns what http.Server.Serve does.
func (s *Server) Serve(l net.Listener) error {
	s.mu.Lock()
	s.conns = map[*conn]struct{}{}
	s.rest = rest{Listener: l, accepted: make(chan accepted), closed: make(chan struct{})}
	s.open.Add(1)
	s.mu.Unlock()
	go s.accept(l)
	return s.HTTP.Serve(&s.rest)
}

// accept has each connection begin here. A failure is for net/http, which knows
// what to wait for and what to give up on.
func (s *Server) accept(l net.Listener) {
	defer s.open.Done()
	for {
		c, err := l.Accept()
		if err == nil {
			s.begin(c)
		} else if !s.rest.give(accepted{err: err}) {
			return
		}
	}
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

// Shutdown stops accepting, closes the connections on which nothing is asked, and
// waits for the answers to the others, as http.Server.Shutdown does.
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
		_ = c.Close()
	}
	s.mu.Unlock()
	return s.HTTP.Close()
}

// longAgo is a limit that ends what waits.
var longAgo = time.Unix(1, 0)
