package http1

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// answerer answers with what it was asked.
func answerer(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/panic":
		panic("on purpose")
	case "/silent":
		return
	case "/empty":
		w.Header()["X-Auth-Request-User"] = []string{"ada"}
		w.Header()["X-Auth-Request-Name"] = []string{""}
		w.WriteHeader(http.StatusAccepted)
		w.WriteHeader(http.StatusTeapot) // means nothing any more
		return
	case "/split":
		w.Header()["Location"] = []string{"/x\r\nX-Forged: y"}
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	w.Header()["Content-Type"] = []string{"text/plain"}
	names := []string{}
	for name, values := range r.Header {
		names = append(names, fmt.Sprintf("%s=%.80q", name, values))
	}
	slices.Sort(names)
	body := fmt.Appendf(nil, "%s %s path %q query %q host %q %.400v", r.Method, r.RequestURI, r.URL.Path, r.URL.RawQuery, r.Host, names)
	w.Header()["Content-Length"] = []string{strconv.Itoa(len(body))}
	_, _ = w.Write(body)
}

// quick are the paths that the servers of these tests answer by themselves.
func quick(path string) http.Handler {
	if path == "/slow" || strings.HasPrefix(path, "/else") {
		return nil
	}
	return http.HandlerFunc(answerer)
}

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
	t       *testing.T
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
		Server: &Server{Quick: func(path string) http.Handler {
			if quick(path) == nil {
				return nil
			}
			return handler
		}, HTTP: limits(handler, log.New(text, "", 0))},
		t: t, address: l.Addr().String(), log: text, served: make(chan error, 1),
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

// conversation is all that a server says to some bytes, without dates and with
// the headers of each answer in order.
func conversation(t *testing.T, address, says string) string {
	t.Helper()
	c := dial(t, address)
	if _, err := io.WriteString(c, says); err != nil {
		t.Fatal(err)
	}
	var heard strings.Builder
	reader := bufio.NewReader(c)
	for {
		resp, err := http.ReadResponse(reader, &http.Request{Method: strings.SplitN(says, " ", 2)[0]})
		if err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				fmt.Fprintf(&heard, "and then %v", err)
			}
			return heard.String()
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		if resp.Header.Get("Date") == "" && resp.StatusCode < 400 {
			heard.WriteString("no date\n")
		}
		resp.Header.Del("Date")
		var lines bytes.Buffer
		_ = resp.Header.Write(&lines)
		fmt.Fprintf(&heard, "%s %s close %v, length %d\n%s%s\n", resp.Proto, resp.Status, resp.Close, resp.ContentLength, &lines, body)
		if resp.Close {
			return heard.String()
		}
	}
}

// TestSameAnswers: whatever is said, the answers are those of net/http.
func TestSameAnswers(t *testing.T) {
	const end, close = "Host: a\r\n\r\n", "Host: a\r\nConnection: close\r\n\r\n"
	here := run(t, http.HandlerFunc(answerer))
	plain := &http.Server{Handler: http.HandlerFunc(answerer), ErrorLog: log.New(io.Discard, "", 0), MaxHeaderBytes: 32 << 10, ReadHeaderTimeout: time.Minute}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = plain.Serve(l) }()
	defer plain.Close()
	for _, tt := range []struct{ name, says string }{
		{"a GET", "GET /a?b=c HTTP/1.1\r\nx-lower: a\r\nX-A: b\r\nx-a: c\r\n" + close},
		{"no body", "GET /empty HTTP/1.1\r\n" + close},
		{"a HEAD", "HEAD /a HTTP/1.1\r\n" + close},
		{"a HEAD without a body", "HEAD /empty HTTP/1.1\r\n" + close},
		{"a POST without a body", "POST /a HTTP/1.1\r\nContent-Length: 0\r\n" + close},
		{"two in one", "GET /a HTTP/1.1\r\n" + end + "GET /b HTTP/1.1\r\n" + close},
		{"one that is not asked often behind one that is", "GET /a HTTP/1.1\r\n" + end + "GET /else HTTP/1.1\r\n" + end + "GET /b HTTP/1.1\r\n" + close},
		{"SMUG-1 a body that looks like a request", "POST /a HTTP/1.1\r\nContent-Length: 33\r\n" + end + "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n" + "GET /b HTTP/1.1\r\n" + close},
		{"SMUG-1 chunks", "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + end + "5\r\nGET /\r\n0\r\n\r\nGET /b HTTP/1.1\r\n" + close},
		{"SMUG-1 a length and chunks", "POST /a HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n" + end + "0\r\n\r\nGET /b HTTP/1.1\r\n" + close},
		{"SMUG-1 chunks of another name", "POST /a HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n" + end + "0\r\n\r\n"},
		{"SMUG-1 two lengths", "POST /a HTTP/1.1\r\nContent-Length: 0\r\nContent-Length: 5\r\n" + end},
		{"SMUG-1 a length with a sign", "POST /a HTTP/1.1\r\nContent-Length: +0\r\n" + end},
		{"SMUG-1 a space before the colon", "GET /a HTTP/1.1\r\nContent-Length : 5\r\n" + end},
		{"SMUG-1 a folded length", "GET /a HTTP/1.1\r\nContent-Length:\r\n 5\r\n" + close},
		{"lines that end in LF", "GET /a HTTP/1.1\nHost: a\nConnection: close\n\n"},
		{"LF and CRLF", "GET /a HTTP/1.1\nHost: a\r\nConnection: close\n\r\n"},
		{"a CR inside", "GET /a HTTP/1.1\r\nX-A: b\rX-B: c\r\n" + close},
		{"a NUL", "GET /a HTTP/1.1\r\nX-A: b\x00\r\n" + end},
		{"beyond ASCII", "GET /a HTTP/1.1\r\nX-A: \xc3\xbc\r\n" + close},
		{"a tab", "GET /a HTTP/1.1\r\nX-A:\tb\tc\r\n" + close},
		{"no Host", "GET /a HTTP/1.1\r\n\r\n"},
		{"two Hosts", "GET /a HTTP/1.1\r\nHost: a\r\n" + end},
		{"a Host with a path", "GET /a HTTP/1.1\r\nHost: a/b\r\n\r\n"},
		{"HTTP/1.0", "GET /a HTTP/1.0\r\n\r\n"},
		{"HTTP/1.0 that goes on", "GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /b HTTP/1.1\r\n" + close},
		{"HTTP/1.2", "GET /a HTTP/1.2\r\n" + close},
		{"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
		{"HTTP/3", "GET /a HTTP/3.0\r\n" + end},
		{"no HTTP", "HELO a\r\n\r\n"},
		{"an absolute target", "GET http://b/a HTTP/1.1\r\n" + close},
		{"an asterisk", "OPTIONS * HTTP/1.1\r\n" + close},
		{"a bad escape", "GET /%zz HTTP/1.1\r\n" + end},
		{"escapes and dots", "GET /a/../%2e%2F;x//b?c%zz HTTP/1.1\r\n" + close},
		{"two slashes", "GET //b/a HTTP/1.1\r\n" + close},
		{"TRACE", "TRACE /a HTTP/1.1\r\n" + close},
		{"CONNECT", "CONNECT a:80 HTTP/1.1\r\n" + close},
		{"Expect", "GET /a HTTP/1.1\r\nExpect: 100-continue\r\n" + close},
		{"another Expect", "GET /a HTTP/1.1\r\nExpect: tea\r\n" + close},
		{"an upgrade", "GET /a HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" + end + "GET /b HTTP/1.1\r\n" + close},
		{"Pragma", "GET /a HTTP/1.1\r\nPragma: no-cache\r\n" + close},
		{"many headers", "GET /a HTTP/1.1\r\n" + strings.Repeat("X-A: b\r\n", 80) + close},
		{"more than the room", "GET /a HTTP/1.1\r\nX-A: " + strings.Repeat("a", 6<<10) + "\r\n" + close},
		{"more than is plain", "GET /a HTTP/1.1\r\nX-A: " + strings.Repeat("a", 20<<10) + "\r\n" + close},
		{"a forged header in an answer", "GET /split HTTP/1.1\r\n" + close},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want, got := conversation(t, l.Addr().String(), tt.says), conversation(t, here.address, tt.says)
			if got != want || want == "" {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

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
	if text := s.log.String(); !strings.Contains(text, "on purpose") || !strings.Contains(text, "server_test.go") {
		t.Errorf("the log has %q", text)
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
		{"LIM-1 half a request", []string{"GET /em"}, 5 * time.Second},
		{"LIM-1 a request by and by", []string{"G", "E", "T", " ", "/", "e", "m", "p", "t", "y"}, 5 * time.Second},
		{"LIM-1 one request", []string{whole}, 75 * time.Second},
		{"LIM-1 two requests", []string{whole, whole}, 76 * time.Second},
		{"LIM-1 half a second request", []string{whole, whole[:20]}, 6 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				near, far := net.Pipe()
				s := &Server{Quick: quick, HTTP: limits(http.HandlerFunc(answerer), log.New(io.Discard, "", 0))}
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
		s := &Server{Quick: quick, HTTP: limits(http.HandlerFunc(answerer), log.New(io.Discard, "", 0))}
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

// TestShutdown: what waits is closed, and what is asked is answered.
func TestShutdown(t *testing.T) {
	begun, end := make(chan struct{}, 2), make(chan struct{})
	s := run(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun <- struct{}{}
		<-end
		answerer(w, r)
	}))
	fresh, quick, slow := dial(t, s.address), dial(t, s.address), dial(t, s.address)
	for c, path := range map[net.Conn]string{quick: "/empty", slow: "/slow"} {
		if _, err := io.WriteString(c, "GET "+path+" HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
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
	for c, status := range map[net.Conn]int{quick: http.StatusAccepted, slow: http.StatusOK} {
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

// failing is a listener that fails now and then.
type failing struct {
	net.Listener
	failures chan error
}

func (f failing) Accept() (net.Conn, error) {
	select {
	case err := <-f.failures:
		return nil, err
	default:
		return f.Listener.Accept()
	}
}

// exhausted is what a process that has no more descriptors hears.
type exhausted struct{ error }

func (exhausted) Timeout() bool   { return false }
func (exhausted) Temporary() bool { return true }

// TestAccept: a failure that passes is waited out, and any other ends Serve.
func TestAccept(t *testing.T) {
	for _, tt := range []struct {
		name    string
		failure error
		ends    bool
	}{
		{"L16 no more descriptors", exhausted{errors.New("too many open files")}, false},
		{"broken", errors.New("broken"), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			f := failing{l, make(chan error, 1)}
			f.failures <- tt.failure
			s := &Server{Quick: quick, HTTP: limits(http.HandlerFunc(answerer), log.New(io.Discard, "", 0))}
			served := make(chan error, 1)
			go func() { served <- s.Serve(f) }()
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
