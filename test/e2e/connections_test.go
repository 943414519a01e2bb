package e2e

import (
	"context"
	"net/http"
	"testing"

	"github.com/doorward/doorward/test/stack"
)

// testConnections counts the connections that nginx opens to Doorward: a check
// costs no handshake, whatever its answer. Requests come one after the other, so
// one connection is enough; a few more are no harm.
func (h *house) testConnections(t *testing.T) {
	const checks, enough = 60, 4
	s := h.layOut(t, stack.PlainNginx, nil)
	between := newRelay(t, s.Doorward.Listen)
	s.Front.Doorward = between.address
	begin(t, s.Start)

	eve := h.visitor(s)
	page, err := eve.SignIn(t.Context(), eve.atProvider(t, s, s.AppURL+"/"), stack.Eve)
	if err != nil {
		t.Fatal(err)
	}
	if page.Status != http.StatusForbidden {
		t.Fatalf("Eve's login ended with %d", page.Status)
	}
	for _, tt := range []struct {
		name string
		who  *visitor
		want int
	}{
		{"allowed", h.signedIn(t, s, stack.Ada, s.AppURL+"/"), http.StatusOK},
		{"nobody", h.visitor(s), http.StatusUnauthorized},
		{"not allowed", eve, http.StatusForbidden},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := between.accepted.Load()
			for range checks {
				if page := tt.who.fetch(t, s.AppURL+"/data", nil); page.Status != tt.want {
					t.Fatalf("status %d, want %d", page.Status, tt.want)
				}
			}
			opened := between.accepted.Load() - before
			t.Logf("%d checks over %d new connections", checks, opened)
			if opened > enough {
				t.Errorf("%d checks opened %d connections, want at most %d", checks, opened, enough)
			}
		})
	}
}

// TestRelay: every connection is counted, and held ones wait.
func TestRelay(t *testing.T) {
	addresses, err := stack.FreeAddresses(0)
	if err != nil {
		t.Fatal(err)
	}
	app := &stack.App{}
	if err := app.Start(addresses[0]); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = app.Stop() })
	between := newRelay(t, addresses[0])
	between.hold()
	answered := make(chan error, 3)
	for range cap(answered) {
		go func() {
			_, err := stack.NewVisitor(nil).Fetch(context.Background(), "http://"+between.address+"/", nil)
			answered <- err
		}()
	}
	until(t, "all connections have come", func() bool { return between.accepted.Load() == int64(cap(answered)) })
	select {
	case <-answered:
		t.Fatal("a held connection was answered")
	default:
	}
	between.release()
	for range cap(answered) {
		if err := <-answered; err != nil {
			t.Error(err)
		}
	}
}
