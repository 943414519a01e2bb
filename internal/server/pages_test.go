package server_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/idp/idptest"
	"github.com/doorward/doorward/internal/policy"
)

func TestSignOut(t *testing.T) {
	for _, tt := range []struct {
		name   string
		method string
		query  string
		pairs  []string
		ends   bool
		status int
	}{
		{"GET from our own page", "GET", "", []string{"Sec-Fetch-Site", "same-origin"}, true, 302},
		{"GET from an app", "GET", "", []string{"Sec-Fetch-Site", "same-site"}, true, 302},
		{"GET typed by hand", "GET", "", []string{"Sec-Fetch-Site", "none"}, true, 302},
		{"OUT-2 GET from another site asks", "GET", "", []string{"Sec-Fetch-Site", "cross-site"}, false, 200},
		{"OUT-2 GET of an old browser asks", "GET", "", []string{"Sec-Fetch-Mode", "-"}, false, 200},
		{"OUT-2 an image", "GET", "", []string{"Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Site", "same-site"}, false, 200},
		{"POST from our own page", "POST", "", []string{"Origin", "https://auth.example.com"}, true, 303},
		{"OUT-2 POST from another origin asks", "POST", "", []string{"Origin", "https://evil.example"}, false, 200},
		{"OUT-2 POST from a sibling asks", "POST", "", []string{"Origin", "https://app.example.com"}, false, 200},
		{"OUT-2 POST without origin asks", "POST", "", nil, false, 200},
		{"OUT-2 POST of a page without origin asks", "POST", "", []string{"Origin", "null"}, false, 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHouse(t, options{})
			b := h.browser()
			b.signIn("/")
			got := b.send(tt.method, "/sign_out"+tt.query, tt.pairs...)
			if got.status != tt.status {
				t.Errorf("answered %d, want %d", got.status, tt.status)
			}
			if tt.ends && !strings.HasPrefix(got.header.Get("Location"), h.provider.URL(idptest.EndSession)) {
				t.Errorf("goes on to %q", got.header.Get("Location"))
			}
			if ended := b.check(deepLink).status == http.StatusUnauthorized; ended != tt.ends {
				t.Errorf("ended: %v, want %v", ended, tt.ends)
			}
			if marked := got.cookies()["__Secure-doorward_signed_out"] == "set"; marked != tt.ends {
				t.Errorf("marked for the back button: %v, want %v", marked, tt.ends)
			}
		})
	}
}

// TestReplayAfterSignOut is OUT-1: a copy of the cookie is worth nothing.
func TestReplayAfterSignOut(t *testing.T) {
	h := newHouse(t, options{})
	b := h.browser()
	b.signIn("/")
	copied := b.cookieHeader(deepLink)
	if got := h.browser().check(deepLink, "Cookie", copied); got.status != http.StatusAccepted {
		t.Fatalf("before: %d", got.status)
	}
	if got := b.get("/sign_out", "Sec-Fetch-Site", "none"); got.cookies()["__Secure-doorward"] != "taken" {
		t.Errorf("SES-3: cookies %v", got.cookies())
	}
	if got := h.browser().check(deepLink, "Cookie", copied); got.status != http.StatusUnauthorized {
		t.Errorf("after: %d", got.status)
	}
}

// TestReturnFromSignOut goes through the provider's end-session endpoint and
// back to where the sign-out was to end.
func TestReturnFromSignOut(t *testing.T) {
	h := newHouse(t, options{})
	for _, tt := range []struct{ query, want string }{
		{"?rd=https%3A%2F%2Fapp.example.com%2Fbye%3Fa%3D1", "https://app.example.com/bye?a=1"},
		{"?rd=https%3A%2F%2Fevil.example%2F", ""}, // RED-7, CVE-2021-29456
		{"", ""},
	} {
		b := h.browser()
		b.signIn("/")
		out := b.get("/sign_out"+tt.query, "Sec-Fetch-Site", "none")
		back, err := h.provider.SignIn(out.header.Get("Location"))
		h.must(err)
		end := b.get(back.String(), "Sec-Fetch-Site", "cross-site")
		if end.header.Get("Location") != tt.want {
			t.Errorf("%s ended at %d %q", tt.query, end.status, end.header.Get("Location"))
		}
		if tt.want == "" && (end.status != http.StatusOK || !strings.Contains(end.body, "signed out")) {
			t.Errorf("%s ended at %d %s", tt.query, end.status, end.body)
		}
	}
	forged := h.browser().get("/sign_out?state=aHR0cHM6Ly9ldmlsLmV4YW1wbGU")
	if forged.cookies()["__Secure-doorward_signed_out"] != "set" {
		t.Error("a sign-out of nobody leaves pages of a session that was ended elsewhere")
	}
	if forged.status != http.StatusOK || forged.header.Get("Location") != "" {
		t.Errorf("a forged state leads to %d %q", forged.status, forged.header.Get("Location"))
	}
}

func TestUserinfo(t *testing.T) {
	h := newHouse(t, options{})
	b := h.browser()
	nobody := b.get("/userinfo", "Accept", "application/json")
	if nobody.status != http.StatusUnauthorized || nobody.json(t)["error"] != "unauthenticated" {
		t.Errorf("nobody: %d %s", nobody.status, nobody.body)
	}
	h.provider.Set(func(b *idptest.Behaviour) { delete(b.User, "groups"); b.User["email_verified"] = false })
	b.signIn("/")
	got := b.get("/userinfo").json(t)
	expires, err := time.Parse(time.RFC3339, got["expires_at"].(string))
	if err != nil || expires.Before(h.clock.Now()) {
		t.Errorf("expires_at %v", got["expires_at"])
	}
	delete(got, "expires_at")
	want := map[string]any{
		"user": "user-1", "email": "", "preferred_username": "ada", "name": "Ada Lovelace",
		"groups": []any{}, "provider": "oidc",
	}
	if len(got) != len(want) {
		t.Errorf("%v", got)
	}
	for key, value := range want {
		if key == "groups" {
			if list, ok := got[key].([]any); !ok || len(list) != 0 {
				t.Errorf("groups %v", got[key])
			}
		} else if got[key] != value {
			t.Errorf("%s is %v, want %v", key, got[key], value)
		}
	}
}

func TestHome(t *testing.T) {
	h := newHouse(t, options{})
	b := h.browser()
	if got := b.get("/"); got.status != http.StatusOK || !strings.Contains(got.body, "https://auth.example.com/start") {
		t.Errorf("nobody: %d %s", got.status, got.body)
	}
	b.signIn("/")
	got := b.get("/")
	if got.status != http.StatusOK || !strings.Contains(got.body, "Ada Lovelace") || !strings.Contains(got.body, `href="https://auth.example.com/sign_out"`) {
		t.Errorf("signed in: %d %s", got.status, got.body)
	}
	if script := b.get("/", "Accept", "application/json"); script.json(t)["user"] != "user-1" {
		t.Errorf("script: %s", script.body)
	}
}

// TestHeadersOfPages is HTTP-1, HTTP-2 and HTTP-8, on every answer that a
// browser can get.
func TestHeadersOfPages(t *testing.T) {
	h := newHouse(t, options{})
	b := h.browser()
	for _, path := range []string{"/", "/start", "/start?provider=x", "/callback", "/callback?code=1&code=2", "/sign_out", "/userinfo", "/denied", "/nothing"} {
		got := b.get(path)
		for name, want := range map[string]string{
			"Cache-Control":          "no-store",
			"X-Content-Type-Options": "nosniff",
			"X-Frame-Options":        "DENY",
			"Referrer-Policy":        "no-referrer",
		} {
			if got.header.Get(name) != want {
				t.Errorf("%s: %s is %q", path, name, got.header.Get(name))
			}
		}
		policy := got.header.Get("Content-Security-Policy")
		if !strings.HasPrefix(policy, "default-src 'none'; ") || !strings.Contains(policy, "frame-ancestors 'none'") {
			t.Errorf("%s: policy %q", path, policy)
		}
		if got.header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: answers other origins", path)
		}
	}
}

// TestRouter is PATH-9 and HTTP-7: what is not an endpoint byte for byte is
// nothing, and nothing is cleaned.
func TestRouter(t *testing.T) {
	h := newHouse(t, options{prefix: "/oauth2"})
	for _, tt := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/oauth2/auth", 403}, // no gateway headers
		{"PROPFIND", "/oauth2/auth", 403},
		{"POST", "/oauth2/auth/nginx", 403},
		{"TRACE", "/oauth2/auth", 405},
		{"CONNECT", "/oauth2/auth", 405},
		{"TRACE", "/oauth2/start", 405},
		{"POST", "/oauth2/start", 405},
		{"HEAD", "/oauth2/start", 405}, // would begin a login that nobody follows
		{"HEAD", "/oauth2/", 401},      // as a script that asks who it is
		{"HEAD", "/oauth2/userinfo", 401},
		{"DELETE", "/oauth2/sign_out", 405},
		{"GET", "/auth", 404},
		{"GET", "/oauth2//auth", 404},
		{"GET", "/oauth2/auth/", 404},
		{"GET", "/oauth2/auth/../auth", 404},
		{"GET", "/oauth2/%61uth", 404},
		{"GET", "/oauth2/auth%2Fnginx", 404},
		{"GET", "/oauth2/Auth", 404},
		{"GET", "/oauth2/auth/nginx/x", 404},
		{"GET", "//oauth2/start", 404},
		{"GET", "/healthz", 404}, // HTTP-6
		{"GET", "/readyz", 404},
		{"GET", "/metrics", 404},
		{"GET", "/oauth2/metrics", 404},
	} {
		t.Run(tt.method+" "+tt.path, func(t *testing.T) {
			got := h.raw(tt.method + " " + tt.path + " HTTP/1.1\r\nHost: auth.example.com\r\nConnection: close\r\n\r\n")
			if got.status != tt.status || got.header.Get("Location") != "" {
				t.Errorf("answered %d to %q, want %d", got.status, got.header.Get("Location"), tt.status)
			}
		})
	}
}

// TestOtherHosts is where the own pages may be reached.
func TestOtherHosts(t *testing.T) {
	h := newHouse(t, options{sites: auth.Sites{
		{Scheme: "https", Host: "auth.example.com", CookieDomain: "example.com"},
		{Scheme: "https", Host: "login.other.org", Port: "8443", CookieDomain: "other.org"},
	}})
	for _, tt := range []struct {
		address  string
		status   int
		location string
	}{
		{"https://app.example.com/start?rd=/x%3Fa", 302, "https://auth.example.com/start?rd=/x%3Fa"},
		{"https://app.other.org/start", 302, "https://login.other.org:8443/start"},
		{"https://elsewhere.net/start", 403, ""},
		{"https://evilexample.com/start", 403, ""},
	} {
		got := h.browser().get(tt.address)
		if got.status != tt.status || got.header.Get("Location") != tt.location {
			t.Errorf("%s: %d %q, want %d %q", tt.address, got.status, got.header.Get("Location"), tt.status, tt.location)
		}
	}
}

// TestSitesDoNotShare is COOK-2: a session of one cookie domain is nothing at
// another.
func TestSitesDoNotShare(t *testing.T) {
	h := newHouse(t, options{sites: auth.Sites{
		{Scheme: "https", Host: "auth.example.com", CookieDomain: "example.com"},
		{Scheme: "https", Host: "auth.other.org", CookieDomain: "other.org"},
		{Scheme: "https", Host: "*.tenants.net"},
	}})
	b := h.browser()
	b.signIn("/")
	copied := b.cookieHeader(deepLink)
	if got := b.check(deepLink); got.status != http.StatusAccepted {
		t.Fatalf("own: %d", got.status)
	}
	if got := b.check("https://app.other.org/", "Cookie", copied); got.status != http.StatusUnauthorized {
		t.Errorf("other domain: %d", got.status)
	}
	if got := b.check("https://elsewhere.net/", "Cookie", copied); got.status != http.StatusForbidden {
		t.Errorf("unknown host: %d", got.status)
	}
	start := b.check("https://one.tenants.net/x").header.Get("Location")
	if start != "https://one.tenants.net/start?rd=https%3A%2F%2Fone.tenants.net%2Fx" {
		t.Fatalf("wildcard: %q", start)
	}
	done := b.get(b.atProvider(b.get(start)))
	if done.cookies()["__Host-doorward"] != "set" || done.header.Get("Location") != "https://one.tenants.net/x" {
		t.Fatalf("wildcard: %v %q", done.cookies(), done.header.Get("Location"))
	}
	tenant := b.cookieHeader("https://one.tenants.net/")
	if got := b.check("https://one.tenants.net/", "Cookie", tenant); got.status != http.StatusAccepted {
		t.Errorf("one tenant: %d", got.status)
	}
	if got := b.check("https://two.tenants.net/", "Cookie", tenant); got.status != http.StatusUnauthorized {
		t.Errorf("another tenant: %d", got.status)
	}
}

// TestApps: the page of the account lists what it may open, and shows pictures
// from where the rules say.
func TestApps(t *testing.T) {
	h := newHouse(t, options{rules: []policy.Rule{
		{Name: "wiki", Hosts: []string{"wiki.example.com"}, Title: "The <wiki>", Icon: "https://static.example.com/w.png", Allow: &policy.Allow{Any: true}},
		{Name: "ops", Hosts: []string{"ops.example.com"}, Allow: &policy.Allow{Groups: []string{"ops"}}},
		{Name: "sre", Hosts: []string{"sre.example.com"}, Paths: []string{"/board/**"}, Allow: &policy.Allow{Groups: []string{"sre"}}},
	}})
	b := h.browser()
	if got := b.get("/"); strings.Contains(got.body, "wiki") {
		t.Errorf("nobody is shown %s", got.body)
	}
	b.signIn("/")
	got := b.get("/")
	for _, want := range []string{`href="https://wiki.example.com/"`, "The &lt;wiki&gt;", `href="https://sre.example.com/board/"`, `src="https://static.example.com/w.png"`} {
		if !strings.Contains(got.body, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	if strings.Contains(got.body, "ops.example.com") {
		t.Error("the page shows what may not be opened")
	}
	if policy := got.header.Get("Content-Security-Policy"); !strings.Contains(policy, "img-src data: https://static.example.com;") {
		t.Errorf("policy %q", policy)
	}
}
