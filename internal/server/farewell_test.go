package server_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/idp/idptest"
)

// metric is a line of the metrics, "" when there is none.
func (h *house) metric(name string) string {
	h.t.Helper()
	w := httptest.NewRecorder()
	h.server.Metrics.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	body, err := io.ReadAll(w.Body)
	h.must(err)
	for line := range strings.Lines(string(body)) {
		if strings.HasPrefix(line, name) {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

// signOut signs out and returns where that leads, how long it took, and waits for
// what the provider hears beside.
func (b *browser) signOut() (*url.URL, time.Duration) {
	b.h.t.Helper()
	began := time.Now()
	out := b.get("/sign_out", "Sec-Fetch-Site", "same-origin")
	took := time.Since(began)
	address, err := url.Parse(out.header.Get("Location"))
	b.h.must(err)
	if out.status != http.StatusFound || b.check(deepLink).status != http.StatusUnauthorized {
		b.h.t.Errorf("%d, and the check %d", out.status, b.check(deepLink).status)
	}
	return address, took
}

func (h *house) finish() {
	ctx, cancel := context.WithTimeout(h.t.Context(), time.Minute)
	defer cancel()
	h.server.Finish(ctx)
	if ctx.Err() != nil {
		h.t.Error("it does not finish")
	}
}

func TestSignOutAtTheProvider(t *testing.T) {
	t.Run("OUT-6 with the ID token, and its refresh token revoked", func(t *testing.T) {
		h := newHouse(t, options{keepRefresh: true})
		b := h.browser()
		b.signIn("/")
		address, _ := b.signOut()
		h.finish()
		hint := address.Query().Get("id_token_hint")
		if hint == "" || address.Query().Get("client_id") != h.provider.ClientID {
			t.Error("the provider is not shown the ID token")
		}
		if got := h.provider.Revoked(); len(got) != 1 || !strings.HasSuffix(got[0], " refresh_token") {
			t.Errorf("RFC 7009: revoked %v", got)
		}
		for _, want := range []string{
			`doorward_token_revocations_total{provider="oidc",result="success"} 1`,
			`doorward_sign_outs_total{kind="user",provider="oidc"} 1`,
		} {
			if name, _, _ := strings.Cut(want, "{"); h.metric(name) != want {
				t.Errorf("%q, want %q", h.metric(name), want)
			}
		}
		if strings.Contains(h.log.String(), hint) {
			t.Error("LOG-2: the ID token is in the log")
		}
	})
	t.Run("OUT-6 after a restart without it", func(t *testing.T) {
		h := newHouse(t, options{})
		b := h.browser()
		b.signIn("/")
		h.server.Sessions = h.newStore(h.opt)
		h.server.Gate.Sessions = h.server.Sessions
		address, _ := b.signOut()
		h.finish()
		if address.Query().Has("id_token_hint") || address.Query().Get("client_id") != h.provider.ClientID {
			t.Errorf("leads to %s", address)
		}
		if got := h.provider.Revoked(); len(got) != 0 {
			t.Errorf("a session without tokens: revoked %v", got)
		}
	})
	t.Run("RFC 7009 a provider that does not answer delays nobody", func(t *testing.T) {
		h := newHouse(t, options{keepRefresh: true})
		h.provider.Set(func(b *idptest.Behaviour) { b.Delay[idptest.Revocation] = time.Hour })
		b := h.browser()
		b.signIn("/")
		_, took := b.signOut()
		t.Logf("the sign-out took %v", took)
		if took > 5*time.Second {
			t.Errorf("the sign-out took %v", took)
		}
		h.provider.Close()
		h.finish()
		if got := h.metric("doorward_token_revocations_total"); !strings.HasSuffix(got, `result="failure"} 1`) {
			t.Errorf("%q", got)
		}
	})
	t.Run("LIM-2 RFC 7009 bounded", func(t *testing.T) {
		h := newHouse(t, options{keepRefresh: true})
		h.provider.Set(func(b *idptest.Behaviour) { b.Delay[idptest.Revocation] = time.Hour })
		b := h.browser()
		for range 70 {
			b.signIn("/")
			b.signOut()
		}
		if n := h.provider.Parallel(idptest.Revocation); n > 8 {
			t.Errorf("L3: %d at a time", n)
		}
		h.provider.Close()
		h.finish()
		if got := h.metric(`doorward_token_revocations_total{provider="oidc",result="left_out"}`); !strings.HasSuffix(got, " 6") {
			t.Errorf("%q, want 6 of 70", got)
		}
	})
}

// The answer that leads to the provider passes a gateway with buffers of 4 KiB,
// however long the ID token is.
func TestSignOutFitsAGateway(t *testing.T) {
	h := newHouse(t, options{})
	hinted, largest := map[bool]int{}, 0
	for padding := 0; padding <= 3000; padding += 150 {
		h.provider.Set(func(b *idptest.Behaviour) {
			b.Claims = func(claims map[string]any) { claims["padding"] = strings.Repeat("x", padding) }
		})
		b := h.browser()
		b.signIn("/")
		out := b.get("/sign_out?rd="+url.QueryEscape(deepLink), "Sec-Fetch-Site", "same-origin")
		var block strings.Builder
		h.must(out.header.Write(&block))
		largest = max(largest, block.Len())
		hinted[strings.Contains(out.header.Get("Location"), "id_token_hint=")]++
	}
	t.Logf("the largest header block has %d bytes", largest)
	if largest > 4000 {
		t.Errorf("HDR-10: a header block of %d bytes", largest)
	}
	if hinted[true] < 3 || hinted[false] < 3 {
		t.Errorf("OUT-6: with a hint and without: %v", hinted)
	}
}
