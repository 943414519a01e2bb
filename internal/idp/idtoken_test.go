package idp

import (
	"bytes"
	"crypto/sha512"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/doorward/doorward/internal/idp/idptest"
)

// claim returns a behaviour that sets one claim of the ID token; nil removes it.
func claim(name string, value any) func(*idptest.Behaviour) {
	return func(b *idptest.Behaviour) {
		b.Claims = func(c map[string]any) {
			if c[name] = value; value == nil {
				delete(c, name)
			}
		}
	}
}

// joseHeader is the same for the header.
func joseHeader(name string, value any) func(*idptest.Behaviour) {
	return func(b *idptest.Behaviour) {
		b.Header = func(h map[string]any) {
			if h[name] = value; value == nil {
				delete(h, name)
			}
		}
	}
}

// inFromNow sets a claim to a date relative to now.
func inFromNow(name string, seconds int64) func(*idptest.Behaviour) {
	return func(b *idptest.Behaviour) {
		b.Claims = func(c map[string]any) { c[name] = time.Now().Unix() + seconds }
	}
}

// payload returns a behaviour that appends a member to the claims' JSON.
func payload(member string) func(*idptest.Behaviour) {
	return func(b *idptest.Behaviour) {
		b.Payload = func(json []byte) []byte {
			return append(bytes.TrimSuffix(json, []byte("}")), ","+member+"}"...)
		}
	}
}

func algorithm(name string) func(*idptest.Behaviour) {
	return func(b *idptest.Behaviour) { b.Algorithm = name }
}

func wholeToken(change func(string) string) func(*idptest.Behaviour) {
	return func(b *idptest.Behaviour) { b.IDToken = change }
}

func TestIDToken(t *testing.T) {
	op := startOP(t)
	p := rp(t, op)
	p.keys.coolDown = time.Millisecond
	now := time.Now().Unix()
	for _, tt := range []struct {
		name   string
		change func(*idptest.Behaviour)
		want   string
	}{
		{"as it should be", func(*idptest.Behaviour) {}, ""},

		{"OIDC-7 iss of another issuer", claim("iss", "https://evil.example.com"), ReasonIssuer},
		{"OIDC-7 iss with a slash", claim("iss", op.Issuer()+"/"), ReasonIssuer},
		{"OIDC-7 iss missing", claim("iss", nil), ReasonIssuer},
		{"OIDC-7 iss is no string", claim("iss", []string{op.Issuer()}), ReasonIssuer},
		{"OIDC-7 aud of another client", claim("aud", "other"), ReasonAudience},
		{"OIDC-7 aud missing", claim("aud", nil), ReasonAudience},
		{"OIDC-7 aud empty", claim("aud", []string{}), ReasonAudience},
		{"OIDC-7 aud is an array of one", claim("aud", []string{"client"}), ""},
		{"OIDC-7 aud holds a number", claim("aud", []any{"client", 1}), ReasonAudience},
		{"OIDC-7 aud differs in case", claim("aud", "Client"), ReasonAudience},
		{"OIDC-7 several aud without azp", claim("aud", []string{"client", "other"}), ReasonAuthorized},
		{"OIDC-7 several aud with azp", func(b *idptest.Behaviour) {
			b.Claims = func(c map[string]any) { c["aud"], c["azp"] = []string{"client", "other"}, "client" }
		}, ""},
		{"OIDC-7 azp is another client", claim("azp", "other"), ReasonAuthorized},
		{"OIDC-7 azp is empty", claim("azp", ""), ReasonAuthorized},
		{"OIDC-7 azp is no string", claim("azp", 7), ReasonAuthorized},
		{"OIDC-7 exp missing", claim("exp", nil), ReasonExpired},
		{"OIDC-7 exp null", payloadReplacing("exp"), ReasonExpired},
		{"OIDC-7 iat missing", claim("iat", nil), ReasonIssuedAt},
		{"OIDC-7 nonce of another flow", claim("nonce", "another"), ReasonNonce},
		{"OIDC-7 nonce missing", claim("nonce", nil), ReasonNonce},
		{"OIDC-7 nonce is no string", claim("nonce", 1), ReasonNonce},
		{"OIDC-7 sub missing", claim("sub", nil), ReasonSubject},
		{"OIDC-7 sub empty", claim("sub", ""), ReasonSubject},
		{"OIDC-7 sub is a number", claim("sub", 12), ReasonSubject},
		{"OIDC-7 sub of 255 characters", claim("sub", strings.Repeat("s", 255)), ""},
		{"OIDC-7 sub of 256 characters", claim("sub", strings.Repeat("s", 256)), ReasonSubject},
		{"OIDC-7 sub is not ASCII", claim("sub", "Jörg"), ReasonSubject},
		{"OIDC-7 at_hash of another token", claim("at_hash", "AAAAAAAAAAAAAAAAAAAAAA"), ReasonAccessHash},
		{"OIDC-7 at_hash empty", claim("at_hash", ""), ReasonAccessHash},
		{"OIDC-7 at_hash absent", claim("at_hash", nil), ""},
		{"auth_time is a string", claim("auth_time", "yesterday"), ReasonClaims},
		{"go-oidc has a say: distributed claim without its source", claim("_claim_names", map[string]any{"address": "src1"}), ReasonClaims},
		{"sid is no string", claim("sid", 1), ReasonClaims},
		{"acr is no string", claim("acr", 1), ReasonClaims},

		{"TOK-5 exp 55 s ago", inFromNow("exp", -55), ""},
		{"TOK-5 exp 120 s ago", inFromNow("exp", -120), ReasonExpired},
		{"TOK-5 iat in 55 s", inFromNow("iat", 55), ""},
		{"TOK-5 iat in 120 s", inFromNow("iat", 120), ReasonIssuedAt},
		{"L17 iat 55 s ago", inFromNow("iat", -55), ""},
		{"L17 iat 120 s ago", inFromNow("iat", -120), ReasonIssuedAt},
		{"TOK-5 nbf in 55 s", inFromNow("nbf", 55), ""},
		{"TOK-5 nbf in 120 s", inFromNow("nbf", 120), ReasonNotYetValid},
		{"TOK-4 exp with a fraction", claim("exp", float64(now)+300.25), ""},
		{"TOK-4 exp as a string", claim("exp", "9999999999"), ReasonExpired},
		{"TOK-4 exp out of range", claim("exp", 1e15), ReasonExpired},
		{"TOK-4 nbf out of range", claim("nbf", -5), ReasonNotYetValid},
		{"TOK-4 repeated sub", payload(`"sub":"admin"`), ReasonClaims},
		{"TOK-4 repeated nested name", payload(`"realm_access":{"roles":[],"roles":["admin"]}`), ReasonClaims},
		{"TOK-4 another spelling does not overrule", payload(`"EMAIL_VERIFIED":true`), ""},
		{"TOK-4 another spelling of sub: go-oidc reads it", payload(`"SUB":"admin"`), ""},
		{"TOK-4 aud in another spelling only", func(b *idptest.Behaviour) {
			b.Claims = func(c map[string]any) { delete(c, "aud"); c["AUD"] = "client" }
		}, ReasonAudience},
		{"TOK-4 nonce in another spelling only", func(b *idptest.Behaviour) {
			b.Claims = func(c map[string]any) { c["Nonce"] = c["nonce"]; delete(c, "nonce") }
		}, ReasonNonce},
		{"TOK-4 payload is an array", func(b *idptest.Behaviour) { b.Payload = func([]byte) []byte { return []byte("[]") } }, ReasonClaims},

		{"TOK-1 PS256", algorithm("PS256"), ""},
		{"TOK-1 ES256", algorithm("ES256"), ""},
		{"TOK-1 EdDSA", algorithm("EdDSA"), ""},
		{"TOK-1 none", algorithm("none"), ReasonAlgorithm},
		{"TOK-1 None", joseHeader("alg", "None"), ReasonAlgorithm},
		{"TOK-1 HS256", algorithm("HS256"), ReasonAlgorithm},
		{"TOK-1 alg missing", joseHeader("alg", nil), ReasonAlgorithm},
		{"TOK-1 alg is no string", joseHeader("alg", []string{"RS256"}), ReasonAlgorithm},
		{"TOK-1 alg in lower case", joseHeader("alg", "rs256"), ReasonAlgorithm},
		{"TOK-1 RSA key named for ES256", func(b *idptest.Behaviour) {
			b.Algorithm = "ES256"
			b.Header = func(h map[string]any) { h["kid"] = "rsa-1" }
		}, ReasonAlgorithm},
		{"TOK-1 crit", joseHeader("crit", []string{"exp"}), ReasonCritical},
		{"TOK-1 crit empty", joseHeader("crit", []string{}), ReasonCritical},
		{"TOK-1 crit b64", func(b *idptest.Behaviour) {
			b.Header = func(h map[string]any) { h["crit"], h["b64"] = []string{"b64"}, false }
		}, ReasonCritical},
		{"TOK-4 alg twice in the header", func(b *idptest.Behaviour) {
			b.RawHeader = func(h []byte) []byte { return append([]byte(`{"alg":"none",`), h[1:]...) }
		}, ReasonTokenFormat},
		{"signature of an unpublished key", func(b *idptest.Behaviour) { b.WrongKey = true }, ReasonSignature},
		{"signature removed", wholeToken(func(s string) string { return s[:strings.LastIndexByte(s, '.')+1] }), ReasonSignature},
		{"payload replaced", wholeToken(func(s string) string {
			part := strings.Split(s, ".")
			json, _ := base64.RawURLEncoding.DecodeString(part[1])
			json = bytes.Replace(json, []byte("user-1"), []byte("user-2"), 1)
			return part[0] + "." + base64.RawURLEncoding.EncodeToString(json) + "." + part[2]
		}), ReasonSignature},

		{"TOK-2 kid of 256 bytes is looked up", joseHeader("kid", strings.Repeat("k", 256)), ReasonUnknownKey},
		{"TOK-2 kid of 257 bytes", joseHeader("kid", strings.Repeat("k", 257)), ReasonTokenFormat},
		{"TOK-2 kid is no string", joseHeader("kid", 5), ReasonTokenFormat},
		{"TOK-2 kid is a path", joseHeader("kid", "../../dev/null"), ReasonUnknownKey},
		{"TOK-2 jku is ignored", joseHeader("jku", "https://evil.example.com/jwks"), ""},
		{"TOK-2 x5u is ignored", joseHeader("x5u", "https://evil.example.com/cert"), ""},
		{"TOK-2 x5c and a foreign key", func(b *idptest.Behaviour) {
			b.WrongKey = true
			b.Header = func(h map[string]any) { h["jku"], h["x5u"] = "https://evil.example.com", "https://evil.example.com" }
		}, ReasonSignature},

		{"TOK-3 typ absent", joseHeader("typ", nil), ""},
		{"TOK-3 typ in lower case", joseHeader("typ", "jwt"), ""},
		{"TOK-3 typ with its media type", joseHeader("typ", "application/jwt"), ""},
		{"TOK-3 access token", joseHeader("typ", "at+jwt"), ReasonTokenType},
		{"TOK-3 logout token", joseHeader("typ", "logout+jwt"), ReasonTokenType},
		{"TOK-3 typ is no string", joseHeader("typ", 1), ReasonTokenFormat},

		{"TOK-6 too long", claim("padding", strings.Repeat("x", maxToken)), ReasonTokenFormat},
		{"TOK-6 JWE", wholeToken(func(s string) string { return s + ".a.b" }), ReasonTokenFormat},
		{"TOK-6 one dot", wholeToken(func(s string) string { return s[:strings.LastIndexByte(s, '.')] }), ReasonTokenFormat},
		{"TOK-6 a thousand dots", wholeToken(func(string) string { return strings.Repeat(".", 1000) }), ReasonTokenFormat},
		{"TOK-6 JSON serialisation", wholeToken(func(s string) string {
			part := strings.Split(s, ".")
			return `{"protected":"` + part[0] + `","payload":"` + part[1] + `","signature":"` + part[2] + `","x":".."}`
		}), ReasonTokenFormat},
		{"TOK-6 padding", wholeToken(func(s string) string { return s + "=" }), ReasonTokenFormat},
		{"no ID token", wholeToken(func(string) string { return "" }), ReasonTokenResponse},
	} {
		t.Run(tt.name, func(t *testing.T) {
			op.Reset()
			op.Set(tt.change)
			login, err := signIn(t, op, p)
			if got := reason(err); got != tt.want {
				t.Errorf("got %q (%v), want %q", got, err, tt.want)
			}
			if tt.want == "" && login.User.Subject == "admin" {
				t.Error("another spelling overruled sub")
			}
			if tt.want != "" && !login.User.Nobody() {
				t.Error("refused, and yet somebody is signed in")
			}
		})
	}
}

// The form is checked before any part of the token is parsed.
func TestParseHeader(t *testing.T) {
	good := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256","kid":"k","typ":"JWT"}`))
	for _, tt := range []struct{ name, token, want string }{
		{"as it should be", good + ".e30.AAAA", ""},
		{"TOK-6 JWE", good + ".a.b.c.d", ReasonTokenFormat},
		{"TOK-6 four parts", good + ".a.b.c", ReasonTokenFormat},
		{"TOK-6 two parts", good + ".a", ReasonTokenFormat},
		{"TOK-6 dots only", strings.Repeat(".", maxToken), ReasonTokenFormat},
		{"TOK-6 the longest", good + ".e30." + strings.Repeat("A", maxToken-len(good)-5), ""},
		{"TOK-6 one byte longer", good + ".e30." + strings.Repeat("A", maxToken-len(good)-4), ReasonTokenFormat},
		{"TOK-6 white space", good + ".e30.AA\nAA", ReasonTokenFormat},
		{"TOK-6 standard base64", good + ".e30.AA+/", ReasonTokenFormat},
		{"header is no base64url", "A.e30.AAAA", ReasonTokenFormat},
		{"header is no object", "W10.e30.AAAA", ReasonTokenFormat},
	} {
		if _, err := parseHeader(tt.token); reason(err) != tt.want {
			t.Errorf("%s: got %v", tt.name, err)
		}
	}
}

// payloadReplacing sets a claim to null in the bytes, which is absent.
func payloadReplacing(name string) func(*idptest.Behaviour) {
	return func(b *idptest.Behaviour) {
		b.Claims = func(c map[string]any) { delete(c, name) }
		b.Payload = func(json []byte) []byte {
			return append(bytes.TrimSuffix(json, []byte("}")), `,"`+name+`":null}`...)
		}
	}
}

func TestAlgorithmMustBeAnnounced(t *testing.T) {
	for _, tt := range []struct {
		name    string
		offered any
		want    string
	}{
		{"TOK-1 announced", []string{"RS256", "ES256"}, ""},
		{"TOK-1 not announced", []string{"RS256"}, ReasonAlgorithm},
		{"TOK-1 HS256 announced beside", []string{"HS256", "none", "ES256"}, ""},
		{"nothing announced", nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			op := startOP(t)
			op.Set(func(b *idptest.Behaviour) {
				b.Algorithm = "ES256"
				b.Discovery = func(doc map[string]any) {
					if doc["id_token_signing_alg_values_supported"] = tt.offered; tt.offered == nil {
						delete(doc, "id_token_signing_alg_values_supported")
					}
				}
			})
			if _, err := signIn(t, op, rp(t, op)); reason(err) != tt.want {
				t.Errorf("got %v", err)
			}
		})
	}
}

// The hash of at_hash is that of the algorithm; the provider double sets it for
// SHA-256 only.
func TestAccessHashPerAlgorithm(t *testing.T) {
	access := "an access token"
	sum384, sum512 := sha512.Sum384([]byte(access)), sha512.Sum512([]byte(access))
	for alg, sum := range map[string][]byte{"RS384": sum384[:], "ES384": sum384[:], "PS512": sum512[:], "EdDSA": sum512[:]} {
		half := base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])
		want := expected{accessToken: access}
		for _, tt := range []struct {
			hash string
			ok   bool
		}{{half, true}, {half[1:], false}, {base64.RawURLEncoding.EncodeToString(sum), false}} {
			err := want.checkAccessHash(claims{"at_hash": tt.hash}, jose.SignatureAlgorithm(alg))
			if (err == nil) != tt.ok {
				t.Errorf("OIDC-7 %s: %v", alg, err)
			}
		}
	}
}
