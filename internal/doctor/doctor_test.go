package doctor

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/policy"
	"github.com/doorward/doorward/internal/secret"
)

// answering is a site that gives one answer to everything, and what it was asked.
type answering struct {
	answer

	mu    sync.Mutex
	asked []*http.Request
}

func (s *answering) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.asked = append(s.asked, r)
	s.mu.Unlock()
	for name, values := range s.header {
		w.Header()[name] = values
	}
	w.WriteHeader(s.status)
	_, _ = w.Write([]byte(s.body))
}

// examined is what the doctor finds at a site.
func examined(t *testing.T, s *answering, d Doctor) Report {
	t.Helper()
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	address, err := url.Parse(server.URL + "/")
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	d.URL, d.Transport = address, transport
	return d.Examine(t.Context())
}

// TestExamineFirstAnswer: what the first answer means. The gateways themselves
// are examined in test/doctor.
func TestExamineFirstAnswer(t *testing.T) {
	for _, tt := range []struct {
		name  string
		site  answer
		check string
		want  Verdict
		says  string
	}{
		{"sign-in", answer{status: 302, header: http.Header{"Location": {"/start?rd=x"}}}, "gated", Good, "302 to"},
		{"sign-in after a form", answer{status: 303, header: http.Header{"Location": {"/oauth2/start?rd=x"}}}, "gated", Good, "303 to"},
		{"401", answer{status: 401}, "sign_in", Wrong, "not sent to the sign-in"},
		{"open", answer{status: 200}, "gated", Wrong, "open to everybody"},
		{"open, and nothing in it", answer{status: 204}, "gated", Wrong, "open to everybody"},
		{"redirect of the app", answer{status: 302, header: http.Header{"Location": {"/login"}}}, "gated", Wrong, "no sign-in of Doorward"},
		{"not modified", answer{status: 304}, "gated", Wrong, "none of Doorward's"},
		{"unknown host", answer{status: 403, body: `{"reason":"unknown_host"}`}, "gated", Wrong, "DOORWARD_COOKIE_DOMAINS"},
		{"missing headers", answer{status: 403, body: `<code>missing_headers</code>`}, "gated", Wrong, "X-Forwarded-Proto"},
		{"both families", answer{status: 403, body: `ambiguous_headers`}, "gated", Wrong, "two kinds of gateways"},
		{"untrusted gateway", answer{status: 403, body: `untrusted_peer`}, "gated", Wrong, "DOORWARD_TRUSTED_PROXIES"},
		{"the gateway's own 403", answer{status: 403}, "gated", Wrong, "the log of Doorward"},
		{"nobody there", answer{status: 404}, "gated", Wrong, "404"},
		{"Doorward down", answer{status: 500}, "gated", Wrong, "does not reach Doorward"},
		{"store down", answer{status: 503, body: `{"error":"store_unavailable"}`}, "gated", Wrong, "session store"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			report := examined(t, &answering{answer: tt.site}, Doctor{})
			found := slices.ContainsFunc(report.Findings, func(f Finding) bool {
				return f.Check == tt.check && f.Verdict == tt.want && strings.Contains(f.Text, tt.says)
			})
			if !found {
				t.Errorf("no finding %s %s that says %q in %v", tt.check, tt.want, tt.says, report.Findings)
			}
		})
	}
}

// TestExamineKnowsTheRules: what would be wrong elsewhere is right where a rule
// says so.
func TestExamineKnowsTheRules(t *testing.T) {
	rules := policy.New([]policy.Rule{
		{Name: "open", Hosts: []string{"127.0.0.1"}, Paths: []string{"/"}, Public: true},
	}, []string{"127.0.0.1"}, time.Now)
	api := policy.New([]policy.Rule{
		{Name: "api", Hosts: []string{"127.0.0.1"}, NoRedirect: true, Allow: &policy.Allow{Any: true}},
	}, []string{"127.0.0.1"}, time.Now)
	sites := auth.Sites{{Scheme: "http", Host: "127.0.0.1"}}
	for _, tt := range []struct {
		name  string
		site  answer
		rules *policy.Set
		want  Verdict
	}{
		{"public", answer{status: 200}, rules, Unknown},
		{"public, but held back", answer{status: 401}, rules, Good},
		{"no redirect", answer{status: 401}, api, Good},
		{"open against the rule", answer{status: 200}, api, Wrong},
	} {
		t.Run(tt.name, func(t *testing.T) {
			report := examined(t, &answering{answer: tt.site}, Doctor{Known: &Known{Sites: sites, Rules: tt.rules}})
			if !report.Has("gated", tt.want) {
				t.Errorf("%v, want gated %s", report.Findings, tt.want)
			}
			if tt.rules == api && tt.site.status == 401 && report.Has("sign_in", Wrong) {
				t.Error("a sign-in is missed where the rule wants none")
			}
		})
	}
}

// TestExamineIsHarmless: few requests, none that changes anything, and the
// session only to the site that it was given for.
func TestExamineIsHarmless(t *testing.T) {
	other := &answering{answer: answer{status: 200}}
	elsewhere := httptest.NewServer(other)
	t.Cleanup(elsewhere.Close)
	site := &answering{answer: answer{status: 302, header: http.Header{"Location": {elsewhere.URL + "/start?rd=x"}}}}
	report := examined(t, site, Doctor{Cookie: "doorward=marker", EchoPath: "/headers"})
	for _, r := range slices.Concat(site.asked, other.asked) {
		if !slices.Contains([]string{http.MethodGet, http.MethodHead, http.MethodOptions}, r.Method) || r.ContentLength != 0 {
			t.Errorf("asked %s with %d bytes", r.Method, r.ContentLength)
		}
	}
	if n := len(site.asked) + len(other.asked); n != report.Requests || n > maxRequests || n < 15 {
		t.Errorf("%d requests, reported %d", n, report.Requests)
	}
	sent := 0
	for _, r := range site.asked {
		if strings.Contains(r.Header.Get("Cookie"), "marker") {
			sent++
		}
	}
	if sent == 0 {
		t.Error("the session was not used at all")
	}
	for _, r := range other.asked {
		if strings.Contains(r.Header.Get("Cookie"), "marker") {
			t.Errorf("the session went to another site: %s", r.URL)
		}
	}
	for _, finding := range report.Findings {
		if strings.Contains(finding.Text, "marker") {
			t.Errorf("the session is shown (LOG-2): %s", finding.Text)
		}
	}
}

func TestExamineIsBounded(t *testing.T) {
	e := &examination{Doctor: &Doctor{URL: &url.URL{Scheme: "http", Host: "127.0.0.1:1"}, Transport: &http.Transport{}}, asked: maxRequests}
	if a := e.ask(t.Context(), question{url: e.URL}); !errors.Is(a.err, errEnough) {
		t.Errorf("error %v, want %v", a.err, errEnough)
	}
}

func TestCovered(t *testing.T) {
	sites := auth.Sites{
		{Scheme: "https", Host: "auth.example.com", CookieDomain: "example.com"},
		{Scheme: "https", Host: "solo.example.org"},
	}
	for _, tt := range []struct {
		url  string
		want Verdict
	}{
		{"https://app.example.com/", Good},
		{"https://APP.Example.com.:8443/", Good},
		{"https://solo.example.org/", Good},
		{"https://app.solo.example.org/", Wrong},
		{"https://badexample.com/", Wrong},
		{"http://app.example.com/", Wrong},
	} {
		t.Run(tt.url, func(t *testing.T) {
			address, err := url.Parse(tt.url)
			if err != nil {
				t.Fatal(err)
			}
			e := &examination{Doctor: &Doctor{URL: address, Known: &Known{Sites: sites}}}
			e.checkCovered()
			if !e.report.Has("cookie_domain", tt.want) {
				t.Errorf("%v, want %s", e.report.Findings, tt.want)
			}
		})
	}
}

// TestCompare: what an answer to forged headers means, beside the answer without.
func TestCompare(t *testing.T) {
	page := &url.URL{Scheme: "https", Host: "app.example.com", Path: "/"}
	sentTo := func(location string) answer {
		return answer{status: 302, header: http.Header{"Location": {location}}}
	}
	const signIn = "https://auth.example.com/start?rd=https%3A%2F%2Fapp.example.com%2F"
	base := sentTo(signIn)
	e := &examination{Doctor: &Doctor{URL: page}, page: page, base: base, signIn: base.signIn(page)}
	for _, tt := range []struct {
		name string
		answer
		want effect
	}{
		{"the same", sentTo(signIn), same},
		{"another way back", sentTo("https://auth.example.com/start?rd=https%3A%2F%2Fapp.example.com%2Fforged"), isChanged},
		{"another place to sign in", sentTo("https://evil.example/start?rd=https%3A%2F%2Fapp.example.com%2F"), isChanged},
		{"in", answer{status: 200}, isOpen},
		{"refused", answer{status: 403, body: "ambiguous_headers"}, isRefused},
		{"refused by the gateway", answer{status: 400}, isRefused},
		{"judged by the forged host", answer{status: 403, body: "unknown_host"}, isChanged},
		{"not a page any more", answer{status: 401}, isChanged},
		{"something else", answer{status: 500}, unclear},
		{"nothing", answer{err: errEnough}, unclear},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := e.compare(tt.answer); got != tt.want {
				t.Errorf("%d, want %d", got, tt.want)
			}
		})
	}
}

func TestEchoed(t *testing.T) {
	for _, tt := range []struct{ name, body string }{
		{"lists", `{"method":"GET","headers":{"X-Auth-Request-User":["ada"]}}`},
		{"texts", `{"headers":{"X-Auth-Request-User":"ada"}}`},
		{"lower case", `{"x-auth-request-user":"ada"}`},
		{"lines", "Hostname: web\nGET / HTTP/1.1\nHost: app\nX-Auth-Request-User: ada\r\nAccept: */*\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := echoed(tt.body).Get("X-Auth-Request-User"); got != "ada" {
				t.Errorf("%q, want ada", got)
			}
		})
	}
	if got := echoed("<html><body>hello</body></html>"); len(got) != 0 {
		t.Errorf("a page shows headers: %v", got)
	}
}

func TestReportText(t *testing.T) {
	var report Report
	report.add("a", Good, "one %d", 1)
	report.add("b", Wrong, "two")
	report.add("c", Unknown, "three")
	for signs, want := range map[bool]string{
		true:  "✓ one 1\n✗ two\n? three\n",
		false: "ok    one 1\nWRONG two\n?     three\n",
	} {
		var text strings.Builder
		if err := report.WriteText(&text, signs); err != nil || text.String() != want {
			t.Errorf("%q, want %q (%v)", text.String(), want, err)
		}
	}
	if report.Wrong() != 1 {
		t.Errorf("%d wrong, want 1", report.Wrong())
	}
}

func TestKnownIsOptional(t *testing.T) {
	e := &examination{Doctor: &Doctor{URL: &url.URL{Scheme: "https", Host: "app.example.com"}, Cookie: secret.Secret("a=b")}}
	if e.signInAddress() != nil || len(e.identity()) != 5 {
		t.Error("something was made up")
	}
}
