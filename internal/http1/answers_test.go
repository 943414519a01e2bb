package http1

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// answerer answers with what it was asked.
func answerer(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/panic":
		panic("on purpose")
	case "/abort":
		panic(http.ErrAbortHandler)
	case "/silent":
		return
	case "/close":
		w.Header()["Connection"] = []string{"close"}
	case "/unnamed":
		_, _ = io.WriteString(w, "<!DOCTYPE html>")
		return
	case "/204", "/304":
		status, _ := strconv.Atoi(r.URL.Path[1:])
		w.WriteHeader(status)
		if _, err := io.WriteString(w, "a body"); !errors.Is(err, http.ErrBodyNotAllowed) {
			panic(err)
		}
		return
	case "/103":
		w.WriteHeader(http.StatusEarlyHints)
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
	r.URL.Path, r.Header["X-A"] = "/of this request alone", nil
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
		{"HDR-5 two answers share nothing", "GET /empty HTTP/1.1\r\n" + end + "GET /split HTTP/1.1\r\n" + end + "GET /a HTTP/1.1\r\n" + close},
		{"the same target twice", "GET /a HTTP/1.1\r\n" + end + "GET /a HTTP/1.1\r\n" + close},
		{"two in one", "GET /a HTTP/1.1\r\n" + end + "GET /b HTTP/1.1\r\n" + close},
		{"a body between two without", "GET /a HTTP/1.1\r\n" + end + "POST /b HTTP/1.1\r\nContent-Length: 3\r\n" + end + "abcGET /c HTTP/1.1\r\n" + close},
		{"a handler that closes", "GET /close HTTP/1.1\r\n" + end + "GET /b HTTP/1.1\r\n" + close},
		{"a kind of body that is not named", "GET /unnamed HTTP/1.1\r\n" + close},
		{"no content", "GET /204 HTTP/1.1\r\n" + close},
		{"not modified", "GET /304 HTTP/1.1\r\n" + close},
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
		{"no HTTP, and no end of it", "HELO a\r\n"},
		{"TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n"},
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
		{"more than the room", "GET /a HTTP/1.1\r\nX-A: " + strings.Repeat("a", 10<<10) + "\r\n" + close},
		{"much more than the room", "GET /a HTTP/1.1\r\nX-A: " + strings.Repeat("a", 30<<10) + "\r\n" + close},
		{"as much as is read, and no end of it", ("GET /a HTTP/1.1\r\n" + strings.Repeat("X-A: "+strings.Repeat("a", 5000)+"\r\n", 8))[:36<<10]},
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

// TestInformational: what goes ahead of an answer is left out.
func TestInformational(t *testing.T) {
	s := run(t, http.HandlerFunc(answerer))
	got := conversation(t, s.address, "GET /103 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	if !strings.HasPrefix(got, "HTTP/1.1 200 OK") || strings.Count(got, "HTTP/1.1 ") != 1 {
		t.Errorf("the answer is\n%s", got)
	}
}

// TestDate: it is that of the answer.
func TestDate(t *testing.T) {
	var a answer
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("", 3600))
	for _, tt := range []struct {
		after time.Duration
		want  string
	}{
		{0, "Fri, 02 Jan 2026 02:04:05 GMT"},
		{999 * time.Millisecond, "Fri, 02 Jan 2026 02:04:05 GMT"},
		{time.Second, "Fri, 02 Jan 2026 02:04:06 GMT"},
		{0, "Fri, 02 Jan 2026 02:04:05 GMT"}, // the clock was set back
	} {
		if got := string(a.dated(now.Add(tt.after))); got != tt.want {
			t.Errorf("after %s: %s, want %s", tt.after, got, tt.want)
		}
	}
}
