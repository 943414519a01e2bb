package server_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/idp/idptest"
	"github.com/doorward/doorward/internal/policy"
)

const deepLink = "https://app.example.com/a%20b/c?x=1&y=%26&z=a+b;c,d"

func TestLogin(t *testing.T) {
	h := newHouse(t, options{})
	b := h.browser()

	refused := b.check(deepLink)
	if refused.status != http.StatusUnauthorized {
		t.Fatalf("before: %d", refused.status)
	}
	callback := b.get(b.atProvider(b.get(refused.header.Get("Location"))))
	if callback.status != http.StatusFound || callback.header.Get("Location") != deepLink {
		t.Fatalf("RED-11: the callback answered %d to %q", callback.status, callback.header.Get("Location"))
	}
	allowed := b.check(deepLink)
	if allowed.status != http.StatusAccepted {
		t.Fatalf("after: %d", allowed.status)
	}
	for name, want := range map[string]string{
		"X-Auth-Request-User":               "user-1",
		"X-Auth-Request-Email":              "ada@example.com",
		"X-Auth-Request-Preferred-Username": "ada",
		"X-Auth-Request-Name":               "Ada Lovelace",
		"X-Auth-Request-Groups":             "sre,platform",
	} {
		if got := allowed.header[name]; len(got) != 1 || got[0] != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

// TestCallbackWithoutFlow is everything that a browser may do with a callback
// besides the one thing it is for.
func TestCallbackWithoutFlow(t *testing.T) {
	h := newHouse(t, options{})

	t.Run("OIDC-2 replay goes on when signed in, without a second token call", func(t *testing.T) {
		b := h.browser()
		callback := b.atProvider(b.get("/start?rd=/x"))
		if first := b.get(callback); first.header.Get("Location") != "/x" {
			t.Fatalf("first: %d %q", first.status, first.header.Get("Location"))
		}
		calls := h.provider.Requests(idptest.Token)
		if again := b.get(callback); again.status != http.StatusFound || again.header.Get("Location") != "/" {
			t.Errorf("again: %d %q", again.status, again.header.Get("Location"))
		}
		if got := h.provider.Requests(idptest.Token); got != calls {
			t.Errorf("the code was redeemed %d more times", got-calls)
		}
	})
	t.Run("OIDC-2 another browser starts again once, then hears why", func(t *testing.T) {
		b, other := h.browser(), h.browser()
		callback := b.atProvider(b.get("/start?rd=/x"))
		calls := h.provider.Requests(idptest.Token)
		restarted := other.get(callback)
		if restarted.status != http.StatusFound || !strings.HasPrefix(restarted.header.Get("Location"), h.provider.Issuer()) {
			t.Fatalf("restart: %d %q", restarted.status, restarted.header.Get("Location"))
		}
		third := h.browser()
		if got := third.get(other.atProvider(restarted)); got.status != http.StatusBadRequest || !strings.Contains(got.body, "no longer under way") {
			t.Errorf("second restart: %d", got.status)
		}
		if got := h.provider.Requests(idptest.Token); got != calls {
			t.Errorf("the code was redeemed %d times", got-calls)
		}
	})
	t.Run("a bookmark of the callback starts a login", func(t *testing.T) {
		if got := h.browser().get("/callback"); got.status != http.StatusFound || !strings.HasPrefix(got.header.Get("Location"), h.provider.Issuer()) {
			t.Errorf("%d %q", got.status, got.header.Get("Location"))
		}
	})
	t.Run("OIDC-2 a login page that stood open for eleven minutes starts again", func(t *testing.T) {
		b := h.browser()
		callback := b.atProvider(b.get("/start?rd=/x"))
		h.clock.advance(11 * time.Minute)
		again := b.get(callback)
		if again.status != http.StatusFound || !strings.HasPrefix(again.header.Get("Location"), h.provider.Issuer()) {
			t.Fatalf("%d %q", again.status, again.header.Get("Location"))
		}
		if done := b.get(b.atProvider(again)); done.status != http.StatusFound || done.header.Get("Location") != "/" {
			t.Errorf("the second try ended with %d %q", done.status, done.header.Get("Location"))
		}
	})
	t.Run("a fetch of the callback begins nothing", func(t *testing.T) {
		got := h.browser().get("/callback?state=x&code=y", "Sec-Fetch-Mode", "cors", "Accept", "*/*")
		if got.status != http.StatusBadRequest || len(got.cookies()) != 0 {
			t.Errorf("%d, cookies %v", got.status, got.cookies())
		}
	})
	for _, query := range []string{
		"state=a&state=b&code=c", "state=a&code=b&code=c", "state=a&code=c&iss=x&iss=y", "error=a&error=b&state=s", "state=a&code=b&error=c", "state=%zz",
	} {
		t.Run("OIDC-6 "+query, func(t *testing.T) {
			if got := h.browser().get("/callback?" + query); got.status != http.StatusBadRequest {
				t.Errorf("%d", got.status)
			}
		})
	}
}

// TestProviderAnswers is what a person sees when the provider does not let them in.
func TestProviderAnswers(t *testing.T) {
	for _, tt := range []struct {
		name    string
		behave  func(*idptest.Behaviour)
		status  int
		reason  string
		signsIn bool
	}{
		{"OIDC-5 access denied", func(b *idptest.Behaviour) {
			b.Authorize = func(a, _ url.Values) { a.Del("code"); a.Set("error", "access_denied") }
		}, 403, "login_access_denied", false},
		{"OIDC-5 an error of the provider's own making is not repeated", func(b *idptest.Behaviour) {
			b.Authorize = func(a, _ url.Values) {
				a.Del("code")
				a.Set("error", "made_up_by_attacker")
				a.Set("error_description", "<script>alert(1)</script>")
			}
		}, 502, "login_rejected", false},
		{"OIDC-4 mix-up", func(b *idptest.Behaviour) {
			b.Authorize = func(a, _ url.Values) { a.Set("iss", "https://evil.example") }
		}, 403, "login_mixup", false},
		{"OIDC-7 nonce", func(b *idptest.Behaviour) {
			b.Claims = func(c map[string]any) { c["nonce"] = "other" }
		}, 403, "login_nonce", false},
		{"OIDC-7 audience", func(b *idptest.Behaviour) {
			b.Claims = func(c map[string]any) { c["aud"] = "other" }
		}, 403, "login_audience", false},
		{"TOK-1 none", func(b *idptest.Behaviour) { b.Algorithm = "none" }, 403, "login_algorithm", false},
		{"OIDC-7 signature", func(b *idptest.Behaviour) { b.WrongKey = true }, 403, "login_signature", false},
		{"the token endpoint is down", func(b *idptest.Behaviour) { b.Fail[idptest.Token] = 503 }, 503, "provider_unavailable", false},
		{"all is well", func(*idptest.Behaviour) {}, 302, "", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHouse(t, options{})
			h.provider.Set(tt.behave)
			b := h.browser()
			start := b.get("/start?rd=/x")
			got := b.get(b.atProvider(start))
			if got.status != tt.status || !strings.Contains(got.body, tt.reason) {
				t.Errorf("answered %d %q, want %d %q", got.status, got.body, tt.status, tt.reason)
			}
			if strings.Contains(got.body, "attacker") || strings.Contains(got.body, "alert(1)") {
				t.Error("the page repeats what the provider sent")
			}
			signedIn := got.cookies()["__Secure-doorward"] == "set"
			if signedIn != tt.signsIn {
				t.Errorf("signed in: %v", signedIn)
			}
			for name := range start.cookies() {
				if got.cookies()[name] != "taken" {
					t.Errorf("OIDC-2: the flow cookie %s is not taken away: %v", name, got.cookies())
				}
			}
		})
	}
}

func TestStart(t *testing.T) {
	h := newHouse(t, options{})
	for _, tt := range []struct {
		name    string
		pairs   []string
		status  int
		cookies int
	}{
		{"navigation", nil, 302, 1},
		{"OIDC-11 fetch", []string{"Sec-Fetch-Mode", "cors", "Accept", "*/*"}, 401, 0},
		{"OIDC-11 an image", []string{"Sec-Fetch-Mode", "no-cors", "Accept", "image/*"}, 401, 0},
		{"OIDC-11 XHR of an old browser", []string{"Sec-Fetch-Mode", "-", "X-Requested-With", "XMLHttpRequest"}, 401, 0},
		{"OIDC-11 curl", []string{"Sec-Fetch-Mode", "-", "Accept", "*/*"}, 401, 0},
		{"an old browser", []string{"Sec-Fetch-Mode", "-"}, 302, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := h.browser().get("/start?rd="+url.QueryEscape(deepLink), tt.pairs...)
			if got.status != tt.status || len(got.cookies()) != tt.cookies {
				t.Errorf("%d with cookies %v, want %d with %d", got.status, got.cookies(), tt.status, tt.cookies)
			}
			if tt.status == 401 && got.json(t)["sign_in_url"] != "https://auth.example.com/start?rd="+url.QueryEscape(deepLink) {
				t.Errorf("body %s", got.body)
			}
		})
	}
}

// TestRedirectTargets shows that the address of a login is judged when it comes
// and again when it is used (RED-7), and that a bad one does not stop the login.
func TestRedirectTargets(t *testing.T) {
	h := newHouse(t, options{})
	for _, tt := range []struct{ name, query, want string }{
		{"RED-11 byte for byte", "rd=" + url.QueryEscape(deepLink), deepLink},
		{"ingress-nginx escapes once", "rd=https://app.example.com%2Fp%2520a%2Fb%3Fx%3D1%26y%3D%2526%26z%3Da%2Bb%3Bc,d", "https://app.example.com/p%20a/b?x=1&y=%26&z=a+b;c,d"},
		{"nginx escapes nothing", "rd=https://app.example.com/x?a=1;b&c=2", "https://app.example.com/x?a=1;b"},
		{"path only", "rd=/x%3Fa%3D1", "/x?a=1"},
		{"none", "", "/"},
		{"RED-3 suffix without a dot", "rd=https://badexample.com/", "/"},
		{"RED-2 backslash (CVE-2020-5233)", "rd=/%5Cevil.com", "/"},
		{"RED-4 two slashes", "rd=//evil.com", "/"},
		{"RED-1 user name", "rd=https://app.example.com@evil.com/", "/"},
		{"RED-1 scheme", "rd=http://app.example.com/", "/"},
		{"repeated", "rd=/a&rd=/b", "/"},
		{"RED-10 own endpoint", "rd=https://auth.example.com/sign_out", "/"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := h.browser()
			got := b.get(b.atProvider(b.get("/start?" + tt.query)))
			if got.status != http.StatusFound || got.header.Get("Location") != tt.want {
				t.Errorf("%d to %q, want %q", got.status, got.header.Get("Location"), tt.want)
			}
		})
	}
	t.Run("RED-7 judged again at the callback", func(t *testing.T) {
		b := h.browser()
		callback := b.atProvider(b.get("/start?rd=" + url.QueryEscape(deepLink)))
		sites := h.server.Redirects.Sites
		h.server.Redirects.Sites = nil
		defer func() { h.server.Redirects.Sites = sites }()
		if got := b.get(callback); got.header.Get("Location") != "/" {
			t.Errorf("to %q", got.header.Get("Location"))
		}
	})
}

func TestSecondTab(t *testing.T) {
	h := newHouse(t, options{})
	b := h.browser()
	var callbacks []string
	for _, rd := range []string{"/first", "/second"} {
		callbacks = append(callbacks, b.atProvider(b.get("/start?rd="+rd)))
	}
	for i, want := range []string{"/first", "/second"} {
		if got := b.get(callbacks[i]); got.header.Get("Location") != want {
			t.Errorf("tab %d ended at %d %q", i, got.status, got.header.Get("Location"))
		}
	}
}

// TestManyTabs is OIDC-3: at most five logins are under way in one browser.
func TestManyTabs(t *testing.T) {
	h := newHouse(t, options{})
	b := h.browser()
	var callbacks []string
	for range 7 {
		callbacks = append(callbacks, b.atProvider(b.get("/start?rd=/x")))
		h.clock.advance(time.Second)
	}
	u, _ := url.Parse(h.url)
	if got := len(b.jar.Cookies(u)); got != 5 {
		t.Errorf("%d flow cookies", got)
	}
	if got := b.get(callbacks[6]); got.header.Get("Location") != "/x" {
		t.Errorf("the newest ended with %d", got.status)
	}
}

func TestNotAllowed(t *testing.T) {
	h := newHouse(t, options{allow: policy.Allow{EmailDomains: []string{"allowed.example"}}})
	b := h.browser()
	got := b.signIn(deepLink)
	if got.status != http.StatusForbidden || !strings.Contains(got.body, "ada@example.com") || !strings.Contains(got.body, "email_not_allowed") {
		t.Fatalf("AUTHZ-7: %d %s", got.status, got.body)
	}
	if got.cookies()["__Secure-doorward"] != "set" {
		t.Error("the session is kept, so that the account can be named and changed")
	}
	if check := b.check(deepLink); check.status != http.StatusForbidden || check.body != "" {
		t.Errorf("check: %d", check.status)
	}
	page := b.get("/denied", "X-Original-URL", deepLink, "X-Original-Method", "GET")
	if page.status != http.StatusForbidden || !strings.Contains(page.body, "ada@example.com") {
		t.Errorf("page: %d %s", page.status, page.body)
	}
	other := "https://auth.example.com/start?prompt=login&amp;rd=" + strings.ReplaceAll(url.QueryEscape(deepLink), "+", "&#43;")
	if !strings.Contains(page.body, other) {
		t.Errorf("the page offers no other account at %s: %s", other, page.body)
	}
	script := b.get("/denied", "X-Original-URL", deepLink, "X-Original-Method", "GET", "Accept", "application/json")
	if script.status != http.StatusForbidden || script.json(t)["reason"] != "email_not_allowed" {
		t.Errorf("script: %d %s", script.status, script.body)
	}
	h.provider.Set(func(b *idptest.Behaviour) { b.User["email"] = "ada@allowed.example" })
	if again := b.signIn(deepLink); again.header.Get("Location") != deepLink {
		t.Errorf("another account: %d", again.status)
	}
}

func TestUnverifiedEmail(t *testing.T) {
	h := newHouse(t, options{allow: policy.Allow{EmailDomains: []string{"example.com"}}})
	h.provider.Set(func(b *idptest.Behaviour) { b.User["email_verified"] = false })
	if got := h.browser().signIn("/"); got.status != http.StatusForbidden || !strings.Contains(got.body, "email_unverified") {
		t.Errorf("AUTHZ-3: %d %s", got.status, got.body)
	}
}

func TestIdentityThatDoesNotFit(t *testing.T) {
	h := newHouse(t, options{})
	var groups []string
	for range 300 {
		groups = append(groups, "a-group-of-some-length-"+time.Duration(len(groups)).String())
	}
	h.provider.Set(func(b *idptest.Behaviour) { b.User["groups"] = groups })
	got := h.browser().signIn("/")
	if got.status != http.StatusForbidden || !strings.Contains(got.body, "fewer groups") {
		t.Errorf("COOK-5: %d %s", got.status, got.body)
	}
	if got.cookies()["__Secure-doorward"] != "" {
		t.Errorf("a cookie was set: %v", got.cookies())
	}
}

// TestNewSessionAtEachLogin is SES-2: the session before a login is over.
func TestNewSessionAtEachLogin(t *testing.T) {
	h := newHouse(t, options{})
	b := h.browser()
	b.signIn("/")
	u, _ := url.Parse(h.url)
	old := b.jar.Cookies(u)
	if got := b.check(deepLink); got.status != http.StatusAccepted {
		t.Fatalf("signed in: %d", got.status)
	}
	b.signIn("/")
	if got := b.check(deepLink); got.status != http.StatusAccepted {
		t.Errorf("signed in again: %d", got.status)
	}
	if got := h.browser().check(deepLink, "Cookie", old[0].Name+"="+old[0].Value); got.status != http.StatusUnauthorized {
		t.Errorf("the old session still passes: %d", got.status)
	}
}

func TestProviderDown(t *testing.T) {
	h := newHouse(t, options{down: true})
	b := h.browser()
	page := b.get("/start?rd=/x")
	if page.status != http.StatusServiceUnavailable || page.header.Get("Retry-After") == "" || !strings.Contains(page.body, "sign-in service") {
		t.Errorf("L1: %d %v", page.status, page.header)
	}
	if len(page.cookies()) != 0 {
		t.Errorf("cookies %v", page.cookies())
	}
	if got := b.check(deepLink); got.status != http.StatusUnauthorized {
		t.Errorf("a check answers %d", got.status)
	}
	h.must(h.provider.Listen(h.provider.Addr()))
	deadline := time.Now().Add(time.Minute)
	for {
		if got := b.get("/start?rd=/x"); got.status == http.StatusFound {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("still %d after the provider came back", got.status)
		}
	}
}

func TestSignInPage(t *testing.T) {
	h := newHouse(t, options{signInPage: true})
	b := h.browser()
	page := b.get("/start?rd=" + url.QueryEscape("/x?a=1"))
	if page.status != http.StatusOK || !strings.Contains(page.body, "Company login") || len(page.cookies()) != 0 {
		t.Fatalf("%d %v", page.status, page.cookies())
	}
	if got := b.get(b.atProvider(b.get("/start?provider=oidc&rd=" + url.QueryEscape("/x?a=1")))); got.header.Get("Location") != "/x?a=1" {
		t.Errorf("%d %q", got.status, got.header.Get("Location"))
	}
	if got := b.get("/start?provider=nobody"); got.status != http.StatusBadRequest {
		t.Errorf("unknown provider: %d", got.status)
	}
}

// TestParallelLogins is CON-1: two hundred people who sign in at once never get
// each other's session.
func TestParallelLogins(t *testing.T) {
	h := newHouse(t, options{})
	h.provider.Set(func(b *idptest.Behaviour) {
		b.Authorize = nil
		b.Claims = func(c map[string]any) { c["sub"] = c["nonce"] }
		b.Userinfo = nil
	})
	var group sync.WaitGroup
	for range 200 {
		group.Go(func() {
			b := h.browser()
			start := b.get("/start?rd=/x")
			address, err := url.Parse(start.header.Get("Location"))
			if err != nil {
				t.Error(err)
				return
			}
			b.get(b.atProvider(start))
			if got := b.get("/userinfo").json(t)["user"]; got != address.Query().Get("nonce") {
				t.Errorf("signed in as %v", got)
			}
		})
	}
	group.Wait()
}
