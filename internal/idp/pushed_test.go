package idp

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/idp/idptest"
)

func TestPushedRequests(t *testing.T) {
	pushing := func(b *idptest.Behaviour) { b.PushedRequests = true }
	requiring := func(b *idptest.Behaviour) { b.PushedRequests, b.RequirePushed = true, true }
	off := func(c *Config) { c.NoPushedRequests = true }
	for _, tt := range []struct {
		name   string
		op     func(*idptest.Behaviour)
		rp     func(*Config)
		pushes int
		want   string
	}{
		{"not offered", func(*idptest.Behaviour) {}, nil, 0, ""},
		{"RFC 9126 offered", pushing, nil, 1, ""},
		{"RFC 9126 required", requiring, nil, 1, ""},
		{"RFC 9126 offered, with the secret in the form", func(b *idptest.Behaviour) { pushing(b); b.SecretPost = true }, nil, 1, ""},
		{"RFC 9126 offered to a public client", func(b *idptest.Behaviour) { pushing(b); b.PublicClient = true }, func(c *Config) { c.ClientSecret = "" }, 1, ""},
		{"RFC 9126 offered and switched off", pushing, off, 0, ""},
		{"RFC 9126 required and switched off", requiring, off, 0, "unavailable: discovery"},
		{"RFC 9126 required, and no place for it", func(b *idptest.Behaviour) {
			b.Discovery = func(doc map[string]any) { doc["require_pushed_authorization_requests"] = true }
		}, nil, 0, "unavailable: discovery"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			op := startOP(t)
			op.Set(tt.op)
			p := rp(t, op, func(c *Config) {
				if tt.rp != nil {
					tt.rp(c)
				}
			})
			f := newFlow()
			address, err := p.AuthURL(t.Context(), f, redirectURI, url.Values{"prompt": {"login"}})
			if got := reason(err); got != tt.want || op.Requests(idptest.Push) != tt.pushes {
				t.Fatalf("got %q after %d pushed requests, want %q after %d", got, op.Requests(idptest.Push), tt.want, tt.pushes)
			}
			if err != nil {
				return
			}
			if tt.pushes > 0 && (strings.Contains(address, f.State) || strings.Contains(address, "scope")) {
				t.Errorf("the browser carries what was pushed: %s", address)
			}
			back, err := op.SignIn(address)
			if err != nil {
				t.Fatal(err)
			}
			cb, err := ParseCallback(back.RawQuery)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := p.Login(t.Context(), f, cb, redirectURI); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestPushedRequestAnswers(t *testing.T) {
	const json = "application/json"
	for _, tt := range []struct {
		name   string
		answer http.Handler
		want   string
	}{
		{"500", answering(500, "text/html", "secret-body"), "unavailable: " + partPushed},
		{"429", answering(429, json, `{"error":"secret-body"}`), "unavailable: " + partPushed},
		{"refused", answering(400, json, `{"error":"invalid_request","error_description":"secret-body"}`), "rejected: invalid_request"},
		{"wrong secret", answering(401, json, `{"error":"invalid_client"}`), "rejected: invalid_client"},
		{"404", answering(404, "text/html", "secret-body"), ReasonTokenResponse},
		{"OIDC-10 redirect", http.RedirectHandler("/jwks", http.StatusTemporaryRedirect), ReasonTokenResponse},
		{"not JSON", answering(201, json, "secret-body"), ReasonTokenResponse},
		{"TOK-4 a name twice", answering(201, json, `{"request_uri":"urn:a","request_uri":"secret-body"}`), ReasonTokenResponse},
		{"no request_uri", answering(201, json, `{"expires_in":60}`), ReasonTokenResponse},
		{"request_uri is no string", answering(201, json, `{"request_uri":1}`), ReasonTokenResponse},
		{"request_uri is long", answering(201, json, `{"request_uri":"`+strings.Repeat("a", 513)+`"}`), ReasonTokenResponse},
		{"NET-1 more than 1 MiB", answering(201, json, `{"request_uri":"`+strings.Repeat("a", maxBody)+`"}`), ReasonTokenResponse},
	} {
		t.Run(tt.name, func(t *testing.T) {
			op := startOP(t)
			op.Set(func(b *idptest.Behaviour) { b.PushedRequests = true; b.Handle[idptest.Push] = tt.answer })
			_, err := rp(t, op).AuthURL(t.Context(), newFlow(), redirectURI, nil)
			if got := reason(err); got != tt.want || strings.Contains(err.Error(), "secret-body") {
				t.Errorf("got %q (%v), want %q", got, err, tt.want)
			}
			if op.Requests(idptest.Push) != 1 || op.Requests(idptest.JWKS) != 0 {
				t.Error("asked twice, or a redirect was followed")
			}
		})
	}
}
