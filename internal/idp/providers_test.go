package idp

import (
	"encoding/base64"
	"testing"
)

func TestOfIssuer(t *testing.T) {
	const tenant, second, foreign = "11111111-2222-3333-4444-555555555555", "66666666-2222-3333-4444-555555555555", "99999999-2222-3333-4444-555555555555"
	var all Providers
	for _, conf := range []Config{
		{Name: "keycloak", IssuerURL: "https://id.example.com/realms/main", Discovery: true},
		{Name: "entra", Type: "entra", Tenants: []string{tenant, second}, Discovery: true},
		{Name: "github", Type: "github"},
	} {
		conf.ClientID, conf.ClientSecret = "client", "secret"
		p, err := New(conf)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	for _, tt := range []struct{ issuer, want string }{
		{"https://id.example.com/realms/main", "keycloak"},
		{"https://login.microsoftonline.com/" + tenant + "/v2.0", "entra"},
		{"https://login.microsoftonline.com/" + second + "/v2.0", "entra"},
		{"https://login.microsoftonline.com/" + foreign + "/v2.0", ""},
		{"https://login.microsoftonline.com/{tenantid}/v2.0", ""},
		{"https://id.example.com/realms/main/", ""},
		{"https://github.com", ""}, // which has no tokens to verify
		{all[2].Issuer(), ""},
		{"", ""},
	} {
		p, ok := all.OfIssuer(tt.issuer)
		if ok != (tt.want != "") || ok && p.Name() != tt.want {
			t.Errorf("OUT-3 OUT-5: %q is of %v", tt.issuer, p)
		}
		l := NewLogoutTokens(all)
		token := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256","typ":"logout+jwt"}`)) + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"iss":"`+tt.issuer+`"}`)) + ".AAAA"
		if p, err := l.issuedBy(token); (err == nil) != (tt.want != "") || err == nil && p.Name() != tt.want {
			t.Errorf("OUT-3: a token of %q: %v", tt.issuer, err)
		}
	}
}
