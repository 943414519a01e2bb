package e2e

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/doorward/doorward/test/stack"
)

// deepLink is an address that every careless step would change.
const deepLink = "/a%20b/c?x=1&y=%26&z=a+b;c,d"

// appTitle is what only the app says.
const appTitle = "The app behind the door"

// adaIdentity is what the app is told about Ada. Dex makes the subject of the
// user's id and the connector's: two protocol-buffer strings.
var adaIdentity = identity{
	"X-Auth-Request-User":  base64.RawURLEncoding.EncodeToString([]byte("\n\x040001\x12\x05local")),
	"X-Auth-Request-Email": stack.Ada,
	"X-Auth-Request-Name":  "Ada",
}

type identity map[string]string

// visit is one gateway with everything behind it.
type visit struct {
	*house
	s     *stack.Stack
	plain bool // deploy/nginx; otherwise as ingress-nginx renders it
}

// testGateways runs the same visits through deploy/nginx and through what
// ingress-nginx renders.
func (h *house) testGateways(t *testing.T) {
	for _, gateway := range []struct {
		name string
		file stack.Gateway
	}{
		{"nginx", stack.PlainNginx},
		{"ingress-nginx", stack.IngressNginx},
	} {
		t.Run(gateway.name, func(t *testing.T) {
			v := &visit{house: h, s: h.start(t, gateway.file, nil), plain: gateway.file == stack.PlainNginx}
			for _, part := range []struct {
				name string
				run  func(*testing.T)
			}{
				{"first visit ends where it began", v.testFirstVisit},
				{"a client gains nothing by headers, signed in (HDR-1, HDR-5)", v.testForgedSignedIn},
				{"a client gains nothing by headers, signed out (HDR-1)", v.testForgedSignedOut},
				{"sign-out, then back", v.testSignOutBack},
				{"two tabs", v.testTwoTabs},
				{"a script without a session", v.testFetchSignedOut},
				{"a form without a session", v.testPostSignedOut},
				{"a sign-out that was asked about", v.testConfirmedSignOut},
				{"another account", v.testOtherAccount},
			} {
				t.Run(part.name, part.run)
			}
		})
	}
}

// atProvider fails unless the tab shows the provider's sign-in page.
func (v *visit) atProvider(t *testing.T, b *tab) {
	t.Helper()
	if at := b.location(); !strings.HasPrefix(at, v.s.Dex.Issuer()) {
		t.Fatalf("at %s, want the provider's sign-in page", where(at))
	}
}

// atApp fails unless the tab shows the app at an address.
func (v *visit) atApp(t *testing.T, b *tab, address string) {
	t.Helper()
	if at, title := b.location(), b.text("h1"); at != address || title != appTitle {
		t.Fatalf("at %s with the title %q, want the app at %s", where(at), title, address)
	}
}

// arrive opens an address of the app, signs in and comes back to it.
func (v *visit) arrive(t *testing.T, b *tab, email, address string) {
	t.Helper()
	b.open(address)
	v.atProvider(t, b)
	if status := b.signIn(email); status != http.StatusOK {
		t.Fatalf("status %d at %s after signing in", status, where(b.location()))
	}
	v.atApp(t, b, address)
}

func (v *visit) testFirstVisit(t *testing.T) {
	b := v.person(t)
	v.arrive(t, b, stack.Ada, v.s.AppURL+deepLink)
	if got, want := b.text("#request"), "GET "+deepLink; got != want {
		t.Errorf("the app was asked %q, want %q", got, want)
	}
	rows := b.eval(`[...document.querySelectorAll('tr.identity')].map(row => row.cells[0].textContent + ': ' + row.cells[1].textContent).join('\n')`)
	got := http.Header{}
	for line := range strings.SplitSeq(rows, "\n") {
		name, value, _ := strings.Cut(line, ": ")
		got.Add(name, value)
	}
	adaIdentity.check(t, got)
}

// check fails unless the headers are this identity, each once, and nothing else.
func (want identity) check(t *testing.T, header http.Header) {
	t.Helper()
	for name, value := range want {
		if got := header[name]; len(got) != 1 || got[0] != value {
			t.Errorf("%s: %q, want %q once", name, got, value)
		}
	}
	for name, got := range header {
		if _, ok := want[name]; !ok && strings.HasPrefix(name, "X-Auth-Request-") {
			t.Errorf("%s: %q, want none", name, got)
		}
	}
}

// testSignOutBack: after a sign-out the history leads to the login. The page that
// the login ended on is the hard one; see session.Flows.MarkSignedOut.
func (v *visit) testSignOutBack(t *testing.T) {
	for _, tt := range []struct {
		name   string
		target string   // of the sign-out
		opened []string // after the page that the login ended on
	}{
		{"at once, to an address", v.s.AppURL + "/", nil},
		{"at once, to our page", "", nil},
		{"pages later, to an address", v.s.AppURL + "/", []string{"/private", "/more"}},
		{"pages later, to our page", "", []string{"/private", "/more"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := v.person(t)
			for range 2 { // again before the mark of the first sign-out has gone
				v.arrive(t, b, stack.Ada, v.s.AppURL+"/first")
				for _, path := range tt.opened {
					b.open(v.s.AppURL + path)
					v.atApp(t, b, v.s.AppURL+path)
				}
				v.signOut(t, b, tt.target)
				v.nothingBehind(t, b, len(tt.opened)+1)
			}
		})
	}
}

// signOut leaves the app by its link, or without a target by ours.
func (v *visit) signOut(t *testing.T, b *tab, target string) {
	t.Helper()
	if target != "" {
		b.click("#sign-out")
		v.atProvider(t, b)
		return
	}
	b.load("sign out", act(chromedp.Evaluate[string](`location.href = "`+v.s.AuthURL+`/sign_out"; ""`)))
	if title := b.text("h1"); title != "You are signed out" {
		t.Fatalf("the sign-out ended at %s with %q", where(b.location()), title)
	}
}

// nothingBehind fails if one of the last pages of the app is still shown.
func (v *visit) nothingBehind(t *testing.T, b *tab, pages int) {
	t.Helper()
	mark := b.mark()
	for range pages {
		b.back()
		v.atProvider(t, b)
		if body := b.text("body"); strings.Contains(body, appTitle) || strings.Contains(body, stack.Ada) {
			t.Errorf("the app is shown at %s after a sign-out", where(b.location()))
		}
	}
	for _, a := range b.since(mark) {
		if strings.HasPrefix(a.url, v.s.AppURL) && a.status == http.StatusOK {
			t.Errorf("the app answered %s %s after a sign-out", a.method, where(a.url))
		}
	}
}

// testTwoTabs: a login in one tab does not spoil the one in the other.
func (v *visit) testTwoTabs(t *testing.T) {
	first := v.person(t)
	second := first.another()
	first.open(v.s.AppURL + "/first?tab=1")
	second.open(v.s.AppURL + "/second?tab=2")
	v.atProvider(t, first)
	v.atProvider(t, second)
	first.signIn(stack.Ada)
	v.atApp(t, first, v.s.AppURL+"/first?tab=1")
	second.signIn(stack.Ada)
	v.atApp(t, second, v.s.AppURL+"/second?tab=2")
	first.open(v.s.AppURL + "/first?again")
	v.atApp(t, first, v.s.AppURL+"/first?again")
}

// endElsewhere ends the session of a tab in another one.
func (v *visit) endElsewhere(t *testing.T, b *tab) {
	t.Helper()
	other := b.another()
	other.open(v.s.AuthURL + "/sign_out")
	if title := other.text("h1"); title != "You are signed out" {
		t.Fatalf("the sign-out ended at %s with %q", where(other.location()), title)
	}
}

// testFetchSignedOut: a page that stands open when the session ends does not
// send its scripts to the provider.
func (v *visit) testFetchSignedOut(t *testing.T) {
	b := v.person(t)
	v.arrive(t, b, stack.Ada, v.s.AppURL+"/open")
	v.endElsewhere(t, b)
	mark := b.mark()
	b.do("fetch", chromedp.Click("#fetch"), chromedp.WaitVisible("#fetched:not(:empty)"))

	asked := []string{v.s.AppURL + "/data"}
	if !v.plain {
		asked = append(asked, v.s.AuthURL+"/start") // the annotation sends everybody there
	}
	until(t, "the last answer is known", func() bool {
		got := b.since(mark)
		return len(got) == len(asked) && got[len(got)-1].status != 0
	})
	got := b.since(mark)
	for i, a := range got {
		if where(a.url) != asked[i] || len(a.setCookie) > 0 {
			t.Errorf("asked %s, want %s; it set %d cookies, want none", where(a.url), asked[i], len(a.setCookie))
		}
	}
	if last := got[len(got)-1]; last.status != http.StatusUnauthorized {
		t.Errorf("the last answer is %d, want 401", last.status)
	}
	if got := b.eval(`document.getElementById('fetched').value`); v.plain && got != "401" {
		t.Errorf("the script sees %q, want 401", got)
	}
	v.startAnswersJSON(t)
}

// startAnswersJSON: what a script finds at /start is an answer for scripts.
func (v *visit) startAnswersJSON(t *testing.T) {
	t.Helper()
	page := v.visitor(v.s).fetch(t, v.s.AuthURL+"/start?rd="+url.QueryEscape(v.s.AppURL+"/data"), nil)
	if page.Status != http.StatusUnauthorized || page.Header.Get("Content-Type") != "application/json" ||
		page.Header["Set-Cookie"] != nil || !strings.Contains(page.Body, `"error":"unauthenticated"`) {
		t.Errorf("/start answers a script %d %s with %d cookies: %s", page.Status,
			page.Header.Get("Content-Type"), len(page.Header["Set-Cookie"]), page.Body)
	}
}

// testPostSignedOut: a form that is sent after the session has ended leads to a
// login, and the login to a page, each without turning in circles.
func (v *visit) testPostSignedOut(t *testing.T) {
	b := v.person(t)
	v.arrive(t, b, stack.Ada, v.s.AppURL+"/form")
	v.endElsewhere(t, b)
	mark := b.mark()
	b.click("#post")
	v.atProvider(t, b)
	b.signIn(stack.Ada)
	v.atApp(t, b, v.s.AppURL+"/submit")
	if got := b.text("#request"); got != "GET /submit" {
		t.Errorf("the app was asked %q, want GET /submit", got)
	}
	visits := map[string]int{}
	for _, a := range b.since(mark) {
		visits[where(a.url)]++
	}
	for address, want := range map[string]int{
		v.s.AppURL + "/submit":    2, // the form, and the page after the login
		v.s.AuthURL + "/start":    1,
		v.s.AuthURL + "/callback": 1,
	} {
		if visits[address] != want {
			t.Errorf("%s was asked %d times, want %d", address, visits[address], want)
		}
	}
	if n := len(b.since(mark)); n > 12 {
		t.Errorf("%d requests from the form to the page", n)
	}
}

// testConfirmedSignOut: after the question the browser is let go on to wherever
// the redirects lead, here over the app and /start to the provider.
func (v *visit) testConfirmedSignOut(t *testing.T) {
	b := v.person(t)
	v.arrive(t, b, stack.Ada, v.s.AppURL+"/")
	b.open(v.s.Dex.Issuer() + "/.well-known/openid-configuration")
	b.load("follow a link from elsewhere", act(chromedp.Evaluate[string](
		`location.href = "`+v.s.AuthURL+`/sign_out?rd=`+v.s.AppURL+`/"; ""`)))
	if title := b.text("h1"); title != "Sign out?" {
		t.Fatalf("OUT-2: a foreign link ended with %q", title)
	}
	b.click("a.primary")
	v.atProvider(t, b)
}

// testOtherAccount: somebody who may not enter hears so, by name, and gets in
// with another account.
func (v *visit) testOtherAccount(t *testing.T) {
	b := v.person(t)
	b.open(v.s.AppURL + deepLink)
	v.atProvider(t, b)
	status := b.signIn(stack.Eve)
	v.refused(t, b, status, v.s.AuthURL+"/callback")
	if v.plain { // ingress-nginx can only show a 403 of its own
		v.refused(t, b, b.open(v.s.AppURL+deepLink), v.s.AppURL+"/a%20b/c")
	}
	b.click("a.primary")
	v.atProvider(t, b)
	b.signIn(stack.Ada)
	v.atApp(t, b, v.s.AppURL+deepLink)
}

// refused fails unless the tab shows that Eve may not enter.
func (v *visit) refused(t *testing.T, b *tab, status int, address string) {
	t.Helper()
	if at, body := where(b.location()), b.text("main"); status != http.StatusForbidden || at != address ||
		!strings.Contains(body, stack.Eve) || b.text("a.primary") != "Use another account" {
		t.Fatalf("status %d at %s, want a 403 page at %s that names %s:\n%s", status, at, address, stack.Eve, body)
	}
}
