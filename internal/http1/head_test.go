package http1

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/net/http/httpguts"
)

// asked is a plain request as a gateway sends it.
const asked = "GET /auth/nginx?allowed_groups=sre HTTP/1.1\r\nHost: doorward:4180\r\nX-Original-URL: https://app.example.com/a%20b?c=d\r\nx-original-method: GET\r\nCookie: a=b\r\nAccept:  text/html \r\nCookie: c=d\r\nX-Empty:\r\n\r\n"

func TestRead(t *testing.T) {
	got, rest := parsed(&head{peer: "192.0.2.1:4000"}, asked+"GET /")
	if got == nil || rest != "GET /" {
		t.Fatalf("%v, and %q is left", got, rest)
	}
	want := &http.Request{
		Method: "GET", RequestURI: "/auth/nginx?allowed_groups=sre", URL: &url.URL{Path: "/auth/nginx", RawQuery: "allowed_groups=sre"},
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Host: "doorward:4180", RemoteAddr: "192.0.2.1:4000", Body: http.NoBody,
		Header: http.Header{
			"X-Original-Url": {"https://app.example.com/a%20b?c=d"}, "X-Original-Method": {"GET"}, "Accept": {"text/html"},
			"Cookie": {"a=b", "c=d"}, "X-Empty": {""},
		},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(http.Request{})); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// parsed is the request that text begins with, and what comes behind it; nil when
// it is not plain or not complete.
func parsed(h *head, text string) (*http.Request, string) {
	came := []byte(text)
	if h.take(came) != plain {
		return nil, text
	}
	r, ok := h.request(came)
	if !ok {
		return nil, text
	}
	return r, string(came[h.at:])
}

// TestPlain: what is not as the strictest reader would have it is not read here.
func TestPlain(t *testing.T) {
	const host = "Host: doorward\r\n"
	fields := func(n int) string { return strings.Repeat("X-A: b\r\n", n) }
	for _, tt := range []struct {
		name  string
		head  string // without its empty line
		plain bool
	}{
		{"a GET", "GET /auth HTTP/1.1\r\n" + host, true},
		{"a HEAD", "HEAD /auth HTTP/1.1\r\n" + host, true},
		{"a method of any name", "PROPFIND /auth/envoy/x HTTP/1.1\r\n" + host, true},
		{"it goes on", "GET /auth HTTP/1.1\r\n" + host + "Connection: Keep-Alive\r\n", true},
		{"it ends", "GET /auth HTTP/1.1\r\n" + host + "Connection: close\r\n", true},
		{"an empty body, as Envoy has it", "GET /auth HTTP/1.1\r\n" + host + "Content-Length: 0\r\n", true},
		{"a reload", "GET /auth HTTP/1.1\r\n" + host + "Pragma: no-cache\r\nCache-Control: no-cache\r\n", true},
		{"spaces inside a value", "GET /auth HTTP/1.1\r\n" + host + "X-A: b  c ~\r\n", true},
		{"a host with a port", "GET /auth HTTP/1.1\r\nHost: [::1]:4180\r\n", true},
		{"as many headers as there may be", "GET /auth HTTP/1.1\r\n" + host + fields(maxFields-1), true},

		{"SMUG-1 a length and chunks", "POST /auth HTTP/1.1\r\n" + host + "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", false},
		{"SMUG-1 chunks", "POST /auth HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n", false},
		{"SMUG-1 chunks of another name", "POST /auth HTTP/1.1\r\n" + host + "transfer-ENCODING: xchunked\r\n", false},
		{"SMUG-1 two lengths", "POST /auth HTTP/1.1\r\n" + host + "Content-Length: 0\r\nContent-Length: 5\r\n", false},
		{"SMUG-1 two lengths in one", "POST /auth HTTP/1.1\r\n" + host + "Content-Length: 0, 0\r\n", false},
		{"SMUG-1 a length with a sign", "POST /auth HTTP/1.1\r\n" + host + "Content-Length: +0\r\n", false},
		{"a body", "POST /auth HTTP/1.1\r\n" + host + "Content-Length: 5\r\n", false},
		{"a body that waits", "POST /auth HTTP/1.1\r\n" + host + "Expect: 100-continue\r\n", false},
		{"a trailer", "GET /auth HTTP/1.1\r\n" + host + "Trailer: X-A\r\n", false},
		{"a space before the colon", "GET /auth HTTP/1.1\r\n" + host + "Content-Length : 5\r\n", false},
		{"a folded line", "GET /auth HTTP/1.1\r\n" + host + "X-A: b\r\n c\r\n", false},
		{"a folded first line", "GET /auth HTTP/1.1\r\n X-A: b\r\n" + host, false},
		{"a line that ends in LF", "GET /auth HTTP/1.1\r\n" + host + "X-A: b\n", false},
		{"a request line that ends in LF", "GET /auth HTTP/1.1\n" + host, false},
		{"a CR inside", "GET /auth HTTP/1.1\r\n" + host + "X-A: b\rX-B: c\r\n", false},
		{"two CRs", "GET /auth HTTP/1.1\r\n" + host + "X-A: b\r\r\n", false},
		{"an empty line of LF", "GET /auth HTTP/1.1\r\n" + host + "\nX-A: b\r\n", false},
		{"a NUL", "GET /auth HTTP/1.1\r\n" + host + "X-A: b\x00\r\n", false},
		{"a NUL early in a long value", "GET /auth HTTP/1.1\r\n" + host + "X-A: \x00bcdefghijklmnop\r\n", false},
		{"a DEL", "GET /auth HTTP/1.1\r\n" + host + "X-A: \x7fbcdefgh\r\n", false},
		{"a tab", "GET /auth HTTP/1.1\r\n" + host + "X-A:\tb\r\n", false},
		{"beyond ASCII", "GET /auth HTTP/1.1\r\n" + host + "X-A: \xc3\xbc\r\n", false},
		{"a name beyond ASCII", "GET /auth HTTP/1.1\r\n" + host + "X-\xc3\xbc: a\r\n", false},
		{"a name with a space", "GET /auth HTTP/1.1\r\n" + host + "X A: b\r\n", false},
		{"a name with a comma", "GET /auth HTTP/1.1\r\n" + host + "X,A: b\r\n", false},
		{"no name", "GET /auth HTTP/1.1\r\n" + host + ": b\r\n", false},
		{"no colon", "GET /auth HTTP/1.1\r\n" + host + "X-A\r\n", false},
		{"no Host", "GET /auth HTTP/1.1\r\nX-A: b\r\n", false},
		{"an empty Host", "GET /auth HTTP/1.1\r\nHost:\r\n", false},
		{"two Hosts", "GET /auth HTTP/1.1\r\n" + host + host, false},
		{"a Host with more in it", "GET /auth HTTP/1.1\r\nHost: doorward/x\r\n", false},
		{"HTTP/1.0", "GET /auth HTTP/1.0\r\n" + host, false},
		{"HTTP/2", "PRI * HTTP/2.0\r\n", false},
		{"no version", "GET /auth\r\n" + host, false},
		{"a version with more behind it", "GET /auth HTTP/1.1 \r\n" + host, false},
		{"two spaces", "GET  /auth HTTP/1.1\r\n" + host, false},
		{"a space in the target", "GET /auth /x HTTP/1.1\r\n" + host, false},
		{"no target", "GET  HTTP/1.1\r\n" + host, false},
		{"no method", " /auth HTTP/1.1\r\n" + host, false},
		{"a method that is no token", "G(T /auth HTTP/1.1\r\n" + host, false},
		{"an absolute target", "GET http://doorward/auth HTTP/1.1\r\n" + host, false},
		{"an asterisk", "OPTIONS * HTTP/1.1\r\n" + host, false},
		{"a target beyond ASCII", "GET /\xc3\xbc HTTP/1.1\r\n" + host, false},
		{"a bad escape", "GET /auth/envoy/%zz HTTP/1.1\r\n" + host, false},
		{"TRACE", "TRACE /auth HTTP/1.1\r\n" + host, false},
		{"CONNECT", "CONNECT /auth HTTP/1.1\r\n" + host, false},
		{"an empty line first", "\r\nGET /auth HTTP/1.1\r\n" + host, false},
		{"another protocol", "GET /auth HTTP/1.1\r\n" + host + "Connection: Upgrade\r\nUpgrade: h2c\r\n", false},
		{"a header that is of the connection alone", "GET /auth HTTP/1.1\r\n" + host + "Connection: close, X-Original-Url\r\n", false},
		{"two Connections", "GET /auth HTTP/1.1\r\n" + host + "Connection: close\r\nConnection: keep-alive\r\n", false},
		{"what net/http adds to", "GET /auth HTTP/1.1\r\n" + host + "Pragma: no-cache\r\n", false},
		{"too many headers", "GET /auth HTTP/1.1\r\n" + host + fields(maxFields), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if r, rest := parsed(new(head), tt.head+"\r\n"); (r != nil) != tt.plain || tt.plain && rest != "" {
				t.Errorf("plain: %v, and %q is left", r != nil, rest)
			}
		})
	}
}

// TestTake: a head is plain when it has ended, and odd as soon as a line is.
func TestTake(t *testing.T) {
	const first = "GET / HTTP/1.1\r\n"
	for _, tt := range []struct {
		pieces []string
		want   state
	}{
		{[]string{""}, unfinished},
		{[]string{"GET / HTTP/1.1"}, unfinished},
		{[]string{"HELO a"}, unfinished},
		{[]string{"HELO a\r\n"}, odd},
		{[]string{"GET / HTTP/1.1\n"}, odd},
		{[]string{"GET / HTTP/1.1\r", "\n"}, unfinished},
		{[]string{first, "\r"}, unfinished},
		{[]string{first, "\r", "\n"}, plain},
		{[]string{first, "Host: a\r\nX", "-A: b\r\n"}, unfinished},
		{[]string{first, "Host: a\r\nX", "-A: b\r\n\r\n"}, plain},
		{[]string{first, "Host: a\r\n", "X A: b\r\n"}, odd},
		{[]string{first + "\r\n" + "no request"}, plain},
	} {
		var h head
		text := ""
		for i, piece := range tt.pieces {
			text += piece
			want := unfinished
			if i == len(tt.pieces)-1 {
				want = tt.want
			}
			if got := h.take([]byte(text)); got != want {
				t.Errorf("%q: %d, want %d", text, got, want)
			}
		}
	}
}

// TestBytes looks at every byte in every place of a word of eight.
func TestBytes(t *testing.T) {
	for c := range 256 {
		wantToken, wantPrintable := httpguts.IsTokenRune(rune(c)), ' ' <= c && c <= '~'
		for at := range 17 {
			text := bytes.Repeat([]byte{'a'}, 17)
			text[at] = byte(c)
			if got := isToken(text); got != wantToken {
				t.Errorf("isToken(%q) = %v", text, got)
			}
			if got := isPrintable(text); got != wantPrintable {
				t.Errorf("isPrintable(%q) = %v", text, got)
			}
		}
	}
}

// FuzzHead: a head that is plain is to net/http the same request, of the same
// length, whatever came on the connection before.
func FuzzHead(f *testing.F) {
	f.Add([]byte(asked))
	f.Add([]byte("POST /auth/envoy/a%2Fb?c HTTP/1.1\r\nhost: [::1]:80\r\nCONTENT-length: 0\r\ncOnnection: Close\r\n\r\n"))
	f.Add([]byte("GET //auth/..;/x HTTP/1.1\r\nHost: a\r\nPragma: no-cache\r\nCache-Control: a\r\nContent-Length: 0\r\n\r\nGET / HTTP/1.1\r\n\r\n"))
	f.Add([]byte("GET /auth HTTP/1.1\r\nHost: a\r\nX-A: \x7f\r\n\tb\r\nTransfer-Encoding: chunked\r\n\r\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		var h head
		if r, _ := parsed(&h, asked); r == nil {
			t.Fatal("not plain")
		}
		h.next()
		got, rest := parsed(&h, string(text))
		if got == nil {
			return
		}
		unread := bytes.NewReader(text)
		reader := bufio.NewReaderSize(unread, 1<<20)
		want, err := http.ReadRequest(reader)
		if err != nil {
			t.Fatalf("net/http would not have it: %v", err)
		}
		if left := reader.Buffered() + unread.Len(); left != len(rest) {
			t.Errorf("net/http leaves %d bytes, want %d", left, len(rest))
		}
		if body, err := io.ReadAll(want.Body); len(body) > 0 || err != nil || want.ContentLength != 0 {
			t.Errorf("net/http sees a body: %q, %v", body, err)
		}
		want.Body, got.Body = nil, nil
		if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(http.Request{})); diff != "" {
			t.Errorf("(-net/http +here)\n%s", diff)
		}
		served(t, got)
	})
}

// served checks what a server of net/http asks of a request beyond reading it.
func served(t *testing.T, r *http.Request) {
	if !httpguts.ValidHostHeader(r.Host) {
		t.Errorf("Host %q", r.Host)
	}
	for name, values := range r.Header {
		for _, value := range values {
			if !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
				t.Errorf("%q: %q", name, value)
			}
		}
	}
}

func BenchmarkHead(b *testing.B) {
	var h head
	text := []byte(asked)
	b.ReportAllocs()
	for b.Loop() {
		h.next()
		if h.take(text) != plain {
			b.Fatal("not plain")
		}
		if _, ok := h.request(text); !ok {
			b.Fatal("not plain")
		}
	}
}
