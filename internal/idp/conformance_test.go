package idp

import (
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/idp/idptest"
)

// The modules of the OpenID Foundation's relying-party plans Basic RP and Config
// RP, by their names, played with the provider double. An empty want is a login
// that succeeds.
func TestBasicRP(t *testing.T) {
	decoy := idptest.Unstarted()
	decoy.Rotate() // the first RSA key is shared
	modules := map[string]struct {
		change func(*idptest.Behaviour)
		want   string
	}{
		"oidcc-client-test":                          {func(*idptest.Behaviour) {}, ""},
		"oidcc-client-test-invalid-iss":              {claim("iss", "https://example.com/other"), ReasonIssuer},
		"oidcc-client-test-missing-sub":              {claim("sub", nil), ReasonSubject},
		"oidcc-client-test-invalid-aud":              {claim("aud", "another-client"), ReasonAudience},
		"oidcc-client-test-missing-iat":              {claim("iat", nil), ReasonIssuedAt},
		"oidcc-client-test-kid-absent-single-jwks":   {withoutKeyIDs(nil), ""},
		"oidcc-client-test-kid-absent-multiple-jwks": {withoutKeyIDs(decoy.PublicKeys()[0]), ""}, // may be refused or tried; ours tries
		"oidcc-client-test-idtoken-sig-rs256":        {algorithm("RS256"), ""},
		"oidcc-client-test-idtoken-sig-none":         {algorithm("none"), ReasonAlgorithm},
		"oidcc-client-test-invalid-sig-rs256":        {func(b *idptest.Behaviour) { b.WrongKey = true }, ReasonSignature},
		"oidcc-client-test-userinfo-invalid-sub": {func(b *idptest.Behaviour) {
			b.UserinfoOnly = []string{"email", "email_verified"}
			b.Userinfo = func(c map[string]any) { c["sub"] = "somebody-else" }
		}, ReasonUserinfoSub},
		"oidcc-client-test-nonce-invalid": {claim("nonce", "invalid"), ReasonNonce},
		"oidcc-client-test-scope-userinfo-claims": {func(b *idptest.Behaviour) {
			b.UserinfoOnly = []string{"email", "email_verified", "name", "groups"}
		}, ""},
		"oidcc-client-test-client-secret-basic": {func(*idptest.Behaviour) {}, ""},
	}
	for name, tt := range modules {
		t.Run(name, func(t *testing.T) {
			op := startOP(t)
			op.Set(tt.change)
			login, err := signIn(t, op, rp(t, op))
			if got := reason(err); got != tt.want {
				t.Fatalf("got %q, want %q", got, tt.want)
			}
			if tt.want == "" && (login.User.Subject != "user-1" || login.User.Email != "ada@example.com") {
				t.Errorf("got %+v", login.User)
			}
		})
	}
}

// withoutKeyIDs leaves kid out of the token and of the published RSA keys: a
// decoy, unless that is nil, and the one that signs.
func withoutKeyIDs(decoy map[string]any) func(*idptest.Behaviour) {
	return func(b *idptest.Behaviour) {
		joseHeader("kid", nil)(b)
		b.JWKS = func(keys []map[string]any) []map[string]any {
			keys = keys[:1]
			if decoy != nil {
				keys = []map[string]any{decoy, keys[0]}
			}
			for _, key := range keys {
				delete(key, "kid")
			}
			return keys
		}
	}
}

func TestConfigRP(t *testing.T) {
	t.Run("oidcc-client-test-discovery-openid-config", func(t *testing.T) {
		op := startOP(t)
		p := rp(t, op)
		address, err := p.AuthURL(t.Context(), newFlow(), redirectURI, nil)
		if err != nil || !strings.HasPrefix(address, op.URL(idptest.Authorize)+"?") {
			t.Errorf("%s, %v", address, err)
		}
	})
	t.Run("oidcc-client-test-discovery-jwks-uri-keys", func(t *testing.T) {
		op := startOP(t)
		if _, err := signIn(t, op, rp(t, op)); err != nil || op.Requests(idptest.JWKS) != 1 {
			t.Errorf("%d fetches, %v", op.Requests(idptest.JWKS), err)
		}
	})
	t.Run("oidcc-client-test-discovery-issuer-mismatch", func(t *testing.T) {
		op := startOP(t)
		op.Set(inDocument("issuer", "https://example.com/mismatch"))
		if _, err := rp(t, op).AuthURL(t.Context(), newFlow(), redirectURI, nil); reason(err) != "unavailable: discovery" {
			t.Errorf("%v", err)
		}
	})
	t.Run("oidcc-client-test-idtoken-sig-none", func(t *testing.T) {
		op := startOP(t)
		op.Set(algorithm("none"))
		if _, err := signIn(t, op, rp(t, op)); reason(err) != ReasonAlgorithm {
			t.Errorf("%v", err)
		}
	})
	t.Run("oidcc-client-test-signing-key-rotation-just-before-signing", func(t *testing.T) {
		op := startOP(t)
		p := rp(t, op)
		p.keys.coolDown = 2 * time.Second // longer than it takes to make new keys
		if err := p.warm(t.Context()); err != nil {
			t.Fatal(err)
		}
		f := newFlow()
		cb := callback(t, op, p, f)
		op.Rotate()
		if _, err := p.Login(t.Context(), f, cb, redirectURI); err != nil {
			t.Error(err)
		}
	})
	t.Run("oidcc-client-test-signing-key-rotation", func(t *testing.T) {
		op := startOP(t)
		p := rp(t, op)
		p.keys.coolDown = 50 * time.Millisecond
		for range 2 {
			if _, err := signIn(t, op, p); err != nil {
				t.Error(err)
			}
			op.Rotate()
		}
	})
}
