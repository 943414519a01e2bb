package gateway

import (
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/doorward/doorward/internal/auth"
)

func TestReadAddress(t *testing.T) {
	type parts struct{ Scheme, Host, Port, Path, Query string }
	no := parts{}
	for _, tt := range []struct {
		name    string
		address string
		want    parts // the zero parts: no address
	}{
		{"plain", "https://app.example.com/", parts{"https", "app.example.com", "", "/", ""}},
		{"PATH-1 the query begins at the first question mark", "https://a.test/p?x=/y?z", parts{"https", "a.test", "", "/p", "?x=/y?z"}},
		{"PATH-1 an empty query", "https://a.test/p?", parts{"https", "a.test", "", "/p", "?"}},
		{"PATH-1 CVE-2025-54576 a path in the query", "https://a.test/p?/public", parts{"https", "a.test", "", "/p", "?/public"}},
		{"query without values", "https://a.test/a&x=y", parts{"https", "a.test", "", "/a&x=y", ""}},
		{"PATH-2 dot segments arrive raw", "https://a.test/public/../%2e%2E/./admin", parts{"https", "a.test", "", "/public/../%2e%2E/./admin", ""}},
		{"PATH-2 slashes arrive raw", "https://a.test//evil.test//x", parts{"https", "a.test", "", "//evil.test//x", ""}},
		{"PATH-2 CVE-2026-41059 a number sign arrives raw", "https://a.test/admin#/public", parts{"https", "a.test", "", "/admin#/public", ""}},
		{"PATH-2 bad escapes arrive raw", "https://a.test/%zz%0", parts{"https", "a.test", "", "/%zz%0", ""}},
		{"PATH-2 UTF-8 arrives raw", "https://a.test/Jörg\xff", parts{"https", "a.test", "", "/Jörg\xff", ""}},
		{"PATH-2 backslash, parameter", `https://a.test/a\..;x=y/b`, parts{"https", "a.test", "", `/a\..;x=y/b`, ""}},
		{"PATH-2 a comma in the path", "https://a.test/a,b?c,d", parts{"https", "a.test", "", "/a,b", "?c,d"}},
		{"an address in the path", "https://a.test/https://b.test/", parts{"https", "a.test", "", "/https://b.test/", ""}},

		{"PATH-4 upper case", "https://APP.Example.COM/X", parts{"https", "app.example.com", "", "/X", ""}},
		{"PATH-4 final dot", "https://app.example.com./", parts{"https", "app.example.com", "", "/", ""}},
		{"PATH-4 final dot and port", "https://app.example.com.:8443/", parts{"https", "app.example.com", "8443", "/", ""}},
		{"PATH-4 two final dots", "https://app.example.com../", no},
		{"PATH-4 two dots", "https://app..example.com/", no},
		{"PATH-4 first dot", "https://.example.com/", no},
		{"PATH-4 a dot alone", "https://./", no},
		{"PATH-4 no host", "https:///x", no},
		{"PATH-4 only a port", "https://:443/", no},
		{"PATH-4 empty port", "https://a.test:/", no},
		{"PATH-4 port that is no number", "https://a.test:4x/", no},
		{"PATH-4 port out of range", "https://a.test:65536/", no},
		{"PATH-4 port with a sign", "https://a.test:+80/", no},
		{"PATH-4 port of six digits", "https://a.test:000443/", no},
		{"PATH-4 two ports", "https://a.test:1:2/", no},
		{"PATH-4 user information", "https://public.test@secret.test/", no},
		{"PATH-4 user information behind a port", "https://app.example.com:99@evil.com/", no},
		{"PATH-4 encoded at sign", "https://a.test%40evil.com/", no},
		{"PATH-4 list of hosts", "https://a.test,b.test/", no},
		{"PATH-4 space", "https://a.test b.test/", no},
		{"PATH-4 backslash", `https://a.test\evil.com/`, no},
		{"PATH-4 number sign", "https://a.test#evil.com/", no},
		{"PATH-4 query without a path", "https://a.test?x=/", no},
		{"PATH-4 wildcard", "https://*.example.com/", no},
		{"PATH-4 NUL", "https://a.test\x00/", no},
		{"PATH-4 beyond ASCII", "https://exampleſ.com/", no},
		{"PATH-4 host of 254 bytes", "https://" + strings.Repeat("a.", 127) + "/", parts{"https", strings.Repeat("a.", 126) + "a", "", "/", ""}},
		{"PATH-4 host of 255 bytes", "https://" + strings.Repeat("a.", 127) + "aa/", no},
		{"underscore", "https://my_app.example.com/", parts{"https", "my_app.example.com", "", "/", ""}},
		{"IPv4", "http://192.0.2.1:8080/", parts{"http", "192.0.2.1", "8080", "/", ""}},
		{"IPv6", "http://[::1]/", parts{"http", "[::1]", "", "/", ""}},
		{"IPv6 with a port", "http://[fd00::1]:8080/", parts{"http", "[fd00::1]", "8080", "/", ""}},
		{"PATH-4 IPv6 in another spelling", "http://[FD00:0:0::0001]/", parts{"http", "[fd00::1]", "", "/", ""}},
		{"PATH-4 IPv6 with a zone", "http://[fe80::1%25eth0]/", no},
		{"PATH-4 IPv6 with a dot after it", "http://[::1]./", no},
		{"PATH-4 IPv6 not closed", "http://[::1/", no},
		{"PATH-4 IPv6 without brackets", "http://::1/", no},
		{"PATH-4 empty brackets", "http://[]/", no},
		{"PATH-4 brackets around IPv4", "http://[192.0.2.1]/", no},
		{"PATH-4 brackets around colons", "http://[:::::]/", no},
		{"PATH-4 something before the brackets", "http://a[::1]/", no},
		{"PATH-4 something after the brackets", "http://[::1]a/", no},

		{"PATH-3 empty", "", no},
		{"PATH-3 a path", "/p", no},
		{"PATH-3 without a scheme", "//a.test/p", no},
		{"PATH-3 no path", "https://a.test", no},
		{"PATH-3 OPTIONS *", "https://a.test*", no},
		{"PATH-3 one slash", "https:/a.test/", no},
		{"PATH-3 scheme in upper case", "HTTPS://a.test/", no},
		{"PATH-3 another scheme", "ftp://a.test/", no},
		{"PATH-3 websocket scheme", "wss://a.test/", no},
		{"PATH-3 space before", " https://a.test/", no},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var req auth.Request
			ok := ReadAddress(tt.address, &req)
			got := parts{req.Scheme, req.Host, req.Port, req.Path, req.Query}
			if ok != (tt.want != no) {
				t.Fatalf("ReadAddress(%q) = %v, %+v", tt.address, ok, got)
			}
			if diff := cmp.Diff(tt.want, got); ok && diff != "" {
				t.Errorf("ReadAddress(%q) (-want +got)\n%s", tt.address, diff)
			}
		})
	}
}

// FuzzOriginal: whatever stands in the headers, nothing panics, and what is
// accepted is in the one form that the rest of the program relies on. net/url,
// which shares no code with the package, must see the same host in it.
func FuzzOriginal(f *testing.F) {
	for _, address := range []string{
		"https://app.example.com/a%20b/c?x=1&y=%26", "http://a.test:99@evil.com/", "https://a..b/", "https://[::1]:80/", "https://a.test../",
		"https://[]/", "https://a.test:/", "https://[::ffff:1.2.3.4]/x", "//evil", "https://a.test#/x", "https://Aſ.test/", "https://[::1]./",
	} {
		f.Add(address, "GET", "allowed_groups=a,b", "1.2.3.4, 10.0.0.1", "text/html")
	}
	f.Fuzz(func(t *testing.T, address, method, query, forwardedFor, accept string) {
		r := question(trustedPeer, query, map[string][]string{
			"X-Original-Url": {address}, "X-Original-Method": {method}, "X-Forwarded-For": {forwardedFor}, "Accept": {accept},
		})
		req, err := auto(settings()).Read(r)
		if refusalCode(t, err) != "" {
			return
		}
		if req.Scheme != "http" && req.Scheme != "https" {
			t.Errorf("%q has the scheme %q", address, req.Scheme)
		}
		if !strings.HasPrefix(req.Path, "/") || strings.Contains(req.Path, "?") {
			t.Errorf("%q has the path %q", address, req.Path)
		}
		if again, ok := CanonicalHost(req.Host); !ok || again != req.Host || strings.HasSuffix(req.Host, ".") || req.Host != strings.ToLower(req.Host) {
			t.Errorf("%q has the host %q, which is not canonical", address, req.Host)
		}
		if req.Method != method {
			t.Errorf("the method %q became %q", method, req.Method)
		}
		sameHost(t, req, "/")
		sameHost(t, req, req.Path)
	})
}

// sameHost demands that net/url finds the host of req in its address. It may
// refuse a path that it cannot decode, but not "/".
func sameHost(t *testing.T, req auth.Request, path string) {
	t.Helper()
	authority := req.Host
	if req.Port != "" {
		authority += ":" + req.Port
	}
	parsed, err := url.Parse(req.Scheme + "://" + authority + path)
	if err != nil {
		if path == "/" {
			t.Errorf("net/url does not read the host %q: %v", authority, err)
		}
		return
	}
	if parsed.Hostname() != strings.Trim(req.Host, "[]") || parsed.Port() != req.Port || parsed.User != nil {
		t.Errorf("net/url sees %q in %q", parsed.Host, authority+path)
	}
}
