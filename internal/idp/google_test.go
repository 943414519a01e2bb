package idp

import (
	"crypto/elliptic"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/doorward/doorward/internal/idp/idptest"
)

// workspace is Google's APIs as far as groups go: a token endpoint for service
// accounts, the Directory and Cloud Identity, in pages.
type workspace struct {
	*httptest.Server
	key     any // public, of the service account
	member  string
	groups  []string
	size    int
	handle  map[string]http.Handler
	tokens  atomic.Int64
	lists   atomic.Int64
	subject atomic.Value // of the last assertion
}

func startWorkspace(t *testing.T) *workspace {
	t.Helper()
	g := &workspace{handle: map[string]http.Handler{}, size: 2, groups: []string{"sre@example.com", "all@example.com", "o'neil@example.com"}}
	mux := http.NewServeMux()
	mux.HandleFunc("/token", g.token)
	mux.HandleFunc("/admin/directory/v1/groups", func(w http.ResponseWriter, r *http.Request) {
		g.list(w, r, r.URL.Query().Get("userKey") == "user-1", "service", "groups", func(group string) any {
			return map[string]any{"kind": "admin#directory#group", "id": "1", "email": group}
		})
	})
	for path, kind := range map[string]string{"searchTransitiveGroups": "user", "searchDirectGroups": "user"} {
		mux.HandleFunc("/v1/groups/-/memberships:"+path, func(w http.ResponseWriter, r *http.Request) {
			query := r.URL.Query().Get("query")
			good := query == "member_key_id == '"+g.member+"' && 'cloudidentity.googleapis.com/groups.discussion_forum' in labels"
			g.list(w, r, good, kind, "memberships", func(group string) any {
				return map[string]any{"group": "groups/1", "groupKey": map[string]any{"id": group}, "displayName": "x"}
			})
		})
	}
	g.member = "ada@example.com"
	g.Server = httptest.NewServer(mux)
	t.Cleanup(g.Close)
	return g
}

// token takes an assertion of the service account (RFC 7523 2.1).
func (g *workspace) token(w http.ResponseWriter, r *http.Request) {
	g.tokens.Add(1)
	if h := g.handle["/token"]; h != nil {
		h.ServeHTTP(w, r)
		return
	}
	var about map[string]any
	jws, err := jose.ParseSignedCompact(r.PostFormValue("assertion"), algorithms)
	if err == nil {
		var payload []byte
		if payload, err = jws.Verify(g.key); err == nil {
			err = json.Unmarshal(payload, &about)
		}
	}
	if err != nil || r.PostFormValue("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer" || about["iss"] != "doorward@p.iam.example.com" ||
		about["aud"] != g.URL+"/token" || jws.Signatures[0].Header.KeyID != "key-1" {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"error":"invalid_grant"}`))
		return
	}
	g.subject.Store(fmt.Sprint(about["sub"], " ", about["scope"]))
	_, _ = w.Write([]byte(`{"access_token":"service-token","token_type":"Bearer","expires_in":3599}`))
}

func (g *workspace) list(w http.ResponseWriter, r *http.Request, good bool, whose, member string, entry func(string) any) {
	g.lists.Add(1)
	bearer := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	if h := g.handle["list"]; h != nil {
		h.ServeHTTP(w, r)
		return
	}
	if !good || whose == "service" && bearer != "service-token" || bearer != "service-token" && !strings.HasPrefix(bearer, "access-") {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	from := 0
	_, _ = fmt.Sscan(strings.TrimPrefix(r.URL.Query().Get("pageToken"), "page "), &from)
	to := min(from+g.size, len(g.groups))
	answer, entries := map[string]any{}, []any{}
	for _, group := range g.groups[from:to] {
		entries = append(entries, entry(group))
	}
	if len(entries) > 0 {
		answer[member] = entries // an empty list is left out
	}
	if to < len(g.groups) {
		answer["nextPageToken"] = fmt.Sprintf("page %d", to)
	}
	_ = json.NewEncoder(w).Encode(answer)
}

// accountFile is the key file of a service account of g.
func accountFile(t *testing.T, g *workspace, change map[string]any) string {
	t.Helper()
	key := newECKey(t, elliptic.P256())
	g.key = key.Public()
	members := map[string]any{
		"type": "service_account", "private_key_id": "key-1", "private_key": string(pkcs8(t, key)),
		"client_email": "doorward@p.iam.example.com", "token_uri": g.URL + "/token", "universe_domain": "googleapis.com",
	}
	for name, value := range change {
		members[name] = value
	}
	raw, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	return write(t, filepath.Join(t.TempDir(), "account.json"), raw)
}

func googleOf(t *testing.T, op *idptest.Provider, g *workspace, change ...func(*Config)) *Provider {
	t.Helper()
	op.Set(func(b *idptest.Behaviour) { delete(b.User, "groups") })
	return rp(t, op, append([]func(*Config){func(c *Config) { c.Type = "google"; c.APIURL = g.URL }}, change...)...)
}

func TestGoogleDefaults(t *testing.T) {
	for from, want := range map[string]string{
		"":             "https://cloudidentity.googleapis.com openid email profile",
		GoogleIdentity: "https://cloudidentity.googleapis.com openid email profile https://www.googleapis.com/auth/cloud-identity.groups.readonly",
	} {
		p, err := New(Config{Name: "g", Type: "google", ClientID: "c", Discovery: true, GroupsFrom: from})
		if err != nil {
			t.Fatal(err)
		}
		if got := p.conf.APIURL + " " + strings.Join(p.conf.Scopes, " "); got != want || p.Issuer() != "https://accounts.google.com" {
			t.Errorf("%q: %s at %s", from, got, p.Issuer())
		}
	}
}

func TestGoogleHostedDomain(t *testing.T) {
	for _, tt := range []struct {
		name    string
		domains []string
		hd      any
		sent    string
		want    string
	}{
		{"any account", nil, nil, "", ""},
		{"of the domain", []string{"example.com"}, "example.com", "example.com", ""},
		{"of the domain, in capitals", []string{"Example.COM"}, "EXAMPLE.com", "example.com", ""},
		{"one of two", []string{"example.org", "example.com"}, "example.com", "*", ""},
		{"of another", []string{"example.com"}, "example.org", "example.com", ReasonHostedDomain},
		{"a look-alike", []string{"example.com"}, "badexample.com", "example.com", ReasonHostedDomain},
		{"another alphabet", []string{"example.com"}, "exampleſ.com", "example.com", ReasonHostedDomain},
		{"a private account", []string{"example.com"}, nil, "example.com", ReasonHostedDomain},
		{"no string", []string{"example.com"}, []string{"example.com"}, "example.com", ReasonHostedDomain},
		{"empty", []string{"example.com"}, "", "example.com", ReasonHostedDomain},
	} {
		t.Run(tt.name, func(t *testing.T) {
			op, g := startOP(t), startWorkspace(t)
			p := googleOf(t, op, g, func(c *Config) { c.HostedDomains = tt.domains })
			op.Set(user("hd", tt.hd))
			address, err := p.AuthURL(t.Context(), newFlow(), redirectURI, nil)
			if err != nil {
				t.Fatal(err)
			}
			if u, err := url.Parse(address); err != nil || u.Query().Get("hd") != tt.sent {
				t.Errorf("sent %s, %v", address, err)
			}
			login, err := signIn(t, op, p)
			if got := reason(err); got != tt.want {
				t.Errorf("got %q (%v), want %q", got, err, tt.want)
			}
			if err == nil && !login.User.GroupsUnknown {
				t.Error("AUTHZ-4: nobody was asked for groups, and so they are unknown")
			}
		})
	}
}

func TestGoogleGroups(t *testing.T) {
	for _, tt := range []struct {
		name, from string
		account    bool
		subject    string
		asked      string // sub and scope of the assertion
	}{
		{"Directory", GoogleDirectory, true, "admin@example.com", "admin@example.com " + directoryScope},
		{"Cloud Identity as the user", GoogleIdentity, false, "", ""},
		{"Cloud Identity, direct ones", GoogleIdentityDirect, false, "", ""},
		{"Cloud Identity by a service account of its own", GoogleIdentity, true, "", "<nil> " + identityScope},
	} {
		t.Run(tt.name, func(t *testing.T) {
			op, g := startOP(t), startWorkspace(t)
			p := googleOf(t, op, g, func(c *Config) {
				c.GroupsFrom, c.ServiceAccountSubject = tt.from, tt.subject
				if tt.account {
					c.ServiceAccountFile = accountFile(t, g, nil)
				}
			})
			for range 2 {
				login, err := signIn(t, op, p)
				if err != nil || login.User.GroupsUnknown || strings.Join(login.User.Groups, " ") != strings.Join(g.groups, " ") {
					t.Errorf("%q, unknown %v, %v", login.User.Groups, login.User.GroupsUnknown, err)
				}
			}
			if asked, _ := g.subject.Load().(string); asked != tt.asked || g.lists.Load() != 4 {
				t.Errorf("asked in the name of %q, %d pages", asked, g.lists.Load())
			}
			if n := g.tokens.Load(); tt.account && n != 1 || !tt.account && n != 0 {
				t.Errorf("%d tokens of the service account", n)
			}
			if op.Requests(idptest.Userinfo) != 0 {
				t.Error("userinfo was asked for groups, which it does not have")
			}
		})
	}
}

func TestGoogleManyAndNoGroups(t *testing.T) {
	op, g := startOP(t), startWorkspace(t)
	g.groups, g.size = nil, 200
	p := googleOf(t, op, g, func(c *Config) { c.GroupsFrom = GoogleIdentity })
	if login, err := signIn(t, op, p); err != nil || login.User.GroupsUnknown || len(login.User.Groups) != 0 {
		t.Errorf("none: %+v, %v", login.User, err)
	}
	for i := range 2000 {
		g.groups = append(g.groups, fmt.Sprintf("g%d@example.com", i))
	}
	if login, err := signIn(t, op, p); err != nil || login.User.GroupsUnknown || len(login.User.Groups) != 2000 {
		t.Errorf("2,000: %d, %v", len(login.User.Groups), err)
	}
}

func TestGoogleMemberIsQuoted(t *testing.T) {
	op, g := startOP(t), startWorkspace(t)
	op.Set(user("email", "o'neil@example.com"))
	g.member = `o\'neil@example.com`
	p := googleOf(t, op, g, func(c *Config) { c.GroupsFrom = GoogleIdentity })
	if login, err := signIn(t, op, p); err != nil || len(login.User.Groups) != 3 {
		t.Errorf("%q, %v", login.User.Groups, err)
	}
}

func TestGoogleAnswers(t *testing.T) {
	const json, unknown = "application/json", "groups unknown"
	for _, tt := range []struct {
		name, path string
		answer     http.Handler
		want       string
	}{
		{"not allowed", "list", answering(403, json, `{"error":{"message":"secret-body"}}`), unknown},
		{"no such user", "list", answering(404, json, `{}`), unknown},
		{"quota", "list", limited(429, "Retry-After", "5"), "unavailable: " + partAPI},
		{"down", "list", answering(503, json, "secret-body"), "unavailable: " + partAPI},
		{"redirect", "list", http.RedirectHandler("/token", http.StatusTemporaryRedirect), unknown},
		{"not JSON", "list", answering(200, json, "secret-body"), unknown},
		{"TOK-4 a name twice", "list", answering(200, json, `{"groups":[],"groups":[]}`), unknown},
		{"no list", "list", answering(200, json, `{"groups":"admin"}`), unknown},
		{"null", "list", answering(200, json, `{"groups":null}`), unknown},
		{"AUTHZ-5 texts", "list", answering(200, json, `{"groups":["admin"]}`), unknown},
		{"AUTHZ-5 no address", "list", answering(200, json, `{"groups":[{"id":"1"}]}`), unknown},
		{"next page is a number", "list", answering(200, json, `{"nextPageToken":1}`), unknown},
		{"LIM-2 the same page for ever", "list", answering(200, json, `{"nextPageToken":"x"}`), unknown},
		{"NET-1 huge", "list", answering(200, json, `{"groups":"`+strings.Repeat("a", maxBody)+`"}`), unknown},
		{"delegation is missing", "/token", answering(401, json, `{"error":"unauthorized_client","error_description":"secret-body"}`), unknown},
		{"no token", "/token", answering(200, json, `{}`), unknown},
		{"tokens are down", "/token", answering(500, json, `{}`), "unavailable: " + partAccount},
	} {
		t.Run(tt.name, func(t *testing.T) {
			op, g := startOP(t), startWorkspace(t)
			g.handle[tt.path] = tt.answer
			p := googleOf(t, op, g, func(c *Config) {
				c.GroupsFrom, c.ServiceAccountFile, c.ServiceAccountSubject = GoogleDirectory, accountFile(t, g, nil), "admin@example.com"
			})
			login, err := signIn(t, op, p)
			got := reason(err)
			if err == nil && login.User.GroupsUnknown {
				got = unknown
			}
			if got != tt.want || len(login.User.Groups) > 0 || strings.Contains(fmt.Sprint(err), "secret-body") {
				t.Errorf("got %q (%v) and %q, want %q", got, err, login.User.Groups, tt.want)
			}
		})
	}
	t.Run("AUTHZ-3 no verified address to ask for", func(t *testing.T) {
		op, g := startOP(t), startWorkspace(t)
		p := googleOf(t, op, g, func(c *Config) { c.GroupsFrom = GoogleIdentity })
		op.Set(user("email_verified", false))
		if login, err := signIn(t, op, p); err != nil || !login.User.GroupsUnknown || g.lists.Load() != 0 {
			t.Errorf("%+v, %v", login.User, err)
		}
	})
}

func TestGoogleRefusesConfigurations(t *testing.T) {
	g := startWorkspace(t)
	good := accountFile(t, g, nil)
	for want, change := range map[string]func(*Config){
		"groups from \"ldap\"":     func(c *Config) { c.GroupsFrom = "ldap" },
		"one of the two is":        func(c *Config) { c.ServiceAccountSubject = "" },
		"one of the two is missin": func(c *Config) { c.ServiceAccountFile = "" },
		"service account: ":        func(c *Config) { c.ServiceAccountFile = "/does/not/exist" },
		"is no key of a service":   func(c *Config) { c.ServiceAccountFile = accountFile(t, g, map[string]any{"type": "authorized_user"}) },
		"no usable private_key":    func(c *Config) { c.ServiceAccountFile = accountFile(t, g, map[string]any{"private_key": "hunter2"}) },
		"lacks client_email or":    func(c *Config) { c.ServiceAccountFile = accountFile(t, g, map[string]any{"token_uri": "file:///x"}) },
		"lacks client_email or t":  func(c *Config) { c.ServiceAccountFile = accountFile(t, g, map[string]any{"client_email": ""}) },
		"is no JSON object":        func(c *Config) { c.ServiceAccountFile = write(t, filepath.Join(t.TempDir(), "a"), []byte("hunter2")) },
	} {
		conf := Config{
			Name: "g", Type: "google", ClientID: "c", Discovery: true, GroupsFrom: GoogleDirectory,
			ServiceAccountFile: good, ServiceAccountSubject: "admin@example.com",
		}
		if _, err := New(conf); err != nil {
			t.Fatal(err)
		}
		change(&conf)
		if _, err := New(conf); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("CFG-1 %s: %v", want, err)
		}
	}
}
