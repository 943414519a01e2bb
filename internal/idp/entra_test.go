package idp

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/doorward/doorward/internal/idp/idptest"
)

const (
	tenantA = "11111111-aaaa-4aaa-8aaa-111111111111"
	tenantB = "22222222-bbbb-4bbb-8bbb-222222222222"
)

// graph is Microsoft Graph as far as groups go: getMemberObjects in pages.
type graph struct {
	*httptest.Server
	asked  atomic.Int64
	groups []string
	size   int // of a page; 0 for all
	answer http.Handler
}

func startGraph(t *testing.T) *graph {
	t.Helper()
	g := &graph{}
	g.Server = httptest.NewServer(g)
	t.Cleanup(g.Close)
	return g
}

func (g *graph) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.asked.Add(1)
	body, _ := io.ReadAll(r.Body)
	first := r.Method == http.MethodPost && string(body) == `{"securityEnabledOnly":false}` && r.Header.Get("Content-Type") == "application/json"
	further := r.Method == http.MethodGet && r.URL.Query().Get("$skiptoken") != ""
	switch {
	case g.answer != nil:
		g.answer.ServeHTTP(w, r)
	case r.URL.Path != "/v1.0/me/getMemberObjects" || !first && !further || !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer access-"):
		w.WriteHeader(http.StatusBadRequest)
	default:
		g.page(w, r)
	}
}

func (g *graph) page(w http.ResponseWriter, r *http.Request) {
	from, size := 0, g.size
	_, _ = fmt.Sscan(r.URL.Query().Get("$skiptoken"), &from)
	if size == 0 {
		size = len(g.groups)
	}
	to := min(from+size, len(g.groups))
	next := ""
	if to < len(g.groups) {
		next = fmt.Sprintf(`,"@odata.nextLink":"%s/v1.0/me/getMemberObjects?$skiptoken=%d"`, g.URL, to)
	}
	list := strings.Join(g.groups[from:to], `","`)
	if list != "" {
		list = `"` + list + `"`
	}
	_, _ = fmt.Fprintf(w, `{"@odata.context":"x","value":[%s]%s}`, list, next)
}

// entraOf is a relying party of Entra, played by op and g, that signs in users of
// the tenants. Tokens are of tenant A until a test changes that.
func entraOf(t *testing.T, op *idptest.Provider, g *graph, tenants []string, change ...func(*Config)) *Provider {
	t.Helper()
	of, announced := tenant(op, tenantA), op.Issuer()+"/{tenantid}/v2.0"
	if len(tenants) == 1 {
		announced = op.Issuer() + "/" + strings.ToLower(tenants[0]) + "/v2.0"
	}
	op.Set(func(b *idptest.Behaviour) {
		b.OmitIss, b.Claims = true, of
		b.Discovery = func(doc map[string]any) { doc["issuer"] = announced }
	})
	return rp(t, op, append([]func(*Config){func(c *Config) {
		c.Type, c.IssuerURL, c.DiscoveryURL, c.Tenants = "entra", op.Issuer(), op.URL(idptest.Discovery), tenants
		c.APIURL = g.URL
	}}, change...)...)
}

// tenant makes ID tokens those of a tenant.
func tenant(op *idptest.Provider, id string) func(map[string]any) {
	issuer := op.Issuer() + "/" + id + "/v2.0"
	return func(c map[string]any) { c["iss"], c["tid"], c["ver"] = issuer, id, "2.0" }
}

// entraUser puts further claims into the tokens.
func entraUser(op *idptest.Provider, id string, pairs map[string]any) {
	of := tenant(op, id)
	op.Set(func(b *idptest.Behaviour) {
		b.Claims = func(c map[string]any) {
			of(c)
			for name, value := range pairs {
				if c[name] = value; value == nil {
					delete(c, name)
				}
			}
		}
	})
}

func TestEntraTenants(t *testing.T) {
	for _, tt := range []struct {
		name    string
		tenants []string
		claims  func(op *idptest.Provider) map[string]any
		want    string
	}{
		{"the tenant", []string{tenantA}, nil, ""},
		{"the tenant, written in capitals", []string{strings.ToUpper(tenantA)}, nil, ""},
		{"one of two", []string{tenantB, tenantA}, nil, ""},
		{"OIDC-9 another one", []string{tenantB}, nil, ReasonTenant},
		{"OIDC-9 no tid", []string{tenantA, tenantB}, func(*idptest.Provider) map[string]any { return map[string]any{"tid": nil} }, ReasonTenant},
		{"OIDC-9 tid of another tenant than iss", []string{tenantA, tenantB}, func(*idptest.Provider) map[string]any { return map[string]any{"tid": tenantB} }, ReasonIssuer},
		{"OIDC-9 tid in capitals", []string{tenantA}, func(*idptest.Provider) map[string]any { return map[string]any{"tid": strings.ToUpper(tenantA)} }, ReasonTenant},
		{"OIDC-9 tid is a list", []string{tenantA}, func(*idptest.Provider) map[string]any { return map[string]any{"tid": []string{tenantA}} }, ReasonTenant},
		{"OIDC-9 the template itself as iss", []string{tenantA, tenantB}, func(op *idptest.Provider) map[string]any {
			return map[string]any{"iss": op.Issuer() + "/{tenantid}/v2.0"}
		}, ReasonIssuer},
		{"OIDC-9 iss of another cloud", []string{tenantA, tenantB}, func(*idptest.Provider) map[string]any {
			return map[string]any{"iss": "https://evil.example.com/" + tenantA + "/v2.0"}
		}, ReasonIssuer},
		{"OIDC-7 another client's token", []string{tenantA}, func(*idptest.Provider) map[string]any { return map[string]any{"aud": "another"} }, ReasonAudience},
	} {
		t.Run(tt.name, func(t *testing.T) {
			op, g := startOP(t), startGraph(t)
			p := entraOf(t, op, g, tt.tenants)
			if tt.claims != nil {
				entraUser(op, tenantA, tt.claims(op))
			}
			login, err := signIn(t, op, p)
			if got := reason(err); got != tt.want {
				t.Fatalf("got %q (%v), want %q", got, err, tt.want)
			}
			if err != nil {
				return
			}
			issuer, subject := op.Issuer()+"/"+tenantA+"/v2.0", "user-1"
			if len(tt.tenants) > 1 {
				issuer, subject = op.Issuer()+"/organizations/v2.0", tenantA+"/user-1"
			}
			u := login.User
			if u.Issuer != issuer || u.Issuer != p.Issuer() || u.Subject != subject || u.ID != "user-1" {
				t.Errorf("AUTHZ-1: %+v", u)
			}
			if !p.issues(op.Issuer()+"/"+tenantA+"/v2.0") || p.issues(op.Issuer()+"/{tenantid}/v2.0") {
				t.Error("OIDC-4: the issuers that tokens may name")
			}
			if g.asked.Load() != 0 || op.Requests(idptest.Userinfo) != 0 {
				t.Error("Graph or userinfo was asked for nothing")
			}
		})
	}
}

func TestEntraTwoTenantsWithOneSubject(t *testing.T) {
	op, g := startOP(t), startGraph(t)
	p := entraOf(t, op, g, []string{tenantA, tenantB})
	a, errA := signIn(t, op, p)
	entraUser(op, tenantB, nil)
	b, errB := signIn(t, op, p)
	if errA != nil || errB != nil || a.User.Issuer != b.User.Issuer || a.User.Subject == b.User.Subject {
		t.Errorf("AUTHZ-1: %q and %q, %v, %v", a.User.Subject, b.User.Subject, errA, errB)
	}
}

func TestEntraRefreshOfOneOfTwoTenants(t *testing.T) {
	op, g := startOP(t), startGraph(t)
	g.groups = []string{"sre"}
	p := entraOf(t, op, g, []string{tenantA, tenantB})
	entraUser(op, tenantA, map[string]any{"hasgroups": true, "groups": nil})
	login, err := signIn(t, op, p)
	if err != nil {
		t.Fatal(err)
	}
	g.groups = []string{"sre", "new"}
	again, err := p.Refresh(t.Context(), login.Tokens.Refresh, login.User)
	if err != nil || again.Stale || again.User.Subject != tenantA+"/user-1" || strings.Join(again.User.Groups, " ") != "sre new" {
		t.Errorf("AUTHZ-6: %+v, %v", again, err)
	}
	entraUser(op, tenantB, nil)
	if _, err := p.Refresh(t.Context(), again.Tokens.Refresh, again.User); reason(err) != ReasonSubject {
		t.Errorf("OIDC-8: the same subject of another tenant: %v", err)
	}
}

// A logout names the tenant's issuer, and the sessions have that of the provider.
func TestEntraLogoutOfOneOfTwoTenants(t *testing.T) {
	op, g := startOP(t), startGraph(t)
	p := entraOf(t, op, g, []string{tenantA, tenantB})
	login, err := signIn(t, op, p)
	if err != nil {
		t.Fatal(err)
	}
	named := members{}
	tenant(op, tenantA)(named)
	got, why := take(t, op, NewLogoutTokens(Providers{p}), op.LogoutToken("RS256", nil, named))
	if why != "" || got.Issuer != login.User.Issuer || got.Subject != login.User.Subject || got.SessionID != login.SessionID {
		t.Errorf("OUT-4: %+v ends no session of %+v, %q", got, login.User, why)
	}
}

func TestEntraDiscovery(t *testing.T) {
	op, g := startOP(t), startGraph(t)
	for issuer, want := range map[string]string{
		op.Issuer() + "/{tenantid}/v2.0":         "",
		op.Issuer() + "/{tenant}/v2.0":           "unavailable: discovery",
		op.Issuer() + "/" + tenantA + "/v2.0":    "unavailable: discovery",
		"https://evil.example.com/{tenantid}/v2": "unavailable: discovery",
	} {
		p := entraOf(t, op, g, []string{tenantA, tenantB})
		op.Set(inDocument("issuer", issuer)) // in place of the good one
		if _, err := p.AuthURL(t.Context(), newFlow(), redirectURI, nil); reason(err) != want {
			t.Errorf("OIDC-9 %s: %v", issuer, err)
		}
	}
}

func TestEntraRefusesConfigurations(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"tenants are missing": func(c *Config) { c.Tenants = nil },
		"is no id as":         func(c *Config) { c.Tenants = []string{"common"} },
		"the tenant \"\"":     func(c *Config) { c.Tenants = []string{tenantA, ""} },
		"has a path":          func(c *Config) { c.IssuerURL = "https://login.microsoftonline.com/common/v2.0" },
		"API URL":             func(c *Config) { c.APIURL = "graph" },
	} {
		conf := Config{Name: "e", Type: "entra", ClientID: "c", Discovery: true, Tenants: []string{tenantA}}
		if _, err := New(conf); err != nil {
			t.Fatal(err)
		}
		change(&conf)
		if _, err := New(conf); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("CFG-1 %s: %v", want, err)
		}
	}
}

func TestEntraEmail(t *testing.T) {
	insecure := func(c *Config) { c.InsecureAllowUnverifiedEmail = true }
	upn := func(c *Config) { c.EmailClaim = "upn" }
	for _, tt := range []struct {
		name   string
		claims map[string]any
		change func(*Config)
		want   string
	}{
		{"AUTHZ-3 nobody vouches (nOAuth)", map[string]any{"email_verified": nil}, nil, ""},
		{"AUTHZ-3 the owner is verified", map[string]any{"email_verified": nil, "xms_edov": true}, nil, "ada@example.com"},
		{"AUTHZ-3 the owner is verified, as 1", map[string]any{"email_verified": nil, "xms_edov": 1}, nil, "ada@example.com"},
		{"AUTHZ-3 the owner is verified, as a text", map[string]any{"email_verified": nil, "xms_edov": "1"}, nil, "ada@example.com"},
		{"AUTHZ-3 the owner is not", map[string]any{"email_verified": nil, "xms_edov": false}, nil, ""},
		{"AUTHZ-3 the owner is not, as 0", map[string]any{"email_verified": nil, "xms_edov": 0}, nil, ""},
		{"AUTHZ-3 another word", map[string]any{"email_verified": nil, "xms_edov": "yes"}, nil, ""},
		{"AUTHZ-3 another spelling", map[string]any{"email_verified": nil, "XMS_EDOV": true}, nil, ""},
		{"AUTHZ-3 a no is not outvoted", map[string]any{"email_verified": false, "xms_edov": true}, nil, ""},
		{"AUTHZ-3 upn", map[string]any{"upn": "ada@corp.example.com", "xms_edov": true}, upn, ""},
		{"AUTHZ-3 by option", map[string]any{"email_verified": nil}, insecure, "ada@example.com"},
		{"AUTHZ-2 several @, verified", map[string]any{"email": "a@evil.test@example.com", "xms_edov": true, "email_verified": nil}, nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			op, g := startOP(t), startGraph(t)
			p := entraOf(t, op, g, []string{tenantA}, func(c *Config) {
				if tt.change != nil {
					tt.change(c)
				}
			})
			entraUser(op, tenantA, tt.claims)
			if login, err := signIn(t, op, p); err != nil || login.User.Email != tt.want {
				t.Errorf("%q, %v", login.User.Email, err)
			}
		})
	}
}

// overages are the ways in which Entra says that there are more groups.
var overages = map[string]map[string]any{
	"_claim_names": {
		"groups": nil, "_claim_names": map[string]any{"groups": "src1", "other": "src2"},
		"_claim_sources": map[string]any{"src1": map[string]any{"endpoint": "https://evil.example.com/users/1/getMemberObjects"}, "src2": map[string]any{"JWT": "x"}},
	},
	"hasgroups":   {"groups": nil, "hasgroups": true},
	"groups:src1": {"groups": nil, "groups:src1": "https://evil.example.com"},
}

func TestEntraOverage(t *testing.T) {
	for name, marks := range overages {
		t.Run("AUTHZ-4 "+name, func(t *testing.T) {
			op, g := startOP(t), startGraph(t)
			for i := range 2000 {
				g.groups = append(g.groups, fmt.Sprintf("%08d-0000-4000-8000-000000000000", i))
			}
			g.size = 300
			p := entraOf(t, op, g, []string{tenantA})
			entraUser(op, tenantA, marks)
			login, err := signIn(t, op, p)
			if err != nil || login.User.GroupsUnknown || len(login.User.Groups) != 2000 || login.User.Groups[1999] != g.groups[1999] {
				t.Fatalf("%d groups, unknown %v, %v", len(login.User.Groups), login.User.GroupsUnknown, err)
			}
			if n := g.asked.Load(); n != 7 {
				t.Errorf("%d pages", n)
			}
		})
	}
}

// TestEntraOverageAtRefresh plays what a refresh does: a new ID token without
// nonce, and the same gathering.
func TestEntraOverageAtRefresh(t *testing.T) {
	op, g := startOP(t), startGraph(t)
	p := entraOf(t, op, g, []string{tenantA})
	entraUser(op, tenantA, overages["hasgroups"])
	login, err := signIn(t, op, p)
	if err != nil || login.User.GroupsUnknown || len(login.User.Groups) != 0 {
		t.Fatalf("%+v, %v", login.User, err)
	}
	g.groups = []string{"new"}
	id := idToken{subject: "user-1", claims: claims{"sub": "user-1", "hasgroups": true}}
	user, err := p.user(t.Context(), p.meta.Load(), id, login.Tokens.Access)
	if err != nil || len(user.Groups) != 1 || user.GroupsUnknown {
		t.Errorf("AUTHZ-6: %+v, %v", user, err)
	}
	g.answer = answering(503, "application/json", "{}")
	if _, err := p.user(t.Context(), p.meta.Load(), id, login.Tokens.Access); reason(err) != "unavailable: "+partAPI {
		t.Errorf("AUTHZ-6: Graph is away, and that is no answer about groups: %v", err)
	}
}

func TestEntraGraphAnswers(t *testing.T) {
	const json, unknown = "application/json", "groups unknown"
	for _, tt := range []struct {
		name   string
		answer http.Handler
		want   string
	}{
		{"no groups", answering(200, json, `{"value":[]}`), ""},
		{"consent is missing", answering(403, json, `{"error":{"code":"Authorization_RequestDenied","message":"secret-body"}}`), unknown},
		{"too many for Graph", answering(403, json, `{"error":{"code":"Directory_ResultSizeLimitExceeded"}}`), unknown},
		{"throttled", limited(429, "Retry-After", "10"), "unavailable: " + partAPI},
		{"down", answering(503, json, "secret-body"), "unavailable: " + partAPI},
		{"redirect", http.RedirectHandler("/elsewhere", http.StatusTemporaryRedirect), unknown},
		{"not JSON", answering(200, json, "secret-body"), unknown},
		{"TOK-4 a name twice", answering(200, json, `{"value":["a"],"value":["admin"]}`), unknown},
		{"no list", answering(200, json, `{"value":"admin"}`), unknown},
		{"no value", answering(200, json, `{}`), unknown},
		{"AUTHZ-5 not strings", answering(200, json, `{"value":[1]}`), unknown},
		{"AUTHZ-5 a group of 2,000 bytes", answering(200, json, `{"value":["`+strings.Repeat("g", 2000)+`"]}`), unknown},
		{"NET-1 next page elsewhere", answering(200, json, `{"value":["a"],"@odata.nextLink":"https://evil.example.com/v1.0/me"}`), unknown},
		{"next page is no string", answering(200, json, `{"value":["a"],"@odata.nextLink":1}`), unknown},
		{"NET-1 huge", answering(200, json, `{"value":["`+strings.Repeat("a", maxBody)+`"]}`), unknown},
	} {
		t.Run(tt.name, func(t *testing.T) {
			op, g := startOP(t), startGraph(t)
			g.answer = tt.answer
			p := entraOf(t, op, g, []string{tenantA})
			entraUser(op, tenantA, overages["hasgroups"])
			login, err := signIn(t, op, p)
			got := reason(err)
			if err == nil && login.User.GroupsUnknown {
				got = unknown
			}
			if got != tt.want || strings.Contains(fmt.Sprint(err), "secret-body") || len(login.User.Groups) > 0 {
				t.Errorf("got %q (%v) with %d groups, want %q", got, err, len(login.User.Groups), tt.want)
			}
		})
	}
}

func TestEntraAssertionIsForTheTokenEndpoint(t *testing.T) {
	op, g := startOP(t), startGraph(t)
	dir := t.TempDir()
	key := newRSAKey(t, 2048)
	seen := &assertions{key: key.Public()}
	p := entraOf(t, op, g, []string{tenantA}, func(c *Config) {
		c.ClientSecret, c.ClientAuth = "", AuthPrivateKey
		c.ClientKeyFile, c.ClientCertFile = write(t, dir+"/key", pkcs8(t, key)), write(t, dir+"/crt", certificate(t, key, "c"))
	})
	op.Set(func(b *idptest.Behaviour) { b.Proven = seen.good })
	if _, err := signIn(t, op, p); err != nil || seen.claims["aud"] != op.URL(idptest.Token) {
		t.Errorf("%v, %v", seen.claims, err)
	}
}
