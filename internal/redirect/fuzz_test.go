package redirect_test

import (
	"net/url"
	"path"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/redirect"
)

// FuzzCheck holds every accepted target against two readings that share no code
// with the package: that of a browser (WHATWG URL), and that of net/url.
func FuzzCheck(f *testing.F) {
	for _, seed := range []string{
		"/", "/a?b#c", "//evil.test", `/\evil.test`, "/%09/evil.test", "/%2fevil.test", "/.//evil.test", "/a/..//evil.test",
		"https://app.example.com/", "https://app.example.com:443/x", "https://a@b/", "https:/x", "https:x", "https://evil.test",
		"https://app.example.com@evil.test", "https://[::1]/", "https://app%2eexample.com", "https://badexample.com", "\t//evil.test",
		"https://login.corp.test:8443/../x", "https://partner.org", "/%2%35%32fevil.test", "/x/..;/y", "https://a.cdn.org./x",
	} {
		f.Add(seed)
	}
	rules := shared()
	f.Fuzz(func(t *testing.T, target string) {
		got, err := rules.Target(target)
		if err != nil {
			if got != "/" {
				t.Fatalf("RED-12: Target(%q) = %q with %v", target, got, err)
			}
			return
		}
		if got != target {
			t.Fatalf("RED-11: Target(%q) = %q", target, got)
		}
		base := "https://auth.example.com/callback"
		if origin := browserOrigin(target); !ourOrigins(origin) {
			t.Errorf("a browser reads %q as %q", target, origin)
		}
		resolved, err := resolveByNetURL(base, target)
		if err != nil {
			return // net/url is stricter than a browser about escapes
		}
		if !ourOrigins(resolved.Scheme+"://"+strings.ToLower(resolved.Host)) || resolved.User != nil {
			t.Errorf("net/url reads %q as %q", target, resolved)
		}
		checkDecodedPath(t, base, target)
	})
}

// checkDecodedPath demands that a server that decodes the path, however often,
// and sends it on as an address, stays on the host too.
func checkDecodedPath(t *testing.T, base, target string) {
	if !strings.HasPrefix(target, "/") {
		return
	}
	text, _, _ := strings.Cut(target, "?")
	text, _, _ = strings.Cut(text, "#")
	for range 20 {
		if origin := browserOrigin(text); origin != "https://auth.example.com" {
			t.Fatalf("decoded, a browser reads %q as %q", text, origin)
		}
		if cleaned := path.Clean(text); cleaned == "/sign_out" || cleaned == "/start" || cleaned == "/callback" {
			t.Fatalf("RED-10: %q leads to %q", target, cleaned)
		}
		decoded, err := url.PathUnescape(text)
		if err != nil || decoded == text {
			return
		}
		text = decoded
	}
}

func resolveByNetURL(base, target string) (*url.URL, error) {
	from, err := url.Parse(base)
	if err != nil {
		return nil, err
	}
	return from.Parse(target)
}

// browserOrigin reads target as the WHATWG URL standard does relative to an
// https page of auth.example.com: spaces and controls at the ends and all tabs
// and newlines are dropped, a backslash is a slash, any number of slashes may
// follow the scheme, and everything up to the last @ of the authority is a user.
func browserOrigin(target string) string {
	text := strings.TrimFunc(target, func(c rune) bool { return c <= ' ' })
	text = strings.NewReplacer("\t", "", "\n", "", "\r", "", `\`, "/").Replace(text)
	scheme, rest, found := strings.Cut(text, ":")
	switch {
	case found && isScheme(scheme) && strings.EqualFold(scheme, "https"):
		if !strings.HasPrefix(rest, "//") {
			return "https://auth.example.com" // same scheme as the page: relative
		}
		return "https://" + browserHost(strings.TrimLeft(rest, "/"))
	case found && isScheme(scheme):
		return strings.ToLower(scheme) + "://" + browserHost(strings.TrimLeft(rest, "/"))
	case strings.HasPrefix(text, "//"):
		return "https://" + browserHost(strings.TrimLeft(text, "/"))
	}
	return "https://auth.example.com"
}

func browserHost(rest string) string {
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		rest = rest[:i]
	}
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		rest = rest[i+1:]
	}
	if decoded, err := url.PathUnescape(rest); err == nil {
		rest = decoded
	}
	return strings.ToLower(rest)
}

func isScheme(s string) bool {
	if s == "" {
		return false
	}
	for i, c := range strings.ToLower(s) {
		letter := 'a' <= c && c <= 'z'
		if !letter && (i == 0 || !strings.ContainsRune("0123456789+-.", c)) {
			return false
		}
	}
	return true
}

// ourOrigins knows the answer for the rules of shared, spelled out.
func ourOrigins(origin string) bool {
	u, err := url.Parse(origin)
	if err != nil || u.Scheme != "https" || u.User != nil {
		return false
	}
	switch u.Port() {
	case "", "443", "8443":
	default:
		return false
	}
	host := strings.TrimSuffix(u.Hostname(), ".")
	switch host {
	case "example.com", "corp.test", "partner.org":
		return true
	}
	for _, domain := range []string{".example.com", ".corp.test", ".cdn.org"} {
		if strings.HasSuffix(host, domain) {
			return true
		}
	}
	return false
}

// FuzzParam holds Param against net/url where the two mean the same: no plus, no
// semicolon, and rd given once.
func FuzzParam(f *testing.F) {
	for _, seed := range []string{"rd=/a", "rd=%2fa&x=1", "r%64=/", "rd=/a&rd=/b", "rd=%zz", "a;b&rd=/;", "rd=http%3A%2F%2Fh%2F%3Fx%3D1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		target, found, err := redirect.Param(query)
		if err != nil && (found || target != "") {
			t.Fatalf("Param(%q) = %q, %v with %v", query, target, found, err)
		}
		if strings.ContainsAny(query, "+;") {
			return
		}
		values, parseErr := url.ParseQuery(query)
		if parseErr != nil {
			return
		}
		switch rd := values["rd"]; {
		case len(rd) > 1 && err == nil:
			t.Errorf("Param(%q) = %q, but rd is repeated", query, target)
		case len(rd) == 1 && (err != nil || target != rd[0]):
			t.Errorf("Param(%q) = %q, %v; net/url reads %q", query, target, err, rd[0])
		case len(rd) == 0 && found:
			t.Errorf("Param(%q) = %q; net/url finds none", query, target)
		}
	})
}
