package server_test

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/idp/idptest"
	"github.com/doorward/doorward/internal/policy"
)

// steps are rules that ask for more than a login.
func steps() []policy.Rule {
	anybody := &policy.Allow{Any: true}
	return []policy.Rule{
		{Name: "pay", Paths: []string{"/pay/**"}, Allow: anybody, ACR: []string{"mfa", "phr"}},
		{Name: "vault", Paths: []string{"/vault/**"}, Allow: anybody, MaxAge: 15 * time.Minute},
		{Name: "root", Paths: []string{"/root/**"}, Allow: &policy.Allow{Groups: []string{"sre"}}, ACR: []string{"mfa"}, MaxAge: time.Hour},
		{Name: "api", Paths: []string{"/api/**"}, Allow: anybody, ACR: []string{"mfa"}, NoRedirect: true},
		{Name: "board", Paths: []string{"/board/**"}, Allow: &policy.Allow{Groups: []string{"board"}}, ACR: []string{"mfa"}},
		{Name: "rest", Allow: anybody},
	}
}

// obedient makes the provider do what the authorization request asks for: the
// first of the ACRs, and a new login when the last one is too old. It counts both.
func (h *house) obedient(lastLogin time.Time) (asked func() url.Values) {
	var request url.Values
	h.provider.Set(func(b *idptest.Behaviour) {
		b.Authorize = func(_, r url.Values) { request = r }
		b.Claims = func(claims map[string]any) {
			claims["auth_time"] = lastLogin.Unix()
			if acr, _, _ := strings.Cut(request.Get("acr_values"), " "); acr != "" {
				claims["acr"] = acr
			}
			if age, err := strconv.Atoi(request.Get("max_age")); err == nil && h.clock.Now().Sub(lastLogin) > time.Duration(age)*time.Second {
				claims["auth_time"] = h.clock.Now().Unix()
			}
		}
	})
	return func() url.Values { return request }
}

// ignorant makes the provider sign everybody in as it did the last time, whatever
// it is asked for.
func (h *house) ignorant(acr string, lastLogin time.Time) {
	h.provider.Set(func(b *idptest.Behaviour) {
		b.Claims = func(claims map[string]any) { claims["acr"], claims["auth_time"] = acr, lastLogin.Unix() }
	})
}

func TestStepUp(t *testing.T) {
	for _, tt := range []struct {
		name      string
		target    string
		acr       string // what the provider has to be asked for
		maxAge    string
		satisfied []string // addresses that the login is good for, too
	}{
		{"acr", "https://app.example.com/pay/out?to=a%20b&x=1", "mfa phr", "", []string{"/pay/x", "/root/x"}},
		{"max_age", "https://app.example.com/vault/x", "", "900", []string{"/vault/y"}},
		{"both", "https://app.example.com/root/x", "mfa", "3600", []string{"/root/", "/pay/x"}},
		{"a path that can be read in two ways asks for both", "https://app.example.com/pay/../vault/x", "mfa phr", "900", []string{"/vault/x", "/pay/x"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHouse(t, options{rules: steps()})
			long := h.clock.Now().Add(-30 * time.Minute)
			asked := h.obedient(long)
			b := h.browser()
			if got := b.signIn("https://app.example.com/x"); got.header.Get("Location") != "https://app.example.com/x" || asked().Has("acr_values") || asked().Has("max_age") {
				t.Fatalf("an ordinary login: %d %q, asked for %v", got.status, got.header.Get("Location"), asked())
			}

			refused := b.check(tt.target)
			if refused.status != http.StatusUnauthorized || refused.header.Get("Location") == "" {
				t.Fatalf("the ordinary session: %d", refused.status)
			}
			back := b.get(b.atProvider(b.get(refused.header.Get("Location"))))
			if back.status != http.StatusFound || back.header.Get("Location") != tt.target {
				t.Errorf("RED-11: came back with %d to %q", back.status, back.header.Get("Location"))
			}
			if got := asked(); got.Get("acr_values") != tt.acr || got.Get("max_age") != tt.maxAge {
				t.Errorf("the provider was asked for acr_values %q, max_age %q", got.Get("acr_values"), got.Get("max_age"))
			}
			logins := h.provider.Requests(idptest.Authorize)
			for _, path := range append(tt.satisfied, strings.TrimPrefix(tt.target, "https://app.example.com"), "/x") {
				if got := b.check("https://app.example.com" + path); got.status != http.StatusAccepted {
					t.Errorf("%s: %d after the login", path, got.status)
				}
			}
			if got := h.provider.Requests(idptest.Authorize); got != logins {
				t.Errorf("a session that satisfies was asked again")
			}
		})
	}
}

// TestStepUpEnds: a login that was recent enough grows old, and only then is
// another one asked for.
func TestStepUpEnds(t *testing.T) {
	h := newHouse(t, options{rules: steps()})
	h.obedient(h.clock.Now())
	b := h.browser()
	const target = "https://app.example.com/vault/x"
	b.signIn(target)
	h.clock.advance(14 * time.Minute)
	if got := b.check(target); got.status != http.StatusAccepted {
		t.Errorf("after 14 minutes: %d", got.status)
	}
	h.clock.advance(2 * time.Minute)
	refused := b.check(target)
	if refused.status != http.StatusUnauthorized || refused.header.Get("Location") == "" {
		t.Fatalf("after 16 minutes: %d", refused.status)
	}
	if got := b.check("https://app.example.com/x"); got.status != http.StatusAccepted {
		t.Errorf("elsewhere after 16 minutes: %d", got.status)
	}
	if back := b.get(b.atProvider(b.get(refused.header.Get("Location")))); back.header.Get("Location") != target {
		t.Fatalf("the login ended with %d at %q", back.status, back.header.Get("Location"))
	}
	if got := b.check(target); got.status != http.StatusAccepted {
		t.Errorf("after another login: %d", got.status)
	}
}

// TestStepUpIgnored: a provider that gives no better login is asked once, and the
// person hears why. Nobody is sent round in circles, and the session stays.
func TestStepUpIgnored(t *testing.T) {
	for _, tt := range []struct {
		name   string
		path   string
		acr    string
		reason string
	}{
		{"acr", "/pay/x", "pwd", "login_too_weak"},
		{"acr in another case", "/pay/x", "MFA", "login_too_weak"},
		{"max_age", "/vault/x", "mfa", "login_too_old"},
		{"both", "/root/x", "mfa", "login_too_old"},
		{"who may not enter is told that", "/board/x", "pwd", "group_missing"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHouse(t, options{rules: steps()})
			h.ignorant(tt.acr, h.clock.Now().Add(-2*time.Hour))
			b := h.browser()
			target := "https://app.example.com" + tt.path
			start := b.check(target).header.Get("Location")
			logins := h.provider.Requests(idptest.Authorize)
			page := b.get(b.atProvider(b.get(start)))
			if page.status != http.StatusForbidden || page.header.Get("Location") != "" {
				t.Fatalf("the login ended with %d at %q", page.status, page.header.Get("Location"))
			}
			if !strings.Contains(page.body, tt.reason) || !strings.Contains(page.body, "ada@example.com") {
				t.Errorf("the page does not say why and as whom:\n%s", page.body)
			}
			if got := h.provider.Requests(idptest.Authorize); got != logins+1 {
				t.Errorf("the provider was asked %d times", got-logins)
			}
			if got := b.check("https://app.example.com/x"); got.status != http.StatusAccepted {
				t.Errorf("the session is gone: %d", got.status)
			}
			if got := b.get("/userinfo"); got.status != http.StatusOK {
				t.Errorf("/userinfo: %d", got.status)
			}
		})
	}
}

// TestStepUpOfScripts: what cannot follow to a login hears 401, also when somebody
// is signed in.
func TestStepUpOfScripts(t *testing.T) {
	h := newHouse(t, options{rules: steps()})
	h.ignorant("pwd", h.clock.Now())
	b := h.browser()
	b.signIn("https://app.example.com/x")
	for _, tt := range []struct {
		name, path string
		header     []string
	}{
		{"a fetch", "/pay/x", []string{"Sec-Fetch-Mode", "cors", "Accept", "*/*"}},
		{"a host without redirects", "/api/x", nil},
	} {
		got := b.check("https://app.example.com"+tt.path, tt.header...)
		if got.status != http.StatusUnauthorized || got.header.Get("Location") != "" {
			t.Errorf("%s: %d %q", tt.name, got.status, got.header.Get("Location"))
		}
	}
}

// TestStepUpIsOfTheRule: the address of /start cannot ask for more or for less
// than the rule of where it leads.
func TestStepUpIsOfTheRule(t *testing.T) {
	h := newHouse(t, options{rules: steps()})
	asked := h.obedient(h.clock.Now())
	for _, tt := range []struct {
		query       string
		acr, maxAge string
	}{
		{"rd=" + url.QueryEscape("https://app.example.com/x") + "&acr_values=mfa&max_age=0", "", ""},
		{"rd=" + url.QueryEscape("https://app.example.com/pay/x") + "&acr_values=pwd&max_age=9", "mfa phr", ""},
		{"rd=" + url.QueryEscape("https://app.example.com/pay/x") + "&acr_values=", "mfa phr", ""},
		{"rd=/vault/x", "", "900"},
		{"rd=https://evil.test/pay/x", "", ""},
		{"", "", ""},
	} {
		b := h.browser()
		b.atProvider(b.get("/start?" + tt.query))
		if got := asked(); got.Get("acr_values") != tt.acr || got.Get("max_age") != tt.maxAge {
			t.Errorf("%s: asked for acr_values %q, max_age %q", tt.query, got.Get("acr_values"), got.Get("max_age"))
		}
	}
}
