package idp

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/idp/idptest"
	"github.com/doorward/doorward/internal/secret"
)

// introspection asks op about tokens. Its log is searched for them at the end.
func introspection(t *testing.T, op *idptest.Provider, change ...func(*IntrospectionConfig)) *Introspection {
	t.Helper()
	log := &logBuffer{}
	conf := IntrospectionConfig{
		IntrospectionURL: op.URL(idptest.Introspect), ClientID: op.ClientID, ClientSecret: secret.Secret(op.ClientSecret), Log: logTo(log),
	}
	for _, c := range change {
		c(&conf)
	}
	i, err := NewIntrospection(conf)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		i.CloseIdleConnections()
		assertNoSecrets(t, op, log.String())
	})
	return i
}

func TestIntrospection(t *testing.T) {
	op := startOP(t)
	open := introspection(t, op)
	bound := introspection(t, op, func(c *IntrospectionConfig) { c.Audiences = []string{"api", "api2"} })
	for _, tt := range []struct {
		name   string
		answer members
		want   string
		bound  string // with audiences
	}{
		{"as it should be", nil, "", ""},
		{"BEAR not active", members{"active": false}, ReasonInactive, ReasonInactive},
		{"BEAR active is a string", members{"active": "true"}, ReasonInactive, ReasonInactive},
		{"BEAR active is a number", members{"active": 1}, ReasonInactive, ReasonInactive},
		{"BEAR active is missing", members{"active": nil}, ReasonInactive, ReasonInactive},
		{"TOK-4 active in another case", members{"active": nil, "Active": true}, ReasonInactive, ReasonInactive},

		{"TOK-5 expired", members{"exp": in(-61)}, ReasonExpired, ReasonExpired},
		{"TOK-5 expired within the skew", members{"exp": in(-50)}, "", ""},
		{"TOK-4 exp is a string", members{"exp": "9999999999"}, ReasonExpired, ReasonExpired},
		{"RFC 7662 without exp", members{"exp": nil}, "", ""},
		{"TOK-5 not yet valid", members{"nbf": in(70)}, ReasonNotYetValid, ReasonNotYetValid},
		{"TOK-5 issued in the future", members{"iat": in(70)}, ReasonIssuedAt, ReasonIssuedAt},

		{"BEAR-1 another audience", members{"aud": "other"}, "", ReasonAudience},
		{"BEAR-1 no audience", members{"aud": nil}, "", ReasonAudience},
		{"BEAR-1 one audience of two", members{"aud": []string{"other", "api2"}}, "", ""},

		{"BEAR-2 refresh token", members{"token_type": "refresh_token"}, ReasonTokenType, ReasonTokenType},
		{"BEAR-2 refresh token (Keycloak)", members{"token_type": "Refresh", "typ": "Refresh"}, ReasonTokenType, ReasonTokenType},
		{"BEAR-2 refresh token by its typ only", members{"typ": "Refresh"}, ReasonTokenType, ReasonTokenType},
		{"BEAR-2 refresh token (Hydra)", members{"token_use": "refresh_token"}, ReasonTokenType, ReasonTokenType},
		{"BEAR-2 ID token (Keycloak)", members{"typ": "ID"}, ReasonTokenType, ReasonTokenType},
		{"BEAR-2 DPoP-bound token", members{"token_type": "DPoP", "cnf": members{"jkt": "x"}}, ReasonTokenType, ReasonTokenType},
		{"BEAR-2 certificate-bound token", members{"cnf": members{"x5t#S256": "x"}}, ReasonTokenType, ReasonTokenType},
		{"BEAR-2 token_type is a list", members{"token_type": []string{"Bearer"}}, ReasonTokenType, ReasonTokenType},
		{"RFC 7662 without token_type", members{"token_type": nil}, "", ""},
		{"RFC 7662 token_type in another case", members{"token_type": "bearer"}, "", ""},
		{"BEAR-2 access token (Keycloak, Dex)", members{"typ": "Bearer", "token_use": "access_token"}, "", ""},

		{"BEAR-5 sub is a number", members{"sub": 1}, ReasonSubject, ReasonSubject},
		{"BEAR-5 empty sub", members{"sub": ""}, ReasonSubject, ReasonSubject},
		{"BEAR-5 neither sub nor client_id", members{"sub": nil, "client_id": nil}, ReasonSubject, ReasonSubject},
		{"BEAR-5 sub is null", members{"sub": json.RawMessage("null")}, ReasonSubject, ReasonSubject},
		{"BEAR-5 a client's own token, and the user claim is sub", members{"sub": nil}, ReasonUserClaim, ReasonUserClaim},
		{"BEAR-5 iss is a number", members{"iss": 1}, ReasonIssuer, ReasonIssuer},
	} {
		t.Run(tt.name, func(t *testing.T) {
			token := op.OpaqueToken(tt.answer)
			if _, got := judge(t, op, open, token); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if _, got := judge(t, op, bound, token); got != tt.bound {
				t.Errorf("with audiences: got %q, want %q", got, tt.bound)
			}
		})
	}
	for name, token := range map[string]string{
		"unknown": "nobody's", "empty": "", "1 MB": strings.Repeat("A", 1<<20), "form characters": "a&token=b",
	} {
		want := ReasonInactive
		if name == "empty" || name == "1 MB" {
			want = ReasonTokenFormat
		}
		if _, got := judge(t, op, open, token); got != want {
			t.Errorf("%s token: %q", name, got)
		}
	}
}

func TestIntrospectionUser(t *testing.T) {
	op := startOP(t)
	i := introspection(t, op, func(c *IntrospectionConfig) {
		c.Provider, c.EmailClaim, c.GroupsClaims = "dex", "ext.email", []string{"ext.groups"}
	})
	i.Keep([]string{"scope", "client_id"})
	exp := in(100)
	user, expiry, err := i.Verify(t.Context(), secret.Secret(op.OpaqueToken(members{
		"exp": exp, "ext": members{"email": "ada@EXAMPLE.com", "email_verified": true, "groups": []string{"ops"}},
	})))
	if err != nil || expiry.Unix() != exp {
		t.Fatalf("%v, %v", expiry, err)
	}
	want := auth.User{
		Provider: "dex", Issuer: op.Issuer(), Subject: "user-1", ID: "user-1", Email: "ada@example.com", PreferredUsername: "ada",
		Name: "Ada Lovelace", Groups: []string{"ops"}, Claims: members{"scope": "read", "client_id": "robot"},
		ClaimsAsked: []string{"scope", "client_id"},
	}
	if diff := cmp.Diff(want, user); diff != "" {
		t.Error(diff)
	}

	i = introspection(t, op, func(c *IntrospectionConfig) { c.UserClaim = "client_id" })
	user, expiry, err = i.Verify(t.Context(), secret.Secret(op.OpaqueToken(members{"sub": nil, "iss": nil, "exp": nil, "email_verified": false})))
	if err != nil || user.Subject != "client:robot" || user.ID != "robot" || user.Issuer != op.URL(idptest.Introspect) || user.Email != "" || !expiry.IsZero() {
		t.Errorf("BEAR-5 a client's own token: %+v, %v, %v", user, expiry, err)
	}
}

func TestIntrospectionThatCannotTell(t *testing.T) {
	op := startOP(t)
	i := introspection(t, op)
	token := op.OpaqueToken(nil)
	written := func(status int, body string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/introspect2")
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		})
	}
	for name, handler := range map[string]http.Handler{
		"500":                     written(500, ""),
		"429":                     written(429, ""),
		"400":                     written(400, `{"error":"invalid_request"}`),
		"400 of something else":   written(400, `unsupported_token_type`),
		"503 in its words":        written(503, `{"error":"unsupported_token_type"}`),
		"our secret is wrong":     written(401, `{"active":false}`),
		"redirect":                written(307, `{"active":true}`),
		"200 in its name only":    written(202, `{"active":true,"sub":"x"}`),
		"no JSON":                 written(200, `<html>`),
		"TOK-4 a name twice":      written(200, `{"active":false,"sub":"x","active":true}`),
		"TOK-4 two objects":       written(200, `{"active":true,"sub":"x"}{}`),
		"empty":                   written(200, ``),
		"a list":                  written(200, `[{"active":true}]`),
		"LIM-2 more than 64 KiB":  written(200, `{"active":true,"sub":"x","pad":"`+strings.Repeat("p", maxIntrospection)+`"}`),
		"LIM-2 more than 1 MiB":   written(200, `{"active":true,"sub":"x","pad":"`+strings.Repeat("p", maxBody)+`"}`),
		"a JWT (RFC 9701)":        written(200, "eyJhbGciOiJSUzI1NiJ9.e30.AA"),
		"the connection is cut":   http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }),
		"not UTF-8":               written(200, "{\"active\":true,\"sub\":\"\xff\"}"),
		"nested too deep":         written(200, `{"active":true,"sub":"x","a":`+strings.Repeat("[", 100)+strings.Repeat("]", 100)+`}`),
		"the answer stops midway": written(200, `{"active":true,"sub":"x"`),
	} {
		op.Set(func(b *idptest.Behaviour) { b.Handle[idptest.Introspect] = handler })
		if _, got := judge(t, op, i, token); got != "unavailable: introspection" {
			t.Errorf("SES-4 %s: %q", name, got)
		}
	}
	op.Set(func(b *idptest.Behaviour) {
		b.Handle[idptest.Introspect] = written(400, `{"error":"unsupported_token_type","error_description":"a JWT"}`)
	})
	if _, got := judge(t, op, i, token); got != ReasonInactive {
		t.Errorf("RFC 7009 2.2.1, a token that the endpoint does not look at: %q", got)
	}
	op.Reset()
	if _, got := judge(t, op, i, token); got != "" {
		t.Errorf("back again: %q", got)
	}
	wrong := introspection(t, op, func(c *IntrospectionConfig) { c.ClientSecret = "wrong" })
	if _, got := judge(t, op, wrong, token); got != "unavailable: introspection" {
		t.Errorf("SES-4 wrong client secret: %q", got)
	}
	op.Close()
	if _, got := judge(t, op, i, token); got != "unavailable: introspection" {
		t.Errorf("SES-4 down: %q", got)
	}
}

func TestIntrospectionConfig(t *testing.T) {
	good := IntrospectionConfig{IntrospectionURL: "https://id.test/introspect", ClientID: "x", ClientSecret: "hush"}
	if _, err := NewIntrospection(good); err != nil {
		t.Error(err)
	}
	for name, tt := range map[string]struct {
		change func(*IntrospectionConfig)
		want   string
	}{
		"no URL":         {func(c *IntrospectionConfig) { c.IntrospectionURL = "" }, "introspection URL"},
		"a file":         {func(c *IntrospectionConfig) { c.IntrospectionURL = "file:///x" }, "introspection URL"},
		"no client":      {func(c *IntrospectionConfig) { c.ClientID = "" }, "client id"},
		"no secret":      {func(c *IntrospectionConfig) { c.ClientSecret = "" }, "client secret"},
		"empty audience": {func(c *IntrospectionConfig) { c.Audiences = []string{""} }, "audiences"},
		"CA file":        {func(c *IntrospectionConfig) { c.CAFile = "/nowhere" }, "CA file"},
	} {
		conf := good
		tt.change(&conf)
		if _, err := NewIntrospection(conf); err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzIntrospection holds every answer that lets a token in against encoding/json,
// which shares no code with the reader.
func FuzzIntrospection(f *testing.F) {
	for _, seed := range []string{
		`{"active":true,"sub":"x"}`, `{"active":false}`, `{"active":"true","sub":"x"}`, `{"active":true,"active":false,"sub":"x"}`,
		`{"active":true,"client_id":"robot","exp":99999999999,"aud":["api"],"token_type":"Bearer","iss":"https://id.test"}`,
		`{"active":true,"sub":"x","exp":1}`, `{"Active":true,"sub":"x"}`, `{"active":true,"sub":"x","cnf":{}}`, `[]`, `{"active":true,"sub":null}`,
		`{"active":true,"sub":"x","expR":1e400}`, `{"active":true,"sub":"x","typ":"Refresh"}`, `{"active":true,"sub":"x","exp":1e400}`, `{"active":true,"sub":"x"}{}`,
	} {
		f.Add([]byte(seed))
	}
	now := time.Unix(1_700_000_000, 0)
	i, err := NewIntrospection(IntrospectionConfig{
		IntrospectionURL: "https://id.test/introspect", ClientID: "x", ClientSecret: "x", UserClaim: "client_id", Now: func() time.Time { return now },
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		c, expiry, err := i.read(body)
		if err != nil {
			invalid := errors.Is(verdict(err), auth.ErrInvalidToken)
			if got := reason(err); strings.HasPrefix(got, "untyped") || invalid == strings.HasPrefix(got, "unavailable") {
				t.Fatalf("%v", err)
			}
			return
		}
		var plain map[string]any
		decoder := json.NewDecoder(bytes.NewReader(body))
		decoder.UseNumber() // a number that nobody asks about may be as large as it likes
		if err := decoder.Decode(&plain); err != nil || plain["active"] != true || plain["cnf"] != nil {
			t.Fatalf("BEAR: let in %q: %v", body, err)
		}
		number, there := plain["exp"].(json.Number)
		if exp, err := number.Float64(); there == expiry.IsZero() || there && (err != nil || exp+60 < float64(now.Unix())) {
			t.Fatalf("BEAR-4: exp %v became %v", plain["exp"], expiry)
		}
		user, err := i.user(t.Context(), c)
		if err == nil && (user.Nobody() || user.ID != fmt.Sprint(plain["client_id"])) {
			t.Fatalf("BEAR-5: %q became %+v", body, user)
		}
	})
}
