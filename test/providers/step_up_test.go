package providers

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/test/stack"
)

const stepUpRules = `
rules:
  - {name: strong, paths: [/strong/**], acr: [code], allow: any}
  - {name: fresh, paths: [/fresh], max_age: 20s, allow: any}
  - {name: unheard of, paths: [/unheard-of], acr: [retina], allow: any}
  - {name: rest, allow: any}
`

// testStepUp: who signed in by password is asked for more where a rule wants it,
// comes back to where they were, and is not asked again. What the provider has
// never heard of is an explained 403, and no loop.
func (h *house) testStepUp(t *testing.T) {
	s := h.layOut(t)
	file := filepath.Join(s.Front.Dir, "doorward.yaml")
	if err := os.WriteFile(file, []byte(stepUpRules), 0o600); err != nil {
		t.Fatal(err)
	}
	delete(s.Doorward.Env, "DOORWARD_ALLOWED_EMAIL_DOMAINS")
	s.Doorward.Env["DOORWARD_CONFIG_FILE"] = file
	provider := h.atOIDCProvider(t, s)
	b := h.person(t)
	asked := func() bool { return strings.HasPrefix(b.at(), provider.origin) && b.has("input[name=password]") }

	b.open(s.AppURL + "/")
	provider.signIn(b, stack.Ada)
	began := time.Now()

	strong := s.AppURL + "/strong/page?a=b%20c"
	b.open(strong)
	if !asked() || !b.has("input[name=code]") {
		t.Fatalf("a password is enough for %s: at %s", strong, b.at())
	}
	b.fill(map[string]string{"login": stack.Ada, "password": stack.Password, "code": "code"})
	if status := b.click("button[type=submit]"); status != 200 || b.eval("location.href") != strong {
		t.Fatalf("after the second step: %d at %s, want %s", status, b.at(), strong)
	}
	for _, path := range []string{"/strong/other", "/", "/strong/page"} {
		if status := b.open(s.AppURL + path); status != 200 || b.at() != s.AppURL+path {
			t.Errorf("%s is asked for again: %d at %s", path, status, b.at())
		}
	}

	ignored := s.AppURL + "/unheard-of"
	status := b.open(ignored)
	if text := b.eval("document.body.innerText"); status != 403 || !strings.Contains(text, "login_too_weak") || !strings.Contains(text, stack.Ada) {
		t.Errorf("a level that the provider ignores: %d at %s: %.300s", status, b.at(), text)
	}
	if status := b.open(s.AppURL + "/strong/page"); status != 200 {
		t.Errorf("after the 403 the session is gone: %d at %s", status, b.at())
	}

	h.untilAsked(t, b, s.AppURL+"/fresh", asked)
	if since := time.Since(began); since < 20*time.Second {
		t.Errorf("asked again after %v, and 20s are young enough", since)
	}
	b.fill(map[string]string{"login": stack.Ada, "password": stack.Password})
	if status := b.click("button[type=submit]"); status != 200 || b.at() != s.AppURL+"/fresh" {
		t.Errorf("after the new login: %d at %s", status, b.at())
	}
}

// untilAsked opens a page again and again until somebody has to sign in for it.
func (h *house) untilAsked(t *testing.T, b *tab, address string, asked func() bool) {
	t.Helper()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); ; <-tick.C {
		if b.open(address); asked() {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("nobody asks for a login at %s", b.at())
		}
	}
}
