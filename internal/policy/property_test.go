package policy

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/auth"
)

// chance makes random rules and requests out of few words, so that they meet.
type chance struct {
	*rand.Rand
	conditions []*Condition
}

func newChance(t testing.TB, seed uint64) *chance {
	t.Helper()
	c := &chance{Rand: rand.New(rand.NewPCG(seed, 7))}
	for _, expression := range []string{
		"claims.level >= 3", "'ops' in user.groups", "!request.path.startsWith('/a/')", "request.path == '/a b/' || request.path.endsWith('/@x')", "request.method == 'GET'",
	} {
		condition, err := Compile(expression)
		if err != nil {
			t.Fatal(err)
		}
		c.conditions = append(c.conditions, condition)
	}
	return c
}

// some are a few of the words, or none.
func (c *chance) some(words ...string) []string {
	var picked []string
	for _, w := range words {
		if c.IntN(3) == 0 {
			picked = append(picked, w)
		}
	}
	return picked
}

func (c *chance) one(words ...string) string { return words[c.IntN(len(words))] }

var (
	hosts    = []string{"a.test", "b.a.test", "test", "x.test"}
	names    = []string{"a", "b", "a b", "@x", "é", "a:b"} // of segments, decoded
	segments = []string{"a", "b", "a%20b", "@x", "%40x", "%C3%A9", "a:b", "*"}
)

func (c *chance) pattern() string {
	var path strings.Builder
	for range 1 + c.IntN(2) {
		path.WriteString("/" + c.one(segments...))
	}
	return path.String() + c.one("", "/", "/**")
}

func (c *chance) rule(name int) Rule {
	r := Rule{Name: fmt.Sprint(name), Hosts: c.some("a.test", "*.a.test", "*.test"), Methods: c.some("GET", "PUT")}
	if c.IntN(2) == 0 {
		r.Methods = nil
	}
	for range c.IntN(3) {
		r.Paths = append(r.Paths, c.pattern())
	}
	switch c.IntN(4) {
	case 0:
		r.Public = true
		return r
	case 1:
		r.Deny = true
		return r
	}
	r.Allow = c.allow()
	r.ACR, r.NoRedirect, r.CORS = c.some("mfa"), c.IntN(4) == 0, c.some("https://app.test")
	r.MaxAge = time.Duration(c.IntN(2)) * time.Minute
	return r
}

func (c *chance) allow() *Allow {
	a := &Allow{Groups: c.some("ops"), EmailDomains: c.some("x.test")}
	if c.IntN(4) == 0 {
		a.Claims = map[string][]string{"team": {"a"}}
	}
	if c.IntN(4) == 0 {
		a.Networks = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	}
	if c.IntN(3) == 0 {
		a.When = c.conditions[c.IntN(len(c.conditions))]
	}
	a.Any = len(a.Groups)+len(a.EmailDomains)+len(a.Claims)+len(a.Networks) == 0 && a.When == nil
	return a
}

func (c *chance) rules() []Rule {
	var rules []Rule
	for i := range 1 + c.IntN(6) {
		rules = append(rules, c.rule(i))
	}
	return rules
}

func (c *chance) request() auth.Request {
	req := auth.Request{Method: c.one("GET", "PUT", "OPTIONS"), Host: c.one(hosts...), Scheme: "https"}
	if c.IntN(2) == 0 {
		req.Client = netip.MustParseAddr(c.one("10.0.0.1", "192.0.2.1"))
	}
	if c.IntN(3) == 0 {
		req.Origin, req.Preflight = c.one("https://app.test", "https://evil.test"), req.Method == "OPTIONS"
	}
	return req
}

// people are somebody of every kind that the rules tell apart.
func people() []auth.User {
	now, asked := noon(), []string{"level", "team"}
	return []auth.User{
		{},
		{Subject: "1", AuthTime: now, ClaimsAsked: asked},
		{Subject: "2", Groups: []string{"ops"}, ACR: "mfa", AuthTime: now, Email: "a@x.test", Claims: map[string]any{"team": "a", "level": int64(4)}},
		{Subject: "3", Groups: []string{"ops"}, AuthTime: now.Add(-time.Hour), Email: "a@y.test", Claims: map[string]any{"level": int64(1)}, ClaimsAsked: asked},
		{Subject: "4", Groups: []string{"ops"}, GroupsUnknown: true}, // and nothing was asked
	}
}

// path is a path by its decoded segments, and an end of "" or "/".
type path struct {
	names []string
	end   string
}

func (c *chance) path() path {
	var p path
	for range 1 + c.IntN(3) {
		p.names = append(p.names, c.one(names...))
	}
	p.end = c.one("", "/")
	return p
}

// canonicalForm is the path with as few escapes as there can be.
func (p path) canonicalForm() string {
	return "/" + strings.NewReplacer(" ", "%20", "é", "%C3%A9").Replace(strings.Join(p.names, "/")) + p.end
}

// otherCanonical writes the path with escapes that a canonical path may have too.
func (c *chance) otherCanonical(p path) string {
	written := p.canonicalForm()
	for _, change := range [][2]string{{"@", "%40"}, {":", "%3A"}, {":", "%3a"}, {"%C3%A9", "%c3%a9"}, {"%C3", "%c3"}} {
		if c.IntN(2) == 0 {
			written = strings.ReplaceAll(written, change[0], change[1])
		}
	}
	return written
}

// odd writes the path in a form that servers read as this path, or nearly so.
func (c *chance) odd(p path) string {
	var written strings.Builder
	for _, name := range p.names {
		written.WriteString(c.one("/", "//", "/./", "/z/../", "/;v=1/", "/z/%2e%2e/", "/z/..;w/", "%2f", "%5c", `\`, "/z%2f../", "/.%2E/"))
		for _, letter := range []byte(name) {
			switch c.IntN(3) {
			case 0:
				fmt.Fprintf(&written, "%%%02x", letter)
			case 1:
				fmt.Fprintf(&written, "%%%02X", letter)
			default:
				written.WriteByte(letter)
			}
		}
		written.WriteString(c.one("", "", ";v=1", "%3bv"))
	}
	text := written.String() + p.end
	if text[0] != '/' {
		text = "/" + text
	}
	return text
}

// TestOddFormsNeverGetMore (PATH-2): whatever the rules are, a path in any form
// never gets anybody further than its canonical form, and in another canonical
// form it gets them exactly as far.
func TestOddFormsNeverGetMore(t *testing.T) {
	c := newChance(t, 11)
	odds := 0
	for range 4000 {
		rules := c.rules()
		set := New(rules, hosts[:1], noon)
		p, req := c.path(), c.request()
		plain := req
		plain.Path = p.canonicalForm()
		same, odd := req, req
		same.Path, odd.Path = c.otherCanonical(p), c.odd(p)
		meaning, ok := secondReading(odd.Path)
		if want, _ := secondReading(plain.Path); !ok || meaning != want || canonical(odd.Path) {
			odd.Path = plain.Path // by chance it is another path, or not odd
		} else {
			odds++
		}
		for _, user := range people() {
			want, rule := set.Match(plain).Judge(plain, user)
			if got, by := set.Match(same).Judge(same, user); got != want || by != rule {
				t.Fatalf("%s gives %v by %q, and %s, the same path, %v by %q\n%+v", plain.Path, want, rule, same.Path, got, by, rules)
			}
			if got := set.Match(odd).Decide(odd, user); rank(got.Verdict) > rank(want.Verdict) {
				t.Fatalf("PATH-2: %s gives %v, and %s, which it means, %v\n%+v", odd.Path, got, plain.Path, want, rules)
			}
			if odd.Path != plain.Path && set.Match(odd).Public() {
				t.Fatalf("PATH-2: %s is public\n%+v", odd.Path, rules)
			}
		}
	}
	if odds < 1000 {
		t.Errorf("only %d of 4000 paths were odd", odds)
	}
}

// TestDenyNeverWidens: a rule that denies, in front of any others, gets nobody
// further.
func TestDenyNeverWidens(t *testing.T) {
	c := newChance(t, 12)
	narrowed := 0
	for range 4000 {
		rules := c.rules()
		deny := c.rule(99)
		deny.Deny, deny.Public, deny.Allow = true, false, nil
		before, after := New(rules, hosts[:1], noon), New(slices.Insert(slices.Clone(rules), 0, deny), hosts[:1], noon)
		for range 5 {
			req := c.request()
			req.Path = c.one(c.path().canonicalForm(), c.odd(c.path()))
			for _, user := range people() {
				was, is := before.Match(req).Decide(req, user), after.Match(req).Decide(req, user)
				if rank(is.Verdict) > rank(was.Verdict) {
					t.Fatalf("%+v in front of %+v makes %v of %v for %+v", deny, rules, is, was, req)
				}
				if rank(is.Verdict) < rank(was.Verdict) {
					narrowed++
				}
			}
		}
	}
	if narrowed < 500 {
		t.Errorf("the rules denied only %d times what was allowed before", narrowed)
	}
}

// TestExplainAgrees: the steps end in rules whose judgements make the one of
// Judge.
func TestExplainAgrees(t *testing.T) {
	c := newChance(t, 13)
	for range 2000 {
		rules := c.rules()
		set := New(rules, hosts[:1], noon)
		req := c.request()
		req.Path = c.one(c.path().canonicalForm(), c.odd(c.path()), "/%zz")
		for _, user := range people() {
			want, by := set.Match(req).Judge(req, user)
			steps, got, rule := set.Explain(req, user)
			if got != want || rule != by {
				t.Fatalf("%v by %q, Judge says %v by %q", got, rule, want, by)
			}
			decided := slices.ContainsFunc(steps, func(s Step) bool { return s.Rule == by && s.Judgement == want })
			if by != "" && !decided {
				t.Fatalf("no step of %q says %v: %+v", by, want, steps)
			}
		}
	}
}
