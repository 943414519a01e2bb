package gateway

import (
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/doorward/doorward/internal/auth"
)

// settings trust loopback, one private range and one IPv6 range, so that each
// test has a trusted and an untrusted address of every kind.
func settings() Settings {
	return Settings{Proxies: Proxies{
		netip.MustParsePrefix("127.0.0.1/32"),
		netip.MustParsePrefix("10.0.0.0/8"),
		netip.MustParsePrefix("fd00::/8"),
	}}
}

// question is a check as net/http hands it over.
func question(peer, query string, h http.Header) *http.Request {
	return &http.Request{Method: "GET", URL: &url.URL{Path: "/auth", RawQuery: query}, Header: h, RemoteAddr: peer}
}

const trustedPeer = "127.0.0.1:40000"

// refusalCode is the code of the refusal that err is, and "" for none.
func refusalCode(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	var refused *Refusal
	if !errors.As(err, &refused) {
		t.Fatalf("%v is a %T, want a *Refusal", err, err)
	}
	return refused.Reason.Code
}

func TestOriginalRead(t *testing.T) {
	const good = "https://app.example.com/p?q=1"
	for _, tt := range []struct {
		name   string
		header http.Header
		want   string // the code of the refusal
	}{
		{"both headers", http.Header{"X-Original-Url": {good}, "X-Original-Method": {"GET"}}, ""},
		{"HDR-3 no header", http.Header{}, "missing_headers"},
		{"HDR-3 no method", http.Header{"X-Original-Url": {good}}, "missing_headers"},
		{"HDR-3 no address", http.Header{"X-Original-Method": {"GET"}}, "missing_headers"},
		{"HDR-3 empty address", http.Header{"X-Original-Url": {""}, "X-Original-Method": {"GET"}}, "missing_headers"},
		{"HDR-3 empty method", http.Header{"X-Original-Url": {good}, "X-Original-Method": {""}}, "missing_headers"},
		{"HDR-3 key without value", http.Header{"X-Original-Url": {}, "X-Original-Method": {"GET"}}, "missing_headers"},
		{"HDR-3 CVE-2021-32777 address twice", http.Header{"X-Original-Url": {good, good}, "X-Original-Method": {"GET"}}, "malformed_headers"},
		{"HDR-3 address twice, the first empty", http.Header{"X-Original-Url": {"", good}, "X-Original-Method": {"GET"}}, "malformed_headers"},
		{"HDR-3 address twice, the last empty", http.Header{"X-Original-Url": {good, ""}, "X-Original-Method": {"GET"}}, "malformed_headers"},
		{"HDR-3 method twice", http.Header{"X-Original-Url": {good}, "X-Original-Method": {"GET", "GET"}}, "malformed_headers"},
		{"HDR-3 list of methods", http.Header{"X-Original-Url": {good}, "X-Original-Method": {"GET, POST"}}, "malformed_headers"},
		{"HDR-3 list of methods without space", http.Header{"X-Original-Url": {good}, "X-Original-Method": {"GET,POST"}}, "malformed_headers"},
		{"HDR-3 method with space", http.Header{"X-Original-Url": {good}, "X-Original-Method": {"GET "}}, "malformed_headers"},
		{"HDR-3 method beyond ASCII", http.Header{"X-Original-Url": {good}, "X-Original-Method": {"GÉT"}}, "malformed_headers"},
		{"HDR-3 method of 33 bytes", http.Header{"X-Original-Url": {good}, "X-Original-Method": {strings.Repeat("M", 33)}}, "malformed_headers"},
		{"PATH-7 method of any name", http.Header{"X-Original-Url": {good}, "X-Original-Method": {"VERSION-CONTROL"}}, ""},
		{"PATH-7 every token character", http.Header{"X-Original-Url": {good}, "X-Original-Method": {"a!#$%&'*+-.^_`|~0Z"}}, ""},
		{"PATH-7 CONNECT is judged", http.Header{"X-Original-Url": {good}, "X-Original-Method": {"CONNECT"}}, ""},
		{"PATH-3 CVE-2021-32637 malformed address", http.Header{"X-Original-Url": {"/p"}, "X-Original-Method": {"GET"}}, "malformed_headers"},
		{"PATH-3 OPTIONS *", http.Header{"X-Original-Url": {"https://app.example.com*"}, "X-Original-Method": {"OPTIONS"}}, "malformed_headers"},

		{"HDR-1 CVE-2026-40575 forwarded address beside it", http.Header{"X-Original-Url": {good}, "X-Original-Method": {"GET"}, "X-Forwarded-Uri": {"/public"}}, "ambiguous_headers"},
		{"HDR-1 forwarded method beside it", http.Header{"X-Original-Url": {good}, "X-Original-Method": {"GET"}, "X-Forwarded-Method": {"OPTIONS"}}, "ambiguous_headers"},
		{"HDR-1 empty forwarded address beside it", http.Header{"X-Original-Url": {good}, "X-Original-Method": {"GET"}, "X-Forwarded-Uri": {""}}, "ambiguous_headers"},
		{"HDR-1 forwarded family alone", http.Header{"X-Forwarded-Uri": {"/"}, "X-Forwarded-Method": {"GET"}}, "ambiguous_headers"},

		{"HDR-4 CVE-2025-64484 underscores are no aliases", http.Header{"X_Original_Url": {good}, "X_Original_Method": {"GET"}}, "missing_headers"},
		{"HDR-4 CVE-2020-14359 other case is no alias", http.Header{"x-original-url": {good}, "X-ORIGINAL-METHOD": {"GET"}}, "missing_headers"},
		{"HDR-4 dots are no aliases", http.Header{"X.original.url": {good}, "X.original.method": {"GET"}}, "missing_headers"},
		{"HDR-4 the spelling of oauth2-proxy is another header", http.Header{"X-Original-Uri": {"/p"}, "X-Original-Method": {"GET"}}, "missing_headers"},
		{"HDR-4 aliases beside the real ones do nothing", http.Header{
			"X-Original-Url": {good}, "X-Original-Method": {"GET"},
			"X_Forwarded_Uri": {"/public"}, "x-forwarded-uri": {"/public"}, "X.Forwarded.Uri": {"/public"}, "X_Original_Url": {"https://evil.test/"},
		}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Original{settings()}.Read(question(trustedPeer, "", tt.header))
			if got := refusalCode(t, err); got != tt.want {
				t.Errorf("refused with %q, want %q", got, tt.want)
			}
		})
	}
}

// TestOriginalDescribes holds everything that is read besides the address.
func TestOriginalDescribes(t *testing.T) {
	o := Original{settings()}
	got, err := o.Read(question(trustedPeer, "allowed_groups=a,b", http.Header{
		"X-Original-Url":    {"http://App.Example.COM.:8080/A%2f?x=1?y"},
		"X-Original-Method": {"Get"},
		"X-Request-Id":      {"0af7-6.5_a"},
		"X-Forwarded-For":   {"203.0.113.9, 10.1.1.1"},
		"Cookie":            {"a=1", "b=2"},
		"Authorization":     {"Bearer x", "Bearer y"},
		"Sec-Fetch-Mode":    {"navigate"},

		// None of these is read (HDR-1, HDR-6, HDR-8, PATH-7).
		"X-Forwarded-Host":       {"evil.test"},
		"X-Forwarded-Proto":      {"https"},
		"X-Forwarded-Prefix":     {"/admin"},
		"X-Forwarded-Port":       {"1"},
		"Forwarded":              {"for=192.0.2.1;host=evil.test;proto=https"},
		"X-Real-Ip":              {"192.0.2.1"},
		"X-Http-Method-Override": {"DELETE"},
		"X-Envoy-Original-Path":  {"/public"},
		"Connection":             {"X-Original-URL, X-Original-Method, close"},
		"User-Agent":             {"GoogleHC/1.0"},
		"Referer":                {"https://evil.test/"},
	}))
	if err != nil {
		t.Fatal(err)
	}
	want := auth.Request{
		ID: "0af7-6.5_a", Method: "Get", Scheme: "http", Host: "app.example.com", Port: "8080", Path: "/A%2f", Query: "?x=1?y",
		Client:  netip.MustParseAddr("203.0.113.9"),
		Cookies: []string{"a=1", "b=2"}, Authorization: []string{"Bearer x", "Bearer y"},
		Navigation: true,
		Narrow:     auth.Narrowing{Groups: [][]string{{"a", "b"}}},
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	o.ForceScheme = "https"
	if got, _ = o.Read(question(trustedPeer, "", http.Header{"X-Original-Url": {"http://a.test/"}, "X-Original-Method": {"GET"}})); got.Scheme != "https" {
		t.Errorf("forced to https, the scheme is %q", got.Scheme)
	}
}

func TestRequestID(t *testing.T) {
	for _, tt := range []struct {
		name  string
		lines []string
		want  string
	}{
		{"LOG-1 usual", []string{"5b2a1f0c9d"}, "5b2a1f0c9d"},
		{"LOG-1 longest", []string{strings.Repeat("a", 64)}, strings.Repeat("a", 64)},
		{"LOG-1 too long", []string{strings.Repeat("a", 65)}, ""},
		{"LOG-1 line break", []string{"a\nb"}, ""},
		{"LOG-1 quote", []string{`a"b`}, ""},
		{"LOG-1 space", []string{"a b"}, ""},
		{"LOG-1 repeated", []string{"a", "b"}, ""},
		{"LOG-1 none", nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := RequestID(http.Header{"X-Request-Id": tt.lines}); got != tt.want {
				t.Errorf("requestID = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestPeers(t *testing.T) {
	h := http.Header{"X-Original-Url": {"https://app.example.com/"}, "X-Original-Method": {"GET"}}
	for _, tt := range []struct {
		name string
		peer string
		want string // the code of the refusal
	}{
		{"HDR-2 trusted", "127.0.0.1:1", ""},
		{"HDR-2 other loopback address", "127.0.0.2:1", "untrusted_peer"},
		{"HDR-2 in the range", "10.255.0.1:65535", ""},
		{"HDR-2 outside the range", "11.0.0.1:1", "untrusted_peer"},
		{"HDR-2 IPv4-mapped IPv6, trusted", "[::ffff:10.1.2.3]:1", ""},
		{"HDR-2 IPv4-mapped IPv6, not trusted", "[::ffff:127.0.0.2]:1", "untrusted_peer"},
		{"HDR-2 IPv6", "[fd12::1]:1", ""},
		{"HDR-2 IPv6 with a zone", "[fd12::1%eth0]:1", ""},
		{"HDR-2 IPv6 loopback is not IPv4 loopback", "[::1]:1", "untrusted_peer"},
		{"HDR-2 link-local with a zone", "[fe80::1%eth0]:1", "untrusted_peer"},
		{"HDR-2 unix socket without a name", "@", ""},
		{"HDR-2 unix socket with a name", "/run/client.sock", ""},
		{"HDR-2 unix socket, no address at all", "", ""},
		{"HDR-2 no port", "127.0.0.1", "untrusted_peer"},
		{"HDR-2 a host name", "localhost:1", "untrusted_peer"},
		{"HDR-2 an abstract name is no pass", "@evil:1", "untrusted_peer"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, dialect := range []Dialect{Original{settings()}, auto(settings())} {
				_, err := dialect.Read(question(tt.peer, "", h))
				if got := refusalCode(t, err); got != tt.want {
					t.Errorf("%T refused with %q, want %q", dialect, got, tt.want)
				}
			}
		})
	}
	if (Proxies{}).Trust("127.0.0.1:1") {
		t.Error("HDR-2: no proxies, and yet one is trusted")
	}
}

// auto is /auth as a Dialect.
func auto(s Settings) Dialect { return choosing{Auto{Original{s}, Forwarded{Settings: s}}} }

type choosing struct{ Auto }

func (c choosing) Read(r *http.Request) (auth.Request, error) { return c.Choose(r.Header).Read(r) }

func (c choosing) Answer(w http.ResponseWriter, req auth.Request, d auth.Decision) {
	c.Original.Answer(w, req, d)
}

func TestAuto(t *testing.T) {
	const good = "https://app.example.com/"
	for _, tt := range []struct {
		name   string
		header http.Header
		want   string // the code of the refusal
	}{
		{"HDR-1 original", http.Header{"X-Original-Url": {good}, "X-Original-Method": {"GET"}}, ""},
		{"HDR-1 forwarded", forwardedHeaders(nil), ""},
		{"HDR-1 a forwarded method alone is that family too", http.Header{"X-Forwarded-Method": {"GET"}}, "missing_headers"},
		{"HDR-1 both", http.Header{"X-Original-Url": {good}, "X-Original-Method": {"GET"}, "X-Forwarded-Uri": {"/"}}, "ambiguous_headers"},
		{"HDR-1 both, forwarded method only", http.Header{"X-Original-Url": {good}, "X-Original-Method": {"GET"}, "X-Forwarded-Method": {"GET"}}, "ambiguous_headers"},
		{"HDR-1 both, each empty", http.Header{"X-Original-Url": {""}, "X-Forwarded-Uri": {""}}, "ambiguous_headers"},
		{"HDR-1 neither", http.Header{}, "missing_headers"},
		{"HDR-1 neither: host and scheme make no family", http.Header{"X-Forwarded-Host": {"a"}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-For": {"1.2.3.4"}}, "missing_headers"},
		{"HDR-1 original beside those that every proxy sets", http.Header{
			"X-Original-Url": {good}, "X-Original-Method": {"GET"}, "X-Forwarded-Host": {"evil.test"}, "X-Forwarded-Proto": {"http"}, "X-Forwarded-For": {"1.2.3.4"},
		}, ""},
		{"HDR-4 aliases of the other family", http.Header{"X-Original-Url": {good}, "X-Original-Method": {"GET"}, "X_Forwarded_Uri": {"/"}}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := auto(settings()).Read(question(trustedPeer, "", tt.header))
			if got := refusalCode(t, err); got != tt.want {
				t.Errorf("refused with %q, want %q", got, tt.want)
			}
		})
	}
}

// TestRefusalTellsNoValue: what stands in the log is the name of the header at
// fault, never what a client put into it.
func TestRefusalTellsNoValue(t *testing.T) {
	for _, h := range []http.Header{
		{"X-Original-Url": {"zzsecret"}, "X-Original-Method": {"zzsecret"}},
		{"X-Original-Url": {"https://a.test/", "zzsecret"}, "X-Original-Method": {"GET"}},
		{"X-Original-Url": {"https://zzsecret@a.test/"}, "X-Original-Method": {"GET"}},
		{"X-Original-Url": {"https://a.test/zzsecret"}, "X-Forwarded-Uri": {"zzsecret"}},
	} {
		_, err := auto(settings()).Read(question(trustedPeer, "", h))
		if err == nil || strings.Contains(err.Error(), "zzsecret") {
			t.Errorf("LOG-2: the refusal of %v reads %q", h, err)
		}
	}
}
