package gateway

import (
	"net/http"
	"testing"

	"github.com/doorward/doorward/internal/auth"
)

func TestEnvoyRead(t *testing.T) {
	envoy := Envoy{Settings: settings(), Prefix: "/oauth2/auth/envoy", Sites: auth.Sites{{Scheme: "https", Host: "auth.example.com", CookieDomain: "example.com"}}}
	for _, tt := range []struct {
		name        string
		target      string // of the request line
		host        string
		header      http.Header
		path, query string
		refused     string
	}{
		{"the rest is the request", "/oauth2/auth/envoy/p?q=1", "app.example.com", nil, "/p", "?q=1", ""},
		{"no rest", "/oauth2/auth/envoy", "app.example.com", nil, "/", "", ""},
		{"no rest but a query", "/oauth2/auth/envoy?q", "app.example.com", nil, "/", "?q", ""},
		{"two slashes stay", "/oauth2/auth/envoy//evil.com", "app.example.com", nil, "//evil.com", "", ""},
		{"dot segments stay", "/oauth2/auth/envoy/a/../b/%2e%2e/c", "app.example.com", nil, "/a/../b/%2e%2e/c", "", ""},
		{"climbing out of the prefix is the path's own affair", "/oauth2/auth/envoy/../../start", "app.example.com", nil, "/../../start", "", ""},
		{"HDR-1 other families mean nothing", "/oauth2/auth/envoy/p", "app.example.com", http.Header{
			"X-Original-Url": {"https://app.example.com/public"}, "X-Forwarded-Uri": {"/public"}, "X-Forwarded-Host": {"evil.com"}, "X-Forwarded-Method": {"OPTIONS"},
		}, "/p", "", ""},
		{"the query does not narrow", "/oauth2/auth/envoy/p?allowed_groups=", "app.example.com", nil, "/p", "?allowed_groups=", ""},
		{"another prefix", "/oauth2/auth/envoyer", "app.example.com", nil, "", "", "malformed_headers"},
		{"an absolute target", "http://app.example.com/oauth2/auth/envoy/p", "app.example.com", nil, "", "", "malformed_headers"},
		{"user information", "/oauth2/auth/envoy/p", "app.example.com@evil.com", nil, "", "", "malformed_headers"},
		{"HDR-3 no host", "/oauth2/auth/envoy/p", "", nil, "", "", "malformed_headers"},
		{"HDR-3 scheme twice", "/oauth2/auth/envoy/p", "app.example.com", http.Header{"X-Forwarded-Proto": {"https", "http"}}, "", "", "malformed_headers"},
		{"HDR-3 empty scheme", "/oauth2/auth/envoy/p", "app.example.com", http.Header{"X-Forwarded-Proto": {""}}, "", "", "missing_headers"},
		{"another scheme", "/oauth2/auth/envoy/p", "app.example.com", http.Header{"X-Forwarded-Proto": {"ftp"}}, "", "", "malformed_headers"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := question(trustedPeer, "allowed_groups=", tt.header)
			r.RequestURI, r.Host, r.Method = tt.target, tt.host, "PROPFIND"
			req, err := envoy.Read(r)
			if got := refusalCode(t, err); got != tt.refused {
				t.Fatalf("refused as %q, want %q", got, tt.refused)
			}
			if err != nil {
				return
			}
			if req.Path != tt.path || req.Query != tt.query || req.Host != "app.example.com" || req.Method != "PROPFIND" || req.Scheme != "https" || len(req.Narrow.Groups) != 0 {
				t.Errorf("read %+v", req)
			}
		})
	}
	r := question("192.0.2.1:4000", "", http.Header{})
	r.RequestURI, r.Host = "/oauth2/auth/envoy/p", "app.example.com"
	if _, err := envoy.Read(r); refusalCode(t, err) != "untrusted_peer" {
		t.Errorf("HDR-2: %v", err)
	}
}
