package server_test

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/bearer"
	"github.com/doorward/doorward/internal/gate"
	"github.com/doorward/doorward/internal/headers"
	"github.com/doorward/doorward/internal/idp"
	"github.com/doorward/doorward/internal/idp/idptest"
	"github.com/doorward/doorward/internal/policy"
	"github.com/doorward/doorward/internal/secret"
)

// token is an access token of the provider, with claims changed.
func (h *house) token(change map[string]any) string {
	claims := map[string]any{
		"iss": h.provider.Issuer(), "sub": "client-1", "aud": "api",
		"iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(), "groups": []string{"robots"},
	}
	maps.Copy(claims, change)
	payload, err := json.Marshal(claims)
	h.must(err)
	return h.provider.Sign("RS256", []byte(`{"alg":"RS256","typ":"at+jwt","kid":"rsa-1"}`), payload)
}

// TestBearer is the part of CONTRACT.md about API clients, through real HTTP.
func TestBearer(t *testing.T) {
	h := newHouse(t, options{})
	rules := []policy.Rule{
		{Name: "public", Paths: []string{"/public"}, Public: true},
		{Name: "robots", Paths: []string{"/robots"}, Allow: &policy.Allow{Groups: []string{"robots"}}},
		{Name: "people", Paths: []string{"/people"}, Allow: &policy.Allow{Groups: []string{"sre"}}},
		{Name: "strong", Paths: []string{"/strong"}, ACR: []string{"mfa"}, Allow: &policy.Allow{Any: true}},
	}
	verifier, err := idp.NewAccessTokens(idp.AccessTokenConfig{IssuerURL: h.provider.Issuer(), Audiences: []string{"api"}})
	h.must(err)
	render := headers.New(headers.Config{Families: []string{"x-auth-request"}})
	h.server.Gate.Govern(&gate.Rules{
		Set:    policy.New(rules, []string{"*.example.com"}, time.Now),
		Nobody: render.Render(auth.User{}, auth.Tokens{}),
		Tokens: bearer.New(bearer.Config{
			Issuers: map[string]bearer.Verifier{h.provider.Issuer(): verifier}, Render: render.Render, Now: time.Now,
		}),
	})
	nobody, ada := h.browser(), h.browser()
	ada.signIn("/")
	good, bad := "Bearer "+h.token(nil), "Bearer "+h.token(map[string]any{"aud": "other"})
	for _, tt := range []struct {
		name          string
		b             *browser
		path          string
		authorization string
		status        int
		user          string
		challenge     string
	}{
		{"good token", nobody, "/robots", good, 202, "client-1", ""},
		{"scheme in lower case", nobody, "/robots", "bearer" + good[6:], 202, "client-1", ""},
		{"AUTHZ-7 not for tokens", nobody, "/people", good, 403, "", ""},
		{"BEAR-1 bad token is never a login", nobody, "/robots", bad, 401, "", `Bearer error="invalid_token"`},
		{"BEAR-1 bad token beside a good session", ada, "/people", bad, 401, "", `Bearer error="invalid_token"`},
		{"a good token goes before a session", ada, "/people", good, 403, "", ""},
		{"a session without a token", ada, "/people", "-", 202, "user-1", ""},
		{"another scheme is the app's", ada, "/people", "Basic YTpi", 202, "user-1", ""},
		{"bad token on a public rule", nobody, "/public", bad, 202, "", ""},
		{"bad token on a public rule, beside a session", ada, "/public", bad, 202, "user-1", ""},
		{"good token on a public rule", nobody, "/public", good, 202, "client-1", ""},
		{"step-up is no login either", nobody, "/strong", good, 401, "", `Bearer realm="doorward"`},
		{"nobody", nobody, "/robots", "-", 401, "", `Bearer realm="doorward"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := tt.b.check("https://app.example.com"+tt.path, "Authorization", tt.authorization)
			if got.status != tt.status || got.header.Get("X-Auth-Request-User") != tt.user || got.header.Get("Www-Authenticate") != tt.challenge {
				t.Errorf("%d as %q, %q", got.status, got.header.Get("X-Auth-Request-User"), got.header.Get("Www-Authenticate"))
			}
			if tt.authorization != "-" && got.header.Get("Location") != "" {
				t.Errorf("a request with a token is sent to %q", got.header.Get("Location"))
			}
		})
	}
	t.Run("keys out of reach are not a bad token", func(t *testing.T) {
		h.provider.Set(func(b *idptest.Behaviour) { b.Fail[idptest.JWKS] = http.StatusServiceUnavailable })
		down, err := idp.NewAccessTokens(idp.AccessTokenConfig{IssuerURL: h.provider.Issuer(), Audiences: []string{"api"}})
		h.must(err)
		h.server.Gate.Govern(&gate.Rules{
			Set: policy.New(rules, []string{"*.example.com"}, time.Now),
			Tokens: bearer.New(bearer.Config{
				Issuers: map[string]bearer.Verifier{h.provider.Issuer(): down}, Render: render.Render, Now: time.Now,
			}),
		})
		got := nobody.check("https://app.example.com/robots", "Authorization", good)
		if got.status != http.StatusServiceUnavailable || got.header.Get("Retry-After") == "" {
			t.Errorf("%d %v", got.status, got.header)
		}
	})
}

// TestAPIKeys is the part of CONTRACT.md about API keys, through real HTTP.
func TestAPIKeys(t *testing.T) {
	h := newHouse(t, options{})
	id, key := bearer.NewAPIKey()
	_, unknown := bearer.NewAPIKey()
	render := headers.New(headers.Config{Families: []string{"x-auth-request"}, PassAccessToken: true}).Render
	asked := []string{"level"}
	h.server.Gate.Govern(&gate.Rules{
		Set: policy.New([]policy.Rule{
			{Name: "public", Paths: []string{"/public"}, Public: true},
			{Name: "robots", Paths: []string{"/robots"}, Allow: &policy.Allow{Groups: []string{"robots"}}},
			{Name: "people", Paths: []string{"/people"}, Allow: &policy.Allow{Groups: []string{"sre"}}},
			{Name: "strong", Paths: []string{"/strong"}, ACR: []string{"mfa"}, Allow: &policy.Allow{Any: true}},
			{Name: "level", Paths: []string{"/level"}, Allow: &policy.Allow{Claims: map[string][]string{"level": {"3"}}}},
			{Name: "at", Paths: []string{"/at"}, Provider: "test", Allow: &policy.Allow{Any: true}},
		}, []string{"*.example.com"}, time.Now),
		Nobody: render(auth.User{}, auth.Tokens{}),
		Tokens: bearer.New(bearer.Config{Render: render, Now: time.Now, Keys: bearer.NewKeyring([]bearer.APIKey{{
			User: auth.User{Issuer: "keys", Subject: id, ID: "ci", Groups: []string{"robots"}, ClaimsAsked: asked},
			Hash: bearer.NewHash(key), Hosts: []string{"app.example.com"},
		}}, nil, time.Now)}),
	})
	nobody, ada := h.browser(), h.browser()
	ada.signIn("/")
	basic := func(password secret.Secret) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte("x:"+password.Reveal()))
	}
	const challenge = `Basic realm="doorward", Bearer error="invalid_token"`
	good, bad := "Bearer "+key.Reveal(), "Bearer "+unknown.Reveal()
	for _, tt := range []struct {
		name          string
		b             *browser
		url           string
		authorization string
		status        int
		user          string
		challenge     string
	}{
		{"a bearer token", nobody, "app.example.com/robots", good, 202, "ci", ""},
		{"a password", nobody, "app.example.com/robots", basic(key), 202, "ci", ""},
		{"AUTHZ-7 not for keys", nobody, "app.example.com/people", good, 403, "", ""},
		{"a key goes before a session", ada, "app.example.com/people", basic(key), 403, "", ""},
		{"another host", nobody, "other.example.com/robots", good, 403, "", ""},
		{"another host, beside a session", ada, "other.example.com/people", basic(key), 403, "", ""},
		{"another host, public", nobody, "other.example.com/public", good, 202, "", ""},
		{"another host, public, beside a session", ada, "other.example.com/public", good, 202, "user-1", ""},
		{"public", nobody, "app.example.com/public", basic(key), 202, "ci", ""},
		{"BEAR-3 unknown is never a login", nobody, "app.example.com/robots", bad, 401, "", `Bearer error="invalid_token"`},
		{"BEAR-3 unknown as a password", nobody, "app.example.com/robots", basic(unknown), 401, "", challenge},
		{"BEAR-3 unknown beside a good session", ada, "app.example.com/people", basic(unknown), 401, "", challenge},
		{"unknown on a public rule", ada, "app.example.com/public", basic(unknown), 202, "user-1", ""},
		{"the app's own password", ada, "app.example.com/people", basic("hunter2"), 202, "user-1", ""},
		{"the app's own password, nobody", nobody, "app.example.com/people", basic("hunter2"), 401, "", `Bearer realm="doorward"`},
		{"step-up is no login", nobody, "app.example.com/strong", basic(key), 401, "", `Bearer realm="doorward"`},
		{"a claim that keys do not have", nobody, "app.example.com/level", good, 403, "", ""},
		{"a provider is no key", nobody, "app.example.com/at", good, 403, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := tt.b.check("https://"+tt.url, "Authorization", tt.authorization)
			if got.status != tt.status || got.header.Get("X-Auth-Request-User") != tt.user || got.header.Get("Www-Authenticate") != tt.challenge {
				t.Errorf("%d as %q, %q", got.status, got.header.Get("X-Auth-Request-User"), got.header.Get("Www-Authenticate"))
			}
			if tt.authorization != basic("hunter2") && got.header.Get("Location") != "" {
				t.Errorf("a request with a key is sent to %q", got.header.Get("Location"))
			}
			if got.status == 202 && got.header.Get("X-Auth-Request-Access-Token") != "" {
				t.Error("LOG-2: a key is passed on")
			}
		})
	}
}
