package policy

import (
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/auth"
)

func TestCanonical(t *testing.T) {
	for _, tt := range []struct {
		name      string
		path      string
		canonical bool
		reading   string // as a server behind might read it; "" when it cannot be read
	}{
		{"root", "/", true, "/"},
		{"plain", "/static/app.css", true, "/static/app.css"},
		{"a trailing slash is no empty segment", "/a/b/", true, "/a/b/"},
		{"PATH-2a sub-delimiters", "/a!$&'()*+,=:@~b", true, "/a!$&'()*+,=:@~b"},
		{"PATH-2a escaped space", "/a%20b", true, "/a b"},
		{"PATH-2a escaped UTF-8, both cases", "/J%C3%b6rg/%E2%82%AC/%F0%9F%9A%AA", true, "/Jörg/€/🚪"},
		{"PATH-2a escaped quote, question mark and number sign", "/%22%3F%23", true, `/"?#`},
		{"PATH-2a three dots are a name", "/.../..a/a..", true, "/.../..a/a.."},

		{"PATH-2 CVE-2026-33494 dot segments", "/public/../admin", false, "/admin"},
		{"PATH-2 CVE-2026-42274 escaped dots", "/public/%2e%2e/admin", false, "/admin"},
		{"PATH-2 CVE-2025-66490 half escaped, upper case", "/public/.%2E/admin", false, "/admin"},
		{"PATH-2 escaped dots and slash", "/public%2f..%2fadmin", false, "/admin"},
		{"PATH-2 CVE-2026-42272 lower-case escape of a slash", "/a%2fb", false, "/a/b"},
		{"PATH-2 CVE-2026-42272 upper-case escape of a slash", "/a%2Fb", false, "/a/b"},
		{"PATH-2 CVE-2021-29492 escaped backslash", "/public/..%5cadmin", false, "/admin"},
		{"PATH-2 backslash", `/public\..\admin`, false, "/admin"},
		{"PATH-2 CVE-2019-9901 double slash", "/a//admin", false, "/a/admin"},
		{"PATH-2 CVE-2021-31920 leading double slash", "//admin", false, "/admin"},
		{"PATH-2 two trailing slashes", "/admin//", false, "/admin/"},
		{"PATH-2 CVE-2026-0976 parameter", "/admin;x=y", false, "/admin"},
		{"PATH-2 CVE-2026-3872 parameter on dots", "/public/..;/admin", false, "/admin"},
		{"PATH-2 parameter in the middle", "/a;x=1/b;y=2/c", false, "/a/b/c"},
		{"PATH-2 escaped parameter on dots", "/public/..%3b/admin", false, "/admin"},
		{"PATH-2 escaped parameter", "/admin%3Bx", false, "/admin"},
		{"PATH-2 a segment that is a parameter", "/a/;x/b", false, "/a/b"},
		{"PATH-2 single dot", "/./admin", false, "/admin"},
		{"PATH-2 single dot at the end", "/admin/.", false, "/admin/"},
		{"PATH-2 two dots at the end", "/admin/x/..", false, "/admin/"},
		{"PATH-2 above the root", "/../../admin", false, "/admin"},
		{"PATH-2 above the root and back", "/a/../../b/..", false, "/"},
		{"PATH-2 nothing is left", "/..;/", false, "/"},
		{"PATH-2 a letter that needs no escape", "/%61dmin", false, "/admin"},
		{"PATH-2 a tilde that needs no escape", "/%7Eada", false, "/~ada"},
		{"PATH-2 escaped twice", "/%2561dmin", false, "/%61dmin"},
		{"PATH-2 escaped per cent sign", "/100%25", false, "/100%"},
		{"PATH-2 raw space", "/a b", false, "/a b"},
		{"PATH-2 tab", "/a\tb", false, "/a\tb"},
		{"PATH-2 escaped control byte", "/a%0ab", false, "/a\nb"},
		{"PATH-2 escaped DEL", "/a%7Fb", false, "/a\x7fb"},
		{"PATH-2 raw UTF-8", "/Jörg", false, "/Jörg"},
		{"PATH-2 raw DEL", "/\x7f", false, "/\x7f"},
		{"PATH-2 escaped Latin-1", "/J%F6rg", false, "/J\xf6rg"},
		{"PATH-2 overlong slash", "/a%c0%afb", false, "/a\xc0\xafb"},
		{"PATH-2 overlong dots", "/%c0%ae%c0%ae/admin", false, "/\xc0\xae\xc0\xae/admin"},
		{"PATH-2 cut UTF-8", "/%E2%82", false, "/\xe2\x82"},
		{"PATH-2 cut UTF-8 before another escape", "/%E2%82%20", false, "/\xe2\x82 "},
		{"PATH-2 surrogate", "/%ED%A0%80", false, "/\xed\xa0\x80"},

		{"PATH-3 CVE-2026-41059 raw number sign", "/admin#/public", false, ""},
		{"PATH-3 CVE-2023-47106 number sign behind dots", "/public/../admin#", false, ""},
		{"PATH-3 escaped NUL", "/admin%00", false, ""},
		{"PATH-3 raw NUL", "/admin\x00", false, ""},
		{"PATH-3 bad escape", "/%zz", false, ""},
		{"PATH-3 cut escape", "/a%2", false, ""},
		{"PATH-3 per cent sign at the end", "/a%", false, ""},
		{"PATH-3 a sign inside an escape", "/%+2", false, ""},
		{"PATH-3 empty", "", false, ""},
		{"PATH-3 no leading slash", "admin", false, ""},
		{"PATH-3 OPTIONS *", "*", false, ""},
		{"PATH-3 leading backslash", `\admin`, false, ""},
		{"PATH-3 escaped leading slash", "%2fadmin", false, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := canonical(tt.path); got != tt.canonical {
				t.Errorf("canonical(%q) = %v", tt.path, got)
			}
			got, ok := secondReading(tt.path)
			if got != tt.reading || ok != (tt.reading != "") {
				t.Errorf("secondReading(%q) = %q, %v, want %q", tt.path, got, ok, tt.reading)
			}
		})
	}
}

func TestPattern(t *testing.T) {
	for _, tt := range []struct {
		pattern, path string
		want          bool
	}{
		{"/healthz", "/healthz", true},
		{"/healthz", "/healthz/", false},
		{"/healthz", "/Healthz", false},
		{"/healthz", "/healthzz", false},
		{"/healthz", "/", false},
		{"/x/", "/x/", true},
		{"/x/", "/x", false},
		{"/", "/", true},
		{"/", "/x", false},
		{"/x/**", "/x/", true},
		{"/x/**", "/x/y", true},
		{"/x/**", "/x/y/z/", true},
		{"/x/**", "/x", false},
		{"/x/**", "/xy", false},
		{"/x/**", "/", false},
		{"/**", "/", true},
		{"/**", "/a/b", true},
		{"/*", "/a", true},
		{"/*", "/", false},
		{"/*", "/a/", false},
		{"/*", "/a/b", false},
		{"/*/b", "/a/b", true},
		{"/*/b", "//b", false},
		{"/*/b", "/a/c", false},
		{"/*/b", "/a/b/c", false},
		{"/a/*/**", "/a/b/", true},
		{"/a/*/**", "/a/b/c/d", true},
		{"/a/*/**", "/a/b", false},
		{"/a/*/**", "/a//", false},
		{"/a*", "/ab", false},
		{"/a*", "/a*", true},
		{"/a.b", "/aXb", false}, // CVE-2026-39350: a dot is a dot
		{"/a.b", "/a.b", true},
		{"/(a|b)+", "/a", false},
		{"/a%20b", "/a%20b", true},
		{"/a%20b", "/a b", true},
		{"/a%20b", "/a%20c", false},
		{"/a%20b", "/a%20", false},
		{"/a%20", "/a%20b", false},
		{"/J%C3%B6rg", "/J%c3%b6rg", true},
		{"/v1/things:delete", "/v1/things%3Adelete", true},
		{"/v1/things%3adelete", "/v1/things:delete", true},
		{"/@ada/*", "/%40ada/x", true},
		{"/%2A/x", "/*/x", true},
		{"/%2A/x", "/a/x", false},
		{"/x/**", "/x/%2A%2A", true},
	} {
		t.Run("PATH-6 "+tt.pattern+" "+tt.path, func(t *testing.T) {
			if got := compilePattern(tt.pattern).match(reading{path: tt.path}); got != tt.want {
				t.Errorf("%q matches %q: %v, want %v", tt.pattern, tt.path, got, tt.want)
			}
		})
	}
}

// FuzzPath holds what the rules rely on: a canonical path has one reading, the
// one of net/url, and a path in any odd form never gets anybody further than
// the form that a server behind might make of it.
func FuzzPath(f *testing.F) {
	for _, seed := range []string{
		"/", "/public/a", "/public/../admin/x", "/public/%2e%2e/admin/x", "/public/..%3b/admin", "//public", "/a%C3%B6", "/a%25b", "/public;x/a",
		`/public\..\admin`, "/public/a#", "/%00", "/public/%61", "/members/..%2fpublic/a", "/.", "/..;/", "/a%e2%82%ac", "/J\xf6",
	} {
		f.Add(seed)
	}
	set := New(everyKind(f), nil, noon)
	users := append(people(), auth.User{Subject: "4", Groups: []string{"ops"}})
	f.Fuzz(func(t *testing.T, path string) {
		again, ok := secondReading(path)
		if canonical(path) {
			want, err := url.PathUnescape(path)
			if !ok || err != nil || again != want {
				t.Fatalf("PATH-2a: canonical %q reads as %q, %v; net/url says %q, %v", path, again, ok, want, err)
			}
			return
		}
		req := auth.Request{Host: "app.test", Method: "GET", Path: path, Client: netip.MustParseAddr("10.0.0.1")}
		odd := set.Match(req)
		if odd.Public() {
			t.Fatalf("PATH-2: %q is public", path)
		}
		for _, user := range users {
			got := odd.Decide(req, user)
			if !ok {
				if got != (auth.Judgement{Reason: auth.PathUnreadable}) {
					t.Errorf("PATH-3: %q cannot be read and gives %v", path, got)
				}
				continue
			}
			plain := governs(set, "app.test", again).Decide(req, user)
			if rank(got.Verdict) > rank(plain.Verdict) {
				t.Errorf("PATH-2: %q gives %v, and %q, which it may mean, %v", path, got, again, plain)
			}
		}
		if ok {
			wellFormed(t, path, again)
		}
	})
}

// everyKind is a rule of every kind.
func everyKind(t testing.TB) []Rule {
	t.Helper()
	when, err := Compile("!request.path.startsWith('/when/secret')")
	if err != nil {
		t.Fatal(err)
	}
	anybody, ops := &Allow{Any: true}, &Allow{Groups: []string{"ops"}}
	rules := []Rule{
		{Name: "never", Paths: []string{"/public/never/**"}, Deny: true},
		{Name: "public", Paths: []string{"/public/**", "/healthz"}, Public: true},
		{Name: "admin", Paths: []string{"/admin/**", "/admin", "/a%20b/**", "/v1/x:go/**"}, Allow: ops},
		{Name: "mail", Paths: []string{"/mail/*"}, Allow: &Allow{EmailDomains: []string{"x.test"}}},
		{Name: "claims", Paths: []string{"/claims/**"}, Allow: &Allow{Claims: map[string][]string{"team": {"a"}}}},
		{Name: "net", Paths: []string{"/net/**"}, Allow: &Allow{Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}},
		{Name: "when", Paths: []string{"/when/**"}, Allow: &Allow{When: when}},
		{Name: "mfa", Paths: []string{"/mfa/**"}, Allow: anybody, ACR: []string{"mfa"}, MaxAge: time.Minute, NoRedirect: true},
		{Name: "api", Paths: []string{"/api/**"}, Methods: []string{"GET"}, Allow: anybody, CORS: []string{"https://app.test"}, Provider: "oidc"},
		{Name: "members", Paths: []string{"/members/**", "/public/**", "/x/**"}, Allow: anybody},
	}
	for i := range rules {
		rules[i].Hosts = []string{"app.test"}
	}
	return rules
}

// rank orders verdicts by how far they let somebody in.
func rank(v auth.Verdict) int {
	switch v {
	case auth.Allow:
		return 2
	case auth.SignIn:
		return 1
	}
	return 0
}

func wellFormed(t *testing.T, path, reading string) {
	t.Helper()
	if !strings.HasPrefix(reading, "/") || strings.ContainsAny(reading, "\\;\x00") || strings.Contains(reading, "//") {
		t.Errorf("%q reads as %q", path, reading)
	}
	for segment := range strings.SplitSeq(reading, "/") {
		if segment == "." || segment == ".." {
			t.Errorf("%q reads as %q", path, reading)
		}
	}
}

// secondReading is the reading of a path by servers that give `;` and `\` a
// meaning.
func secondReading(path string) (string, bool) {
	decoded, ok := decode(path)
	if !ok {
		return "", false
	}
	return resolve(decoded, true), true
}

// governs is what governs a decoded path on its own.
func governs(set *Set, host, path string) Governing {
	g := Governing{set: set}
	g.add(set.match(host, "GET", reading{path: path, decoded: true}), path)
	return g
}

// TestEveryReading: a request passes only when it may in every way in which a
// server behind might read its path, whatever the rules look at.
func TestEveryReading(t *testing.T) {
	byPath := New([]Rule{
		{Name: "admin", Hosts: []string{"a.test"}, Paths: []string{"/admin/**"}, Allow: &Allow{Groups: []string{"root"}}},
		{Name: "rest", Hosts: []string{"a.test"}, Allow: &Allow{Any: true}},
	}, nil, noon)
	when, err := Compile(`!request.path.startsWith("/admin") || "root" in user.groups`)
	if err != nil {
		t.Fatal(err)
	}
	byCondition := New([]Rule{{Name: "when", Hosts: []string{"a.test"}, Allow: &Allow{When: when}}}, nil, noon)
	user := auth.User{Subject: "1"}
	for _, path := range []string{
		"/admin/x", "/%61dmin/x", "/admin/%2e%2e/x", "/admin/../x", "/admin/..;/x", `/admin/..\x`, "/admin/..%5cx",
		"/%61dmin/..;/pub", "/%61dmin/..%5cpub", `/%61dmin/..\pub`, "/x/..;/admin/x", "/x/../admin/x", "//admin/x", "/./admin/x",
		`/x\..\admin/x`, "/admin;a/x", "/pub/..%2fadmin/x",
	} {
		for name, set := range map[string]*Set{"paths": byPath, "condition": byCondition} {
			got := set.Match(auth.Request{Method: "GET", Host: "a.test", Path: path}).Decide(auth.Request{Method: "GET", Host: "a.test", Path: path}, user)
			if got.Verdict != auth.Deny {
				t.Errorf("PATH-2 %s: %s gives %v", name, path, got)
			}
		}
	}
	for _, path := range []string{"/pub/x", "/%70ub/x", "/x;a", "/pub//x", `/pub\x`, "/pub/../x"} {
		for name, set := range map[string]*Set{"paths": byPath, "condition": byCondition} {
			got := set.Match(auth.Request{Method: "GET", Host: "a.test", Path: path}).Decide(auth.Request{Method: "GET", Host: "a.test", Path: path}, user)
			if got.Verdict != auth.Allow {
				t.Errorf("%s: %s gives %v", name, path, got)
			}
		}
	}
}
