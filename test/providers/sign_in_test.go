package providers

import (
	"cmp"
	"maps"
	"strings"
	"testing"

	"github.com/doorward/doorward/test/stack"
)

// site is a provider as the browser sees it.
type site struct {
	origin string // every page of it begins so
	signIn func(b *tab, email string)
	leave  string // what ends the session on its page, where it asks first

	choose string // what leads there from a page of Dex; "" is for no such page

	// remembers is true when the session does not end with the sign-out: Dex has no
	// way to tell the identity providers behind it, and nobody else does.
	remembers bool

	email  string // Ada's; "" is the usual one
	user   string // Ada's, as the app sees her; "" is any
	groups string // likewise; "" is none
}

// testSignIn: somebody signs in at each kind of provider, the app learns who it
// is, and after the sign-out the provider asks for a password again.
func (h *house) testSignIn(t *testing.T) {
	for _, provider := range []struct {
		name string
		at   func(*testing.T, *stack.Stack) site
	}{
		{"oidc-provider", h.atOIDCProvider},
		{"Dex by password", h.atDex},
		{"Dex by another connector", h.atDexMock},
		{"Dex by SAML", h.atDexSAML},
		{"Dex by SAML that hears of no sign-out", h.atDexSAMLUntold},
		{"Keycloak", h.atKeycloak},
	} {
		t.Run(provider.name, func(t *testing.T) {
			s := h.layOut(t)
			h.visit(t, s, provider.at(t, s))
		})
	}
}

func (h *house) visit(t *testing.T, s *stack.Stack, provider site) {
	b := h.person(t)
	app := s.AppURL + "/deep/link?a=b%20c"
	atProvider := func(when string) {
		t.Helper()
		b.open(app)
		if provider.choose != "" {
			b.click(provider.choose)
		}
		if !strings.HasPrefix(b.at(), provider.origin) || !b.has("input[name=password]") {
			t.Fatalf("%s: at %s, want the page of %s with a password", when, b.at(), provider.origin)
		}
	}
	atProvider("nobody is signed in")
	provider.signIn(b, stack.Ada)
	if address := b.eval("location.href"); address != app {
		t.Fatalf("after the login: at %s, want %s", b.at(), app)
	}
	headers := b.seen().Headers
	if user := headers.Get("X-Auth-Request-User"); user == "" || provider.user != "" && user != provider.user {
		t.Errorf("the app sees the user %q, want %q", user, provider.user)
	}
	for name, want := range map[string]string{"X-Auth-Request-Email": cmp.Or(provider.email, stack.Ada), "X-Auth-Request-Groups": provider.groups} {
		if got := headers.Get(name); got != want || len(headers[name]) > 1 {
			t.Errorf("the app sees %s %q, want %q", name, headers[name], want)
		}
	}
	b.open(s.AuthURL + "/sign_out")
	if strings.HasPrefix(b.at(), provider.origin) && b.has(provider.leave) {
		b.click(provider.leave)
	}
	if !strings.HasPrefix(b.at(), s.AuthURL) {
		t.Errorf("after the sign-out: at %s, want a page of %s", b.at(), s.AuthURL)
	}
	if provider.remembers {
		b.open(app)
		b.click(provider.choose)
		if !strings.HasPrefix(b.at(), s.AppURL) {
			t.Errorf("after the sign-out: at %s; does Dex end sessions behind it by now?", b.at())
		}
		return
	}
	atProvider("after the sign-out")
}

// byPassword fills in a page with a user name and a password.
func byPassword(user, button string) func(*tab, string) {
	return func(b *tab, email string) {
		b.t.Helper()
		b.fill(map[string]string{user: email, "password": stack.Password})
		if status := b.click(button); status != 200 {
			b.t.Fatalf("the login ends with %d at %s", status, b.at())
		}
	}
}

func (h *house) atKeycloak(t *testing.T, s *stack.Stack) site {
	h.atRealm(t, s, stack.Realm{Name: stack.TestRealm, AuthURL: s.AuthURL})
	s.Doorward.Env["DOORWARD_OIDC_GROUPS_CLAIM"] = "groups,realm_roles"
	start(t, s)
	return site{
		origin: h.keycloak.Issuer(stack.TestRealm), signIn: byPassword("username", "#kc-login"), leave: "#kc-logout",
		groups: "ops,staff,engineer",
	}
}

func (h *house) atOIDCProvider(t *testing.T, s *stack.Stack) site {
	addresses, err := stack.FreeAddresses(0)
	if err != nil {
		t.Fatal(err)
	}
	p := stack.NewOIDCProvider(h.dir, addresses[0], s.AuthURL)
	p.BackChannel = "http://" + s.Doorward.Listen
	t.Cleanup(func() {
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("oidc-provider's log:\n%s", p.Process().Log())
		}
	})
	begin(t, p.Start)
	maps.Copy(s.Doorward.Env, map[string]string{
		"DOORWARD_OIDC_ISSUER_URL":    p.Issuer(),
		"DOORWARD_OIDC_CLIENT_SECRET": p.ClientSecret,
		"DOORWARD_OIDC_SCOPES":        "openid,email,profile,groups",
	})
	start(t, s)
	return site{
		origin: p.Issuer(), signIn: byPassword("login", "button[type=submit]"), leave: "button[name=logout]",
		user: "user-1", groups: "staff,ops",
	}
}

// atDex is Dex with several connectors: people choose among them first.
func (h *house) atDex(t *testing.T, s *stack.Stack) site {
	h.startDex(t, s)
	return site{origin: s.Dex.Issuer(), signIn: byPassword("login", "button[type=submit]"), choose: `a[href*="/dex/auth/local"]`}
}

func (h *house) atDexMock(t *testing.T, s *stack.Stack) site {
	h.startDex(t, s)
	return site{
		origin: s.Dex.Issuer(), signIn: byPassword("login", "button[type=submit]"), choose: `a[href*="/dex/auth/mock"]`,
		email: "kilgore@kilgore.trout",
	}
}

// atDexSAML is Dex before a SAML identity provider, to whose own sign-out Doorward
// sends people.
func (h *house) atDexSAML(t *testing.T, s *stack.Stack) site {
	idp := h.layOutDex(t, s)
	s.Doorward.Env["DOORWARD_OIDC_END_SESSION_URL"] = idp.SignOut()
	begin(t, s.Start)
	return site{
		origin: idp.URL(), signIn: byPassword("user", "button[type=submit]"), choose: `a[href*="/dex/auth/saml"]`,
		groups: "staff,ops",
	}
}

func (h *house) atDexSAMLUntold(t *testing.T, s *stack.Stack) site {
	idp := h.startDex(t, s)
	return site{
		origin: idp.URL(), signIn: byPassword("user", "button[type=submit]"), choose: `a[href*="/dex/auth/saml"]`,
		groups: "staff,ops", remembers: true,
	}
}

// startDex starts a stack with Dex, and Dex with all of its connectors.
func (h *house) startDex(t *testing.T, s *stack.Stack) *stack.SAMLIdP {
	t.Helper()
	idp := h.layOutDex(t, s)
	begin(t, s.Start)
	return idp
}

// layOutDex starts nothing but the SAML identity provider.
func (h *house) layOutDex(t *testing.T, s *stack.Stack) *stack.SAMLIdP {
	t.Helper()
	addresses, err := stack.FreeAddresses(0)
	if err != nil {
		t.Fatal(err)
	}
	idp := &stack.SAMLIdP{Dir: s.Dex.Dir, Listen: addresses[0], SP: s.Dex.Callback(), ACS: s.Dex.Callback(), Return: s.AuthURL + "/sign_out"}
	if err := idp.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := idp.Stop(); err != nil {
			t.Error(err)
		}
	})
	s.Dex.Connectors = []stack.DexConnector{s.Dex.SAMLConnector(idp), s.Dex.MockConnector(stack.Ada)}
	maps.Copy(s.Doorward.Env, map[string]string{
		"DOORWARD_OIDC_SCOPES": "openid,email,profile,groups",
		// The mock's only person is of another domain.
		"DOORWARD_ALLOWED_EMAIL_DOMAINS": "example.com,kilgore.trout",
	})
	return idp
}
