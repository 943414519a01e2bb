package providers

import (
	"context"
	"crypto/rand"
	"maps"
	"os"
	"testing"
	"time"

	"github.com/doorward/doorward/test/stack"
)

// patience is how long anything may take before the run gives up on it. It is
// far more than anything takes: the machine may be busy with other things.
const patience = time.Minute

// house is what the whole run shares: one binary, one Keycloak, one browser.
type house struct {
	t        *testing.T // of the whole run
	dir      string
	binary   string
	browser  context.Context
	keycloak *stack.Keycloak
	realms   map[string]bool // those that were made
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, dir: t.TempDir(), realms: map[string]bool{}}
	addresses, err := stack.FreeAddresses(0)
	if err != nil {
		t.Fatal(err)
	}
	h.keycloak = &stack.Keycloak{Dir: h.dir, Listen: addresses[0]}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	if h.binary, err = stack.BuildDoorward(ctx, h.dir, true); err != nil {
		t.Fatal(err)
	}
	browser, closeBrowser, err := stack.NewBrowser(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(closeBrowser)
	h.browser = browser
	return h
}

// needKeycloak starts Keycloak for the first test that needs it. It ends with the
// run.
func (h *house) needKeycloak(t *testing.T) {
	t.Helper()
	if h.keycloak.Process() != nil {
		return
	}
	h.t.Cleanup(func() {
		if err := h.keycloak.Stop(); err != nil {
			h.t.Error(err)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	began := time.Now()
	if err := h.keycloak.Start(ctx); err != nil {
		t.Fatal(err)
	}
	t.Logf("Keycloak started in %v", time.Since(began).Round(time.Millisecond))
}

// layOut makes a stack with nginx that ends with the test, without starting any of it.
func (h *house) layOut(t *testing.T) *stack.Stack {
	t.Helper()
	return h.layOutAt(t, stack.PlainNginx)
}

func (h *house) layOutAt(t *testing.T, gateway stack.Gateway) *stack.Stack {
	t.Helper()
	dir, err := os.MkdirTemp(h.dir, "stack-")
	if err != nil {
		t.Fatal(err)
	}
	s, err := stack.New(stack.Config{
		Dir: dir, Binary: h.binary, Gateway: gateway, Domain: "doorward.localhost", TLS: true,
		Env: map[string]string{"DOORWARD_LOG_LEVEL": "debug"},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
		if process := s.Doorward.Process(); t.Failed() && process != nil {
			t.Logf("Doorward's log:\n%s", process.Log())
		}
	})
	return s
}

// atRealm makes a realm of Keycloak know the stack's Doorward, and the reverse. A
// realm is made once: it takes long.
func (h *house) atRealm(t *testing.T, s *stack.Stack, r stack.Realm) {
	t.Helper()
	h.needKeycloak(t)
	r.BackChannel = "http://" + s.Doorward.Listen
	r.ClientSecret = rand.Text()
	began := time.Now()
	if h.realms[r.Name] {
		begin(t, func(ctx context.Context) error { return h.keycloak.Register(ctx, r) })
	} else {
		begin(t, func(ctx context.Context) error { return h.keycloak.Import(ctx, r) })
		h.realms[r.Name] = true
		t.Logf("the realm %s made in %v", r.Name, time.Since(began).Round(time.Millisecond))
	}
	issuer := h.keycloak.Issuer(r.Name)
	if r.Frontend != "" {
		issuer = r.Frontend + "/realms/" + r.Name
	}
	maps.Copy(s.Doorward.Env, map[string]string{
		"DOORWARD_OIDC_ISSUER_URL": issuer, "DOORWARD_OIDC_CLIENT_SECRET": r.ClientSecret,
	})
}

// start starts all of a stack but its provider.
func start(t *testing.T, s *stack.Stack) {
	t.Helper()
	if err := s.App.Start(s.Front.App); err != nil {
		t.Fatal(err)
	}
	begin(t, s.Doorward.Start)
	begin(t, s.Front.Start)
}

// begin starts a part and waits until it is of use.
func begin(t *testing.T, start func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := start(ctx); err != nil {
		t.Fatal(err)
	}
}
