package http1

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// limits are those of http.Server, as far as the tests look at them.
func limits(handler http.Handler, log *log.Logger) *http.Server {
	return &http.Server{
		Handler: handler, ErrorLog: log, MaxHeaderBytes: 32 << 10,
		ReadHeaderTimeout: 5 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: 75 * time.Second,
	}
}

// running is a server that listens.
type running struct {
	*Server
	address string
	log     *lockedBuffer
	served  chan error
}

func run(t *testing.T, handler http.Handler) *running {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	text := &lockedBuffer{}
	r := &running{
		Server:  &Server{HTTP: limits(handler, log.New(text, "", 0))},
		address: l.Addr().String(), log: text, served: make(chan error, 1),
	}
	go func() { r.served <- r.Serve(l) }()
	t.Cleanup(func() { _ = r.Close() })
	return r
}

type lockedBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}

func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestShutdown: what waits is closed, and what is asked is answered.
func TestShutdown(t *testing.T) {
	begun, end := make(chan struct{}, 2), make(chan struct{})
	s := run(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun <- struct{}{}
		<-end
		answerer(w, r)
	}))
	fresh, here, there := dial(t, s.address), dial(t, s.address), dial(t, s.address)
	for c, asks := range map[net.Conn]string{
		here:  "GET /empty HTTP/1.1\r\nHost: a\r\n\r\n",
		there: "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nb",
	} {
		if _, err := io.WriteString(c, asks); err != nil {
			t.Fatal(err)
		}
		<-begun
	}
	done := make(chan error)
	go func() { done <- s.Shutdown(context.Background()) }()
	if n, err := fresh.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("on a connection that waits came %d bytes, %v", n, err)
	}
	if err := <-s.served; !errors.Is(err, http.ErrServerClosed) {
		t.Errorf("Serve: %v", err)
	}
	close(end)
	for c, status := range map[net.Conn]int{here: http.StatusAccepted, there: http.StatusOK} {
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != status || !resp.Close {
			t.Errorf("L11: %s, close %v; want %d", resp.Status, resp.Close, status)
		}
	}
	if err := <-done; err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}

// TestShutdownIsCutShort: a request that does not end is closed in the end.
func TestShutdownIsCutShort(t *testing.T) {
	begun, end := make(chan struct{}), make(chan struct{})
	s := run(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(begun)
		<-end
	}))
	defer close(end)
	c := dial(t, s.address)
	if _, err := io.WriteString(c, "GET /empty HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-begun
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Shutdown: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if n, err := c.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("after Close came %d bytes, %v", n, err)
	}
}

// TestShutdownBetweenRequests: clients that ask one thing after the other hear of
// the end with an answer, or between two, and never within one.
func TestShutdownBetweenRequests(t *testing.T) {
	s := run(t, http.HandlerFunc(answerer))
	var clients sync.WaitGroup
	warm := make(chan struct{}, 8)
	for range cap(warm) {
		c := dial(t, s.address)
		clients.Go(func() {
			reader := bufio.NewReader(c)
			for n := 0; ; n++ {
				if _, err := io.WriteString(c, "GET /empty HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
					return
				}
				if _, err := reader.Peek(1); err != nil {
					return
				}
				resp, err := http.ReadResponse(reader, nil)
				if err != nil || resp.StatusCode != http.StatusAccepted {
					t.Errorf("%v, %v", resp, err)
					return
				}
				if n == 100 {
					warm <- struct{}{}
				}
				if resp.Close {
					return
				}
			}
		})
	}
	for range cap(warm) {
		<-warm
	}
	if err := s.Shutdown(context.Background()); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	clients.Wait()
}

// TestServeTooLate: a server that was shut down serves nothing any more.
func TestServeTooLate(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{HTTP: limits(http.HandlerFunc(answerer), log.New(io.Discard, "", 0))}
	if err := s.Shutdown(context.Background()); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		t.Errorf("Serve: %v", err)
	}
	if _, err := net.Dial("tcp", l.Addr().String()); err == nil {
		t.Error("it listens still")
	}
}

// short is a listener whose system has no descriptors left once one is taken.
type short struct {
	net.Listener
	taken *atomic.Bool
	tried chan struct{} // and failed
}

func (s short) Accept() (net.Conn, error) {
	if s.taken.CompareAndSwap(false, true) {
		return s.Listener.Accept()
	}
	select {
	case s.tried <- struct{}{}:
	default:
	}
	return nil, &net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
}

// TestNoDescriptors: who is connected is answered, plain or not, while nobody else
// can be; and when there are descriptors again, so is everybody.
func TestNoDescriptors(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	logged := &lockedBuffer{}
	s := &Server{HTTP: limits(http.HandlerFunc(answerer), log.New(logged, "", 0))}
	served := make(chan error, 1)
	scarce := short{l, &atomic.Bool{}, make(chan struct{}, 3)}
	go func() { served <- s.Serve(scarce) }()
	c := dial(t, l.Addr().String())
	for range cap(scarce.tried) {
		<-scarce.tried
	}
	reader := bufio.NewReader(c)
	for _, asks := range []string{"GET /a HTTP/1.1\r\nHost: a\r\n\r\n", "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nb"} {
		if _, err := io.WriteString(c, asks); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(reader, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != http.StatusOK {
			t.Errorf("L16: %d, %v", resp.StatusCode, err)
		}
	}
	scarce.taken.Store(false)
	if got := conversation(t, l.Addr().String(), "GET /empty HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"); !strings.Contains(got, "202 Accepted") {
		t.Errorf("L16: afterwards: %q", got)
	}
	if !strings.Contains(logged.String(), "too many open files; trying again in 10ms") {
		t.Errorf("L16: the log has %q", logged)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	<-served
}

// broken is a listener that fails once before it accepts.
type broken struct {
	net.Listener
	failures chan error
}

func (b broken) Accept() (net.Conn, error) {
	select {
	case err := <-b.failures:
		return nil, err
	default:
		return b.Listener.Accept()
	}
}

// passing is a failure that says that it passes.
type passing struct{ error }

func (passing) Timeout() bool   { return false }
func (passing) Temporary() bool { return true }

// TestBrokenListener: what is no shortage is up to net/http.
func TestBrokenListener(t *testing.T) {
	for _, tt := range []struct {
		name    string
		failure error
		ends    bool
	}{
		{"for good", errors.New("broken"), true},
		{"for now", passing{errors.New("broken")}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			b := broken{l, make(chan error, 1)}
			b.failures <- tt.failure
			s := &Server{HTTP: limits(http.HandlerFunc(answerer), log.New(io.Discard, "", 0))}
			served := make(chan error, 1)
			go func() { served <- s.Serve(b) }()
			if tt.ends {
				if err := <-served; !errors.Is(err, tt.failure) {
					t.Errorf("Serve: %v", err)
				}
				return
			}
			if got := conversation(t, l.Addr().String(), "GET /empty HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"); !strings.Contains(got, "202 Accepted") {
				t.Errorf("afterwards: %q", got)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			<-served
		})
	}
}
