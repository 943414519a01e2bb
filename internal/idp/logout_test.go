package idp

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/idp/idptest"
)

// take shows a logout token and returns what it ended, or the reason why nothing.
func take(t *testing.T, op *idptest.Provider, l *LogoutTokens, token string) (Logout, string) {
	t.Helper()
	var ended []Logout
	logout, err := l.Take(t.Context(), token, func(l Logout) error { ended = append(ended, l); return nil })
	if err != nil {
		assertNoSecrets(t, op, err.Error())
	}
	if (err == nil) != (len(ended) == 1) || err != nil && logout != (Logout{}) {
		t.Errorf("OUT-3: %v, and %d logouts", err, len(ended))
	}
	return logout, reason(err)
}

func TestLogoutToken(t *testing.T) {
	op := startOP(t)
	provider := rp(t, op)
	provider.keys.coolDown = time.Millisecond
	strict := NewLogoutTokens(Providers{provider})
	lenient := rp(t, op, func(c *Config) { c.UntypedLogoutTokens = true })
	lenient.keys.coolDown = time.Millisecond
	untyped := NewLogoutTokens(Providers{lenient})
	event := func(value any) members { return members{"events": members{logoutEvent: value}} }
	both := Logout{Provider: "oidc", Issuer: op.Issuer(), SessionID: idptest.SessionID, Subject: "user-1"}
	bySubject, bySession := both, both
	bySubject.SessionID, bySession.Subject = "", ""
	for _, tt := range []struct {
		name           string
		header, claims members
		want           string
		untyped        string // with UntypedLogoutTokens
		logout         Logout
	}{
		{"as it should be", nil, nil, "", "", both},
		{"OUT-3 sid alone", nil, members{"sub": nil}, "", "", bySession},
		{"OUT-3 sub alone", nil, members{"sid": nil}, "", "", bySubject},
		{"OUT-3 an empty sid is none", nil, members{"sid": ""}, "", "", bySubject},
		{"OUT-3 neither", nil, members{"sid": nil, "sub": nil}, ReasonSubject, ReasonSubject, Logout{}},
		{"OUT-3 both empty", nil, members{"sid": "", "sub": ""}, ReasonSubject, ReasonSubject, Logout{}},
		{"OUT-3 sub is empty beside a sid", nil, members{"sub": ""}, ReasonSubject, ReasonSubject, Logout{}},
		{"OUT-3 sub is a number", nil, members{"sub": 1}, ReasonSubject, ReasonSubject, Logout{}},
		{"OUT-3 sub is null", nil, members{"sub": nullMember{}}, ReasonSubject, ReasonSubject, Logout{}},
		{"OUT-3 sid is a list", nil, members{"sid": []string{"a"}}, ReasonSubject, ReasonSubject, Logout{}},
		{"OUT-3 sid of 256 bytes", nil, members{"sid": strings.Repeat("s", 256)}, ReasonSubject, ReasonSubject, Logout{}},

		{"TOK-3 typ in another spelling", members{"typ": "application/Logout+JWT"}, nil, "", "", both},
		{"TOK-3 typ JWT", members{"typ": "JWT"}, nil, ReasonTokenType, "", both},
		{"TOK-3 no typ", members{"typ": nil}, nil, ReasonTokenType, "", both},
		{"TOK-3 typ of an access token", members{"typ": "at+jwt"}, nil, ReasonTokenType, ReasonTokenType, Logout{}},
		{"TOK-3 typ of a security event", members{"typ": "secevent+jwt"}, nil, ReasonTokenType, ReasonTokenType, Logout{}},

		{"OUT-3 another issuer", nil, members{"iss": "https://evil.example.com"}, ReasonIssuer, ReasonIssuer, Logout{}},
		{"OUT-3 the issuer with a slash", nil, members{"iss": op.Issuer() + "/"}, ReasonIssuer, ReasonIssuer, Logout{}},
		{"OUT-3 no issuer", nil, members{"iss": nil}, ReasonIssuer, ReasonIssuer, Logout{}},
		{"OUT-3 another audience", nil, members{"aud": "other"}, ReasonAudience, ReasonAudience, Logout{}},
		{"OUT-3 no audience", nil, members{"aud": nil}, ReasonAudience, ReasonAudience, Logout{}},
		{"OUT-3 one audience of two", nil, members{"aud": []string{"other", "client"}}, "", "", both},

		{"OUT-3 no iat", nil, members{"iat": nil}, ReasonIssuedAt, ReasonIssuedAt, Logout{}},
		{"OUT-3 nearly two minutes old", nil, members{"iat": in(-100)}, "", "", both},
		{"OUT-3 older than two minutes", nil, members{"iat": in(-122)}, ReasonIssuedAt, ReasonIssuedAt, Logout{}},
		{"OUT-3 of the future", nil, members{"iat": in(70)}, ReasonIssuedAt, ReasonIssuedAt, Logout{}},
		{"TOK-5 of the future within the skew", nil, members{"iat": in(50)}, "", "", both},
		{"OUT-3 no exp", nil, members{"exp": nil}, ReasonExpired, ReasonExpired, Logout{}},
		{"OUT-3 expired", nil, members{"exp": in(-61)}, ReasonExpired, ReasonExpired, Logout{}},
		{"TOK-5 expired within the skew", nil, members{"exp": in(-50)}, "", "", both},
		{"OUT-3 not yet valid", nil, members{"nbf": in(70)}, ReasonNotYetValid, ReasonNotYetValid, Logout{}},

		{"OUT-3 no jti", nil, members{"jti": nil}, ReasonTokenID, ReasonTokenID, Logout{}},
		{"OUT-3 empty jti", nil, members{"jti": ""}, ReasonTokenID, ReasonTokenID, Logout{}},
		{"OUT-3 jti is a number", nil, members{"jti": 7}, ReasonTokenID, ReasonTokenID, Logout{}},

		{"OUT-3 no events", nil, members{"events": nil}, ReasonEvents, ReasonEvents, Logout{}},
		{"OUT-3 another event", nil, members{"events": members{"https://example.com/event": members{}}}, ReasonEvents, ReasonEvents, Logout{}},
		{"OUT-3 events is a list", nil, members{"events": []string{logoutEvent}}, ReasonEvents, ReasonEvents, Logout{}},
		{"OUT-3 the event is true", nil, event(true), ReasonEvents, ReasonEvents, Logout{}},
		{"OUT-3 the event says more", nil, event(members{"x": 1}), "", "", both},
		{"OUT-3 beside another event", nil, members{"events": members{logoutEvent: members{}, "x": members{}}}, "", "", both},

		{"OUT-3 a nonce", nil, members{"nonce": "n"}, ReasonNonce, ReasonNonce, Logout{}},
		{"OUT-3 an empty nonce", nil, members{"nonce": ""}, ReasonNonce, ReasonNonce, Logout{}},
		{"OUT-3 a nonce that is null", nil, members{"nonce": nullMember{}}, ReasonNonce, ReasonNonce, Logout{}},

		{"TOK-1 crit", members{"crit": []string{"exp"}}, nil, ReasonCritical, ReasonCritical, Logout{}},
		{"TOK-2 unknown kid", members{"kid": "nobody's"}, nil, ReasonUnknownKey, ReasonUnknownKey, Logout{}},
		{"TOK-1 the key of another algorithm", members{"kid": "ec-1"}, nil, ReasonAlgorithm, ReasonAlgorithm, Logout{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for l, want := range map[*LogoutTokens]string{strict: tt.want, untyped: tt.untyped} {
				got, why := take(t, op, l, op.LogoutToken("RS256", tt.header, tt.claims))
				if why != want || why == "" && got != tt.logout {
					t.Errorf("untyped %v: got %+v, %q, want %q", l == untyped, got, why, want)
				}
			}
		})
	}
}

// nullMember is a member that is there and null, which nil would take away.
type nullMember struct{}

func (nullMember) MarshalJSON() ([]byte, error) { return []byte("null"), nil }

// Other tokens of the same issuer, and junk, end nothing.
func TestNoLogoutToken(t *testing.T) {
	op := startOP(t)
	lenient := rp(t, op, func(c *Config) { c.UntypedLogoutTokens = true })
	lenient.keys.coolDown = time.Millisecond
	l := NewLogoutTokens(Providers{lenient})
	login, err := signIn(t, op, lenient)
	if err != nil {
		t.Fatal(err)
	}
	good := op.LogoutToken("RS256", nil, nil)
	header, payload := parts(t, good)
	for _, tt := range []struct{ name, token, want string }{
		{"TOK-3 an ID token", login.Tokens.ID.Reveal(), ReasonEvents},
		{"TOK-3 an access token", op.AccessToken("RS256", nil, members{"aud": "client"}), ReasonTokenType},
		{"TOK-3 an access token without a type", op.AccessToken("RS256", members{"typ": nil}, members{"aud": "client"}), ReasonEvents},
		{"OUT-3 alg none", op.Sign("none", []byte(`{"alg":"none","typ":"logout+jwt"}`), payload), ReasonAlgorithm},
		{"OUT-3 HS256 with the client secret", op.Sign("HS256", []byte(`{"alg":"HS256","typ":"logout+jwt"}`), payload), ReasonAlgorithm},
		{"OUT-3 the signature of another token", good[:strings.LastIndex(good, ".")] + ".AAAA", ReasonSignature},
		{"TOK-4 sid twice", op.Sign("RS256", header, []byte(strings.Replace(string(payload), `{`, `{"sid":"other",`, 1))), ReasonClaims},
		{"TOK-6 nothing", "", ReasonTokenFormat},
		{"TOK-6 no token", "a.b", ReasonTokenFormat},
		{"TOK-6 five parts", "a.b.c.d.e", ReasonTokenFormat},
		{"TOK-6 too long", good + strings.Repeat("A", maxToken), ReasonTokenFormat},
		{"TOK-6 the payload is no object", op.Sign("RS256", header, []byte(`[]`)), ReasonClaims},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, why := take(t, op, l, tt.token); why != tt.want {
				t.Errorf("got %q, want %q", why, tt.want)
			}
		})
	}
	op.Set(func(b *idptest.Behaviour) { b.WrongKey = true })
	if _, why := take(t, op, l, op.LogoutToken("RS256", nil, nil)); why != ReasonSignature {
		t.Errorf("OUT-3 another key: %q", why)
	}
	op.Reset()
	if _, why := take(t, op, l, good); why != "" {
		t.Errorf("the token that was not touched: %q", why)
	}
}

func TestLogoutTokenIsNoOther(t *testing.T) {
	op := startOP(t)
	p, f := rp(t, op), newFlow()
	token := op.LogoutToken("RS256", nil, members{"nonce": f.Nonce})
	op.Set(func(b *idptest.Behaviour) {
		b.TokenAnswer = func(answer map[string]any) { answer["id_token"] = token }
	})
	if _, err := p.Login(t.Context(), f, callback(t, op, p, f), redirectURI); reason(err) != ReasonTokenType {
		t.Errorf("TOK-3: a logout token as an ID token: %v", err)
	}
	if _, why := judge(t, op, accessTokens(t, op, func(c *AccessTokenConfig) { c.Audiences = []string{"client"} }), op.LogoutToken("RS256", nil, nil)); why != ReasonTokenType {
		t.Errorf("TOK-3: a logout token as an access token: %q", why)
	}
}

func TestLogoutTokenCountsOnce(t *testing.T) {
	op := startOP(t)
	l := NewLogoutTokens(Providers{rp(t, op)})
	t.Run("OUT-3 replayed", func(t *testing.T) {
		token := op.LogoutToken("RS256", nil, nil)
		_, first := take(t, op, l, token)
		_, second := take(t, op, l, token)
		if first != "" || second != ReasonReplayed {
			t.Errorf("%q, then %q", first, second)
		}
	})
	t.Run("OUT-3 the same jti in another token", func(t *testing.T) {
		_, first := take(t, op, l, op.LogoutToken("RS256", nil, members{"jti": "1"}))
		_, second := take(t, op, l, op.LogoutToken("ES256", nil, members{"jti": "1", "sid": "other"}))
		if first != "" || second != ReasonReplayed {
			t.Errorf("%q, then %q", first, second)
		}
	})
	t.Run("OUT-3 at the same time", func(t *testing.T) {
		token := op.LogoutToken("RS256", nil, nil)
		var ended atomic.Int32
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() { _, _ = l.Take(t.Context(), token, func(Logout) error { ended.Add(1); return nil }) })
		}
		all.Wait()
		if ended.Load() != 1 {
			t.Errorf("taken %d times", ended.Load())
		}
	})
	t.Run("SES-4 not while the store is down", func(t *testing.T) {
		token := op.LogoutToken("RS256", nil, nil)
		down := errors.New("down")
		if _, err := l.Take(t.Context(), token, func(Logout) error { return down }); !errors.Is(err, down) {
			t.Fatalf("%v", err)
		}
		if _, why := take(t, op, l, token); why != "" {
			t.Errorf("the provider tries again, and hears %q", why)
		}
	})
	t.Run("LIM-2 bounded", func(t *testing.T) {
		l := NewLogoutTokens(Providers{rp(t, op)})
		for i := range maxLogouts + 100 {
			l.seen.Add([32]byte{byte(i), byte(i >> 8), byte(i >> 16)}, struct{}{})
		}
		if l.seen.Len() != maxLogouts {
			t.Errorf("%d are remembered", l.seen.Len())
		}
	})
}

func TestLogoutTokenOfSeveral(t *testing.T) {
	one, two := startOP(t), startOP(t)
	l := NewLogoutTokens(Providers{
		rp(t, one, func(c *Config) { c.Name = "one" }),
		rp(t, two, func(c *Config) { c.Name = "two" }),
		rp(t, two, func(c *Config) { c.Name, c.ClientID = "second client of two", "client-2" }),
	})
	for _, tt := range []struct {
		name, token, want, provider string
	}{
		{"OUT-3 of the first", one.LogoutToken("RS256", nil, nil), "", "one"},
		{"OUT-3 of the second", two.LogoutToken("ES256", nil, nil), "", "two"},
		{"OUT-3 of the second's other client", two.LogoutToken("ES256", nil, members{"aud": "client-2"}), "", "second client of two"},
		{"OUT-3 of the second, for nobody here", two.LogoutToken("ES256", nil, members{"aud": "client-3"}), ReasonAudience, ""},
		{"OUT-3 one speaks for the other", one.LogoutToken("ES256", nil, members{"iss": two.Issuer()}), ReasonSignature, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, why := take(t, one, l, tt.token)
			if why != tt.want || got.Provider != tt.provider {
				t.Errorf("%+v, %q", got, why)
			}
		})
	}
}

// Whatever is shown, the keys are fetched at the rate of JWK-2, and a provider that
// is down says "cannot tell" and not "no".
func TestLogoutTokenFetches(t *testing.T) {
	op := startOP(t)
	p := rp(t, op)
	if err := p.warm(t.Context()); err != nil {
		t.Fatal(err)
	}
	l := NewLogoutTokens(Providers{p})
	for i := range 200 {
		_, _ = l.Take(t.Context(), op.LogoutToken("RS256", members{"kid": fmt.Sprint("junk-", i)}, nil), func(Logout) error { return nil })
	}
	if n := op.Requests(idptest.JWKS); n > 2 {
		t.Errorf("JWK-2: %d fetches", n)
	}
	if _, why := take(t, op, l, op.LogoutToken("RS256", nil, nil)); why != "" {
		t.Errorf("a good token among junk: %q", why)
	}
	token := op.LogoutToken("RS256", nil, nil)
	addr := op.Addr()
	op.Close()
	fresh := NewLogoutTokens(Providers{rp(t, op)})
	if _, why := take(t, op, fresh, token); why != "unavailable: discovery" {
		t.Errorf("SES-4: the provider is down: %q", why)
	}
	if err := op.Listen(addr); err != nil {
		t.Fatal(err)
	}
}
