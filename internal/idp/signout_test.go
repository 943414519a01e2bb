package idp

import (
	"slices"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/idp/idptest"
	"github.com/doorward/doorward/internal/secret"
)

func TestEndSessionURL(t *testing.T) {
	op := startOP(t)
	p := rp(t, op)
	if got := p.EndSessionURL(SignOut{ReturnTo: "https://app.example.com/", State: "s"}); got != "" {
		t.Errorf("before discovery: %s", got)
	}
	if err := p.warm(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := p.EndSessionURL(SignOut{ReturnTo: "https://app.example.com/?a=b&c", State: "st ate"})
	want := op.URL(idptest.EndSession) + "?client_id=client&post_logout_redirect_uri=https%3A%2F%2Fapp.example.com%2F%3Fa%3Db%26c&state=st+ate"
	if got != want {
		t.Errorf("OUT-6: got %s", got)
	}
	if got := p.EndSessionURL(SignOut{}); got != op.URL(idptest.EndSession)+"?client_id=client" {
		t.Errorf("without parameters: %s", got)
	}
	hinted := p.EndSessionURL(SignOut{IDToken: "a.b.c", State: "s"})
	if hinted != op.URL(idptest.EndSession)+"?client_id=client&id_token_hint=a.b.c&state=s" {
		t.Errorf("OUT-6: with an ID token: %s", hinted)
	}
	long := p.EndSessionURL(SignOut{IDToken: secret.Secret(strings.Repeat("x", maxSignOutURL)), State: "s"})
	if long != op.URL(idptest.EndSession)+"?client_id=client&state=s" {
		t.Errorf("HDR-10: with a long ID token: %d bytes", len(long))
	}
	configured := rp(t, op, func(c *Config) { c.EndSessionURL = "https://id.example.com/bye?x=1" })
	if got := configured.EndSessionURL(SignOut{State: "s"}); got != "https://id.example.com/bye?client_id=client&state=s&x=1" {
		t.Errorf("configured: %s", got)
	}
	op.Set(func(b *idptest.Behaviour) {
		b.Discovery = func(doc map[string]any) { delete(doc, "end_session_endpoint") }
	})
	none := rp(t, op)
	if err := none.warm(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := none.EndSessionURL(SignOut{ReturnTo: "https://app.example.com/", State: "s"}); got != "" {
		t.Errorf("the provider has none: %s", got)
	}
}

func TestSessionOrigins(t *testing.T) {
	op := startOP(t)
	p := rp(t, op)
	if got := p.SessionOrigins(); !slices.Equal(got, []string{op.Issuer()}) {
		t.Errorf("before discovery: %v", got)
	}
	if err := p.warm(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := p.SessionOrigins(); !slices.Equal(got, []string{op.Issuer()}) {
		t.Errorf("OUT-5: %v", got)
	}
	elsewhere := rp(t, op, func(c *Config) { c.EndSessionURL = "https://login.example.com:8443/bye?x=1" })
	if got := elsewhere.SessionOrigins(); !slices.Equal(got, []string{op.Issuer(), "https://login.example.com:8443"}) {
		t.Errorf("OUT-5: %v", got)
	}
}
