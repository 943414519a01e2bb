package gate

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/gateway"
	"github.com/doorward/doorward/internal/headers"
	"github.com/doorward/doorward/internal/policy"
	"github.com/doorward/doorward/internal/session"
)

// sites: a shared domain, one host of its own on an odd port, and a wildcard.
var sites = auth.Sites{
	{Scheme: "https", Host: "auth.example.com", CookieDomain: "example.com"},
	{Scheme: "http", Host: "local.test", Port: "8080"},
	{Scheme: "https", Host: "*.each.test"},
}

// door is a gate with a real cookie store, as cmd wires it.
func door(t testing.TB, log *slog.Logger) *Gate {
	t.Helper()
	keys, err := session.NewKeyring([][]byte{bytes.Repeat([]byte("k"), 32)})
	if err != nil {
		t.Fatal(err)
	}
	renderer := headers.New(headers.Config{Families: []string{"x-auth-request"}, PassAccessToken: true})
	store, err := session.NewCookieStore(session.CookieConfig{
		Keys: keys, Sites: sites, Name: "doorward", Persist: true, Lifetime: time.Hour, KeepAccessToken: true,
		Render: renderer.Render, Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	g := &Gate{
		Sessions: store, Sites: sites,
		StartPath: "/start", Log: log,
	}
	g.Govern(&Rules{Nobody: renderer.Render(auth.User{}, auth.Tokens{}), Set: policy.New([]policy.Rule{
		{Name: "public", Paths: []string{"/public/**"}, Public: true},
		{Name: "admin", Paths: []string{"/admin/**"}, Allow: &policy.Allow{Groups: []string{"ops"}}},
		{Name: "closed", Paths: []string{"/closed"}, Deny: true},
		{Name: "all", Allow: &policy.Allow{Any: true}},
	}, []string{"*.example.com", "example.com", "local.test", "*.each.test"}, time.Now)})
	return g
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// signIn returns the line of the Cookie header of a new session at the shared domain.
func signIn(t testing.TB, g *Gate, user auth.User, tokens auth.Tokens) (string, session.Session) {
	t.Helper()
	w := httptest.NewRecorder()
	s, err := g.Sessions.Create(w, httptest.NewRequest("GET", "/callback", nil), sites[0], session.Session{User: user, Tokens: tokens})
	if err != nil {
		t.Fatal(err)
	}
	cookie, err := http.ParseSetCookie(w.Header().Get("Set-Cookie"))
	if err != nil {
		t.Fatal(err)
	}
	return cookie.Name + "=" + cookie.Value, s
}

// identity are the headers of an allow, name: value.
func identity(d auth.Decision) map[string]string {
	if d.Identity.Headers == nil {
		return nil
	}
	m := map[string]string{}
	for _, h := range d.Identity.Headers {
		m[h.Name] = strings.Join(h.Value, "|")
	}
	return m
}

func TestCheck(t *testing.T) {
	g := door(t, quiet())
	ada, _ := signIn(t, g, auth.User{Subject: "1", ID: "ada", Email: "ada@example.com", Groups: []string{"ops"}}, auth.Tokens{})
	eve, _ := signIn(t, g, auth.User{Subject: "2", ID: "eve"}, auth.Tokens{})
	gone, s := signIn(t, g, auth.User{Subject: "3", ID: "gone", Groups: []string{"ops"}}, auth.Tokens{})
	_ = g.Sessions.Revoke(context.Background(), s)
	values := func(user, email, groups string) map[string]string {
		return map[string]string{
			"X-Auth-Request-User": user, "X-Auth-Request-Email": email, "X-Auth-Request-Groups": groups,
			"X-Auth-Request-Name": "", "X-Auth-Request-Preferred-Username": "", "X-Auth-Request-Access-Token": "",
		}
	}
	for _, tt := range []struct {
		name     string
		host     string
		path     string
		cookies  []string
		rule     string
		want     auth.Judgement
		user     string
		identity map[string]string
		signIn   bool // with an address to sign in at
	}{
		{"may pass", "app.example.com", "/admin/x", []string{ada}, "admin", auth.Judgement{Verdict: auth.Allow, Reason: auth.Admitted}, "ada", values("ada", "ada@example.com", "ops"), false},
		{"may pass, little known", "app.example.com", "/x", []string{eve}, "all", auth.Judgement{Verdict: auth.Allow, Reason: auth.Admitted}, "eve", values("eve", "", ""), false},
		{"HDR-5 public, nobody", "app.example.com", "/public/x", nil, "public", auth.Judgement{Verdict: auth.Allow, Reason: auth.Public}, "", values("", "", ""), false},
		{"HDR-5 public, somebody", "app.example.com", "/public/x", []string{ada}, "public", auth.Judgement{Verdict: auth.Allow, Reason: auth.Public}, "ada", values("ada", "ada@example.com", "ops"), false},
		{"HDR-5 public, a forged cookie", "app.example.com", "/public/x", []string{"__Secure-doorward=forged"}, "public", auth.Judgement{Verdict: auth.Allow, Reason: auth.Public}, "", values("", "", ""), false},
		{"nobody", "app.example.com", "/x", nil, "all", auth.Judgement{Verdict: auth.SignIn, Reason: auth.NotSignedIn}, "", nil, true},
		{"SES-1 CVE-2026-25748 a forged cookie", "app.example.com", "/x", []string{"__Secure-doorward=forged"}, "all", auth.Judgement{Verdict: auth.SignIn, Reason: auth.NotSignedIn}, "", nil, true},
		{"COOK-2 the cookie of another site", "a.each.test", "/x", []string{ada}, "all", auth.Judgement{Verdict: auth.SignIn, Reason: auth.NotSignedIn}, "", nil, true},
		{"OUT-1 signed out", "app.example.com", "/admin/x", []string{gone}, "admin", auth.Judgement{Verdict: auth.SignIn, Reason: auth.NotSignedIn}, "", nil, true},
		{"OUT-1 signed out, public", "app.example.com", "/public/x", []string{gone}, "public", auth.Judgement{Verdict: auth.Allow, Reason: auth.Public}, "", values("", "", ""), false},
		{"AUTHZ-7 known, but may not", "app.example.com", "/admin/x", []string{eve}, "admin", auth.Judgement{Reason: auth.GroupMissing}, "eve", nil, false},
		{"AUTHZ-7 nobody may", "app.example.com", "/closed", []string{ada}, "closed", auth.Judgement{Reason: auth.RuleDenies}, "ada", nil, false},
		{"AUTHZ-7 nobody may, nobody signed in", "app.example.com", "/closed", nil, "closed", auth.Judgement{Reason: auth.RuleDenies}, "", nil, false},
		{"PATH-4 unknown host", "evil.test", "/public/x", []string{ada}, "", auth.Judgement{Reason: auth.UnknownHost}, "", nil, false},
		{"PATH-2 an odd path is not public", "app.example.com", "/public//x", nil, "all", auth.Judgement{Verdict: auth.SignIn, Reason: auth.NotSignedIn}, "", nil, true},
		{"PATH-2 both readings", "app.example.com", "/public/../admin/x", []string{eve}, "admin", auth.Judgement{Reason: auth.GroupMissing}, "eve", nil, false},
		{"PATH-3 unreadable", "app.example.com", "/public/x#", []string{ada}, "", auth.Judgement{Reason: auth.PathUnreadable}, "ada", nil, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, navigation := range []bool{true, false} { // HDR-8: it changes no decision
				d := g.Check(context.Background(), auth.Request{
					Method: "GET", Scheme: "https", Host: tt.host, Path: tt.path, Cookies: tt.cookies, Navigation: navigation,
				})
				if d.Rule != tt.rule || d.Judgement != tt.want || d.User.ID != tt.user || d.Cause != nil {
					t.Errorf("rule %q, %v, user %q; want %q, %v, %q", d.Rule, d.Judgement, d.User.ID, tt.rule, tt.want, tt.user)
				}
				if diff := cmp.Diff(tt.identity, identity(d)); diff != "" {
					t.Errorf("HDR-5 identity (-want +got)\n%s", diff)
				}
				if (d.SignInURL != "") != tt.signIn {
					t.Errorf("sign in at %q", d.SignInURL)
				}
			}
		})
	}
}

// TestGovern: new rules are in force for the very next check (AUTHZ-6).
func TestGovern(t *testing.T) {
	g := door(t, quiet())
	ada, s := signIn(t, g, auth.User{Subject: "1", ID: "ada", Groups: []string{"ops"}}, auth.Tokens{})
	req := auth.Request{Method: "GET", Host: "app.example.com", Path: "/admin/x", Cookies: []string{ada}}
	if d := g.Check(context.Background(), req); d.Verdict != auth.Allow {
		t.Fatalf("%v", d.Judgement)
	}
	g.Govern(&Rules{Set: policy.New([]policy.Rule{{Name: "new", Hosts: []string{"app.example.com"}, Deny: true}}, nil, time.Now)})
	if d := g.Check(context.Background(), req); d.Verdict != auth.Deny || d.Rule != "new" {
		t.Errorf("AUTHZ-6: %v by %q", d.Judgement, d.Rule)
	}
	if j := g.Judge(req, s.User); j.Reason != auth.RuleDenies {
		t.Errorf("AUTHZ-6: Judge says %v", j)
	}
}

func TestSignInURL(t *testing.T) {
	const shared = "https://auth.example.com/start?rd="
	long := strings.Repeat("x", 2048-len("https://app.example.com/"))
	for _, tt := range []struct {
		name string
		req  auth.Request
		want string
	}{
		{"plain", auth.Request{Scheme: "https", Host: "app.example.com", Path: "/"}, shared + "https%3A%2F%2Fapp.example.com%2F"},
		{"RED-11 byte for byte", auth.Request{Scheme: "https", Host: "app.example.com", Path: "/a%20b/c", Query: "?x=1&y=%26&z=a+b;c,d"},
			shared + "https%3A%2F%2Fapp.example.com%2Fa%2520b%2Fc%3Fx%3D1%26y%3D%2526%26z%3Da%2Bb%3Bc%2Cd"},
		{"RED-11 a raw space is no plus sign", auth.Request{Scheme: "https", Host: "app.example.com", Path: "/a b+c"}, shared + "https%3A%2F%2Fapp.example.com%2Fa%20b%2Bc"},
		{"RED-11 raw bytes", auth.Request{Scheme: "https", Host: "app.example.com", Path: "/J\xc3\xb6\xff"}, shared + "https%3A%2F%2Fapp.example.com%2FJ%C3%B6%FF"},
		{"an empty query stays", auth.Request{Scheme: "https", Host: "app.example.com", Path: "/", Query: "?"}, shared + "https%3A%2F%2Fapp.example.com%2F%3F"},
		{"the scheme of the public URL", auth.Request{Scheme: "http", Host: "app.example.com", Path: "/"}, shared + "https%3A%2F%2Fapp.example.com%2F"},
		{"a port", auth.Request{Scheme: "https", Host: "app.example.com", Port: "8443", Path: "/"}, shared + "https%3A%2F%2Fapp.example.com%3A8443%2F"},
		{"the default port", auth.Request{Scheme: "https", Host: "app.example.com", Port: "443", Path: "/"}, shared + "https%3A%2F%2Fapp.example.com%2F"},
		{"the default port of what the gateway speaks", auth.Request{Scheme: "http", Host: "app.example.com", Port: "80", Path: "/"}, shared + "https%3A%2F%2Fapp.example.com%2F"},
		{"the default port of the public URL", auth.Request{Scheme: "http", Host: "app.example.com", Port: "443", Path: "/"}, shared + "https%3A%2F%2Fapp.example.com%2F"},
		{"a public URL with a port", auth.Request{Scheme: "http", Host: "local.test", Port: "8080", Path: "/"}, "http://local.test:8080/start?rd=http%3A%2F%2Flocal.test%3A8080%2F"},
		{"a wildcard serves itself", auth.Request{Scheme: "https", Host: "a.b.each.test", Path: "/p"}, "https://a.b.each.test/start?rd=https%3A%2F%2Fa.b.each.test%2Fp"},
		{"the longest target", auth.Request{Scheme: "https", Host: "app.example.com", Path: "/" + long}, shared + "https%3A%2F%2Fapp.example.com%2F" + long},
		{"HDR-10 too long: the query goes as a whole", auth.Request{Scheme: "https", Host: "app.example.com", Path: "/p", Query: "?" + strings.Repeat("q", 3000)}, shared + "https%3A%2F%2Fapp.example.com%2Fp"},
		{"HDR-10 too long once it is escaped", auth.Request{Scheme: "https", Host: "app.example.com", Path: "/p", Query: "?" + strings.Repeat("&", 1200)}, shared + "https%3A%2F%2Fapp.example.com%2Fp"},
		{"HDR-10 one byte too long", auth.Request{Scheme: "https", Host: "app.example.com", Path: "/" + long, Query: "?"}, shared + "https%3A%2F%2Fapp.example.com%2F" + long},
		{"HDR-10 the path alone is too long", auth.Request{Scheme: "https", Host: "app.example.com", Path: "/" + strings.Repeat("p", 3000)}, shared + "https%3A%2F%2Fapp.example.com%2F"},
		{"no site", auth.Request{Scheme: "https", Host: "evil.test", Path: "/"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := door(t, quiet()).signInURL(tt.req)
			if got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if parsed, err := url.Parse(got); err != nil || len(got) > 3200 {
				t.Errorf("%d bytes, %v: %v", len(got), parsed, err)
			}
		})
	}
}

func TestAddress(t *testing.T) {
	req := auth.Request{Scheme: "http", Host: "app.example.com", Port: "8443", Path: "/p", Query: "?q"}
	if got := Address(sites[0], req); got != "https://app.example.com:8443/p?q" {
		t.Errorf("Address = %q", got)
	}
}

// TestHint: an operator behind a load balancer that ends TLS is told once.
func TestHint(t *testing.T) {
	for _, tt := range []struct {
		name   string
		scheme string
		host   string
		want   int
	}{
		{"http where the public URL is https", "http", "app.example.com", 1},
		{"https", "https", "app.example.com", 0},
		{"http where the public URL is http", "http", "local.test", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var lines bytes.Buffer
			g := door(t, slog.New(slog.NewTextHandler(&lines, nil)))
			var wg sync.WaitGroup
			for range 10 {
				wg.Go(func() {
					g.Check(context.Background(), auth.Request{Method: "GET", Scheme: tt.scheme, Host: tt.host, Path: "/x"})
				})
			}
			wg.Wait()
			if got := strings.Count(lines.String(), "DOORWARD_FORCE_SCHEME"); got != tt.want {
				t.Errorf("%d hints, want %d\n%s", got, tt.want, &lines)
			}
		})
	}
}

// TestIdentityTooLarge: what does not fit into the headers of an answer is denied
// with a reason, and never cut.
func TestIdentityTooLarge(t *testing.T) {
	g := door(t, quiet())
	for _, tt := range []struct {
		name string
		user auth.User
		path string
		want auth.Judgement
	}{
		{"fits", auth.User{Subject: "1", ID: "ada", Name: strings.Repeat("n", 2000)}, "/x", auth.Judgement{Verdict: auth.Allow, Reason: auth.Admitted}},
		{"HDR-10 too large once it is encoded", auth.User{Subject: "1", ID: "ada", Name: strings.Repeat("ö", 700)}, "/x", auth.Judgement{Reason: auth.IdentityTooLarge}},
		{"HDR-10 too large, public", auth.User{Subject: "1", ID: "ada", Name: strings.Repeat("ö", 700)}, "/public/x", auth.Judgement{Reason: auth.IdentityTooLarge}},
		{"HDR-10 what is denied anyway keeps its reason", auth.User{Subject: "1", ID: "ada", Name: strings.Repeat("ö", 700)}, "/closed", auth.Judgement{Reason: auth.RuleDenies}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sent, _ := signIn(t, g, tt.user, auth.Tokens{})
			d := g.Check(context.Background(), auth.Request{Method: "GET", Host: "app.example.com", Path: tt.path, Cookies: []string{sent}})
			if d.Judgement != tt.want || d.User.ID != "ada" || (d.Identity.Headers != nil) != (tt.want.Verdict == auth.Allow) {
				t.Errorf("%v, %d headers; want %v", d.Judgement, len(d.Identity.Headers), tt.want)
			}
		})
	}
}

// TestHeaderBlock measures the largest answers as they leave net/http: an allow with the largest
// identity that is let through, and the longest address to sign in at.
func TestHeaderBlock(t *testing.T) {
	g := door(t, quiet())
	requests := map[string]auth.Request{}
	longest := 0
	for n := 900; n < 1200; n++ { // each byte of the query is three in the address
		req := auth.Request{Method: "GET", Scheme: "https", Host: "app.example.com", Path: "/p", Query: "?" + strings.Repeat("&", n), Navigation: true}
		if length := len(g.signInURL(req)); length > longest {
			longest, requests["HDR-10 longest sign-in"] = length, req
		}
	}
	for n := 450; n < 600; n++ { // each letter of the name is six bytes in its header
		sent, s := signIn(t, g, auth.User{Subject: "1", ID: "ada", Name: strings.Repeat("é", n)}, auth.Tokens{})
		if s.Identity.Size > headers.Limit {
			break
		}
		requests["HDR-10 largest identity"] = auth.Request{Method: "GET", Host: "app.example.com", Path: "/x", Cookies: []string{sent}}
	}
	for name, req := range requests {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				gateway.Original{Settings: gateway.Settings{Reasons: true}}.Answer(w, req, g.Check(r.Context(), req))
			}))
			defer server.Close()
			block := headerBlock(t, server.Listener.Addr().String())
			if !strings.Contains(block, "X-Auth-Request-Name: %C3%A9") && !strings.Contains(block, "%2Fp%3F%26%26") {
				t.Fatalf("not the answer that was meant:\n%s", block)
			}
			t.Logf("%d bytes", len(block))
			if len(block) > 3500 || len(block) < 3200 {
				t.Errorf("HDR-10: the header block has %d bytes, want at most 3500 and about as many", len(block))
			}
		})
	}
}

// headerBlock returns all that a server answers before the body.
func headerBlock(t *testing.T, address string) string {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.Write([]byte("GET /auth HTTP/1.1\r\nHost: auth\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	var block bytes.Buffer
	buffer := make([]byte, 4096)
	for !bytes.Contains(block.Bytes(), []byte("\r\n\r\n")) {
		n, err := conn.Read(buffer)
		if err != nil {
			t.Fatal(err)
		}
		block.Write(buffer[:n])
	}
	return block.String()
}

// TestParallel: 200 users and nobody ask at once, and each gets an identity of its own.
func TestParallel(t *testing.T) {
	g := door(t, quiet())
	var wg sync.WaitGroup
	for i := range 200 {
		name := string(rune('a'+i%26)) + strings.Repeat("z", i/26)
		sent, _ := signIn(t, g, auth.User{Subject: name, ID: name}, auth.Tokens{})
		wg.Go(func() {
			for range 25 {
				d := g.Check(context.Background(), auth.Request{Method: "GET", Host: "app.example.com", Path: "/x", Cookies: []string{sent}})
				if d.Verdict != auth.Allow || d.User.ID != name || identity(d)["X-Auth-Request-User"] != name {
					t.Errorf("CON-1: %s is let in as %q with %q", name, d.User.ID, identity(d)["X-Auth-Request-User"])
					return
				}
				d = g.Check(context.Background(), auth.Request{Method: "GET", Host: "app.example.com", Path: "/public/x"})
				if identity(d)["X-Auth-Request-User"] != "" {
					t.Errorf("CON-1: nobody is let in as %q", identity(d)["X-Auth-Request-User"])
					return
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkCheck(b *testing.B) {
	g := door(b, quiet())
	sent, _ := signIn(b, g, auth.User{
		Issuer: "https://id.example.com", Subject: "f1b4f4c0-8f7e-4b6e-9d3a-2f1f5a9f7c11", ID: "ada", Email: "ada@example.com", Groups: []string{"ops", "staff"},
	}, auth.Tokens{})
	for _, bb := range []struct {
		name    string
		cookies []string
		want    auth.Verdict
	}{
		{"session", []string{"theme=dark; " + sent}, auth.Allow},
		{"nobody", nil, auth.SignIn},
		{"forged", []string{"__Secure-doorward=junk"}, auth.SignIn},
	} {
		b.Run(bb.name, func(b *testing.B) {
			req := auth.Request{Method: "GET", Scheme: "https", Host: "app.example.com", Path: "/admin/x", Cookies: bb.cookies}
			b.ReportAllocs()
			for b.Loop() {
				if d := g.Check(context.Background(), req); d.Verdict != bb.want {
					b.Fatal(d.Judgement)
				}
			}
		})
	}
}
