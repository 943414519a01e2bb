package idp

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/idp/idptest"
)

// refresh redeems the refresh token of a login. What the error says holds no secret.
func refresh(t *testing.T, op *idptest.Provider, p *Provider, login Login) (Login, error) {
	t.Helper()
	next, err := p.Refresh(t.Context(), login.Tokens.Refresh, login.User)
	if err != nil {
		assertNoSecrets(t, op, err.Error())
	}
	return next, err
}

// begin is a login that a test goes on from.
func begin(t *testing.T, op *idptest.Provider, p *Provider) Login {
	t.Helper()
	login, err := signIn(t, op, p)
	if err != nil {
		t.Fatal(err)
	}
	return login
}

// The modules of the OpenID Foundation's refresh token plan for relying parties,
// by their names.
func TestRefreshTokenRP(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*idptest.Behaviour)
		want   string
	}{
		"oidcc-client-test-refresh-token":                {func(*idptest.Behaviour) {}, ""},
		"oidcc-client-test-refresh-token-invalid-issuer": {claim("iss", "https://example.com/other"), ReasonIssuer},
		"oidcc-client-test-refresh-token-invalid-sub":    {claim("sub", "somebody-else"), ReasonSubject},
	} {
		t.Run(name, func(t *testing.T) {
			op := startOP(t)
			p := rp(t, op)
			login := begin(t, op, p)
			op.Set(tt.change)
			next, err := refresh(t, op, p, login)
			if got := reason(err); got != tt.want {
				t.Fatalf("got %q, want %q", got, tt.want)
			}
			if tt.want != "" && (next.Tokens != auth.Tokens{} || !next.User.Nobody()) {
				t.Error("something of the answer is believed")
			}
		})
	}
}

func TestRefreshReturnsTheUser(t *testing.T) {
	op := startOP(t)
	at := time.Now()
	p := rp(t, op, func(c *Config) { c.Now = func() time.Time { return at } })
	p.Keep([]string{"level"})
	login := begin(t, op, p)
	want := login.User
	want.Groups, want.Name, want.Claims = []string{"platform"}, "Ada King", map[string]any{"level": int64(3)}
	op.Set(func(b *idptest.Behaviour) {
		b.User["groups"], b.User["name"], b.User["level"] = []string{"platform"}, "Ada King", 3
		b.TokenLifetime = time.Minute
		claim("auth_time", at.Unix()+5)(b)
	})
	next, err := refresh(t, op, p, login)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, next.User); diff != "" || next.Stale {
		t.Errorf("AUTHZ-6: stale %v, %s", next.Stale, diff)
	}
	was, is := login.Tokens, next.Tokens
	if is.Access == was.Access || is.ID == was.ID || is.Refresh == was.Refresh || is.Access == "" || is.ID == "" || is.Refresh == "" {
		t.Error("a token is that of the login")
	}
	if !was.Expiry.Equal(at.Add(5*time.Minute)) || !was.IDExpiry.Equal(was.Expiry) || !is.Expiry.Equal(at.Add(time.Minute)) || !is.IDExpiry.Equal(is.Expiry) {
		t.Errorf("the tokens end at %v and %v, and then at %v and %v", was.Expiry, was.IDExpiry, is.Expiry, is.IDExpiry)
	}
	if again, err := refresh(t, op, p, next); err != nil || again.Tokens.Refresh == is.Refresh {
		t.Errorf("the next refresh: %v", err)
	}
}

// TestRefreshToken: which refresh token is the one to use next.
func TestRefreshToken(t *testing.T) {
	op := startOP(t)
	p := rp(t, op)
	login := begin(t, op, p)
	op.Set(func(b *idptest.Behaviour) { b.SteadyRefreshToken = true })
	next, err := refresh(t, op, p, login)
	if err != nil || next.Tokens.Refresh != login.Tokens.Refresh {
		t.Errorf("none came, and the old one is lost: %v", err)
	}
	op.Reset()
	if next, err = refresh(t, op, p, next); err != nil || next.Tokens.Refresh == login.Tokens.Refresh {
		t.Errorf("a new one came, and the old one is kept: %v", err)
	}
	for range 2 { // a used one, and then the one that came last: the family is revoked
		if _, err := refresh(t, op, p, login); reason(err) != "rejected: "+InvalidGrant {
			t.Errorf("REF-4: %v", err)
		}
		login = next
	}
}

// TestRefreshErrors: by the OAuth error code and the status, never by words
// (REF-4). Only one of them ends a session.
func TestRefreshErrors(t *testing.T) {
	answer := func(status int, body string) func(*idptest.Behaviour) {
		return func(b *idptest.Behaviour) {
			b.Handle[idptest.Token] = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(status)
				_, _ = fmt.Fprint(w, body)
			})
		}
	}
	code := func(code string) func(*idptest.Behaviour) {
		return func(b *idptest.Behaviour) { b.RefreshError = code }
	}
	for _, tt := range []struct {
		name   string
		change func(*idptest.Behaviour)
		want   string
	}{
		{"ended", code("invalid_grant"), "rejected: invalid_grant"},
		{"the secret changed", code("invalid_client"), "rejected: invalid_client"},
		{"not allowed", code("unauthorized_client"), "rejected: unauthorized_client"},
		{"words are no code", answer(400, `{"error":"invalid_request","error_description":"invalid_grant"}`), "rejected: invalid_request"},
		{"a body is no code", answer(400, `invalid_grant`), ReasonTokenResponse},
		{"down, whatever it says", answer(503, `{"error":"invalid_grant"}`), "unavailable: token endpoint"},
		{"too many", answer(429, `{"error":"invalid_grant"}`), "unavailable: token endpoint"},
		{"out of order", answer(500, ``), "unavailable: token endpoint"},
		{"no JSON", answer(200, `<html>`), ReasonTokenResponse},
		{"no access token", answer(200, `{"token_type":"Bearer"}`), ReasonTokenResponse},
		{"another kind of token", func(b *idptest.Behaviour) {
			b.TokenAnswer = func(a map[string]any) { a["token_type"] = "mac" }
		}, ReasonTokenResponse},
		{"OIDC-8 aud", claim("aud", "another-client"), ReasonAudience},
		{"OIDC-8 no iat", claim("iat", nil), ReasonIssuedAt},
		{"L17 55 s ahead", claim("iat", time.Now().Unix()+55), ""},
		{"L17 120 s ahead", claim("iat", time.Now().Unix()+120), ReasonIssuedAt},
		{"L17 expired 55 s ago", claim("exp", time.Now().Unix()-55), ""},
		{"L17 expired 120 s ago", claim("exp", time.Now().Unix()-120), ReasonExpired},
		{"a nonce of another login", claim("nonce", "x"), ""}, // not needed, and the first one is forgotten
		{"the signature", func(b *idptest.Behaviour) { b.WrongKey = true }, ReasonSignature},
		{"at_hash", claim("at_hash", "AAAA"), ReasonAccessHash},
		{"userinfo of somebody else", func(b *idptest.Behaviour) {
			b.UserinfoOnly = []string{"groups"}
			b.Userinfo = func(c map[string]any) { c["sub"] = "somebody-else" }
		}, ReasonUserinfoSub},
	} {
		t.Run(tt.name, func(t *testing.T) {
			op := startOP(t)
			p := rp(t, op)
			login := begin(t, op, p)
			op.Set(tt.change)
			asked := op.Requests(idptest.Token)
			next, err := refresh(t, op, p, login)
			if got := reason(err); got != tt.want || (err == nil) == (next.Tokens.Access == "") {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if n := op.Requests(idptest.Token) - asked; n != 1 {
				t.Errorf("the token endpoint was asked %d times", n)
			}
		})
	}
	t.Run("gone", func(t *testing.T) {
		op := startOP(t)
		p := rp(t, op)
		login := begin(t, op, p)
		op.Close()
		if _, err := refresh(t, op, p, login); reason(err) != "unavailable: token endpoint" {
			t.Errorf("%v", err)
		}
	})
}

// TestRefreshStale: once the tokens are granted they are never lost, and what the
// provider does not say about the user is as before.
func TestRefreshStale(t *testing.T) {
	withoutIDToken := func(b *idptest.Behaviour) {
		b.TokenAnswer = func(a map[string]any) { delete(a, "id_token") }
	}
	fresh := func(u auth.User) auth.User { u.Name, u.Groups = "Ada King", []string{"platform"}; return u }
	same := func(u auth.User) auth.User { return u }
	renamed := func(u auth.User) auth.User { u.Name = "Ada King"; return u }
	for _, tt := range []struct {
		name   string
		change func(*idptest.Behaviour)
		user   func(auth.User) auth.User
		stale  bool
		id     bool // an ID token came
	}{
		{"all of it", func(*idptest.Behaviour) {}, fresh, false, true},
		{"groups by userinfo", func(b *idptest.Behaviour) { b.UserinfoOnly = []string{"groups"} }, fresh, false, true},
		{"userinfo is down", func(b *idptest.Behaviour) {
			b.UserinfoOnly, b.Fail[idptest.Userinfo] = []string{"groups"}, 503
		}, same, true, true},
		{"userinfo refuses", func(b *idptest.Behaviour) {
			b.UserinfoOnly, b.Fail[idptest.Userinfo] = []string{"groups"}, 403
		}, same, true, true},
		{"userinfo is no JSON", func(b *idptest.Behaviour) {
			b.UserinfoOnly = []string{"groups"}
			b.Handle[idptest.Userinfo] = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, "<html>") })
		}, same, true, true},
		{"AUTHZ-4 more groups than a token holds", func(b *idptest.Behaviour) {
			delete(b.User, "groups")
			b.User["hasgroups"] = true
		}, renamed, true, true},
		{"the groups are gone", func(b *idptest.Behaviour) { delete(b.User, "groups") }, func(u auth.User) auth.User {
			u.Name, u.Groups = "Ada King", nil
			return u
		}, false, true},
		{"no ID token", withoutIDToken, fresh, false, false},
		{"no ID token, userinfo is down", func(b *idptest.Behaviour) {
			withoutIDToken(b)
			b.Fail[idptest.Userinfo] = 500
		}, same, true, false},
		{"no ID token, and userinfo knows no groups", func(b *idptest.Behaviour) {
			withoutIDToken(b)
			b.Userinfo = func(c map[string]any) { delete(c, "groups") }
		}, renamed, true, false},
		{"no ID token, and userinfo has not verified the address", func(b *idptest.Behaviour) {
			withoutIDToken(b)
			b.Userinfo = func(c map[string]any) { c["email_verified"] = false }
		}, func(u auth.User) auth.User { u = fresh(u); u.Email = ""; return u }, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			op := startOP(t)
			p := rp(t, op)
			login := begin(t, op, p)
			op.Set(func(b *idptest.Behaviour) {
				b.User["name"], b.User["groups"] = "Ada King", []string{"platform"}
				tt.change(b)
			})
			next, err := refresh(t, op, p, login)
			if err != nil || next.Tokens.Access == "" || next.Tokens.Access == login.Tokens.Access || next.Tokens.Refresh == login.Tokens.Refresh {
				t.Fatalf("the tokens are lost: %v", err)
			}
			if next.Stale != tt.stale || (next.Tokens.ID != "") != tt.id || next.Tokens.IDExpiry.IsZero() == tt.id {
				t.Errorf("stale %v, an ID token: %v until %v", next.Stale, next.Tokens.ID != "", next.Tokens.IDExpiry)
			}
			if diff := cmp.Diff(tt.user(login.User), next.User); diff != "" {
				t.Errorf("the user (-want +got)\n%s", diff)
			}
		})
	}
}

// TestRefreshWithoutUserinfo: a provider that says nothing more than the tokens.
func TestRefreshWithoutUserinfo(t *testing.T) {
	op := startOP(t)
	op.Set(inDocument("userinfo_endpoint", nil))
	p := rp(t, op)
	login := begin(t, op, p)
	op.Set(func(b *idptest.Behaviour) {
		b.TokenAnswer = func(a map[string]any) { delete(a, "id_token"); delete(a, "expires_in") }
	})
	next, err := refresh(t, op, p, login)
	if err != nil || !next.Stale || cmp.Diff(login.User, next.User) != "" || !next.Tokens.Expiry.IsZero() {
		t.Errorf("stale %v, until %v, %v", next.Stale, next.Tokens.Expiry, err)
	}
}

// TestRefreshKeysOutOfReach: a signature that cannot be checked now is no reason
// to lose the tokens; what is signed is not believed.
func TestRefreshKeysOutOfReach(t *testing.T) {
	op := startOP(t)
	p := rp(t, op)
	login := begin(t, op, p)
	p.keys.coolDown = 0
	op.Rotate()
	op.Set(func(b *idptest.Behaviour) { b.Fail[idptest.JWKS], b.User["name"] = 503, "Eve" })
	next, err := refresh(t, op, p, login)
	if err != nil || !next.Stale || next.Tokens.ID != "" || next.Tokens.Refresh == login.Tokens.Refresh || next.User.Name != "Ada Lovelace" {
		t.Errorf("stale %v, named %s, %v", next.Stale, next.User.Name, err)
	}
}

// TestRefreshClaimsAsked: without an ID token a claim that only that may hold was
// not asked for.
func TestRefreshClaimsAsked(t *testing.T) {
	op := startOP(t)
	p := rp(t, op)
	p.Keep([]string{"level"})
	op.Set(func(b *idptest.Behaviour) { b.User["level"] = 3 })
	login := begin(t, op, p)
	p.Keep([]string{"level", "team", "site"})
	op.Set(func(b *idptest.Behaviour) {
		b.User["team"] = "blue"
		b.TokenAnswer = func(a map[string]any) { delete(a, "id_token") }
		b.Userinfo = func(c map[string]any) { delete(c, "level") }
	})
	next, err := refresh(t, op, p, login)
	if err != nil || !next.Stale {
		t.Fatalf("stale %v, %v", next.Stale, err)
	}
	want := map[string]any{"level": int64(3), "team": "blue"}
	if diff := cmp.Diff(want, next.User.Claims) + cmp.Diff([]string{"level", "team"}, next.User.ClaimsAsked); diff != "" {
		t.Error(diff)
	}
}
