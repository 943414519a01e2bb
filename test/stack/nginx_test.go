package stack

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestNginxQuestion reads what deploy/nginx asks, from the wire.
func TestNginxQuestion(t *testing.T) {
	front := newFront(t, PlainNginx)
	for _, tt := range []struct {
		name   string
		line   string // of the request
		header string // further lines of the client
		body   string
		want   map[string]string // "" means absent
	}{
		{
			name: "address byte for byte",
			line: "GET /a%20b/c?x=1&y=%26&z=a+b;c,d HTTP/1.1", header: "Host: app.test:8443",
			want: map[string]string{
				"X-Original-Url":    "http://app.test:8443/a%20b/c?x=1&y=%26&z=a+b;c,d",
				"X-Original-Method": "GET",
				"X-Forwarded-For":   "127.0.0.1",
			},
		},
		{
			name: "no port written, none asked about",
			line: "GET / HTTP/1.1", header: "Host: app.test",
			want: map[string]string{"X-Original-Url": "http://app.test/"},
		},
		{
			name: "raw path, dot segments and all",
			line: "GET /a/../b/%2e%2e//x HTTP/1.1", header: "Host: app.test",
			want: map[string]string{"X-Original-Url": "http://app.test/a/../b/%2e%2e//x"},
		},
		{
			name: "a form is asked about without its body",
			line: "POST /submit HTTP/1.1", header: "Host: app.test\r\nContent-Type: text/plain\r\nContent-Length: 5", body: "hello",
			want: map[string]string{"X-Original-Method": "POST", "Content-Length": "", ":method": "GET", ":body": ""},
		},
		{
			name: "the host that nginx serves, not the one that the client adds (PATH-5)",
			line: "GET http://app.test/x HTTP/1.1", header: "Host: public.test:8443",
			want: map[string]string{"X-Original-Url": "http://app.test:8443/x"},
		},
		{
			name: "the client's own description of the request is gone (HDR-1)",
			line: "GET /x HTTP/1.1",
			header: "Host: app.test\r\nX-Original-URL: http://evil.test/\r\nX-Original-Method: OPTIONS\r\n" +
				"X-Forwarded-Uri: /public\r\nX-Forwarded-Method: HEAD\r\nX-Forwarded-Host: evil.test\r\n" +
				"X-Forwarded-Proto: https\r\nX-Forwarded-For: 10.0.0.1",
			want: map[string]string{
				"X-Original-Url": "http://app.test/x", "X-Original-Method": "GET",
				"X-Forwarded-Uri": "", "X-Forwarded-Method": "", "X-Forwarded-Host": "", "X-Forwarded-Proto": "",
				"X-Forwarded-For": "127.0.0.1",
			},
		},
		{
			name: "what a person's browser says about itself goes along",
			line: "GET / HTTP/1.1",
			header: "Host: app.test\r\nCookie: a=1\r\nAccept: text/html\r\nSec-Fetch-Mode: navigate\r\n" +
				"X-Requested-With: XMLHttpRequest\r\nAuthorization: Bearer t",
			want: map[string]string{
				"Cookie": "a=1", "Accept": "text/html", "Sec-Fetch-Mode": "navigate",
				"X-Requested-With": "XMLHttpRequest", "Authorization": "Bearer t",
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			front.answer(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) })
			front.ask(t, tt.line+"\r\n"+tt.header+"\r\nConnection: close\r\n\r\n"+tt.body)
			got := front.question(t)
			for name, want := range tt.want {
				if value := strings.Join(got[name], " and "); value != want {
					t.Errorf("%s: %q, want %q", name, value, want)
				}
			}
		})
	}
}

// TestNginxAnswer follows every answer of Doorward to the client.
func TestNginxAnswer(t *testing.T) {
	front := newFront(t, PlainNginx)
	const signIn = "http://auth.test/start?rd=http%3A%2F%2Fapp.test%2Fx"
	for _, tt := range []struct {
		name   string
		method string
		status int
		header http.Header // of Doorward
		want   int
		also   map[string]string // headers of the answer, "" for absent
		body   string            // part of it
	}{
		{name: "yes", status: 202, want: 200, body: "GET /x"},
		{name: "yes, the other way", status: 200, want: 200, body: "GET /x"},
		{
			name: "a renewed cookie reaches the browser", status: 202,
			header: http.Header{"Set-Cookie": {"doorward=new; Path=/"}},
			want:   200, also: map[string]string{"Set-Cookie": "doorward=new; Path=/"},
		},
		{
			name: "nobody, a page", status: 401, header: http.Header{"Location": {signIn}},
			want: 302, also: map[string]string{"Location": signIn, "Cache-Control": "no-store"},
		},
		{
			name: "nobody, a form", method: "POST", status: 401, header: http.Header{"Location": {signIn}},
			want: 302, also: map[string]string{"Location": signIn},
		},
		{
			name: "nobody, a script", status: 401, header: http.Header{"Www-Authenticate": {"Bearer"}},
			want: 401, also: map[string]string{"Location": "", "Www-Authenticate": "Bearer", "Cache-Control": "no-store"},
		},
		{name: "may not", status: 403, want: 403, body: "asked by GET: GET http://app.test/x"},
		{name: "may not, a form", method: "POST", status: 403, want: 403, body: "asked by GET: POST http://app.test/x"},
		{name: "cannot tell", status: 503, want: 500},
		{name: "a redirect is no answer", status: 302, header: http.Header{"Location": {signIn}}, want: 500, also: map[string]string{"Location": ""}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			front.answer(func(w http.ResponseWriter, _ *http.Request) {
				for name, values := range tt.header {
					w.Header()[name] = values
				}
				w.WriteHeader(tt.status)
			})
			method := tt.method
			if method == "" {
				method = http.MethodGet
			}
			res, body := front.ask(t, method+" /x HTTP/1.1\r\nHost: app.test\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
			if res.StatusCode != tt.want || !strings.Contains(body, tt.body) {
				t.Errorf("status %d, want %d with %q; body:\n%s", res.StatusCode, tt.want, tt.body, body)
			}
			for name, want := range tt.also {
				if got := strings.Join(res.Header[name], " and "); got != want {
					t.Errorf("%s: %q, want %q", name, got, want)
				}
			}
		})
	}
}

// TestNginxIdentity sends forged identity headers past both configurations (HDR-5).
func TestNginxIdentity(t *testing.T) {
	for _, gateway := range []Gateway{PlainNginx, IngressNginx} {
		t.Run(string(gateway), func(t *testing.T) {
			front := newFront(t, gateway)
			front.answer(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("X-Auth-Request-User", "u-1")
				w.Header().Set("X-Auth-Request-Email", "ada@example.com")
				w.WriteHeader(http.StatusAccepted)
			})
			_, body := front.ask(t, "GET / HTTP/1.1\r\nHost: app.test\r\nAccept: application/json\r\nConnection: close\r\n"+
				"X-Auth-Request-User: root\r\nX-Auth-Request-Email: root@example.com\r\nX-Auth-Request-Groups: admins\r\n"+
				"X-Auth-Request-Name: Root\r\nX-Auth-Request-Preferred-Username: root\r\n\r\n")
			if strings.Contains(body, "oot") || strings.Contains(body, "admins") {
				t.Errorf("forged values reached the app: %s", body)
			}
			if !strings.Contains(body, `"X-Auth-Request-Email":["ada@example.com"]`) {
				t.Errorf("the identity did not reach the app: %s", body)
			}
		})
	}
}

// TestNginxSignIn checks that the address to come back to survives ingress-nginx.
func TestNginxSignIn(t *testing.T) {
	front := newFront(t, IngressNginx)
	front.answer(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) })
	res, _ := front.ask(t, "GET /a%20b/c?x=1&y=%26&z=a+b;c,d HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n")
	location, err := res.Location()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := location.Query().Get("rd"), "http://app.test/a%20b/c?x=1&y=%26&z=a+b;c,d"; got != want {
		t.Errorf("rd %q, want %q", got, want)
	}
}

// TestNginxKeepsConnections: a check costs no handshake.
func TestNginxKeepsConnections(t *testing.T) {
	front := newFront(t, PlainNginx)
	front.answer(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Auth-Request-User", r.RemoteAddr)
		w.WriteHeader(http.StatusAccepted)
	})
	var peers []string
	for range 5 {
		front.ask(t, "GET / HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n")
		peers = append(peers, front.question(t)[":peer"][0])
	}
	for _, peer := range peers {
		if peer != peers[0] {
			t.Fatalf("checks came over several connections: %v", peers)
		}
	}
}

func TestNginxGuardsTheQuestion(t *testing.T) {
	front := newFront(t, PlainNginx)
	front.answer(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) })
	for _, tt := range []struct{ host, path string }{
		{"auth.test", "/auth"},
		{"auth.test", "/auth/nginx"},
		{"auth.test", "/auth/envoy/x"},
		{"auth.test", "/denied"},
		{"app.test", "/_doorward"},
	} {
		t.Run(tt.host+tt.path, func(t *testing.T) {
			res, body := front.ask(t, "GET "+tt.path+" HTTP/1.1\r\nHost: "+tt.host+"\r\nConnection: close\r\n\r\n")
			if res.StatusCode != http.StatusNotFound {
				t.Errorf("status %d, want 404: %s", res.StatusCode, body)
			}
		})
	}
}

// front is nginx between a client that writes raw requests and a stand-in for
// Doorward, which records what it is asked and answers as a test says.
type front struct {
	nginx *Front

	mu     sync.Mutex
	reply  http.HandlerFunc
	asked  http.Header // the last question, with :method, :body and :peer
	failed error
}

func newFront(t *testing.T, gateway Gateway) *front {
	t.Helper()
	f := &front{}
	doorward := httptest.NewServer(f)
	t.Cleanup(doorward.Close)
	addresses, err := FreeAddresses(0, 0)
	if err != nil {
		t.Fatal(err)
	}
	app := &App{}
	if err := app.Start(addresses[1]); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = app.Stop() })
	f.nginx = &Front{
		Dir: t.TempDir(), Gateway: gateway, Listen: addresses[0],
		AppHost: "app.test", AuthHost: "auth.test", AuthURL: "http://auth.test",
		App: addresses[1], Doorward: doorward.Listener.Addr().String(),
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := f.nginx.Start(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.nginx.Stop(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/denied" {
		w.WriteHeader(http.StatusForbidden)
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "asked by %s%s: %s %s", r.Method, body, r.Header.Get("X-Original-Method"), r.Header.Get("X-Original-Url"))
		return
	}
	body, err := io.ReadAll(r.Body)
	asked := r.Header.Clone()
	asked[":method"], asked[":body"], asked[":peer"] = []string{r.Method}, []string{string(body)}, []string{r.RemoteAddr}
	f.mu.Lock()
	f.asked, f.failed = asked, err
	reply := f.reply
	f.mu.Unlock()
	reply(w, r)
}

func (f *front) answer(reply http.HandlerFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reply, f.asked = reply, nil
}

func (f *front) question(t *testing.T) http.Header {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.asked == nil || f.failed != nil {
		t.Fatalf("Doorward was not asked, or could not read it: %v\n%s", f.failed, f.nginx.process.Log())
	}
	return f.asked
}

// ask writes a request as it is and reads the answer to it.
func (f *front) ask(t *testing.T, request string) (*http.Response, string) {
	t.Helper()
	conn, err := net.DialTimeout("tcp", f.nginx.Listen, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}
