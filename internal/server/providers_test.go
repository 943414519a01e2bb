package server_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/idp/idptest"
	"github.com/doorward/doorward/internal/policy"
)

func TestChooser(t *testing.T) {
	h := newHouse(t, options{several: true})
	b := h.browser()
	order := func(page answer) []string {
		t.Helper()
		if page.status != http.StatusOK || len(page.cookies()) != 0 {
			t.Fatalf("%d with cookies %v", page.status, page.cookies())
		}
		var names []string
		for _, part := range strings.Split(page.body, "/start?provider=")[1:] {
			name, _, _ := strings.Cut(part, "&")
			names = append(names, name)
		}
		return names
	}
	page := b.get("/start?rd=" + url.QueryEscape(deepLink))
	if got := strings.Join(order(page), " "); got != "oidc other" || strings.Contains(page.body, "used last time") {
		t.Errorf("the first time: %s", got)
	}
	end := b.get(b.atProvider(b.get("/start?provider=other&rd=" + url.QueryEscape(deepLink))))
	if end.header.Get("Location") != deepLink || end.cookies()["__Host-doorward_provider"] != "set" {
		t.Fatalf("%d to %q with %v", end.status, end.header.Get("Location"), end.cookies())
	}
	for _, c := range (&http.Response{Header: end.header}).Cookies() {
		if c.Name == "__Host-doorward_provider" && (c.Value != "other" || !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteLaxMode || c.Domain != "" || c.Path != "/") {
			t.Errorf("COOK-1: %v", c)
		}
	}
	page = b.get("/start")
	if got := strings.Join(order(page), " "); got != "other oidc" || strings.Count(page.body, "used last time") != 1 {
		t.Errorf("after a login at the other one: %s", got)
	}
	for _, forged := range []string{"evil", "", "other; Path=/", `"><script>`} {
		page := h.browser().get("/start", "Cookie", "__Host-doorward_provider="+forged)
		if got := strings.Join(order(page), " "); got != "oidc other" && forged != "other; Path=/" || strings.Contains(page.body, "evil") {
			t.Errorf("HTTP-5: %q changes the page: %s", forged, got)
		}
	}
	if got := h.browser().get("/start?provider=third"); got.status != http.StatusBadRequest {
		t.Errorf("an unknown provider: %d", got.status)
	}
}

// TestMixUp is OIDC-4 with an honest provider and one that is not: what one of them
// issued is never redeemed at the other, and signs nobody in.
func TestMixUp(t *testing.T) {
	for _, tt := range []struct {
		name    string
		omitIss bool // both leave iss out of what they announce and answer
		change  func(mine, theirs url.Values)
		calls   int // of the provider that the login was begun at
	}{
		{"OIDC-4 RFC 9207 the answer of the other", false, func(mine, theirs url.Values) {
			mine.Set("code", theirs.Get("code"))
			mine.Set("iss", theirs.Get("iss"))
		}, 0},
		{"OIDC-4 RFC 9207 the answer of the other without its name", false, func(mine, theirs url.Values) {
			mine.Set("code", theirs.Get("code"))
			mine.Del("iss")
		}, 0},
		{"OIDC-4 the code of the other under one's own name", false, func(mine, theirs url.Values) {
			mine.Set("code", theirs.Get("code"))
		}, 1},
		{"OIDC-4 the code of the other, where nobody says a name", true, func(mine, theirs url.Values) {
			mine.Set("code", theirs.Get("code"))
		}, 1},
		{"OIDC-2 the state of the other's login in another browser", false, func(mine, theirs url.Values) {
			mine.Set("state", "unknown")
		}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHouse(t, options{several: true})
			for _, op := range []*idptest.Provider{h.provider, h.other} {
				op.Set(func(b *idptest.Behaviour) { b.OmitIss = tt.omitIss })
			}
			b, eve := h.browser(), h.browser()
			mine, err := url.Parse(b.atProvider(b.get("/start?provider=oidc")))
			h.must(err)
			theirs, err := url.Parse(eve.atProvider(eve.get("/start?provider=other")))
			h.must(err)
			answer := mine.Query()
			tt.change(answer, theirs.Query())
			mine.RawQuery = answer.Encode()
			got := b.get(mine.String())
			if got.cookies()["__Secure-doorward"] == "set" || b.check(deepLink).status != http.StatusUnauthorized {
				t.Errorf("somebody is signed in: %d", got.status)
			}
			if n := h.other.Requests(idptest.Token); n != 0 {
				t.Errorf("the other provider was asked %d times", n)
			}
			if n := h.provider.Requests(idptest.Token); n != tt.calls {
				t.Errorf("the provider was asked %d times, want %d", n, tt.calls)
			}
		})
	}
}

// A rule that names a provider sends people there, and tells those who came from
// another one.
func TestRuleOfAProvider(t *testing.T) {
	h := newHouse(t, options{several: true, rules: []policy.Rule{
		{Name: "other only", Hosts: []string{"app.example.com"}, Provider: "other", Allow: &policy.Allow{Any: true}},
		{Name: "rest", Allow: &policy.Allow{Any: true}},
	}})
	b := h.browser()
	start := b.get("/start?rd=" + url.QueryEscape(deepLink))
	if !strings.HasPrefix(start.header.Get("Location"), h.other.Issuer()) {
		t.Fatalf("the login begins at %d %q", start.status, start.header.Get("Location"))
	}
	end := b.get(b.atProvider(b.get("/start?provider=oidc&rd=" + url.QueryEscape(deepLink))))
	link := "https://auth.example.com/start?provider=other&amp;rd=" + strings.ReplaceAll(url.QueryEscape(deepLink), "+", "&#43;")
	if end.status != http.StatusForbidden || !strings.Contains(end.body, link) || !strings.Contains(end.body, "Other login") {
		t.Errorf("the end of a login elsewhere: %d, lacks %s: %s", end.status, link, end.body)
	}
	if check := b.check(deepLink); check.status != http.StatusForbidden {
		t.Errorf("check: %d", check.status)
	}
	page := b.get("/denied", "X-Original-URL", deepLink, "X-Original-Method", "GET")
	if page.status != http.StatusForbidden || !strings.Contains(page.body, link) {
		t.Errorf("page: %d %s", page.status, page.body)
	}
	b.get(b.atProvider(b.get("/start?provider=other&rd=" + url.QueryEscape(deepLink))))
	if check := b.check(deepLink); check.status != http.StatusAccepted {
		t.Errorf("at the right one: %d", check.status)
	}
	if check := b.check("https://else.example.com/"); check.status != http.StatusAccepted {
		t.Errorf("at another host: %d", check.status)
	}
}

func TestLoginHint(t *testing.T) {
	h := newHouse(t, options{several: true})
	for _, tt := range []struct{ name, query, want string }{
		{"an address", "login_hint=ada%2Bx%40example.com", "ada+x@example.com"},
		{"a name that is not ASCII", "login_hint=Zo%C3%AB", "Zoë"},
		{"none", "", ""},
		{"empty", "login_hint=", ""},
		{"OIDC-6 twice", "login_hint=a&login_hint=b", ""},
		{"HDR-9 a line break", "login_hint=a%0d%0ab", ""},
		{"HDR-9 NUL", "login_hint=a%00", ""},
		{"no UTF-8", "login_hint=%ff", ""},
		{"LIM-2 254 bytes", "login_hint=" + strings.Repeat("a", 254), strings.Repeat("a", 254)},
		{"LIM-2 255 bytes", "login_hint=" + strings.Repeat("a", 255), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := h.browser().get("/start?provider=oidc&" + tt.query)
			address, err := url.Parse(got.header.Get("Location"))
			h.must(err)
			if hint := address.Query()["login_hint"]; strings.Join(hint, "|") != tt.want {
				t.Errorf("got %q, want %q", hint, tt.want)
			}
		})
	}
	if page := h.browser().get("/start?prompt=login&rd=/x"); strings.Count(page.body, "prompt=login&amp;rd=%2Fx") != 2 {
		t.Errorf("AUTHZ-7: the chooser loses that another account is wanted: %s", page.body)
	}
	if page := h.browser().get("/start?login_hint=ada%40example.com"); strings.Count(page.body, "login_hint=ada%40example.com") != 2 {
		t.Errorf("the chooser loses the hint: %s", page.body)
	}
}
