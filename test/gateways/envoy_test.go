package gateways

import (
	"encoding/json"
	"net/url"
	"testing"

	"github.com/doorward/doorward/test/stack"
)

// TestEnvoyPaths: what stands below /auth/envoy is the client's and reaches the
// check as it is, with any method and with a body. Envoy's own cleaning is off
// here, so that there is something to disturb.
func TestEnvoyPaths(t *testing.T) {
	for _, c := range columns() {
		if c.gateway != stack.EnvoyHTTP && c.gateway != stack.EnvoyGRPC {
			continue
		}
		c.replace = [][2]string{{"normalize_path: true", "normalize_path: false"}}
		t.Run(c.name, func(t *testing.T) {
			c.start(t, build(t))
			for _, target := range []string{
				"/", "//", "//evil.example/x", "/a//b", "/../x", "/a/../b", "/a/./b", "/a/%2e%2e/b", "/a/%2E", "/a%2fb", "/a;v=1", "/?", "/?a=1&b=%26&c=/../d",
				"/x?rd=https://evil.example/", "/auth/envoy/x", "/a%20b?x=a+b;c",
			} {
				for _, method := range []string{"GET", "POST", "HEAD", "OPTIONS", "PROPFIND"} {
					a := ask{method: method, target: target, header: navigation()}
					if method == "POST" {
						a.body = "a=b"
					}
					if back := c.judged(t, a); back != "https://"+c.host()+target {
						t.Errorf("%s %s is judged as %s", method, target, back)
					}
				}
			}
		})
	}
}

// judged is the address that Doorward was asked about, as its answer names it.
func (c *column) judged(t *testing.T, a ask) string {
	t.Helper()
	got := c.send(t, a)
	if back := c.signInFor(got); back != "" {
		return back
	}
	var body struct {
		SignInURL string `json:"sign_in_url"`
	}
	if err := json.Unmarshal([]byte(got.body), &body); err != nil {
		return got.Status
	}
	address, err := url.Parse(body.SignInURL)
	if err != nil {
		return body.SignInURL
	}
	return address.Query().Get("rd")
}
