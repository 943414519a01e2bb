package idp

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/doorward/doorward/internal/idp/idptest"
)

func TestKeycloakRoles(t *testing.T) {
	paths := func(c *Config) {
		c.GroupsClaims = []string{"groups", "realm_access.roles", "resource_access.grafana.roles"}
	}
	for _, tt := range []struct {
		name   string
		alg    string
		header map[string]any
		change func(map[string]any)
		want   []string
	}{
		{"realm and client roles", "RS256", nil, func(map[string]any) {}, []string{"offline_access", "admin", "editor"}},
		{"TOK-1 signed with a foreign key", "foreign", nil, func(map[string]any) {}, nil},
		{"TOK-1 not signed", "none", nil, func(map[string]any) {}, nil},
		{"TOK-3 a logout token", "RS256", map[string]any{"typ": "logout+jwt"}, func(map[string]any) {}, nil},
		{"another issuer", "RS256", nil, func(c map[string]any) { c["iss"] = "https://evil.example.com" }, nil},
		{"OIDC-8 of somebody else", "RS256", nil, func(c map[string]any) { c["sub"] = "user-2" }, nil},
		{"OIDC-8 of nobody", "RS256", nil, func(c map[string]any) { c["sub"] = nil }, nil},
		{"TOK-5 expired", "RS256", nil, func(c map[string]any) { c["exp"] = time.Now().Unix() - 120 }, nil},
		{"AUTHZ-5 roles as an object", "RS256", nil, func(c map[string]any) { c["realm_access"] = map[string]any{"roles": map[string]any{"admin": true}} }, []string{"editor"}},
		{"AUTHZ-5 roles of a number", "RS256", nil, func(c map[string]any) { c["resource_access"] = 7 }, []string{"offline_access", "admin"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			op := startOP(t)
			raw := rawAccess(op, tt.alg, tt.header, tt.change)
			op.Set(func(b *idptest.Behaviour) {
				delete(b.User, "groups")
				b.Claims = func(c map[string]any) { delete(c, "at_hash") }
				b.TokenAnswer = func(answer map[string]any) { answer["access_token"] = raw }
			})
			p := rp(t, op, paths, func(c *Config) { c.UserinfoURL = op.URL(idptest.Userinfo) })
			login, err := signIn(t, op, p)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, login.User.Groups); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// rawAccess is an access token as Keycloak makes them.
func rawAccess(op *idptest.Provider, alg string, header map[string]any, change func(map[string]any)) string {
	now := time.Now().Unix()
	c := map[string]any{
		"iss": op.Issuer(), "sub": "user-1", "aud": "account", "azp": "client", "typ": "Bearer", "iat": now, "exp": now + 300, "groups": nil,
		"realm_access":    map[string]any{"roles": []string{"offline_access", "admin"}},
		"resource_access": map[string]any{"grafana": map[string]any{"roles": []string{"editor"}}},
	}
	change(c)
	op.Set(func(b *idptest.Behaviour) { b.WrongKey = alg == "foreign" })
	defer op.Set(func(b *idptest.Behaviour) { b.WrongKey = false })
	if alg == "foreign" {
		alg = "RS256"
	}
	return op.AccessToken(alg, header, c)
}

func TestAccessTokenIsReadOnlyForWhatIsMissing(t *testing.T) {
	op := startOP(t)
	raw := rawAccess(op, "RS256", nil, func(c map[string]any) {
		c["groups"], c["email"], c["email_verified"] = []string{"admin"}, "root@example.com", true
	})
	op.Set(func(b *idptest.Behaviour) {
		b.Claims = func(c map[string]any) { delete(c, "at_hash") }
		b.TokenAnswer = func(answer map[string]any) { answer["access_token"] = raw }
	})
	p := rp(t, op, func(c *Config) { c.GroupsClaims = []string{"groups", "realm_access.roles"} })
	login, err := signIn(t, op, p)
	if err != nil || login.User.Email != "ada@example.com" || strings.Join(login.User.Groups, " ") != "sre platform offline_access admin" {
		t.Errorf("%+v, %v", login.User, err)
	}
}

func TestDexConnector(t *testing.T) {
	op := startOP(t)
	op.Set(user("federated_claims", map[string]any{"connector_id": "ldap", "user_id": "uid=ada"}))
	p := rp(t, op, func(c *Config) { c.Scopes = []string{"openid", "email", "groups", "federated:id"} })
	p.Keep([]string{"federated_claims.connector_id"})
	login, err := signIn(t, op, p)
	if err != nil || login.User.Claims["federated_claims.connector_id"] != "ldap" || len(login.User.Groups) != 2 {
		t.Errorf("%+v, %v", login.User, err)
	}
}

// TestDiscoveryAtAnotherAddress is a provider inside of a cluster: browsers know
// it by the issuer, which cannot be reached from here.
func TestDiscoveryAtAnotherAddress(t *testing.T) {
	const issuer = "http://id.example.com/realms/main"
	op := startOP(t)
	op.Set(func(b *idptest.Behaviour) {
		b.OmitIss = true
		b.Claims = func(c map[string]any) { c["iss"] = issuer }
		b.Discovery = func(doc map[string]any) { doc["issuer"] = issuer }
	})
	p := rp(t, op, func(c *Config) { c.IssuerURL, c.DiscoveryURL = issuer, op.URL(idptest.Discovery) })
	if login, err := signIn(t, op, p); err != nil || login.User.Issuer != issuer {
		t.Errorf("%+v, %v", login.User, err)
	}
	op.Set(inDocument("issuer", op.Issuer()))
	other := rp(t, op, func(c *Config) { c.IssuerURL, c.DiscoveryURL = issuer, op.URL(idptest.Discovery) })
	if _, err := signInAt(t, other); reason(err) != "unavailable: discovery" {
		t.Errorf("OIDC-9 the document is of the address and not of the issuer: %v", err)
	}
}

// TestDiscoveryInsideIsPlain: the issuer is https, and the provider is asked over
// http inside the cluster, as its document says.
func TestDiscoveryInsideIsPlain(t *testing.T) {
	const issuer = "https://id.example.com/realms/main"
	for _, tt := range []struct {
		name          string
		member, value string
		want          string
	}{
		{"its own addresses", "", "", ""},
		{"OIDC-9 another server's", "token_endpoint", "http://other.example.com/token", "unavailable: discovery"},
		{"OIDC-9 where browsers go", "authorization_endpoint", "", "unavailable: discovery"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			op := startOP(t)
			op.Set(func(b *idptest.Behaviour) {
				b.OmitIss = true
				b.Claims = func(c map[string]any) { c["iss"] = issuer }
				b.Discovery = func(doc map[string]any) {
					doc["issuer"], doc["end_session_endpoint"] = issuer, "https://id.example.com/logout"
					if tt.value != "" {
						doc[tt.member] = tt.value
					}
				}
			})
			p := rp(t, op, func(c *Config) {
				c.IssuerURL, c.DiscoveryURL = issuer, op.URL(idptest.Discovery)
				if tt.member != "authorization_endpoint" {
					c.AuthURL = op.URL(idptest.Authorize)
				}
			})
			if _, err := signInAt(t, p); reason(err) != tt.want {
				t.Fatalf("got %v, want %q", err, tt.want)
			}
			if tt.want != "" {
				return
			}
			if login, err := signIn(t, op, p); err != nil || login.User.Issuer != issuer {
				t.Errorf("%+v, %v", login.User, err)
			}
		})
	}
}

// TestEveryAddressByHand is the same without discovery, with userinfo, which is
// asked for the groups.
func TestEveryAddressByHand(t *testing.T) {
	const issuer = "http://id.example.com/realms/main"
	op := startOP(t)
	op.Set(func(b *idptest.Behaviour) {
		b.OmitIss, b.UserinfoOnly = true, []string{"groups"}
		b.Claims = func(c map[string]any) { c["iss"] = issuer }
	})
	p := rp(t, op, func(c *Config) {
		c.IssuerURL, c.Discovery = issuer, false
		c.AuthURL, c.TokenURL, c.JWKSURL = op.URL(idptest.Authorize), op.URL(idptest.Token), op.URL(idptest.JWKS)
		c.UserinfoURL, c.EndSessionURL = op.URL(idptest.Userinfo), "https://id.example.com/logout"
	})
	login, err := signIn(t, op, p)
	if err != nil || login.User.Issuer != issuer || len(login.User.Groups) != 2 || op.Requests(idptest.Discovery) != 0 {
		t.Errorf("%+v, %v", login.User, err)
	}
	if out := p.EndSessionURL(SignOut{}); !strings.HasPrefix(out, "https://id.example.com/logout?") {
		t.Errorf("signs out at %q", out)
	}
}

// TestOddNames is for every kind: what people and groups are called arrives byte
// for byte, and what becomes of it in a header is up to those (HDR-9).
func TestOddNames(t *testing.T) {
	const name, group = "Jörg \x00\r\nX-Admin: 1 例\u202e", "g1,g2\r\nX-Groups: admin\x00ü"
	logins := map[string]func(*testing.T) (Login, error){
		"oidc": func(t *testing.T) (Login, error) {
			op := startOP(t)
			op.Set(user("name", name, "preferred_username", name, "groups", []string{group}))
			return signIn(t, op, rp(t, op))
		},
		"entra": func(t *testing.T) (Login, error) {
			op, g := startOP(t), startGraph(t)
			g.groups = []string{`g1,g2\r\nX-Groups: admin\u0000ü`}
			p := entraOf(t, op, g, []string{tenantA})
			entraUser(op, tenantA, map[string]any{"name": name, "preferred_username": name, "hasgroups": true, "groups": nil})
			return signIn(t, op, p)
		},
		"google": func(t *testing.T) (Login, error) {
			op, g := startOP(t), startWorkspace(t)
			g.groups = []string{group}
			op.Set(user("name", name, "preferred_username", name))
			return signIn(t, op, googleOf(t, op, g, func(c *Config) { c.GroupsFrom = GoogleIdentity }))
		},
	}
	for _, gitea := range []bool{false, true} {
		logins[fmt.Sprintf("github, gitea %v", gitea)] = func(t *testing.T) (Login, error) {
			f, p, _ := forge(t, gitea)
			f.Set(func(c *idptest.Contents) {
				c.User["name"], c.User["full_name"], c.User["login"], c.Teams = name, name, name, nil
				c.Orgs = []map[string]any{{"login": group, "username": group}}
			})
			return signInAt(t, p)
		}
	}
	for kind, login := range logins {
		t.Run(kind, func(t *testing.T) {
			got, err := login(t)
			if err != nil {
				t.Fatal(err)
			}
			if u := got.User; u.Name != name || u.PreferredUsername != name || !slices.Equal(u.Groups, []string{group}) {
				t.Errorf("HDR-9: %q, %q, %q", u.Name, u.PreferredUsername, u.Groups)
			}
		})
	}
}
