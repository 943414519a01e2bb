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

// house is the set of rules that most tests ask.
func house() *Set {
	ops := &Allow{Groups: []string{"ops"}}
	return New([]Rule{
		{Name: "health", Hosts: []string{"*.example.com"}, Paths: []string{"/healthz", "/static/**"}, Methods: []string{"GET", "HEAD"}, Public: true},
		{Name: "admin", Hosts: []string{"app.example.com"}, Paths: []string{"/admin", "/admin/**"}, Allow: ops},
		{Name: "closed", Hosts: []string{"closed.example.com"}, Deny: true},
		{Name: "app", Hosts: []string{"app.example.com"}, Allow: &Allow{Any: true}},
		{Name: "deep", Hosts: []string{"*.deep.example.com"}, Allow: ops},
		{Name: "forms", Hosts: []string{"forms.example.com"}, Methods: []string{"POST"}, Allow: ops},
		{Name: "only public", Hosts: []string{"files.example.org"}, Public: true},
		{Name: "default hosts", Paths: []string{"/default"}, Allow: &Allow{Any: true}},
		{Name: "no exactly-one", Hosts: []string{"empty.example.com"}},
		{Name: "unrestricted by mistake", Hosts: []string{"mistake.example.com"}, Allow: &Allow{}},
		{Name: "both", Hosts: []string{"both.example.com"}, Public: true, Deny: true},
	}, []string{"home.example.com", "*.home.example.com"}, time.Now)
}

func TestMatch(t *testing.T) {
	var (
		nobody = auth.User{}
		guest  = auth.User{Subject: "1", Groups: []string{"guests"}}
		ops    = auth.User{Subject: "2", Groups: []string{"guests", "ops"}}
	)
	for _, tt := range []struct {
		name               string
		method, host, path string
		user               auth.User
		rule               string
		verdict            auth.Verdict
		reason             string
	}{
		{"public", "GET", "app.example.com", "/healthz", nobody, "health", auth.Allow, "public"},
		{"public, somebody", "GET", "app.example.com", "/static/a/b.css", ops, "health", auth.Allow, "public"},
		{"PATH-7 public is for its methods", "POST", "app.example.com", "/healthz", nobody, "app", auth.SignIn, "not_signed_in"},
		{"PATH-7 methods are case-sensitive", "get", "app.example.com", "/healthz", nobody, "app", auth.SignIn, "not_signed_in"},
		{"PATH-7 OPTIONS is not exempt", "OPTIONS", "app.example.com", "/admin/x", nobody, "admin", auth.SignIn, "not_signed_in"},
		{"PATH-7 no rule for the method", "GET", "forms.example.com", "/", ops, "", auth.Deny, "no_rule"},
		{"PATH-7 the rule's method", "POST", "forms.example.com", "/", ops, "forms", auth.Allow, "admitted"},
		{"first match wins", "GET", "app.example.com", "/admin/x", guest, "admin", auth.Deny, "group_missing"},
		{"group", "GET", "app.example.com", "/admin", ops, "admin", auth.Allow, "admitted"},
		{"PATH-6 the pattern is for what is below", "GET", "app.example.com", "/administrators", guest, "app", auth.Allow, "admitted"},
		{"anyone signed in", "GET", "app.example.com", "/x", guest, "app", auth.Allow, "admitted"},
		{"AUTHZ-7 a wildcard rule before an exact one", "GET", "closed.example.com", "/healthz", nobody, "health", auth.Allow, "public"},
		{"deny", "GET", "closed.example.com", "/x", ops, "closed", auth.Deny, "rule_denies"},
		{"deny does not ask who", "GET", "closed.example.com", "/x", nobody, "closed", auth.Deny, "rule_denies"},
		{"wildcard, any depth", "GET", "a.b.c.deep.example.com", "/x", ops, "deep", auth.Allow, "admitted"},
		{"wildcard, any depth, public", "GET", "a.b.c.example.com", "/healthz", nobody, "health", auth.Allow, "public"},
		{"wildcard is not the domain itself", "GET", "deep.example.com", "/x", ops, "", auth.Deny, "no_rule"},
		{"PATH-4 no dot, no match", "GET", "badexample.com", "/healthz", ops, "", auth.Deny, "unknown_host"},
		{"PATH-4 the domain of a wildcard is unknown", "GET", "example.com", "/healthz", ops, "", auth.Deny, "unknown_host"},
		{"PATH-4 unknown host", "GET", "evil.test", "/healthz", nobody, "", auth.Deny, "unknown_host"},
		{"PATH-4 unknown host that begins like ours", "GET", "app.example.com.evil.test", "/healthz", nobody, "", auth.Deny, "unknown_host"},
		{"PATH-4 no host", "GET", "", "/healthz", nobody, "", auth.Deny, "unknown_host"},
		{"default host", "GET", "home.example.com", "/default", guest, "default hosts", auth.Allow, "admitted"},
		{"default host, wildcard", "GET", "a.home.example.com", "/default", guest, "default hosts", auth.Allow, "admitted"},
		{"default hosts are not for rules that name some", "GET", "home.example.com", "/x", guest, "", auth.Deny, "no_rule"},
		{"a rule without a decision denies", "GET", "empty.example.com", "/", ops, "no exactly-one", auth.Deny, "rule_denies"},
		{"CVE-2021-21411 an allow without lists admits nobody", "GET", "mistake.example.com", "/", ops, "unrestricted by mistake", auth.Deny, "rule_denies"},
		{"public and deny denies", "GET", "both.example.com", "/", ops, "both", auth.Deny, "rule_denies"},

		{"PATH-2 odd paths are never public", "GET", "app.example.com", "/static//a.css", nobody, "app", auth.SignIn, "not_signed_in"},
		{"PATH-2 out of the public part", "GET", "app.example.com", "/static/../admin/x", nobody, "app", auth.SignIn, "not_signed_in"},
		{"PATH-2 both readings must admit", "GET", "app.example.com", "/static/../admin/x", guest, "app", auth.Deny, "group_missing"},
		{"PATH-2 both readings admit", "GET", "app.example.com", "/static/../admin/x", ops, "app", auth.Allow, "admitted"},
		{"PATH-2 the raw reading counts too", "GET", "app.example.com", "/admin/../x", guest, "admin", auth.Deny, "group_missing"},
		{"PATH-2 CVE-2026-48020 escaped letters", "GET", "app.example.com", "/%61dmin/x", guest, "app", auth.Deny, "group_missing"},
		{"PATH-2 CVE-2026-0976 parameters", "GET", "app.example.com", "/admin;x=y/x", guest, "app", auth.Deny, "group_missing"},
		{"PATH-2 only a public rule", "GET", "files.example.org", "/a//b", nobody, "", auth.Deny, "path_not_canonical"},
		{"PATH-2 only a public rule, somebody", "GET", "files.example.org", "/a/../b", ops, "", auth.Deny, "path_not_canonical"},
		{"PATH-2 the same path, canonical", "GET", "files.example.org", "/a/b", nobody, "only public", auth.Allow, "public"},
		{"PATH-2 an odd path on an unknown host", "GET", "evil.test", "/a//b", ops, "", auth.Deny, "unknown_host"},
		{"PATH-3 unreadable", "GET", "app.example.com", "/admin#/static/x", ops, "", auth.Deny, "path_unreadable"},
		{"PATH-3 unreadable on a public host", "GET", "files.example.org", "/%zz", nobody, "", auth.Deny, "path_unreadable"},
		{"PATH-3 no path", "GET", "app.example.com", "", ops, "", auth.Deny, "path_unreadable"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			req := auth.Request{Method: tt.method, Host: tt.host, Path: tt.path}
			governing := house().Match(req)
			got := governing.Decide(req, tt.user)
			if governing.Name() != tt.rule || got.Verdict != tt.verdict || got.Reason.Code != tt.reason {
				t.Errorf("rule %q: %v, %s; want %q: %v, %s", governing.Name(), got.Verdict, got.Reason.Code, tt.rule, tt.verdict, tt.reason)
			}
			if public := got.Reason == auth.Public; governing.Public() != public {
				t.Errorf("Public() = %v", governing.Public())
			}
		})
	}
}

func TestZeroValues(t *testing.T) {
	req := auth.Request{Method: "GET", Host: "a.test", Path: "/"}
	user := auth.User{Subject: "1"}
	if got := (Governing{}).Decide(req, user); got.Verdict != auth.Deny || (Governing{}).Public() {
		t.Errorf("the zero Governing gives %v", got)
	}
	if got := New(nil, nil, time.Now).Match(req).Decide(req, user); got != (auth.Judgement{Reason: auth.UnknownHost}) {
		t.Errorf("no rules give %v", got)
	}
}

func TestAdmits(t *testing.T) {
	for _, tt := range []struct {
		name  string
		allow Allow
		user  auth.User
		want  string // the code of the reason
	}{
		{"AUTHZ-5 group", Allow{Groups: []string{"a", "b"}}, auth.User{Subject: "1", Groups: []string{"x", "b"}}, "admitted"},
		{"AUTHZ-5 groups are case-sensitive", Allow{Groups: []string{"ops"}}, auth.User{Subject: "1", Groups: []string{"Ops"}}, "group_missing"},
		{"AUTHZ-5 groups are whole", Allow{Groups: []string{"ops"}}, auth.User{Subject: "1", Groups: []string{"ops2", "devops", "ops "}}, "group_missing"},
		{"AUTHZ-5 a list is no group", Allow{Groups: []string{"ops"}}, auth.User{Subject: "1", Groups: []string{"x,ops"}}, "group_missing"},
		{"AUTHZ-4 no groups", Allow{Groups: []string{"ops"}}, auth.User{Subject: "1"}, "group_missing"},
		{"AUTHZ-1 e-mail or domain: the domain", Allow{Emails: []string{"a@x.test"}, EmailDomains: []string{"y.test"}}, auth.User{Subject: "1", Email: "b@y.test"}, "admitted"},
		{"AUTHZ-1 e-mail or domain: the address", Allow{Emails: []string{"a@x.test"}, EmailDomains: []string{"y.test"}}, auth.User{Subject: "1", Email: "a@x.test"}, "admitted"},
		{"e-mail and group: both", Allow{EmailDomains: []string{"y.test"}, Groups: []string{"ops"}}, auth.User{Subject: "1", Email: "b@y.test", Groups: []string{"ops"}}, "admitted"},
		{"e-mail and group: no group", Allow{EmailDomains: []string{"y.test"}, Groups: []string{"ops"}}, auth.User{Subject: "1", Email: "b@y.test"}, "group_missing"},
		{"e-mail and group: no e-mail", Allow{EmailDomains: []string{"y.test"}, Groups: []string{"ops"}}, auth.User{Subject: "1", Groups: []string{"ops"}}, "email_unverified"},
		{"e-mail and group: another e-mail", Allow{EmailDomains: []string{"y.test"}, Groups: []string{"ops"}}, auth.User{Subject: "1", Email: "b@z.test", Groups: []string{"ops"}}, "email_not_allowed"},
		{"AUTHZ-1 the preferred name is no e-mail", Allow{Emails: []string{"a@x.test"}}, auth.User{Subject: "a@x.test", ID: "a@x.test", PreferredUsername: "a@x.test", Name: "a@x.test"}, "email_unverified"},
		{"a pattern is no domain", Allow{EmailDomains: []string{"*"}}, auth.User{Subject: "1", Email: "a@x.test"}, "email_not_allowed"},
		{"anyone", Allow{Any: true}, auth.User{Subject: "1"}, "admitted"},
		{"anyone is not nobody", Allow{Any: true}, auth.User{ID: "a", Email: "a@x.test"}, "not_signed_in"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			req := auth.Request{Method: "GET", Host: "a.test", Path: "/"}
			got := New([]Rule{{Hosts: []string{"a.test"}, Allow: &tt.allow}}, nil, time.Now).Match(req).Decide(req, tt.user)
			if got.Reason.Code != tt.want || (got.Verdict == auth.Allow) != (tt.want == "admitted") {
				t.Errorf("got %v, want %s", got, tt.want)
			}
		})
	}
}

func TestNarrowed(t *testing.T) {
	user := auth.User{Subject: "1", Email: "Ada@Example.com", Groups: []string{"ops", "staff"}}
	unverified := auth.User{Subject: "1", Groups: []string{"ops"}}
	groups := func(lists ...[]string) auth.Narrowing { return auth.Narrowing{Groups: lists} }
	for _, tt := range []struct {
		name   string
		host   string
		narrow auth.Narrowing
		user   auth.User
		want   string // the code of the reason
	}{
		{"not narrowed", "any.test", auth.Narrowing{}, user, "admitted"},
		{"values are alternatives", "any.test", groups([]string{"x", "ops"}), user, "admitted"},
		{"none of the values", "any.test", groups([]string{"x", "y"}), user, "narrowed"},
		{"each parameter must hold", "any.test", groups([]string{"ops"}, []string{"staff"}), user, "admitted"},
		{"one does not", "any.test", groups([]string{"ops"}, []string{"x"}), user, "narrowed"},
		{"an empty value admits nobody", "any.test", groups(nil), user, "narrowed"},
		{"an empty value beside a good one", "any.test", groups([]string{"ops"}, nil), user, "narrowed"},
		{"e-mail in another case", "any.test", auth.Narrowing{Emails: [][]string{{"ADA@example.COM"}}}, user, "admitted"},
		{"another e-mail", "any.test", auth.Narrowing{Emails: [][]string{{"eve@example.com"}}}, user, "narrowed"},
		{"e-mail that is not verified", "any.test", auth.Narrowing{Emails: [][]string{{""}}}, unverified, "narrowed"},
		{"domain in another case", "any.test", auth.Narrowing{EmailDomains: [][]string{{"EXAMPLE.com"}}}, user, "admitted"},
		{"domain of nobody's e-mail", "any.test", auth.Narrowing{EmailDomains: [][]string{{""}}}, unverified, "narrowed"},
		{"another domain", "any.test", auth.Narrowing{EmailDomains: [][]string{{"ample.com"}}}, user, "narrowed"},
		{"all kinds must hold", "any.test", auth.Narrowing{Groups: [][]string{{"ops"}}, EmailDomains: [][]string{{"x.test"}}}, user, "narrowed"},
		{"nobody signs in first", "any.test", groups([]string{"ops"}), auth.User{}, "not_signed_in"},
		{"it never widens", "closed.test", groups([]string{"ops"}), user, "rule_denies"},
		{"it never widens a list", "list.test", groups([]string{"ops"}), user, "group_missing"},
		{"a public rule becomes a restricted one", "public.test", groups([]string{"ops"}), auth.User{}, "not_signed_in"},
		{"a public rule, the right group", "public.test", groups([]string{"ops"}), user, "admitted"},
		{"a public rule, the wrong group", "public.test", groups([]string{"x"}), user, "narrowed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			set := New([]Rule{
				{Hosts: []string{"any.test"}, Allow: &Allow{Any: true}},
				{Hosts: []string{"closed.test"}, Deny: true},
				{Hosts: []string{"list.test"}, Allow: &Allow{Groups: []string{"board"}}},
				{Hosts: []string{"public.test"}, Public: true},
			}, nil, time.Now)
			req := auth.Request{Method: "GET", Host: tt.host, Path: "/", Narrow: tt.narrow}
			got := set.Match(req).Decide(req, tt.user)
			if got.Reason.Code != tt.want || (got.Verdict == auth.Allow) != (tt.want == "admitted") {
				t.Errorf("got %v, want %s", got, tt.want)
			}
		})
	}
}

// TestIndex compares the host index with a plain scan of the rules in the order
// of the file, over many random sets.
func TestIndex(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	pick := func(words []string) []string {
		var picked []string
		for _, w := range words {
			if rng.IntN(4) == 0 {
				picked = append(picked, w)
			}
		}
		return picked
	}
	hosts := []string{"a.test", "b.a.test", "c.b.a.test", "x.test", "test"}
	patterns := append([]string{"*.test", "*.a.test", "*.b.a.test", "*.x.test"}, hosts...)
	paths := []string{"/", "/p", "/p/q", "/p//q", "/p/../q", "/z"}
	for range 2000 {
		var rules []Rule
		for i := range rng.IntN(12) {
			rules = append(rules, Rule{
				Name: fmt.Sprint(i), Hosts: pick(patterns), Paths: pick([]string{"/", "/p", "/p/**", "/*", "/**"}), Methods: pick([]string{"GET", "PUT"}),
				Public: rng.IntN(3) == 0, Allow: &Allow{Any: true},
			})
		}
		defaults := pick(patterns)
		set := New(rules, defaults, time.Now)
		for _, host := range hosts {
			for _, path := range paths {
				req := auth.Request{Host: host, Method: "GET", Path: path}
				if got, want := set.Match(req).Name(), scan(rules, defaults, req); got != want {
					t.Fatalf("%s%s: rule %q governs, a scan says %q\n%+v\ndefault hosts %q", host, path, got, want, rules, defaults)
				}
			}
		}
	}
}

// scan is the first reading of Match without an index.
func scan(rules []Rule, defaults []string, req auth.Request) string {
	for _, r := range rules {
		hosts := r.Hosts
		if len(hosts) == 0 {
			hosts = defaults
		}
		names := slices.ContainsFunc(hosts, func(h string) bool {
			return h == req.Host || strings.HasPrefix(h, "*") && strings.HasSuffix(req.Host, h[1:])
		})
		covers := len(r.Paths) == 0 || slices.ContainsFunc(r.Paths, func(p string) bool { return compilePattern(p).match(reading{path: req.Path}) })
		if names && covers && (len(r.Methods) == 0 || slices.Contains(r.Methods, req.Method)) && (!r.Public || canonical(req.Path)) {
			return r.Name
		}
	}
	return ""
}

// TestMatchAllocates nothing for a canonical path: it stands in every check.
func TestMatchAllocates(t *testing.T) {
	user := people()[2]
	for name, set := range map[string]*Set{"a few rules": house(), "every kind": New(everyKind(t), nil, noon), "many": New(manyRules(1000), nil, noon)} {
		for _, host := range []string{"app.example.com", "app.test", "app777.example.com", "evil.test"} {
			for _, path := range []string{"/", "/admin/users", "/static/app.css", "/a%20b/J%C3%B6rg", "/v1/x%3Ago/y", "/mail/x", "/claims/x", "/net/x", "/mfa/x", "/api/x"} {
				req := auth.Request{Method: "GET", Host: host, Path: path, Client: netip.MustParseAddr("10.0.0.1")}
				if n := testing.AllocsPerRun(100, func() { set.Match(req).Judge(req, user) }); n != 0 {
					t.Errorf("%s, %s%s: %v allocations", name, host, path, n)
				}
			}
		}
	}
}

// manyRules are three for each of n hosts, and one for all of them.
func manyRules(n int) []Rule {
	rules := []Rule{{Name: "health", Hosts: []string{"*.example.com"}, Paths: []string{"/healthz"}, Public: true}}
	for i := range n {
		host := []string{fmt.Sprintf("app%d.example.com", i)}
		rules = append(rules,
			Rule{Name: fmt.Sprintf("static %d", i), Hosts: host, Paths: []string{"/static/**"}, Methods: []string{"GET"}, Public: true},
			Rule{Name: fmt.Sprintf("admin %d", i), Hosts: host, Paths: []string{"/admin/**"}, Allow: &Allow{Groups: []string{"ops"}}},
			Rule{Name: fmt.Sprintf("app %d", i), Hosts: host, Allow: &Allow{Any: true}})
	}
	return rules
}

// BenchmarkHosts asks for the last host of files of 10 and of 10,000 hosts in
// turns, and reports how many times longer the large one takes.
func BenchmarkHosts(b *testing.B) {
	const small, large = 10, 10_000
	began := time.Now()
	many := New(manyRules(large), nil, time.Now)
	compiling := time.Since(began)
	few := New(manyRules(small), nil, time.Now)
	user := auth.User{Subject: "1"}
	last := func(n int) auth.Request {
		return auth.Request{Method: "GET", Host: fmt.Sprintf("app%d.example.com", n-1), Path: "/dashboards/team/42"}
	}
	requests := [2]auth.Request{last(small), last(large)}
	var spent [2]time.Duration
	b.ReportAllocs()
	for b.Loop() {
		for i, set := range [2]*Set{few, many} {
			start := time.Now()
			for range 1000 {
				set.Match(requests[i]).Judge(requests[i], user)
			}
			spent[i] += time.Since(start)
		}
	}
	b.ReportMetric(float64(compiling.Milliseconds()), "ms-to-compile")
	b.ReportMetric(float64(spent[1])/float64(spent[0]), "ratio")
	b.ReportMetric(float64(spent[1].Nanoseconds())/float64(b.N)/1000, "ns/match")
}

func BenchmarkMatch(b *testing.B) {
	rules := []Rule{{Hosts: []string{"*.example.com"}, Paths: []string{"/healthz"}, Public: true}}
	for i := range 1000 {
		rules = append(rules, Rule{Hosts: []string{fmt.Sprintf("app%d.example.com", i)}, Allow: &Allow{Any: true}})
	}
	set := New(rules, nil, time.Now)
	for _, bb := range []struct{ name, path string }{
		{"canonical", "/dashboards/team/42"},
		{"escaped", "/a%20b/J%C3%B6rg"},
		{"odd", "/dashboards//team/../42"},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			req := auth.Request{Method: "GET", Host: "app777.example.com", Path: bb.path}
			for b.Loop() {
				set.Match(req)
			}
		})
	}
}
