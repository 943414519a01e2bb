package gateways

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// What clients send who want to be somebody else, or somewhere else.
var (
	forwarded = []string{
		"X-Forwarded-Uri: /public", "X-Forwarded-Method: OPTIONS", "X-Forwarded-Host: evil.example", "X-Forwarded-Proto: http",
		"X-Forwarded-For: 10.0.0.1", "X-Forwarded-Prefix: /public", "X-Forwarded-Port: 80", "Forwarded: host=evil.example;proto=http",
	}
	original = []string{
		"X-Original-URL: https://evil.example/public", "X-Original-Method: OPTIONS", "X-Original-URI: /public",
		"X-Sent-From: nginx-ingress-controller", "X-Auth-Request-Redirect: https://evil.example/", "X-Scheme: http",
	}
	identity = []string{
		"X-Auth-Request-User: root", "X-Auth-Request-Email: root@example.com", "X-Auth-Request-Groups: admins",
		"X-Auth-Request-Name: Root", "x-auth-request-preferred-username: root",
		"X_Auth_Request_User: root", "X-Auth_Request-Groups: admins",
		"X-Envoy-Auth-Headers-To-Remove: cookie", "Connection: X-Auth-Request-User, X-Forwarded-Uri, X-Original-Url",
	}
)

// hostile sends more headers than a browser would, as somebody who may enter, as
// somebody who may not, and as nobody.
func hostile(more []string) func(*testing.T, *column) string {
	return func(t *testing.T, c *column) string {
		in := c.send(t, ask{header: fetch(append([]string{"Cookie: " + c.ada}, more...)...)})
		out := c.send(t, ask{header: fetch(append([]string{"Cookie: " + c.eve}, more...)...)})
		nobody := c.send(t, ask{header: navigation(more...)})
		if out.seen != nil || nobody.seen != nil {
			return "let somebody in"
		}
		if in.StatusCode == http.StatusForbidden && out.StatusCode == http.StatusForbidden && nobody.StatusCode == http.StatusForbidden {
			return "403"
		}
		if in.seen == nil || out.StatusCode != http.StatusForbidden {
			return fmt.Sprintf("%d for Ada, %d for Eve", in.StatusCode, out.StatusCode)
		}
		if wrong := identityIn(in.seen); wrong != "" {
			return wrong
		}
		if got := c.describe(t, nobody); got != "302 to the sign-in" {
			return "nobody: " + got
		}
		return "no effect"
	}
}

// ownQuery sends what would let nobody in, or everybody, as the query of a check.
func ownQuery(t *testing.T, c *column) string {
	const query = "/x?allowed_groups=nobody&allowed_emails=eve@other.example&allowed_email_domains="
	if ada := c.send(t, ask{target: query, header: fetch("Cookie: " + c.ada)}); uri(ada) != query {
		return fmt.Sprintf("%d for Ada, %s", ada.StatusCode, uri(ada))
	}
	if eve := c.send(t, ask{target: query, header: fetch("Cookie: " + c.eve)}); eve.StatusCode != http.StatusForbidden {
		return fmt.Sprintf("%d for Eve", eve.StatusCode)
	}
	return "no effect"
}

// oddPaths compares what is judged with what the app gets: the address to come
// back to of nobody's request, and the one that the app sees of Ada's. A gateway
// or Doorward may refuse instead.
func oddPaths(t *testing.T, c *column) string {
	for _, path := range []string{
		"/a/../b", "/a/./b", "/../x", "/a/%2e%2e/b", "/a/%2E%2E/b", "//x", "/a//b", "/a%2fb", "/a%5cb", "/a;v=1/b", "/a;/../b",
		"/a%00b", "/a%zz", "/a%", "/%61", "/a\\b", "/a%252e", "/a%C3%A9", "/a%ff", "/~a", "/a'b(c)", "/a?b=/../c", "/a?x=%2e%2e",
	} {
		nobody := c.send(t, ask{target: path, header: navigation()})
		ada := c.send(t, ask{target: path, header: navigation("Cookie: " + c.ada)})
		if nobody.seen != nil {
			return path + " reached the app"
		}
		back := c.signInFor(nobody)
		t.Logf("%-14s nobody: %d %s; Ada: %d %s", path, nobody.StatusCode, back, ada.StatusCode, uri(ada))
		if back == "" && nobody.StatusCode < 400 {
			return fmt.Sprintf("%s: %d to %s", path, nobody.StatusCode, nobody.Header.Get("Location"))
		}
		if ada.seen != nil && back != "" && back != "https://"+c.host()+ada.seen.URI {
			return fmt.Sprintf("%s is judged as %s, the app gets %s", path, back, ada.seen.URI)
		}
	}
	return "judged as the app gets them"
}

func uri(a answer) string {
	if a.seen == nil {
		return ""
	}
	return a.seen.URI
}

// oddHosts: whatever is named, nobody gets in, and a redirect goes to the sign-in
// and from there to the app or nowhere.
func oddHosts(t *testing.T, c *column) string {
	own := c.host()
	for _, host := range []string{
		own + "@evil.example", "evil.example@" + own, c.parts.Front.AppHost + ":99@evil.example", strings.ToUpper(own),
		c.parts.Front.AppHost + ".:443", "evil.example", "app.example.com.evil.example", c.parts.Front.AppHost + ":99999",
		"app.example.com&x=y", "app.example.com/evil.example", "app.example.com\\evil.example", "[::1]", "", " ",
		own + "\r\nHost: evil.example",
	} {
		got := c.send(t, ask{host: host, header: navigation()})
		back := c.signInFor(got)
		t.Logf("%-40q %d %s", host, got.StatusCode, got.Header.Get("Location"))
		if got.seen != nil {
			return fmt.Sprintf("%q reached the app", host)
		}
		if back == "" && got.Header.Get("Location") != "" {
			return fmt.Sprintf("%q leads to %s", host, got.Header.Get("Location"))
		}
		if target, err := url.Parse(back); back != "" && (err != nil || !slices.Contains(
			[]string{"app.example.com", "app.example.com."}, strings.ToLower(target.Hostname()))) {
			return fmt.Sprintf("%q leads back to %s", host, back)
		}
	}
	return "never led elsewhere"
}
