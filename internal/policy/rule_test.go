package policy

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/doorward/doorward/internal/auth"
)

// noon is when these tests are.
func noon() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) }

// judge asks a set of one rule for the host a.test.
func judge(r Rule, req auth.Request, user auth.User) auth.Judgement {
	r.Hosts = []string{"a.test"}
	req.Host = "a.test"
	if req.Method == "" {
		req.Method = "GET"
	}
	if req.Path == "" {
		req.Path = "/"
	}
	return New([]Rule{r}, nil, noon).Match(req).Decide(req, user)
}

func TestTrusts(t *testing.T) {
	anybody := &Allow{Any: true}
	login := func(acr string, ago time.Duration) auth.User {
		return auth.User{Subject: "1", Provider: "oidc", ACR: acr, AuthTime: noon().Add(-ago)}
	}
	for _, tt := range []struct {
		name string
		rule Rule
		user auth.User
		want auth.Reason
	}{
		{"nothing asked", Rule{}, auth.User{Subject: "1"}, auth.Admitted},
		{"the strength asked for", Rule{ACR: []string{"mfa"}}, login("mfa", 0), auth.Admitted},
		{"one of them", Rule{ACR: []string{"phr", "mfa"}}, login("mfa", 0), auth.Admitted},
		{"another", Rule{ACR: []string{"mfa"}}, login("pwd", 0), auth.LoginTooWeak},
		{"in another case", Rule{ACR: []string{"mfa"}}, login("MFA", 0), auth.LoginTooWeak},
		{"none that is known", Rule{ACR: []string{"mfa"}}, login("", 0), auth.LoginTooWeak},
		{"fresh", Rule{MaxAge: time.Minute}, login("", 59*time.Second), auth.Admitted},
		{"just fresh enough", Rule{MaxAge: time.Minute}, login("", time.Minute), auth.Admitted},
		{"too old", Rule{MaxAge: time.Minute}, login("", time.Minute+time.Second), auth.LoginTooOld},
		{"a provider whose clock is ahead", Rule{MaxAge: time.Minute}, login("", -time.Minute), auth.Admitted},
		{"no time that is known", Rule{MaxAge: time.Hour}, auth.User{Subject: "1"}, auth.LoginTooOld},
		{"both: too weak", Rule{ACR: []string{"mfa"}, MaxAge: time.Minute}, login("pwd", time.Hour), auth.LoginTooWeak},
		{"both: too old", Rule{ACR: []string{"mfa"}, MaxAge: time.Minute}, login("mfa", time.Hour), auth.LoginTooOld},
		{"both", Rule{ACR: []string{"mfa"}, MaxAge: time.Minute}, login("mfa", 0), auth.Admitted},
		{"the provider", Rule{Provider: "oidc"}, login("", 0), auth.Admitted},
		{"another provider", Rule{Provider: "github"}, login("", 0), auth.OtherProvider},
		{"no provider that is known", Rule{Provider: "oidc"}, auth.User{Subject: "1"}, auth.OtherProvider},
		{"another provider's groups do not count", Rule{Provider: "github", Allow: &Allow{Groups: []string{"ops"}}}, login("", 0), auth.OtherProvider},
		{"who may not enter is not asked to sign in again", Rule{ACR: []string{"mfa"}, Allow: &Allow{Groups: []string{"ops"}}}, login("pwd", 0), auth.GroupMissing},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.rule.Allow == nil {
				tt.rule.Allow = anybody
			}
			want := auth.Judgement{Verdict: auth.SignIn, Reason: tt.want}
			switch tt.want {
			case auth.Admitted:
				want.Verdict = auth.Allow
			case auth.GroupMissing, auth.OtherProvider:
				want.Verdict = auth.Deny
			}
			if got := judge(tt.rule, auth.Request{}, tt.user); got != want {
				t.Errorf("%v, want %v", got, want)
			}
		})
	}
}

func TestNetworks(t *testing.T) {
	rule := Rule{Allow: &Allow{Networks: []netip.Prefix{
		netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("192.0.2.7/32"), netip.MustParsePrefix("2001:db8::/32"),
	}}}
	for _, tt := range []struct {
		client string
		want   auth.Reason
	}{
		{"10.1.0.0", auth.Admitted},
		{"10.1.255.255", auth.Admitted},
		{"10.2.0.0", auth.NetworkOutside},
		{"10.0.255.255", auth.NetworkOutside},
		{"192.0.2.7", auth.Admitted},
		{"192.0.2.8", auth.NetworkOutside},
		{"2001:db8:ffff::1", auth.Admitted},
		{"2001:db9::1", auth.NetworkOutside},
		{"::ffff:10.2.0.1", auth.NetworkOutside},
		{"", auth.NetworkOutside}, // HDR-7: an address that is not known
	} {
		req := auth.Request{}
		if tt.client != "" {
			req.Client = netip.MustParseAddr(tt.client)
		}
		if got := judge(rule, req, auth.User{Subject: "1"}); got.Reason != tt.want || (got.Verdict == auth.Allow) != (tt.want == auth.Admitted) {
			t.Errorf("%q: %v, want %v", tt.client, got, tt.want)
		}
	}
	if got := judge(rule, auth.Request{Client: netip.MustParseAddr("10.1.2.3")}, auth.User{}); got.Reason != auth.NotSignedIn {
		t.Errorf("a network is no login: %v", got)
	}
}

// TestConditionsTogether: of conditions that must all hold, the first that fails
// is the reason.
func TestConditionsTogether(t *testing.T) {
	when, err := Compile("claims.level > 3")
	if err != nil {
		t.Fatal(err)
	}
	rule := Rule{Allow: &Allow{
		Emails: []string{"ada@x.test"}, Groups: []string{"ops"}, Claims: map[string][]string{"team": {"a"}},
		Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, When: when,
	}}
	inside, outside := auth.Request{Client: netip.MustParseAddr("10.0.0.1")}, auth.Request{Client: netip.MustParseAddr("192.0.2.1")}
	claims := func(team string, level int64) map[string]any { return map[string]any{"team": team, "level": level} }
	for _, tt := range []struct {
		name string
		req  auth.Request
		user auth.User
		want auth.Reason
	}{
		{"all", inside, auth.User{Subject: "1", Email: "ada@x.test", Groups: []string{"ops"}, Claims: claims("a", 4)}, auth.Admitted},
		{"not the e-mail", inside, auth.User{Subject: "1", Email: "eve@x.test", Groups: []string{"ops"}, Claims: claims("a", 4)}, auth.EmailNotAllowed},
		{"not the group", inside, auth.User{Subject: "1", Email: "ada@x.test", Claims: claims("a", 4)}, auth.GroupMissing},
		{"not the claim", inside, auth.User{Subject: "1", Email: "ada@x.test", Groups: []string{"ops"}, Claims: claims("b", 4)}, auth.ClaimMissing},
		{"not the network", outside, auth.User{Subject: "1", Email: "ada@x.test", Groups: []string{"ops"}, Claims: claims("a", 4)}, auth.NetworkOutside},
		{"not the condition", inside, auth.User{Subject: "1", Email: "ada@x.test", Groups: []string{"ops"}, Claims: claims("a", 3)}, auth.ConditionFailed},
		{"nothing", outside, auth.User{Subject: "1", ClaimsAsked: []string{"level", "team"}}, auth.EmailUnverified},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := judge(rule, tt.req, tt.user); got.Reason != tt.want || (got.Verdict == auth.Allow) != (tt.want == auth.Admitted) {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
}

func TestPreflight(t *testing.T) {
	rule := Rule{Allow: &Allow{Groups: []string{"ops"}}, CORS: []string{"https://app.test"}}
	preflight := auth.Request{Method: "OPTIONS", Preflight: true, Origin: "https://app.test"}
	change := func(f func(*auth.Request)) auth.Request { r := preflight; f(&r); return r }
	for _, tt := range []struct {
		name string
		rule Rule
		req  auth.Request
		user auth.User
		want auth.Reason
	}{
		{"PATH-7 of a listed origin", rule, preflight, auth.User{}, auth.Preflight},
		{"PATH-7 of somebody who may not enter", rule, preflight, auth.User{Subject: "1"}, auth.Preflight},
		{"PATH-7 of another origin", rule, change(func(r *auth.Request) { r.Origin = "https://evil.test" }), auth.User{}, auth.NotSignedIn},
		{"PATH-7 of an origin that begins like it", rule, change(func(r *auth.Request) { r.Origin = "https://app.test.evil.test" }), auth.User{}, auth.NotSignedIn},
		{"PATH-7 without an origin", rule, change(func(r *auth.Request) { r.Origin = "" }), auth.User{}, auth.NotSignedIn},
		{"PATH-7 not a preflight", rule, change(func(r *auth.Request) { r.Preflight = false }), auth.User{}, auth.NotSignedIn},
		{"PATH-7 a rule without cors", Rule{Allow: &Allow{Any: true}}, preflight, auth.User{}, auth.NotSignedIn},
		{"PATH-7 a rule that denies", Rule{Deny: true, CORS: rule.CORS}, preflight, auth.User{}, auth.RuleDenies},
		{"PATH-7 a rule for other methods", Rule{Allow: &Allow{Any: true}, CORS: rule.CORS, Methods: []string{"GET"}}, preflight, auth.User{}, auth.NoRule},
		{"PATH-7 not for what follows", rule, auth.Request{Method: "PUT", Origin: "https://app.test"}, auth.User{}, auth.NotSignedIn},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := judge(tt.rule, tt.req, tt.user); got.Reason != tt.want || (got.Verdict == auth.Allow) != (tt.want == auth.Preflight) {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
}

// TestLoginAsked is what a login has to be like, for one rule and for the two of a
// path that can be read in two ways.
func TestLoginAsked(t *testing.T) {
	anybody := &Allow{Any: true}
	set := New([]Rule{
		{Name: "pay", Paths: []string{"/pay/**"}, Allow: anybody, ACR: []string{"mfa", "phr"}, MaxAge: time.Hour, NoRedirect: true},
		{Name: "vault", Paths: []string{"/vault/**"}, Allow: anybody, MaxAge: time.Minute, Provider: "oidc"},
		{Name: "rest", Allow: anybody},
	}, []string{"a.test"}, noon)
	for _, tt := range []struct {
		path      string
		want      Login
		redirects bool
	}{
		{"/x", Login{}, true},
		{"/pay/x", Login{ACR: []string{"mfa", "phr"}, MaxAge: time.Hour}, false},
		{"/vault/x", Login{MaxAge: time.Minute, Provider: "oidc"}, true},
		{"/x/../pay/x", Login{ACR: []string{"mfa", "phr"}, MaxAge: time.Hour}, false},
		{"/pay/../vault/x", Login{ACR: []string{"mfa", "phr"}, MaxAge: time.Minute, Provider: "oidc"}, false},
		{"/vault/../pay/x", Login{ACR: []string{"mfa", "phr"}, MaxAge: time.Minute, Provider: "oidc"}, false},
		{"/%zz", Login{}, true},
	} {
		g := set.Match(auth.Request{Method: "GET", Host: "a.test", Path: tt.path})
		if diff := cmp.Diff(tt.want, g.Login()); diff != "" || g.Redirects() != tt.redirects {
			t.Errorf("%s: redirects %v, login (-want +got)\n%s", tt.path, g.Redirects(), diff)
		}
	}
	if (Governing{}).Redirects() {
		t.Error("the zero Governing redirects")
	}
}

// TestJudge names the rule that a judgement is of.
func TestJudge(t *testing.T) {
	for _, tt := range []struct {
		path string
		user auth.User
		rule string
		want auth.Reason
	}{
		{"/admin/x", auth.User{Subject: "1"}, "admin", auth.GroupMissing},
		{"/x/../admin/x", auth.User{Subject: "1"}, "admin", auth.GroupMissing},
		{"/admin/../x", auth.User{Subject: "1"}, "admin", auth.GroupMissing},
		{"/x//y", auth.User{Subject: "1"}, "app", auth.Admitted},
		{"/%zz", auth.User{Subject: "1"}, "", auth.PathUnreadable},
	} {
		req := auth.Request{Method: "GET", Host: "app.example.com", Path: tt.path}
		if got, rule := house().Match(req).Judge(req, tt.user); rule != tt.rule || got.Reason != tt.want {
			t.Errorf("%s: %v by %q; want %v by %q", tt.path, got, rule, tt.want, tt.rule)
		}
	}
	if got, rule := (Governing{}).Judge(auth.Request{}, auth.User{Subject: "1"}); got.Verdict != auth.Deny || rule != "" {
		t.Errorf("the zero Governing: %v by %q", got, rule)
	}
}

func TestExplain(t *testing.T) {
	guest := auth.User{Subject: "1"}
	denied := auth.Judgement{Reason: auth.GroupMissing}
	passes := auth.Judgement{Verdict: auth.Allow, Reason: auth.Admitted}
	for _, tt := range []struct {
		name         string
		method, path string
		want         []Step
	}{
		{"rules before the one that decides", "GET", "/admin/x", []Step{
			{Rule: "health", Path: "/admin/x", Passed: "path"},
			{Rule: "admin", Path: "/admin/x", Judgement: denied},
		}},
		{"by method and by host", "PUT", "/x", []Step{
			{Rule: "health", Path: "/x", Passed: "method"},
			{Rule: "admin", Path: "/x", Passed: "path"},
			{Rule: "closed", Path: "/x", Passed: "host"},
			{Rule: "app", Path: "/x", Judgement: passes},
		}},
		{"both readings", "GET", "/static/../admin/x", []Step{
			{Rule: "health", Path: "/static/../admin/x", Passed: "not canonical"},
			{Rule: "admin", Path: "/static/../admin/x", Passed: "path"},
			{Rule: "closed", Path: "/static/../admin/x", Passed: "host"},
			{Rule: "app", Path: "/static/../admin/x", Judgement: passes},
			{Rule: "health", Path: "/admin/x", Passed: "path"},
			{Rule: "admin", Path: "/admin/x", Judgement: denied},
		}},
		{"none that can be read", "GET", "/%zz", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			req := auth.Request{Method: tt.method, Host: "app.example.com", Path: tt.path}
			steps, judgement, rule := house().Explain(req, guest)
			if diff := cmp.Diff(tt.want, steps); diff != "" {
				t.Errorf("steps (-want +got)\n%s", diff)
			}
			if want, by := house().Match(req).Judge(req, guest); judgement != want || rule != by {
				t.Errorf("%v by %q; Judge says %v by %q", judgement, rule, want, by)
			}
		})
	}
	steps, judgement, _ := house().Explain(auth.Request{Method: "GET", Host: "evil.test", Path: "/"}, guest)
	if judgement.Reason != auth.UnknownHost || slices.ContainsFunc(steps, func(s Step) bool { return s.Passed != "host" }) {
		t.Errorf("an unknown host: %v, %v", judgement, steps)
	}
}

func TestClaimsOfASet(t *testing.T) {
	when, err := Compile("claims.level > 3 && claims.team == 'a'")
	if err != nil {
		t.Fatal(err)
	}
	set := New([]Rule{
		{Allow: &Allow{Claims: map[string][]string{"team": {"a"}, "realm_access.roles": {"x"}}}},
		{Allow: &Allow{When: when}},
		{Public: true},
		{Deny: true},
	}, []string{"a.test"}, noon)
	if diff := cmp.Diff([]string{"level", "realm_access.roles", "team"}, set.Claims()); diff != "" {
		t.Error(diff)
	}
}

// TestClaimsUnknown: a session that began before the rules came to name a claim is
// asked to sign in again, and one that was asked about it is not.
func TestClaimsUnknown(t *testing.T) {
	when, err := Compile("has(claims.level) && claims.level > 3")
	if err != nil {
		t.Fatal(err)
	}
	again := auth.Judgement{Verdict: auth.SignIn, Reason: auth.ClaimsUnknown}
	for _, tt := range []struct {
		name  string
		allow *Allow
		user  auth.User
		want  auth.Judgement
	}{
		{"a claim, never asked", &Allow{Claims: map[string][]string{"team": {"a"}}}, auth.User{Subject: "1"}, again},
		{"a claim, asked and not there", &Allow{Claims: map[string][]string{"team": {"a"}}}, auth.User{Subject: "1", ClaimsAsked: []string{"team"}}, auth.Judgement{Reason: auth.ClaimMissing}},
		{"a condition, never asked", &Allow{When: when}, auth.User{Subject: "1", ClaimsAsked: []string{"team"}}, again},
		{"a condition, asked and not there", &Allow{When: when}, auth.User{Subject: "1", ClaimsAsked: []string{"level"}}, auth.Judgement{Reason: auth.ConditionFailed}},
		{"there", &Allow{When: when}, auth.User{Subject: "1", Claims: map[string]any{"level": int64(4)}}, auth.Judgement{Verdict: auth.Allow, Reason: auth.Admitted}},
		{"no claim is looked at", &Allow{Any: true}, auth.User{Subject: "1"}, auth.Judgement{Verdict: auth.Allow, Reason: auth.Admitted}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := judge(Rule{Allow: tt.allow}, auth.Request{}, tt.user); got != tt.want {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
}
