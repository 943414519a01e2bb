package redistest

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"
)

// Proxy stands between a client and a server on TCP, and makes the network as bad
// as a test wants it.
type Proxy struct {
	Addr string

	t        testing.TB
	to       string
	listener net.Listener
	work     sync.WaitGroup

	mu      sync.Mutex
	delay   time.Duration
	silent  chan struct{} // closed when bytes pass again; nil while they do
	refuses bool
	conns   map[net.Conn]struct{}
}

// StartProxy passes everything on to a server until the test ends.
func StartProxy(t testing.TB, to string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{Addr: l.Addr().String(), t: t, to: to, listener: l, conns: map[net.Conn]struct{}{}}
	p.work.Go(p.accept)
	t.Cleanup(func() { _ = l.Close(); p.Restore(); p.Cut(); p.work.Wait() })
	return p
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		refuses := p.refuses
		p.mu.Unlock()
		server, err := net.Dial("tcp", p.to)
		if err != nil || refuses {
			_ = client.Close()
			if err == nil {
				_ = server.Close()
			}
			continue
		}
		p.mu.Lock()
		p.conns[client], p.conns[server] = struct{}{}, struct{}{}
		p.mu.Unlock()
		p.work.Go(func() { p.pass(client, server) })
		p.work.Go(func() { p.pass(server, client) })
	}
}

// piece is what was read, and when it is to be written.
type piece struct {
	bytes []byte
	at    time.Time
}

// pass copies one direction, each piece as late as the delay says.
func (p *Proxy) pass(from, to net.Conn) {
	ctx, stop := context.WithCancel(context.Background())
	pieces := make(chan piece, 1<<14)
	p.work.Go(func() {
		defer stop()
		for next := range pieces {
			time.Sleep(time.Until(next.at))
			if silent := p.silence(); silent != nil {
				<-silent
			}
			if _, err := to.Write(next.bytes); err != nil {
				return
			}
		}
	})
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		p.mu.Lock()
		at := time.Now().Add(p.delay)
		p.mu.Unlock()
		if n > 0 {
			select {
			case pieces <- piece{append([]byte(nil), buffer[:n]...), at}:
			case <-ctx.Done():
			}
		}
		if err != nil {
			break
		}
	}
	close(pieces)
	<-ctx.Done()
	_ = from.Close()
	_ = to.Close()
	p.mu.Lock()
	delete(p.conns, from)
	delete(p.conns, to)
	p.mu.Unlock()
}

func (p *Proxy) silence() chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.silent
}

// Delay makes every byte late, in each direction.
func (p *Proxy) Delay(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = d
}

// Silence lets nothing pass and closes nothing, as when a cable is pulled: the
// connections stay open at both ends.
func (p *Proxy) Silence() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.silent == nil {
		p.silent = make(chan struct{})
	}
}

// Refuse closes new connections at once.
func (p *Proxy) Refuse() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuses = true
}

// Restore lets everything pass again.
func (p *Proxy) Restore() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.silent != nil {
		close(p.silent)
		p.silent = nil
	}
	p.refuses, p.delay = false, 0
}

// Cut closes every connection.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for conn := range p.conns {
		_ = conn.Close()
	}
}
