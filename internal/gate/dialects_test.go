package gate_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/gate"
	"github.com/doorward/doorward/internal/gateway"
)

// logical is a request as its client made it, before any gateway describes it.
type logical struct {
	method, scheme, host, target string
	client                       string
	cookie                       string
	header                       http.Header // of the client
}

// ask is how one dialect puts a logical request to the gate.
type ask func(t *testing.T, g *gate.Gate, l logical) (auth.Request, auth.Decision)

// over asks in an HTTP dialect; describe makes the check of a logical request.
func over(dialect gateway.Dialect, describe func(l logical) *http.Request) ask {
	return func(t *testing.T, g *gate.Gate, l logical) (auth.Request, auth.Decision) {
		r := describe(l)
		r.RemoteAddr = "127.0.0.1:4000"
		for name, values := range l.header {
			r.Header[name] = values
		}
		if l.cookie != "" {
			r.Header.Set("Cookie", l.cookie)
		}
		r.Header.Set("X-Forwarded-For", l.client)
		req, err := dialect.Read(r)
		if err != nil {
			return req, gate.Refuse(err)
		}
		return req, g.Check(t.Context(), req)
	}
}

// check is a request to an endpoint of a gateway's.
func check(method, target string, header map[string]string) *http.Request {
	r := httptest.NewRequest(method, "http://doorward", nil)
	r.RequestURI = target
	r.URL.Path, r.URL.RawQuery = "/auth", ""
	for name, value := range header {
		r.Header.Set(name, value)
	}
	return r
}

func dialects() map[string]ask {
	settings := gateway.Settings{Proxies: gateway.Proxies{netip.MustParsePrefix("127.0.0.0/8")}}
	original := func(l logical) *http.Request {
		return check("GET", "/auth", map[string]string{
			"X-Original-URL": l.scheme + "://" + l.host + l.target, "X-Original-Method": l.method,
		})
	}
	forwarded := func(l logical) *http.Request {
		return check("GET", "/auth", map[string]string{
			"X-Forwarded-Method": l.method, "X-Forwarded-Proto": l.scheme,
			"X-Forwarded-Host": l.host, "X-Forwarded-Uri": l.target,
		})
	}
	envoy := func(l logical) *http.Request {
		r := check(l.method, "/auth/envoy"+l.target, map[string]string{"X-Forwarded-Proto": l.scheme})
		r.Host = l.host
		return r
	}
	return map[string]ask{
		"original":  over(gateway.Original{Settings: settings}, original),
		"forwarded": over(gateway.Forwarded{Settings: settings}, forwarded),
		"envoy":     over(gateway.Envoy{Settings: settings, Prefix: "/auth/envoy"}, envoy),
		"grpc": func(t *testing.T, g *gate.Gate, l logical) (auth.Request, auth.Decision) {
			req, err := gateway.GRPC{Settings: settings}.Read("127.0.0.1:4000", question(l))
			if err != nil {
				return req, gate.Refuse(err)
			}
			return req, g.Check(t.Context(), req)
		},
	}
}

func question(l logical) *authv3.CheckRequest {
	headers := map[string]string{}
	for name, values := range l.header {
		headers[strings.ToLower(name)] = strings.Join(values, ",")
	}
	if l.cookie != "" {
		headers["cookie"] = l.cookie
	}
	return &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		Source: &authv3.AttributeContext_Peer{Address: &corev3.Address{Address: &corev3.Address_SocketAddress{
			SocketAddress: &corev3.SocketAddress{Address: l.client},
		}}},
		Request: &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{
			Method: l.method, Scheme: l.scheme, Host: l.host, Path: l.target, Headers: headers,
		}},
	}}
}

// TestSameAnswerInEveryDialect puts each logical request through every dialect
// and demands the same verdict, reason, user and sign-in address.
func TestSameAnswerInEveryDialect(t *testing.T) {
	g, cookie := signedInGate(t)
	page := http.Header{"Accept": {"text/html"}, "Sec-Fetch-Mode": {"navigate"}}
	script := http.Header{"Accept": {"*/*"}, "Sec-Fetch-Mode": {"cors"}}
	const host = "app.example.com"
	for _, tt := range []struct {
		name    string
		request logical
		verdict auth.Verdict
		reason  string
		user    string
		signIn  string
	}{
		{"signed in", logical{method: "GET", scheme: "https", host: host, target: "/x?a=1", cookie: cookie, header: page}, auth.Allow, "admitted", "user-1", ""},
		{"signed in, a fetch", logical{method: "POST", scheme: "https", host: host, target: "/x", cookie: cookie, header: script}, auth.Allow, "admitted", "user-1", ""},
		{"a port, upper case and a final dot", logical{method: "GET", scheme: "https", host: "APP.Example.com.:443", target: "/", cookie: cookie, header: page}, auth.Allow, "admitted", "user-1", ""},
		{"nobody", logical{method: "GET", scheme: "https", host: host, target: "/a%20b/c?x=1&y=%26&z=a+b;c,d", header: page}, auth.SignIn, "not_signed_in", "", "https://auth.example.com/start?rd=https%3A%2F%2Fapp.example.com%2Fa%2520b%2Fc%3Fx%3D1%26y%3D%2526%26z%3Da%2Bb%3Bc%2Cd"},
		{"nobody, an empty query", logical{method: "GET", scheme: "https", host: host, target: "/x?", header: page}, auth.SignIn, "not_signed_in", "", "https://auth.example.com/start?rd=https%3A%2F%2Fapp.example.com%2Fx%3F"},
		{"two slashes are a path", logical{method: "GET", scheme: "https", host: host, target: "//evil.com/x", header: page}, auth.SignIn, "not_signed_in", "", "https://auth.example.com/start?rd=https%3A%2F%2Fapp.example.com%2F%2Fevil.com%2Fx"},
		{"PATH-2 never public", logical{method: "GET", scheme: "https", host: "open.example.com", target: "/static/../admin", header: page}, auth.SignIn, "not_signed_in", "", "https://auth.example.com/start?rd=https%3A%2F%2Fopen.example.com%2Fstatic%2F..%2Fadmin"},
		{"public", logical{method: "GET", scheme: "https", host: "open.example.com", target: "/static", header: page}, auth.Allow, "public", "", ""},
		{"PATH-3 a bad escape", logical{method: "GET", scheme: "https", host: host, target: "/%zz", cookie: cookie, header: page}, auth.Deny, "path_unreadable", "user-1", ""},
		{"PATH-3 a fragment", logical{method: "GET", scheme: "https", host: host, target: "/x#y", cookie: cookie, header: page}, auth.Deny, "path_unreadable", "user-1", ""},
		{"PATH-4 unknown host", logical{method: "GET", scheme: "https", host: "evilexample.com", target: "/", cookie: cookie, header: page}, auth.Deny, "unknown_host", "", ""},
		{"user information", logical{method: "GET", scheme: "https", host: "app.example.com:99@evil.com", target: "/", cookie: cookie, header: page}, auth.Deny, "malformed_headers", "", ""},
		{"no host", logical{method: "GET", scheme: "https", host: "", target: "/", cookie: cookie, header: page}, auth.Deny, "malformed_headers", "", ""},
		{"a list of hosts", logical{method: "GET", scheme: "https", host: "app.example.com,evil.com", target: "/", cookie: cookie, header: page}, auth.Deny, "malformed_headers", "", ""},
		{"a rule for others", logical{method: "GET", scheme: "https", host: "ops.example.com", target: "/", cookie: cookie, header: page}, auth.Deny, "group_missing", "user-1", ""},
		{"PATH-7 a method of any name", logical{method: "PROPFIND", scheme: "https", host: host, target: "/", cookie: cookie, header: script}, auth.Allow, "admitted", "user-1", ""},
		{"another scheme", logical{method: "GET", scheme: "ftp", host: host, target: "/", cookie: cookie, header: page}, auth.Deny, "malformed_headers", "", ""},
	} {
		for name, ask := range dialects() {
			t.Run(tt.name+"/"+name, func(t *testing.T) {
				l := tt.request
				l.client = "192.0.2.7"
				req, d := ask(t, g, l)
				reason := d.Reason.Code
				if reason == "missing_headers" {
					reason = "malformed_headers" // a header without a value is a missing one over HTTP
				}
				if d.Verdict != tt.verdict || reason != tt.reason || d.User.ID != tt.user || d.SignInURL != tt.signIn {
					t.Errorf("%v %s as %q, sign in at %q", d.Verdict, d.Reason.Code, d.User.ID, d.SignInURL)
				}
				if d.Reason.Code != "malformed_headers" && d.Reason.Code != "missing_headers" && req.Client != netip.MustParseAddr("192.0.2.7") {
					t.Errorf("HDR-7: the client is %v", req.Client)
				}
			})
		}
	}
}
