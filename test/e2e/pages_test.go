package e2e

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/doorward/doorward/internal/redis/redistest"
	"github.com/doorward/doorward/test/stack"
)

// outDir takes the screenshots, for people to look at.
const outDir = "out"

// testPages visits every page that Doorward has, uses what can be pressed on it,
// and takes its picture on a desk and on a phone, in light and in dark.
func (h *house) testPages(t *testing.T) {
	if err := os.MkdirAll(outDir, 0o755); err != nil {
		t.Fatal(err)
	}
	s := h.start(t, stack.PlainNginx, map[string]string{
		"DOORWARD_SIGN_IN_PAGE":  "true",
		"DOORWARD_SESSION_STORE": "redis", "DOORWARD_REDIS_URL": "unix://" + redistest.Start(t).Socket,
	})
	g := &gallery{visit: &visit{house: h, s: s, plain: true}}
	for _, part := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"signing in", g.testSignIn},
		{"sessions", g.testSessions},
		{"signing out", g.testSignOut},
		{"signing out, asked first", g.testConfirm},
		{"not allowed", g.testNotAllowed},
		{"problems", g.testProblems},
	} {
		t.Run(part.name, part.run)
	}
}

type gallery struct{ *visit }

func (g *gallery) testSignIn(t *testing.T) {
	b := g.person(t)
	b.open(g.s.AuthURL + "/")
	g.picture(t, b, "account-signed-out", "You are not signed in")
	b.click("a.primary")
	g.picture(t, b, "sign-in", "Sign in")
	b.open(g.s.AppURL + deepLink)
	g.picture(t, b, "sign-in-to-app", "Sign in")
	b.click("a.primary")
	g.atProvider(t, b)
	b.signIn(stack.Ada)
	g.atApp(t, b, g.s.AppURL+deepLink)
	b.open(g.s.AuthURL + "/")
	g.picture(t, b, "account", "You are signed in")
}

// enter signs in by way of the sign-in page and ends at the app's front page.
func (g *gallery) enter(t *testing.T, b *tab, email string) int {
	t.Helper()
	b.open(g.s.AppURL + "/")
	b.click("a.primary")
	g.atProvider(t, b)
	return b.signIn(email)
}

// testSessions has somebody end, in one browser, that they are signed in in others.
func (g *gallery) testSessions(t *testing.T) {
	b, other, third := g.person(t), g.person(t), g.person(t)
	for _, one := range []*tab{third, other, b} {
		g.enter(t, one, stack.Bob)
	}
	b.open(g.s.AuthURL + "/")
	b.click("a.button:not(:first-child)")
	g.picture(t, b, "sessions", "Your sessions")
	b.click("li button")
	if left := b.eval(`String(document.querySelectorAll('li').length)`); left != "2" {
		t.Errorf("of three sessions one was ended, and %s are left", left)
	}
	b.click("form .actions button")
	g.picture(t, b, "sessions-one", "Your sessions")
	if left := b.eval(`String(document.querySelectorAll('li').length)`); left != "1" {
		t.Errorf("all others were ended, and %s are left", left)
	}
	for _, one := range []*tab{other, third} {
		one.open(g.s.AuthURL + "/sessions")
		if title := one.text("h1"); title != "You are not signed in" {
			t.Errorf("where it was ended: %q", title)
		}
	}
}

func (g *gallery) testSignOut(t *testing.T) {
	b := g.person(t)
	g.enter(t, b, stack.Ada)
	b.open(g.s.AuthURL + "/")
	b.click("a.button")
	g.picture(t, b, "signed-out", "You are signed out")
	b.open(g.s.AuthURL + "/")
	if title := b.text("h1"); title != "You are not signed in" {
		t.Errorf("after the sign-out: %q", title)
	}
}

// testConfirm follows a link from a foreign page, which nobody may sign out by.
func (g *gallery) testConfirm(t *testing.T) {
	b := g.person(t)
	g.enter(t, b, stack.Ada)
	foreign := g.s.Dex.Issuer() + "/.well-known/openid-configuration"
	link := `location.href = "` + g.s.AuthURL + `/sign_out?rd=` + g.s.AppURL + `/"; ""`
	b.open(foreign)
	b.load("follow a link from elsewhere", act(chromedp.Evaluate[string](link)))
	g.picture(t, b, "confirm-sign-out", "Sign out?")
	b.click("a.button:not(.primary)")
	g.atApp(t, b, g.s.AppURL+"/")
	b.open(foreign)
	b.load("follow it again", act(chromedp.Evaluate[string](link)))
	b.click("a.primary")
	if at, title := where(b.location()), b.text("h1"); at != g.s.AuthURL+"/start" || title != "Sign in" {
		t.Errorf("the confirmed sign-out ended at %s with %q, want the app's sign-in", at, title)
	}
}

// testNotAllowed shows the page at the end of a login, and the one that nginx
// shows for a 403.
func (g *gallery) testNotAllowed(t *testing.T) {
	b := g.person(t)
	g.refused(t, b, g.enter(t, b, stack.Eve), g.s.AuthURL+"/callback")
	g.picture(t, b, "not-allowed-login", "This account may not enter")
	g.refused(t, b, b.open(g.s.AppURL+"/"), g.s.AppURL+"/")
	g.picture(t, b, "not-allowed-nginx", "This account may not enter")
	b.click("a.button:not(.primary)") // from the app's host, which is the same site
	if title := b.text("h1"); title != "You are signed out" {
		t.Errorf("its sign-out ended at %s with %q", where(b.location()), title)
	}
}

func (g *gallery) testProblems(t *testing.T) {
	b := g.person(t)
	g.problem(t, b, "problem-not-found", "/nothing", http.StatusNotFound, "There is nothing here")
	g.problem(t, b, "problem-no-provider", "/start?provider=other", http.StatusBadRequest, "This way of signing in does not exist")
	g.problem(t, b, "problem-lost", "/callback?code=x&state=long-gone-2", http.StatusBadRequest, "This sign-in is no longer under way")
	g.problem(t, b, "problem-refused", "/callback?code=x&code=y&state=z", http.StatusBadRequest, "")

	if err := g.s.Doorward.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := g.s.Dex.Stop(); err != nil {
		t.Fatal(err)
	}
	begin(t, func(ctx context.Context) error { return g.s.Doorward.StartUntil(ctx, "/healthz") })
	g.problem(t, b, "problem-provider-down", "/start?provider=oidc", http.StatusServiceUnavailable, "The sign-in service is away")
}

// problem opens an address of Doorward that answers with the page of an error.
func (g *gallery) problem(t *testing.T, b *tab, name, path string, status int, title string) {
	t.Helper()
	if got := b.open(g.s.AuthURL + path); got != status {
		t.Errorf("%s is %d, want %d", path, got, status)
	}
	g.picture(t, b, name, title)
}

// act is an action whose value nobody needs.
func act[T any](action chromedp.Action[T]) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := action(ctx, target)
		return err
	})
}

// picture takes the four pictures of the page that is shown. A page has one
// heading, the title of which may be left open, one main part, no script, fits
// the width of the screen, and breaks no rule of its own policy.
func (g *gallery) picture(t *testing.T, b *tab, name, title string) {
	t.Helper()
	if got := b.text("h1"); got == "" || title != "" && got != title {
		t.Errorf("%s: the title is %q, want %q", name, got, title)
	}
	const parts = `['h1', 'main', 'html[lang]', 'script'].map(s => document.querySelectorAll(s).length).join()`
	if got := b.eval(parts); got != "1,1,1,0" {
		t.Errorf("%s: h1, main, lang and script: %s, want 1,1,1,0", name, got)
	}
	for _, screen := range []struct {
		name          string
		width, height int64
	}{{"desktop", 1280, 800}, {"phone", 390, 844}} {
		for _, scheme := range []string{"light", "dark"} {
			b.do("show "+name, chromedp.EmulateViewport(screen.width, screen.height), colours(scheme), act(chromedp.Evaluate[string](settle)))
			if over := b.eval(`String(document.documentElement.scrollWidth - document.documentElement.clientWidth)`); over != "0" {
				t.Errorf("%s: %s pixels too wide for a %s", name, over, screen.name)
			}
			shoot(t, b, strings.Join([]string{name, screen.name, scheme}, "-"))
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, problem := range b.problems {
		t.Errorf("%s: %s", name, problem)
	}
	b.problems = nil
}

// settle ends the transitions from one colour scheme to the other.
const settle = `document.getAnimations().forEach(animation => animation.finish()); ''`

// colours makes the browser prefer a colour scheme.
func colours(scheme string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		})
		return err
	})
}

// shoot writes what the browser shows to a file.
func shoot(t *testing.T, b *tab, name string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	image, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if err := os.WriteFile(filepath.Join(outDir, name+".png"), image, 0o644); err != nil {
		t.Fatal(err)
	}
}
