package redirect_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/redirect"
)

// shared is one login for all hosts of example.com, with another site beside it.
func shared() *redirect.Rules {
	return &redirect.Rules{
		Sites: []redirect.Site{
			{Scheme: "https", Host: "auth.example.com", CookieDomain: "example.com"},
			{Scheme: "https", Host: "login.corp.test", Port: "8443", CookieDomain: "corp.test"},
		},
		Hosts: []string{"partner.org", "*.cdn.org"},
	}
}

// wildcard lets every host of example.com serve Doorward below /oauth2.
func wildcard() *redirect.Rules {
	return &redirect.Rules{
		Sites:  []redirect.Site{{Scheme: "https", Host: "*.example.com"}},
		Prefix: "/oauth2",
	}
}

// local is a host-only set-up without TLS.
func local() *redirect.Rules {
	return &redirect.Rules{Sites: []redirect.Site{{Scheme: "http", Host: "localhost", Port: "4180"}}}
}

func TestCheckAccepts(t *testing.T) {
	for _, tt := range []struct {
		name   string
		rules  *redirect.Rules
		target string
	}{
		{"root", shared(), "/"},
		{"RED-4 rooted path", shared(), "/dashboard"},
		{"RED-11 query with everything in it", shared(), "/a?x=1&y=%26&z=a+b;c,d&u=https://evil.test//\"<>%0d%0a%5c"},
		{"RED-11 fragment", shared(), "/a#/b/../../c"},
		{"RED-11 deep link", shared(), "https://app.example.com/a%20b/c?x=1&y=%26&z=a+b;c,d"},
		{"RED-5 encoded letters beyond ASCII", shared(), "/caf%C3%A9/%e2%80%8b"},
		{"RED-5 encoded slash", shared(), "/group%2Fproject"},
		{"RED-5 encoded three times", shared(), "/a%252520b"},
		{"RED-5 a percent sign of its own", shared(), "/100%25/of"},
		{"RED-5 a lone percent sign", shared(), "/100%"},
		{"dot segments that stay below the root", shared(), "/a/b/../c/./d"},
		{"dots that are no segments", shared(), "/.well-known/..x/x../..."},
		{"empty segment further down", shared(), "/a//b"},
		{"RED-1 no path", shared(), "https://app.example.com"},
		{"RED-1 no path but a query", shared(), "https://app.example.com?x=/../.."},
		{"RED-1 no path but a fragment", shared(), "https://app.example.com#//evil.test"},
		{"RED-1 the cookie domain itself", shared(), "https://example.com/"},
		{"RED-1 any depth", shared(), "https://a.b.c.example.com/"},
		{"RED-1 default port spelled out", shared(), "https://a.example.com:443/"},
		{"RED-1 port of a public URL", shared(), "https://app.corp.test:8443/"},
		{"RED-1 default port where the public URL has another", shared(), "https://app.corp.test/"},
		{"RED-3 upper case", shared(), "https://APP.Example.COM/"},
		{"RED-3 final dot", shared(), "https://app.example.com./"},
		{"RED-3 punycode", shared(), "https://xn--bcher-kva.example.com/"},
		{"extra host", shared(), "https://partner.org/x"},
		{"extra wildcard", shared(), "https://a.b.cdn.org/x"},
		{"RED-10 an app's own /start", shared(), "https://app.example.com/start"},
		{"RED-10 an app's own /auth/login", shared(), "https://app.example.com/auth/login"},
		{"RED-10 only begins like an endpoint", shared(), "/started"},
		{"RED-10 only begins like the check", shared(), "https://auth.example.com/authors"},
		{"RED-10 who am I", shared(), "/userinfo"},
		{"RED-10 not below the prefix", wildcard(), "https://app.example.com/start"},
		{"RED-10 page of Doorward", wildcard(), "https://app.example.com/oauth2/"},
		{"wildcard host", wildcard(), "https://a.b.example.com/x"},
		{"http where the public URL is", local(), "http://localhost:4180/x"},
		{"http default port", local(), "http://localhost/x"},
		{"http default port spelled out", local(), "http://localhost:80/x"},
		{"RED-6 longest", shared(), "/" + strings.Repeat("a", 2047)},
		{"zero rules, rooted", &redirect.Rules{}, "/x"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.rules.Target(tt.target)
			if err != nil || got != tt.target {
				t.Errorf("Target(%q) = %q, %v; want it back byte for byte", tt.target, got, err)
			}
		})
	}
}

func TestCheckRefuses(t *testing.T) {
	for _, tt := range []struct {
		name   string
		rules  *redirect.Rules
		target string
		code   string
	}{
		{"empty", shared(), "", "empty"},

		{"RED-1 other host", shared(), "https://evil.test/", "host"},
		{"RED-1 plain http", shared(), "http://app.example.com/", "scheme"},
		{"RED-1 https where the public URL is http", local(), "https://localhost/", "scheme"},
		{"RED-1 extra host, other scheme", shared(), "http://partner.org/", "scheme"},
		{"RED-1 other port", shared(), "https://app.example.com:444/", "port"},
		{"RED-1 default port of the other scheme", shared(), "https://app.example.com:80/", "port"},
		{"RED-1 port with a zero before it", shared(), "https://app.example.com:0443/", "authority"},
		{"RED-1 empty port", shared(), "https://app.example.com:/", "authority"},
		{"RED-1 port too large", shared(), "https://app.example.com:655360/", "authority"},
		{"RED-1 port not a number", shared(), "https://app.example.com:44a/", "authority"},
		{"RED-1 two ports", shared(), "https://app.example.com:443:443/", "authority"},
		{"RED-1 user name", shared(), "https://a@app.example.com/", "authority"},
		{"RED-1 user name, http", shared(), "http://a@b", "authority"},
		{"RED-1 host as user name", shared(), "https://app.example.com@evil.test/", "authority"},
		{"RED-1 host and port as user name and password", shared(), "https://app.example.com:443@evil.test/", "authority"},
		{"CVE-2026-7504 several at signs", shared(), "https://a@evil.test@app.example.com/", "authority"},
		{"RED-1 our host in the fragment", shared(), "https://evil.test#@app.example.com/", "host"},
		{"RED-1 our host in the query", shared(), "https://evil.test?@app.example.com/", "host"},
		{"RED-1 empty user name", shared(), "https://@app.example.com/", "authority"},
		{"RED-1 javascript", shared(), "javascript:alert(1)", "form"},
		{"RED-1 javascript that looks like a comment", shared(), "javascript://app.example.com/%0aalert(1)", "form"},
		{"RED-1 data", shared(), "data:text/html,x", "form"},
		{"CVE-2026-9086 scheme in upper case", shared(), "HTTPS://app.example.com/", "form"},
		{"RED-1 websocket", shared(), "wss://app.example.com/", "form"},
		{"RED-1 one slash", shared(), "https:/x", "form"},
		{"RED-1 no slash", shared(), "https:x", "form"},
		{"RED-1 no slash, a host", shared(), "https:evil.test", "form"},
		{"RED-1 three slashes", shared(), "https:///evil.test", "authority"},
		{"RED-1 four slashes", shared(), "https:////evil.test", "authority"},
		{"RED-1 nothing behind the scheme", shared(), "https://", "authority"},
		{"RED-1 another address inside", shared(), "https://https://app.example.com/", "authority"},
		{"zero rules, absolute", &redirect.Rules{}, "https://app.example.com/", "host"},
		{"zero site", &redirect.Rules{Sites: []redirect.Site{{}}}, "https://app.example.com/", "host"},

		{"RED-2 backslash CVE-2020-5233", shared(), `/\evil.test`, "bytes"},
		{"RED-2 two backslashes", shared(), `\\evil.test`, "bytes"},
		{"RED-2 backslash in the authority CVE-2021-32786", shared(), `https://app.example.com\@evil.test/`, "bytes"},
		{"RED-2 backslash after the scheme", shared(), `https:\\evil.test`, "bytes"},
		{"RED-2 backslash in the query", shared(), `/x?a=\`, "bytes"},
		{"RED-2 tab", shared(), "/\t/evil.test", "bytes"},
		{"RED-2 newline", shared(), "/x\nSet-Cookie: a=b", "bytes"},
		{"RED-2 return", shared(), "/\r/evil.test", "bytes"},
		{"RED-2 leading space", shared(), " /x", "bytes"},
		{"RED-2 leading space before two slashes", shared(), " //evil.test", "bytes"},
		{"RED-2 space inside", shared(), "/a b", "bytes"},
		{"RED-2 NUL", shared(), "/a\x00", "bytes"},
		{"RED-2 DEL", shared(), "/a\x7f", "bytes"},
		{"RED-2 beyond ASCII", shared(), "/café", "bytes"},
		{"RED-2 broken UTF-8", shared(), "/a\xff", "bytes"},
		{"RED-2 IDN host", shared(), "https://bücher.example.com/", "bytes"},
		{"RED-2 full-width dot", shared(), "https://evil。example.com/", "bytes"},
		{"RED-2 long s folds to s", shared(), "https://app.exampleſ.com/", "bytes"},

		{"RED-3 no dot boundary CVE-2021-21291", shared(), "https://badexample.com/", "host"},
		{"RED-3 no dot boundary, extra host", shared(), "https://evilpartner.org/", "host"},
		{"RED-3 no dot boundary, extra wildcard", shared(), "https://evilcdn.org/", "host"},
		{"RED-3 the domain goes on (vouch PR 335)", shared(), "https://example.com.my.domain/", "host"},
		{"RED-3 the domain in front with a dash", shared(), "https://example.com-evil.test/", "host"},
		{"RED-3 exact extra host has no subdomains", shared(), "https://a.partner.org/", "host"},
		{"RED-3 wildcard is not the domain itself", shared(), "https://cdn.org/", "host"},
		{"RED-3 wildcard site is not the domain itself", wildcard(), "https://example.com/", "host"},
		{"RED-3 two final dots", shared(), "https://app.example.com../", "authority"},
		{"RED-3 leading dot", shared(), "https://.example.com/", "authority"},
		{"RED-3 empty label", shared(), "https://app..example.com/", "authority"},
		{"RED-3 only a dot", shared(), "https://./", "authority"},
		{"RED-3 the pattern as a host", shared(), "https://*.example.com/", "authority"},
		{"RED-3 list of hosts", shared(), "https://evil.test,app.example.com/", "authority"},
		{"RED-3 semicolon in the host", shared(), "https://evil.test;.example.com/", "authority"},
		{"RED-3 IPv6 literal", shared(), "https://[::1]/", "authority"},
		{"RED-3 IPv6 literal with our host", shared(), "https://[app.example.com]/", "authority"},
		{"RED-3 IPv4", shared(), "https://127.0.0.1/", "host"},
		{"RED-3 IPv4 as one number", shared(), "https://2130706433/", "host"},
		{"RED-3 encoded dot", shared(), "https://app%2eexample.com/", "authority"},
		{"RED-3 encoded slash after a host", shared(), "https://evil.test%2f.example.com/", "authority"},
		{"RED-3 encoded NUL after a host", shared(), "https://evil.test%00.example.com/", "authority"},
		{"RED-3 encoded at sign", shared(), "https://a%40app.example.com/", "authority"},
		{"RED-3 host too long", shared(), "https://" + strings.Repeat("a.", 130) + "example.com/", "authority"},

		{"RED-4 two slashes", shared(), "//evil.test", "form"},
		{"RED-4 three slashes", shared(), "///evil.test", "form"},
		{"RED-4 our host without a scheme", shared(), "//app.example.com/", "form"},
		{"RED-4 no slash", shared(), "evil.test", "form"},
		{"RED-4 dot", shared(), "./x", "form"},
		{"RED-4 query only", shared(), "?x=https://evil.test", "form"},
		{"RED-4 fragment only", shared(), "#x", "form"},

		{"RED-5 encoded tab CVE-2020-11053", shared(), "/%09/evil.test", "path"},
		{"RED-5 encoded newline CVE-2020-4037", shared(), "/%0a/evil.test", "path"},
		{"RED-5 encoded return and newline", shared(), "/%0D%0ASet-Cookie:a=b", "path"},
		{"RED-5 encoded space before a slash", shared(), "/%20/evil.test", "path"},
		{"RED-5 encoded slash", shared(), "/%2fevil.test", "path"},
		{"RED-5 encoded slash, upper case", shared(), "/%2Fevil.test", "path"},
		{"RED-5 encoded backslash", shared(), "/%5cevil.test", "path"},
		{"RED-5 encoded backslash further down", shared(), "/a/%5Cb", "path"},
		{"RED-5 encoded NUL", shared(), "/a%00b", "path"},
		{"RED-5 encoded DEL", shared(), "/a%7fb", "path"},
		{"RED-5 encoded twice", shared(), "/%252fevil.test", "path"},
		{"RED-5 encoded three times", shared(), "/%2525252fevil.test", "path"},
		{"RED-5 escape put together from two", shared(), "/%2%66evil.test", "path"},
		{"RED-5 no end of decoding", shared(), "/%" + strings.Repeat("25", 1000), "path"},
		{"RED-5 dot before two slashes", shared(), "/.//evil.test", "path"},
		{"RED-5 encoded dot before two slashes", shared(), "/%2e//evil.test", "path"},
		{"RED-5 segment taken back before two slashes", shared(), "/a/..//evil.test", "path"},
		{"RED-5 encoded segment taken back", shared(), "/a/%2e%2E%2fevil.test/..//x", "path"},
		{"RED-5 empty segments taken back", shared(), "/a//../..//evil.test", "path"},
		{"RED-5 above the root", shared(), "/../x", "path"},
		{"RED-5 above the root, at the end", shared(), "/a/../..", "path"},
		{"RED-5 above the root once slashes are merged", shared(), "/a//../../x", "path"},
		{"RED-5 encoded, above the root", shared(), "/%2e%2e/x", "path"},
		{"CVE-2026-3872 parameters behind dots", shared(), "/a/..;/..;x/..;/evil", "path"},
		{"RED-5 absolute, above the root", shared(), "https://app.example.com/../x", "path"},
		{"RED-5 absolute, two slashes", shared(), "https://app.example.com//evil.test", "path"},
		{"RED-5 absolute, encoded return", shared(), "https://app.example.com/%0d%0a", "path"},

		{"RED-6 too long", shared(), "/" + strings.Repeat("a", 2048), "too_long"},
		{"RED-6 too long, good if it were cut", shared(), "https://app.example.com/" + strings.Repeat("a", 4096) + "@evil.test", "too_long"},

		{"RED-10 start", shared(), "/start", "own_endpoint"},
		{"RED-10 start with a query", shared(), "/start?rd=/x", "own_endpoint"},
		{"RED-10 callback", shared(), "/callback?code=x&state=y", "own_endpoint"},
		{"RED-10 sign-out", shared(), "/sign_out", "own_endpoint"},
		{"RED-10 sign-out with a slash behind", shared(), "/sign_out/", "own_endpoint"},
		{"RED-10 sign-out with a fragment", shared(), "/sign_out#x", "own_endpoint"},
		{"RED-10 denied", shared(), "/denied", "own_endpoint"},
		{"RED-10 check", shared(), "/auth", "own_endpoint"},
		{"RED-10 check of a dialect", shared(), "/auth/nginx", "own_endpoint"},
		{"RED-10 logout of the provider", shared(), "/frontchannel_logout?sid=x", "own_endpoint"},
		{"RED-10 by dot segments", shared(), "/x/../sign_out", "own_endpoint"},
		{"RED-10 by an encoded letter", shared(), "/sign%5fout", "own_endpoint"},
		{"RED-10 by merged slashes", shared(), "/x/..//./sign_out", "path"},
		{"RED-10 by merged slashes further down", shared(), "/x//../../sign_out", "own_endpoint"},
		{"RED-10 by merged slashes and a segment taken back", shared(), "/x//../sign_out", "own_endpoint"},
		{"RED-10 absolute", shared(), "https://auth.example.com/start", "own_endpoint"},
		{"RED-10 absolute, upper case", shared(), "https://AUTH.example.com./start", "own_endpoint"},
		{"RED-10 absolute, other site", shared(), "https://login.corp.test:8443/sign_out", "own_endpoint"},
		{"RED-10 prefix", wildcard(), "/oauth2/start", "own_endpoint"},
		{"RED-10 prefix, wildcard public URL", wildcard(), "https://app.example.com/oauth2/sign_out", "own_endpoint"},
		{"RED-10 prefix, encoded", wildcard(), "/oauth%32/auth/nginx", "own_endpoint"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.rules.Target(tt.target)
			if got != "/" {
				t.Errorf("RED-12: Target(%q) = %q, want /", tt.target, got)
			}
			var refused *redirect.Refused
			if !errors.As(err, &refused) {
				t.Fatalf("Check(%q) = %v, want a refusal", tt.target, err)
			}
			if refused.Code != tt.code {
				t.Errorf("Check(%q) = %s (%s), want %s", tt.target, refused.Code, refused.Text, tt.code)
			}
		})
	}
}

func TestParam(t *testing.T) {
	for _, tt := range []struct {
		name  string
		query string
		want  string
		found bool
		code  string
	}{
		{"none", "", "", false, ""},
		{"only others", "provider=oidc&rdx=/a&ard=/b", "", false, ""},
		{"empty", "rd=", "", false, ""},
		{"without a value", "rd&x=1", "", false, ""},
		{"plain", "provider=oidc&rd=/a", "/a", true, ""},
		{"PAINS deep link as ingress-nginx escapes it", "rd=http://app.example.com%2Fp%2520a%2Fb%3Fx%3D1%26y%3D%2526%26z%3Da%2Bb%3Bc,d", "http://app.example.com/p%20a/b?x=1&y=%26&z=a+b;c,d", true, ""},
		{"plus stays a plus", "rd=/a?q=b+c", "/a?q=b+c", true, ""},
		{"unescaped query of nginx ends at its first &", "rd=http://h/x?a=1&b=%26", "http://h/x?a=1", true, ""},
		{"semicolon does not separate", "rd=/a;rd=/b;c", "/a;rd=/b;c", true, ""},
		{"equals signs in the value", "rd=/a?b=c=d", "/a?b=c=d", true, ""},
		{"decoded once", "rd=%252fevil", "%2fevil", true, ""},
		{"name is decoded too", "r%64=/a", "/a", true, ""},
		{"repeated", "rd=/a&rd=/b", "", false, "repeated"},
		{"repeated, the same", "rd=/a&rd=/a", "", false, "repeated"},
		{"repeated, the first one empty", "rd=&rd=/a", "", false, "repeated"},
		{"repeated, hidden in an escape", "rd=/a&%72d=//evil.test", "", false, "repeated"},
		{"malformed escape", "rd=/100%", "", false, "malformed"},
		{"malformed escape inside", "rd=/%zz", "", false, "malformed"},
		{"malformed escape elsewhere", "x=%zz&rd=/a", "/a", true, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, found, err := redirect.Param(tt.query)
			var code string
			if refused, ok := errors.AsType[*redirect.Refused](err); ok {
				code = refused.Code
			}
			if got != tt.want || found != tt.found || code != tt.code {
				t.Errorf("Param(%q) = %q, %v, %v; want %q, %v, %q", tt.query, got, found, err, tt.want, tt.found, tt.code)
			}
		})
	}
}

// RED-12, LOG-1: what is logged about a refusal holds nothing of the address.
func TestRefusedIsFitForTheLog(t *testing.T) {
	for _, target := range []string{"https://marker.test/", "/marker\n", "/%0amarker", "//marker"} {
		err := shared().Check(target)
		if err == nil || strings.Contains(err.Error(), "marker") || strings.ContainsAny(err.Error(), "\r\n\t") {
			t.Errorf("Check(%q) = %v", target, err)
		}
	}
}
