package bearer_test

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/bearer"
	"github.com/doorward/doorward/internal/secret"
)

func basic(user string, password secret.Secret) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password.Reveal()))
}

// TestAskWithAPIKey puts a key, and what looks like one, to tokens that know
// others too.
func TestAskWithAPIKey(t *testing.T) {
	id, key := bearer.NewAPIKey()
	_, unknown := bearer.NewAPIKey()
	forged := secret.Secret("dwk_"+id) + unknown[16:]
	i := &issuer{}
	tokens := bearer.New(bearer.Config{
		Others: []bearer.Verifier{i}, Render: render, Now: time.Now,
		Keys: bearer.NewKeyring([]bearer.APIKey{{
			User: auth.User{Issuer: "keys", Subject: id, ID: "ci", Groups: []string{"robots"}}, Hash: bearer.NewHash(key),
			Hosts: []string{"api.example.com", "*.int.example.com"},
		}}, nil, time.Now),
	})
	const host = "api.example.com"
	for _, tt := range []struct {
		name  string
		lines []string
		host  string
		user  string
		found bool
		err   error
	}{
		{"as a bearer token", []string{"Bearer " + key.Reveal()}, host, "ci", true, nil},
		{"as a bearer token, again", []string{"bearer " + key.Reveal()}, host, "ci", true, nil},
		{"RFC 7617 as a password", []string{basic("", key)}, host, "ci", true, nil},
		{"RFC 7617 with the owner's name", []string{basic("ci", key)}, host, "ci", true, nil},
		{"RFC 7617 the scheme in lower case", []string{"basic  " + basic("x", key)[6:]}, host, "ci", true, nil},
		{"a host below another", []string{basic("ci", key)}, "a.b.int.example.com", "ci", true, nil},
		{"another host", []string{"Bearer " + key.Reveal()}, "app.example.com", "ci", true, auth.ErrOtherHost},
		{"another host, as a password", []string{basic("ci", key)}, "app.example.com", "ci", true, auth.ErrOtherHost},
		{"the domain of a wildcard", []string{basic("ci", key)}, "int.example.com", "ci", true, auth.ErrOtherHost},
		{"a host that only ends like it", []string{basic("ci", key)}, "xapi.example.com", "ci", true, auth.ErrOtherHost},
		{"a host that ends like a wildcard", []string{basic("ci", key)}, "xint.example.com", "ci", true, auth.ErrOtherHost},

		{"unknown", []string{"Bearer " + unknown.Reveal()}, host, "", true, auth.ErrInvalidToken},
		{"unknown, as a password", []string{basic("ci", unknown)}, host, "", true, auth.ErrInvalidBasic},
		{"of an id that exists", []string{"Bearer " + forged.Reveal()}, host, "", true, auth.ErrInvalidToken},
		{"cut", []string{"Bearer " + key.Reveal()[:30]}, host, "", true, auth.ErrInvalidToken},
		{"the prefix alone", []string{basic("ci", "dwk_")}, host, "", true, auth.ErrInvalidBasic},
		{"in capital letters", []string{"Bearer dwk_" + strings.ToUpper(key.Reveal()[4:])}, host, "", true, auth.ErrInvalidToken},
		{"the bearer token of another issuer", []string{"Bearer good-ada"}, host, "ada", true, nil},
		{"a bad token of another issuer", []string{"Bearer bad-x"}, host, "", true, auth.ErrInvalidToken},

		{"the app's own password", []string{basic("ada", "hunter2")}, host, "", false, nil},
		{"the app's own, empty", []string{basic("", "")}, host, "", false, nil},
		{"the key in the place of the name", []string{basic(key.Reveal(), "x")}, host, "", false, nil},
		{"no colon", []string{"Basic " + base64.StdEncoding.EncodeToString([]byte(key.Reveal()))}, host, "", false, nil},
		{"no base64", []string{"Basic " + key.Reveal()}, host, "", false, nil},
		{"Basic alone", []string{"Basic"}, host, "", false, nil},
		{"Digest", []string{`Digest username="` + key.Reveal() + `"`}, host, "", false, nil},
		{"BEAR-3 twice", []string{basic("ci", key), basic("ci", key)}, host, "", true, auth.ErrInvalidToken},
	} {
		t.Run(tt.name, func(t *testing.T) {
			user, identity, found, err := tokens.Ask(t.Context(), auth.Request{Host: tt.host, Authorization: tt.lines})
			if user.ID != tt.user || found != tt.found || !errors.Is(err, tt.err) || (tt.err == nil) != (err == nil) {
				t.Errorf("%q, %v, %v", user.ID, found, err)
			}
			if errors.Is(err, auth.ErrInvalidBasic) != (tt.err == auth.ErrInvalidBasic) { //nolint:errorlint // which one the row names
				t.Errorf("RFC 9110 11.6.1: %v", err)
			}
			if (identity.Headers != nil) != (err == nil && found) {
				t.Errorf("AUTHZ-1: an identity beside %v", err)
			}
			if tt.user == "ci" && err == nil && identity.Headers[0].Value[0] != "ci " {
				t.Errorf("HDR: the identity of a key is %v; the key itself is for nobody else", identity)
			}
			if err != nil && (strings.Contains(err.Error(), key.Reveal()[16:]) || strings.Contains(err.Error(), unknown.Reveal()[16:])) {
				t.Errorf("LOG-2: a key is in the error %v", err)
			}
		})
	}
	if n := i.times(key.Reveal()) + i.times(unknown.Reveal()) + i.times(forged.Reveal()); n != 0 {
		t.Errorf("BEAR-1: API keys were shown %d times to an issuer of tokens", n)
	}
}

// TestWithKeys: other keys, and the verdicts about tokens go on.
func TestWithKeys(t *testing.T) {
	id, key := bearer.NewAPIKey()
	i := &issuer{}
	before := opaque(i)
	ask(t, before, "good-ada")
	ring := bearer.NewKeyring([]bearer.APIKey{{User: auth.User{Subject: id, ID: "ci"}, Hash: bearer.NewHash(key)}}, nil, time.Now)
	after := before.WithKeys(ring)
	if got := ask(t, after, "good-ada"); got != "ada" || i.times("") != 1 {
		t.Errorf("BEAR-4: %s, asked %d times", got, i.times(""))
	}
	request := auth.Request{Host: "any.test", Authorization: []string{basic("", key)}}
	for _, tt := range []struct {
		name   string
		tokens *bearer.Tokens
		user   string
		found  bool
	}{{"without", before, "", false}, {"with", after, "ci", true}, {"without again", after.WithKeys(nil), "", false}} {
		if user, _, found, err := tt.tokens.Ask(t.Context(), request); user.ID != tt.user || found != tt.found || err != nil {
			t.Errorf("%s: %q, %v, %v", tt.name, user.ID, found, err)
		}
	}
}
