package idp

import (
	"net/http"
	"slices"
	"testing"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/idp/idptest"
)

func TestRevoke(t *testing.T) {
	both := auth.Tokens{Access: "at", Refresh: "rt", ID: "it"}
	for _, tt := range []struct {
		name   string
		change func(*idptest.Behaviour)
		tokens auth.Tokens
		want   string // token and hint, "" when nothing is asked
		err    string
	}{
		{"RFC 7009 the refresh token goes first", nil, both, "rt refresh_token", ""},
		{"RFC 7009 the access token", nil, auth.Tokens{Access: "at"}, "at access_token", ""},
		{"an ID token cannot be revoked", nil, auth.Tokens{ID: "it"}, "", ""},
		{"no tokens", nil, auth.Tokens{}, "", ""},
		{"no endpoint", func(b *idptest.Behaviour) {
			b.Discovery = func(doc map[string]any) { delete(doc, "revocation_endpoint") }
		}, both, "", ""},
		{"the secret in the form", func(b *idptest.Behaviour) { b.SecretPost = true }, both, "rt refresh_token", ""},
		{"the endpoint is down", func(b *idptest.Behaviour) {
			b.Fail[idptest.Revocation] = http.StatusServiceUnavailable
		}, both, "", "unavailable: revocation endpoint"},
		{"the endpoint refuses", func(b *idptest.Behaviour) {
			b.Handle[idptest.Revocation] = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				http.Error(w, `{"error":"unsupported_token_type"}`, http.StatusBadRequest)
			})
		}, both, "", "rejected: unsupported_token_type"},
		{"NET-1 the endpoint leads elsewhere", func(b *idptest.Behaviour) {
			b.Handle[idptest.Revocation] = http.RedirectHandler("/revoke?again", http.StatusTemporaryRedirect)
		}, both, "", ReasonTokenResponse},
	} {
		t.Run(tt.name, func(t *testing.T) {
			op := startOP(t)
			if tt.change != nil {
				op.Set(tt.change)
			}
			p := rp(t, op)
			if err := p.warm(t.Context()); err != nil {
				t.Fatal(err)
			}
			asks := tt.want != "" || tt.err != ""
			if p.Revocable(tt.tokens) != asks {
				t.Error("Revocable says otherwise")
			}
			if got := reason(p.Revoke(t.Context(), tt.tokens)); got != tt.err {
				t.Errorf("got %q, want %q", got, tt.err)
			}
			var want []string
			if tt.want != "" {
				want = []string{tt.want}
			}
			if got := op.Revoked(); !slices.Equal(got, want) || (op.Requests(idptest.Revocation) == 1) != asks {
				t.Errorf("%d requests revoked %v, want %v", op.Requests(idptest.Revocation), got, want)
			}
		})
	}
}

func TestRevokeEndsTheRefreshToken(t *testing.T) {
	op := startOP(t)
	p := rp(t, op)
	login, err := signIn(t, op, p)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Revoke(t.Context(), login.Tokens); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Refresh(t.Context(), login.Tokens.Refresh, login.User); reason(err) != "rejected: invalid_grant" {
		t.Errorf("the refresh token still works: %v", err)
	}
}
