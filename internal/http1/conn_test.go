package http1

import (
	"bufio"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"
)

// TestPieces: a request may come in two pieces, cut anywhere, and the next with
// the end of it.
func TestPieces(t *testing.T) {
	s := run(t, http.HandlerFunc(answerer))
	c := dial(t, s.address)
	reader := bufio.NewReader(c)
	const two = "GET /a HTTP/1.1\r\nHost: a\r\nX-A: b\r\n\r\nGET /empty HTTP/1.1\r\nHost: a\r\n\r\n"
	for cut := 1; cut < len(two); cut++ {
		for _, piece := range []string{two[:cut], two[cut:]} {
			if _, err := io.WriteString(c, piece); err != nil {
				t.Fatal(err)
			}
		}
		for _, want := range []int{http.StatusOK, http.StatusAccepted} {
			resp, err := http.ReadResponse(reader, nil)
			if err != nil {
				t.Fatalf("cut at %d: %v", cut, err)
			}
			if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != want {
				t.Fatalf("cut at %d: %d, %v", cut, resp.StatusCode, err)
			}
		}
	}
}

// TestHandlerFails: a handler that panics costs its connection and no other, and
// one that says nothing is no 200.
func TestHandlerFails(t *testing.T) {
	s := run(t, http.HandlerFunc(answerer))
	if got := conversation(t, s.address, "GET /panic HTTP/1.1\r\nHost: a\r\n\r\n"); got != "" {
		t.Errorf("the answer of a panic is %q", got)
	}
	if text := s.log.String(); !strings.Contains(text, "on purpose") || !strings.Contains(text, "answers_test.go") {
		t.Errorf("the log has %q", text)
	}
	if got, logged := conversation(t, s.address, "GET /abort HTTP/1.1\r\nHost: a\r\n\r\n"), s.log.String(); got != "" || strings.Count(logged, "http1: panic") != 1 {
		t.Errorf("http.ErrAbortHandler is answered %q and logged %q", got, logged)
	}
	if got := conversation(t, s.address, "GET /silent HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"); !strings.Contains(got, "500 Internal Server Error") {
		t.Errorf("HTTP-4: the answer of nobody is %q", got)
	}
}

// TestLimits says something on a new connection, and then waits.
func TestLimits(t *testing.T) {
	const whole = "GET /empty HTTP/1.1\r\nHost: a\r\n\r\n"
	for _, tt := range []struct {
		name  string
		says  []string // a second after another
		after time.Duration
	}{
		{"LIM-1 nothing", nil, 5 * time.Second},
		{"LIM-1 a late beginning", []string{"", "", "", "", "GET /em"}, 5 * time.Second},
		{"LIM-1 a late second request", []string{whole, "", "", "GET /em"}, 8 * time.Second},
		{"LIM-1 half a request", []string{"GET /em"}, 5 * time.Second},
		{"LIM-1 a request by and by", []string{"G", "E", "T", " ", "/", "e", "m", "p", "t", "y"}, 5 * time.Second},
		{"LIM-1 one request", []string{whole}, 75 * time.Second},
		{"LIM-1 two requests", []string{whole, whole}, 76 * time.Second},
		{"LIM-1 half a second request", []string{whole, whole[:20]}, 6 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				near, far := net.Pipe()
				s := &Server{HTTP: limits(http.HandlerFunc(answerer), log.New(io.Discard, "", 0))}
				ended := make(chan time.Time)
				go func() {
					_, _ = io.Copy(io.Discard, near)
					ended <- time.Now()
				}()
				began := time.Now()
				go newConn(far, s).serve()
				var speaking sync.WaitGroup
				defer speaking.Wait()
				speaking.Go(func() {
					for _, says := range tt.says {
						if _, err := io.WriteString(near, says); err != nil {
							return // it is closed already
						}
						time.Sleep(time.Second)
					}
				})
				if after := (<-ended).Sub(began); after != tt.after {
					t.Errorf("closed after %s, want %s", after, tt.after)
				}
			})
		})
	}
}

// TestWriteLimit: who does not take the answer does not hold the connection.
func TestWriteLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer near.Close()
		s := &Server{HTTP: limits(http.HandlerFunc(answerer), log.New(io.Discard, "", 0))}
		began := time.Now()
		ended := make(chan struct{})
		go func() {
			newConn(far, s).serve()
			close(ended)
		}()
		if _, err := io.WriteString(near, "GET /empty HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		<-ended
		if after := time.Since(began); after != 30*time.Second {
			t.Errorf("LIM-1: closed after %s", after)
		}
	})
}

// TestRoom: a connection that waits keeps nothing of a long request and its long
// answer.
func TestRoom(t *testing.T) {
	near, far := net.Pipe()
	defer near.Close()
	c := newConn(far, &Server{HTTP: limits(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat("b", 30<<10))
	}), log.New(io.Discard, "", 0))})
	ended := make(chan struct{})
	go func() {
		c.serve()
		close(ended)
	}()
	if _, err := io.WriteString(near, "GET /"+strings.Repeat("a", 30<<10)+" HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(near), nil)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := io.Copy(io.Discard, resp.Body); n != 30<<10 || err != nil {
		t.Fatalf("%d bytes, %v", n, err)
	}
	_ = near.Close()
	<-ended
	if kept := len(c.room) + cap(c.answer.room) + cap(c.answer.body) + len(c.head.address); kept > usualRoom || c.head.url != nil {
		t.Errorf("LIM-2: it keeps %d bytes", kept)
	}
}

// TestOwnMemory: what is kept of a request for the next is not all of it.
func TestOwnMemory(t *testing.T) {
	r, _ := parsed(&head{}, asked)
	if r == nil {
		t.Fatal("not plain")
	}
	first := uintptr(unsafe.Pointer(unsafe.StringData(r.Method))) // the whole text begins there
	for name, text := range map[string]string{"RequestURI": r.RequestURI, "Path": r.URL.Path} {
		if at := uintptr(unsafe.Pointer(unsafe.StringData(text))); at >= first && at < first+uintptr(len(asked)) {
			t.Errorf("LIM-2: %s is a part of the request", name)
		}
	}
}

// TestInterruptedBefore: an interrupt that comes before a limit is set is not lost
// with it.
func TestInterruptedBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer near.Close()
		c := newConn(far, &Server{HTTP: limits(http.HandlerFunc(answerer), log.New(io.Discard, "", 0))})
		c.server.closing.Store(true)
		began := time.Now()
		if c.begin(time.Minute) || time.Since(began) > 0 {
			t.Errorf("it waits for %s", time.Since(began))
		}
	})
}

// TestLimitBehindASlowAnswer: the time that an answer took is not that of an odd
// request which came with the question.
func TestLimitBehindASlowAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		l := make(pipes, 1)
		l <- far
		s := &Server{HTTP: limits(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			time.Sleep(20 * time.Second)
			w.WriteHeader(http.StatusAccepted)
		}), log.New(io.Discard, "", 0))}
		served := make(chan error, 1)
		go func() { served <- s.Serve(l) }()
		reader := bufio.NewReader(near)
		for _, says := range []string{"GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nX-A:\tb\r\n", "Host: a\r\n\r\n"} {
			if _, err := io.WriteString(near, says); err != nil {
				t.Fatal(err)
			}
			resp, err := http.ReadResponse(reader, nil)
			if err != nil || resp.StatusCode != http.StatusAccepted {
				t.Fatalf("LIM-1: %v, %v", resp, err)
			}
			time.Sleep(2 * time.Second)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		<-served
	})
}

// pipes is a listener of connections in memory.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	if c, ok := <-p; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}

func (p pipes) Close() error { close(p); return nil }
func (pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

// TestLimitOfOthers: what is given to net/http in the middle of a head has only the
// time that is left of its limit.
func TestLimitOfOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		l := make(pipes, 1)
		l <- far
		s := &Server{HTTP: limits(http.HandlerFunc(answerer), log.New(io.Discard, "", 0))}
		served := make(chan error, 1)
		go func() { served <- s.Serve(l) }()
		began := time.Now()
		if _, err := io.WriteString(near, "GET /a HTTP/1.1\r\n"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(4 * time.Second)
		if _, err := io.WriteString(near, "Host: a\r\nX-A:\tb\r\n"); err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, near)
		if after := time.Since(began).Round(time.Second); after != 5*time.Second {
			t.Errorf("LIM-1: closed after %s", after)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		<-served
	})
}
