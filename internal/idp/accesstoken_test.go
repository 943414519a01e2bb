package idp

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/idp/idptest"
	"github.com/doorward/doorward/internal/secret"
)

// accessTokens verifies the tokens of op for the audiences "api" and "api2". Its
// log is searched for tokens at the end.
func accessTokens(t *testing.T, op *idptest.Provider, change ...func(*AccessTokenConfig)) *AccessTokens {
	t.Helper()
	log := &logBuffer{}
	conf := AccessTokenConfig{IssuerURL: op.Issuer(), Audiences: []string{"api", "api2"}, Log: logTo(log)}
	for _, c := range change {
		c(&conf)
	}
	a, err := NewAccessTokens(conf)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		a.issuer.client.CloseIdleConnections()
		assertNoSecrets(t, op, log.String())
	})
	return a
}

// bearerVerifier is what both kinds of verifiers are.
type bearerVerifier interface {
	Verify(context.Context, secret.Secret) (auth.User, time.Time, error)
}

// judge verifies a token and returns the reason of the error. Whether it is
// auth.ErrInvalidToken must go with its type.
func judge(t *testing.T, op *idptest.Provider, v bearerVerifier, token string) (auth.User, string) {
	t.Helper()
	user, expiry, err := v.Verify(t.Context(), secret.Secret(token))
	if err == nil {
		return user, ""
	}
	assertNoSecrets(t, op, err.Error())
	if !user.Nobody() || !expiry.IsZero() {
		t.Errorf("AUTHZ-1: %v beside a user or a date", err)
	}
	if invalid := new(*InvalidError); errors.As(err, invalid) != errors.Is(err, auth.ErrInvalidToken) {
		t.Errorf("BEAR-3: the error is wrongly marked: %v", err)
	}
	return auth.User{}, reason(err)
}

func in(seconds int64) int64 { return time.Now().Unix() + seconds }

type members = map[string]any

func TestAccessToken(t *testing.T) {
	op := startOP(t)
	a := accessTokens(t, op)
	a.issuer.keys.coolDown = time.Millisecond
	legacy := accessTokens(t, op, func(c *AccessTokenConfig) { c.LegacyIDTokens = true })
	legacy.issuer.keys.coolDown = time.Millisecond
	plain := members{"typ": "JWT"}
	for _, tt := range []struct {
		name           string
		header, claims members
		want           string
		legacy         string // with LegacyIDTokens
	}{
		{"as it should be", nil, nil, "", ""},
		{"BEAR-2 typ in another spelling", members{"typ": "application/AT+JWT"}, nil, "", ""},
		{"BEAR-2 typ JWT", plain, nil, "", ""},
		{"BEAR-2 no typ", members{"typ": nil}, nil, "", ""},
		{"TOK-3 typ of a logout token", members{"typ": "logout+jwt"}, nil, ReasonTokenType, ReasonTokenType},
		{"TOK-3 typ of a DPoP proof", members{"typ": "dpop+jwt"}, nil, ReasonTokenType, ReasonTokenType},
		{"TOK-3 typ is no string", members{"typ": 1}, nil, ReasonTokenFormat, ReasonTokenFormat},

		{"BEAR-2 ID token with a nonce", plain, members{"nonce": "n"}, ReasonTokenType, ""},
		{"BEAR-2 ID token with at_hash", plain, members{"at_hash": "x"}, ReasonTokenType, ""},
		{"BEAR-2 ID token with c_hash", plain, members{"c_hash": "x"}, ReasonTokenType, ""},
		{"BEAR-2 logout token without a type", plain, members{"events": members{}}, ReasonTokenType, ""},
		{"BEAR-2 ID token of a client", plain, members{"aud": "api", "azp": "api", "client_id": nil, "scope": nil}, ReasonTokenType, ""},
		{"BEAR-2 nothing says what it is", members{"typ": nil}, members{"client_id": nil, "scope": nil}, ReasonTokenType, ""},
		{"BEAR-2 at+jwt says it", nil, members{"client_id": nil, "scope": nil}, "", ""},
		{"BEAR-2 scope says it", plain, members{"client_id": nil}, "", ""},
		{"BEAR-2 scp says it (Okta, Entra)", plain, members{"client_id": nil, "scope": nil, "scp": []string{"x"}}, "", ""},
		{"BEAR-2 Keycloak's ID token", plain, members{"typ": "ID", "azp": "web"}, ReasonTokenType, ""},
		{"BEAR-2 Keycloak's refresh token", plain, members{"typ": "Refresh"}, ReasonTokenType, ""},
		{"BEAR-2 Keycloak's access token with a nonce", plain, members{"typ": "Bearer", "nonce": "n", "client_id": nil, "scope": nil}, "", ""},
		{"BEAR-2 Keycloak's DPoP-bound token", plain, members{"typ": "DPoP", "cnf": members{"jkt": "x"}}, ReasonTokenType, ReasonTokenType},
		{"BEAR-2 typ claim ID beside at+jwt", nil, members{"typ": "ID"}, ReasonTokenType, ""},
		{"BEAR-2 token_use of an ID token", plain, members{"token_use": "id"}, ReasonTokenType, ""},
		{"BEAR-2 one claim says yes and one no", plain, members{"typ": "Bearer", "token_use": "id"}, ReasonTokenType, ""},
		{"BEAR-2 typ claim is no string", plain, members{"typ": []string{"Bearer"}}, ReasonTokenType, ""},
		{"BEAR-2 bound to a key", nil, members{"cnf": members{"x5t#S256": "x"}}, ReasonTokenType, ReasonTokenType},

		{"BEAR-1 another audience", nil, members{"aud": "other"}, ReasonAudience, ReasonAudience},
		{"BEAR-1 no audience", nil, members{"aud": nil}, ReasonAudience, ReasonAudience},
		{"BEAR-1 empty audience", nil, members{"aud": []string{}}, ReasonAudience, ReasonAudience},
		{"BEAR-1 part of an audience", nil, members{"aud": "ap"}, ReasonAudience, ReasonAudience},
		{"BEAR-1 audience in another case", nil, members{"aud": "API"}, ReasonAudience, ReasonAudience},
		{"BEAR-1 aud is an object", nil, members{"aud": members{"api": true}}, ReasonAudience, ReasonAudience},
		{"BEAR-1 aud holds a number", nil, members{"aud": []any{"api", 1}}, ReasonAudience, ReasonAudience},
		{"BEAR-1 one audience of two", nil, members{"aud": []string{"other", "api2"}}, "", ""},
		{"BEAR-1 only azp is the audience", nil, members{"aud": "other", "azp": "api"}, ReasonAudience, ReasonAudience},

		{"BEAR-1 another issuer", nil, members{"iss": "https://evil.example.com"}, ReasonIssuer, ReasonIssuer},
		{"BEAR-1 the issuer with a slash", nil, members{"iss": op.Issuer() + "/"}, ReasonIssuer, ReasonIssuer},
		{"BEAR-1 no issuer", nil, members{"iss": nil}, ReasonIssuer, ReasonIssuer},
		{"BEAR-1 iss is a list", nil, members{"iss": []string{op.Issuer()}}, ReasonIssuer, ReasonIssuer},

		{"BEAR-1 no exp", nil, members{"exp": nil}, ReasonExpired, ReasonExpired},
		{"BEAR-1 exp is a string", nil, members{"exp": "9999999999"}, ReasonExpired, ReasonExpired},
		{"TOK-4 exp out of range", nil, members{"exp": 1e300}, ReasonExpired, ReasonExpired},
		{"TOK-5 expired", nil, members{"exp": in(-61)}, ReasonExpired, ReasonExpired},
		{"TOK-5 expired within the skew", nil, members{"exp": in(-50)}, "", ""},
		{"TOK-5 not yet valid", nil, members{"nbf": in(70)}, ReasonNotYetValid, ReasonNotYetValid},
		{"TOK-5 not yet valid within the skew", nil, members{"nbf": in(50)}, "", ""},
		{"TOK-5 issued in the future", nil, members{"iat": in(70)}, ReasonIssuedAt, ReasonIssuedAt},
		{"TOK-5 issued in the future within the skew", nil, members{"iat": in(50)}, "", ""},
		{"TOK-4 nbf is a string", nil, members{"nbf": "0"}, ReasonNotYetValid, ReasonNotYetValid},
		{"TOK-4 iat is negative", nil, members{"iat": -1}, ReasonIssuedAt, ReasonIssuedAt},
		{"BEAR-1 iat is not needed", nil, members{"iat": nil}, "", ""},

		{"BEAR-1 no sub", nil, members{"sub": nil}, ReasonSubject, ReasonSubject},
		{"BEAR-1 empty sub", nil, members{"sub": ""}, ReasonSubject, ReasonSubject},
		{"BEAR-1 sub is a number", nil, members{"sub": 1}, ReasonSubject, ReasonSubject},
		{"BEAR-1 acr is a list", nil, members{"acr": []string{"mfa"}}, ReasonClaims, ReasonClaims},

		{"TOK-1 crit", members{"crit": []string{"exp"}}, nil, ReasonCritical, ReasonCritical},
		{"TOK-2 kid of 257 bytes", members{"kid": strings.Repeat("k", 257)}, nil, ReasonTokenFormat, ReasonTokenFormat},
		{"TOK-2 unknown kid", members{"kid": "nobody's"}, nil, ReasonUnknownKey, ReasonUnknownKey},
		{"TOK-2 no kid", members{"kid": nil}, nil, "", ""},
		{"TOK-2 jku and x5u count for nothing", members{"jku": "https://evil.example.com", "x5u": "https://evil.example.com"}, nil, "", ""},
		{"TOK-1 the key of another algorithm", members{"kid": "ec-1"}, nil, ReasonAlgorithm, ReasonAlgorithm},
	} {
		t.Run(tt.name, func(t *testing.T) {
			token := op.AccessToken("RS256", tt.header, tt.claims)
			if _, got := judge(t, op, a, token); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if _, got := judge(t, op, legacy, token); got != tt.legacy {
				t.Errorf("legacy: got %q, want %q", got, tt.legacy)
			}
		})
	}
}

// parts are the decoded header and payload of a token that op signed.
func parts(t *testing.T, token string) (header, payload []byte) {
	t.Helper()
	list := strings.Split(token, ".")
	header, err1 := base64.RawURLEncoding.DecodeString(list[0])
	payload, err2 := base64.RawURLEncoding.DecodeString(list[1])
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	return header, payload
}

// publicPEM are the forms of the public key that a confused verifier would take
// for the secret of an HMAC.
func publicPEM(t *testing.T, op *idptest.Provider) []string {
	t.Helper()
	body, err := json.Marshal(members{"keys": op.PublicKeys()})
	if err != nil {
		t.Fatal(err)
	}
	keys, _, err := parseKeys(body)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(keys[0].key)
	if err != nil {
		t.Fatal(err)
	}
	return []string{string(der), string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))}
}

func TestForgedAccessToken(t *testing.T) {
	op := startOP(t)
	a := accessTokens(t, op)
	good := op.AccessToken("RS256", nil, nil)
	header, payload := parts(t, good)
	encoded := base64.RawURLEncoding.EncodeToString
	dot := strings.LastIndexByte(good, '.')
	twice := func(json []byte, member string) []byte {
		return slices.Concat(json[:len(json)-1], []byte(","+member+"}"))
	}
	forgeries := map[string][2]string{
		"TOK-1 none":                        {op.Sign("none", []byte(`{"alg":"none","typ":"at+jwt"}`), payload), ReasonAlgorithm},
		"TOK-1 None with a signature":       {op.Sign("RS256", []byte(`{"alg":"None","kid":"rsa-1"}`), payload), ReasonAlgorithm},
		"TOK-1 alg missing":                 {op.Sign("RS256", []byte(`{"kid":"rsa-1"}`), payload), ReasonAlgorithm},
		"TOK-1 HS256 with the secret":       {op.Sign("HS256", []byte(`{"alg":"HS256","kid":"rsa-1"}`), payload), ReasonAlgorithm},
		"TOK-1 no signature":                {good[:dot+1], ReasonSignature},
		"TOK-1 another signature":           {good[:dot+1] + encoded(make([]byte, 256)), ReasonSignature},
		"TOK-1 other claims":                {strings.Join([]string{encoded(header), encoded(twice(payload, `"x":1`)), good[dot+1:]}, "."), ReasonSignature},
		"TOK-4 claim twice":                 {op.Sign("RS256", header, twice(payload, `"aud":"api"`)), ReasonClaims},
		"TOK-4 claim twice, deep inside":    {op.Sign("RS256", header, twice(payload, `"x":{"a":1,"a":2}`)), ReasonClaims},
		"TOK-4 claim in another case":       {op.Sign("RS256", header, []byte(strings.Replace(string(payload), `"aud"`, `"AUD"`, 1))), ReasonAudience},
		"TOK-4 header name twice":           {op.Sign("RS256", twice(header, `"alg":"RS256"`), payload), ReasonTokenFormat},
		"TOK-4 the payload is a list":       {op.Sign("RS256", header, []byte(`[]`)), ReasonClaims},
		"TOK-4 the payload is no JSON":      {op.Sign("RS256", header, []byte(`{"iss":`)), ReasonClaims},
		"TOK-6 JWE":                         {strings.Join([]string{encoded([]byte(`{"alg":"dir","enc":"A128GCM"}`)), "", "AA", "AA", "AA"}, "."), ReasonTokenFormat},
		"TOK-6 one dot":                     {"a.b", ReasonTokenFormat},
		"TOK-6 a million dots":              {strings.Repeat(".", 1_000_000), ReasonTokenFormat},
		"TOK-6 1 MB":                        {good + strings.Repeat("A", 1<<20), ReasonTokenFormat},
		"TOK-6 one byte too long":           {good + strings.Repeat("A", 16<<10-len(good)+1), ReasonTokenFormat},
		"TOK-6 empty":                       {"", ReasonTokenFormat},
		"TOK-6 JSON serialization":          {`{"payload":"e30","signatures":[]}`, ReasonTokenFormat},
		"TOK-6 padding":                     {strings.Replace(good, ".", "=.", 1), ReasonTokenFormat},
		"TOK-6 a line break":                {good + "\n", ReasonTokenFormat},
		"TOK-1 unencoded payload (b64)":     {op.Sign("RS256", []byte(`{"alg":"RS256","kid":"rsa-1","b64":false}`), payload), ReasonCritical},
		"TOK-1 the algorithm of other keys": {op.Sign("RS256", []byte(`{"alg":"ES256","kid":"rsa-1"}`), payload), ReasonAlgorithm},
	}
	forger := idptest.Unstarted()
	forger.Rotate()
	for kid, want := range map[string]string{"rsa-1": ReasonSignature, "rsa-2": ReasonUnknownKey} {
		head, err := json.Marshal(members{"alg": "RS256", "kid": kid, "jwk": forger.PublicKeys()[0], "jku": "https://evil.example.com"})
		if err != nil {
			t.Fatal(err)
		}
		forgeries["TOK-2 its own key in the header, named "+kid] = [2]string{forger.Sign("RS256", head, payload), want}
	}
	for _, key := range publicPEM(t, op) {
		other := idptest.Unstarted()
		other.ClientSecret = key // what idptest signs HS256 with
		forgeries[fmt.Sprintf("TOK-1 HS256 with the public key, %d bytes", len(key))] = [2]string{
			other.Sign("HS256", []byte(`{"alg":"HS256","typ":"at+jwt","kid":"rsa-1"}`), payload), ReasonAlgorithm,
		}
	}
	for name, tt := range maps.All(forgeries) {
		t.Run(name, func(t *testing.T) {
			if _, got := judge(t, op, a, tt[0]); got != tt[1] {
				t.Errorf("got %q, want %q", got, tt[1])
			}
		})
	}
	op.Set(func(b *idptest.Behaviour) { b.WrongKey = true })
	if _, got := judge(t, op, a, op.AccessToken("RS256", nil, nil)); got != ReasonSignature {
		t.Errorf("TOK-1 a foreign key under a known name: %q", got)
	}
}

func TestAccessTokenAlgorithms(t *testing.T) {
	op := startOP(t)
	op.Set(func(b *idptest.Behaviour) {
		b.Discovery = func(doc map[string]any) { doc["id_token_signing_alg_values_supported"] = []string{"RS256"} }
	})
	a := accessTokens(t, op)
	for _, alg := range []string{"RS256", "PS256", "ES256", "EdDSA"} {
		if _, got := judge(t, op, a, op.AccessToken(alg, nil, nil)); got != "" {
			t.Errorf("TOK-1 %s: %q, although the metadata speaks of ID tokens only", alg, got)
		}
	}
}

func TestAccessTokenUser(t *testing.T) {
	op := startOP(t)
	a := accessTokens(t, op, func(c *AccessTokenConfig) {
		c.Provider, c.UserClaim, c.GroupsClaims = "keycloak", "preferred_username", []string{"realm_access.roles"}
	})
	a.Keep([]string{"level", "scope", "email"})
	exp, authenticated := in(200), in(-20)
	user, expiry, err := a.Verify(t.Context(), secret.Secret(op.AccessToken("RS256", nil, members{
		"exp": exp, "auth_time": authenticated, "acr": "mfa", "level": 3, "realm_access": members{"roles": []string{"ops", "ops"}}, "email": "Ada@EXAMPLE.com",
	})))
	if err != nil || expiry.Unix() != exp {
		t.Fatalf("%v, %v", expiry, err)
	}
	want := auth.User{
		Provider: "keycloak", Issuer: op.Issuer(), Subject: "user-1", ID: "ada", Email: "Ada@example.com",
		PreferredUsername: "ada", Name: "Ada Lovelace", Groups: []string{"ops"},
		Claims: members{"level": int64(3), "scope": "read"}, ClaimsAsked: []string{"level", "scope", "email"}, ACR: "mfa", AuthTime: time.Unix(authenticated, 0),
	}
	if diff := cmp.Diff(want, user); diff != "" {
		t.Error(diff)
	}
	for name, claims := range map[string]members{
		"BEAR-5 e-mail not verified":       {"email_verified": false},
		"BEAR-5 nothing about the e-mail":  {"email_verified": nil},
		"BEAR-5 verified as a string":      {"email_verified": "true"},
		"BEAR-5 an odd address, verified":  {"email": "ada@evil.test,ada@example.com"},
		"AUTHZ-4 groups are kept for rest": {"email": nil},
	} {
		if user, got := judge(t, op, a, op.AccessToken("RS256", nil, claims)); got != "" || user.Email != "" {
			t.Errorf("%s: %q, e-mail %q", name, got, user.Email)
		}
	}
	if _, got := judge(t, op, a, op.AccessToken("RS256", nil, members{"preferred_username": nil})); got != ReasonUserClaim {
		t.Errorf("BEAR-5 without the user claim: %q", got)
	}
	if n := op.Requests(idptest.Userinfo); n != 0 {
		t.Errorf("BEAR-5: a client's token was sent to userinfo %d times", n)
	}
}

// An issuer of access tokens need not have the endpoints of a login.
func TestAccessTokensOfAnIssuerWithoutLogin(t *testing.T) {
	op := startOP(t)
	op.Set(func(b *idptest.Behaviour) {
		b.Discovery = func(doc map[string]any) {
			delete(doc, "authorization_endpoint")
			delete(doc, "token_endpoint")
		}
	})
	if _, got := judge(t, op, accessTokens(t, op), op.AccessToken("RS256", nil, nil)); got != "" {
		t.Error(got)
	}
}

func TestRandomKeyIDsOfAccessTokens(t *testing.T) {
	op := startOP(t)
	now := newClock()
	a := accessTokens(t, op, func(c *AccessTokenConfig) { c.Now = now.Now })
	flood := func() {
		var group sync.WaitGroup
		for range 8 {
			group.Go(func() {
				for range 1250 {
					if _, got := judge(t, op, a, op.AccessToken("EdDSA", members{"kid": rand.Text()}, nil)); got != ReasonUnknownKey {
						t.Errorf("got %q", got)
						return
					}
				}
			})
		}
		group.Wait()
	}
	flood()
	if n := op.Requests(idptest.JWKS); n != 1 {
		t.Errorf("JWK-2: %d fetches for 10,000 random key ids", n)
	}
	op.Set(func(b *idptest.Behaviour) { b.Fail[idptest.JWKS] = http.StatusInternalServerError })
	now.Advance(keysCoolDown)
	if _, got := judge(t, op, a, op.AccessToken("EdDSA", nil, nil)); got != "" {
		t.Errorf("JWK-2: a good token amid the flood: %q", got)
	}
}

func TestRotationForAccessTokens(t *testing.T) {
	op := startOP(t)
	now := newClock()
	a := accessTokens(t, op, func(c *AccessTokenConfig) { c.Now = now.Now })
	if _, got := judge(t, op, a, op.AccessToken("RS256", nil, nil)); got != "" {
		t.Fatal(got)
	}
	op.Rotate()
	now.Advance(keysCoolDown)
	var group sync.WaitGroup
	for i := range 100 {
		token := op.AccessToken("RS256", nil, members{"jti": i})
		group.Go(func() {
			if _, got := judge(t, op, a, token); got != "" {
				t.Errorf("JWK-2 rotation: %q", got)
			}
		})
	}
	group.Wait()
	if n := op.Requests(idptest.JWKS); n != 2 {
		t.Errorf("JWK-2: %d fetches, one before and one for the rotation are right", n)
	}
}

func TestKeysOutOfReachAreNoVerdict(t *testing.T) {
	for endpoint, want := range map[idptest.Endpoint]string{
		idptest.Discovery: "unavailable: keys", idptest.JWKS: "unavailable: keys",
	} {
		op := startOP(t)
		op.Set(func(b *idptest.Behaviour) { b.Fail[endpoint] = http.StatusBadGateway })
		if _, got := judge(t, op, accessTokens(t, op), op.AccessToken("RS256", nil, nil)); got != want {
			t.Errorf("SES-4 %s fails: %q", endpoint, got)
		}
	}
}

// Two verifiers and a login of one issuer share the bounds of one.
func TestKeysOfTheLoginProvider(t *testing.T) {
	op := startOP(t)
	p := rp(t, op)
	a := accessTokens(t, op, func(c *AccessTokenConfig) { c.Keys = p.Keys() })
	if _, got := judge(t, op, a, op.AccessToken("RS256", nil, nil)); got != "" {
		t.Error(got)
	}
	for range 10 {
		if _, got := judge(t, op, a, op.AccessToken("RS256", members{"kid": rand.Text()}, nil)); got != ReasonUnknownKey {
			t.Error(got)
		}
	}
	if _, err := signIn(t, op, p); err != nil {
		t.Error(err)
	}
	if keys, docs := op.Requests(idptest.JWKS), op.Requests(idptest.Discovery); keys != 1 || docs != 1 {
		t.Errorf("JWK-2: %d fetches of keys, %d of metadata", keys, docs)
	}
}

func TestAccessTokensRun(t *testing.T) {
	op := startOP(t)
	a := accessTokens(t, op)
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	group.Go(func() { a.Run(ctx) })
	eventually(t, "the keys are fetched", func() bool { return op.Requests(idptest.JWKS) == 1 })
	shared := accessTokens(t, op, func(c *AccessTokenConfig) { c.Keys = a.issuer.keys })
	group.Go(func() { shared.Run(ctx) })
	cancel()
	group.Wait()
	d := &shared.issuer.discovery
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.running != nil || !d.ended.IsZero() {
		t.Error("JWK-2: what the login provider looks after was discovered once more")
	}
}

func TestAccessTokenConfig(t *testing.T) {
	for name, tt := range map[string]struct {
		conf AccessTokenConfig
		want string
	}{
		"BEAR-1 no audience":    {AccessTokenConfig{IssuerURL: "https://id.test"}, "audiences are missing"},
		"BEAR-1 empty audience": {AccessTokenConfig{IssuerURL: "https://id.test", Audiences: []string{"a", ""}}, "audiences are missing"},
		"no issuer":             {AccessTokenConfig{Audiences: []string{"a"}}, "issuer URL"},
		"issuer with a query":   {AccessTokenConfig{IssuerURL: "https://id.test?x", Audiences: []string{"a"}}, "issuer URL"},
		"CA file":               {AccessTokenConfig{IssuerURL: "https://id.test", Audiences: []string{"a"}, CAFile: "/nowhere"}, "CA file"},
	} {
		if _, err := NewAccessTokens(tt.conf); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	a, err := NewAccessTokens(AccessTokenConfig{IssuerURL: "https://id.test/", Audiences: []string{"a"}})
	if err != nil || a.Issuer() != "https://id.test/" {
		t.Errorf("%v", err)
	}
}
