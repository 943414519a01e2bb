package config_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/doorward/doorward/internal/config"
	"github.com/doorward/doorward/internal/secret"
)

// write makes a file of the name in a directory of its own.
func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// loadFile reads an environment for a configuration file, with changes, and the
// file. Messages come back with the name of the file in place of its path.
func loadFile(t *testing.T, content string, changes env) (*config.Config, []string, []string) {
	t.Helper()
	path := write(t, "doorward.yaml", content)
	all := env{"CONFIG_FILE": path, "ALLOWED_GROUPS": unset, "COOKIE_DOMAINS": "example.com"}
	for name, value := range changes {
		all[name] = value
	}
	cfg, warnings, err := load(t, all)
	return cfg, short(path, warnings), short(path, mistakes(t, err))
}

func short(path string, lines []string) []string {
	var all []string
	for _, line := range lines {
		all = append(all, strings.TrimPrefix(line, filepath.Dir(path)+"/"))
	}
	return all
}

// goodFile loads a file that must have neither mistakes nor warnings.
func goodFile(t *testing.T, content string, changes env) *config.Config {
	t.Helper()
	cfg, warnings, mistakes := loadFile(t, content, changes)
	if len(mistakes)+len(warnings) > 0 {
		t.Fatalf("mistakes %q, warnings %q", mistakes, warnings)
	}
	return cfg
}

// inFile takes the provider out of the environment.
var inFile = env{"OIDC_ISSUER_URL": unset, "OIDC_CLIENT_ID": unset}

// contract returns the example of CONTRACT.md, with secrets that are there.
func contract(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("testdata/contract.yaml")
	if err != nil {
		t.Fatal(err)
	}
	s3cret := write(t, "s3cret", "hush\n")
	return strings.NewReplacer("/run/secrets/keycloak", s3cret, "/run/secrets/introspect", s3cret).Replace(string(text))
}

func TestContractFile(t *testing.T) {
	cfg := goodFile(t, contract(t), inFile)
	want := []config.Rule{
		{Name: "health checks", Line: 9, Column: 5, Redirect: true, Hosts: []string{"*.example.com"}, Paths: []string{"/healthz", "/static/**"}, Methods: []string{"GET", "HEAD"}, Public: true},
		{
			Name: "grafana", Line: 14, Column: 5, Hosts: []string{"grafana.example.com"},
			Allow: &config.Allow{
				Groups: []string{"sre", "platform"}, Emails: []string{"ada@example.com"}, EmailDomains: []string{"example.com"},
				Claims: map[string][]string{"department": {"eng", "ops"}}, Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
				When: "claims.level >= 3", WhenLine: 22, WhenColumn: 14,
			},
			ACR: []string{"mfa"}, MaxAge: 15 * time.Minute, Provider: "keycloak",
		},
		{Name: "deny the rest of admin", Line: 27, Column: 5, Redirect: true, Hosts: []string{"admin.example.com"}, Deny: true},
	}
	diff(t, "rules", want, cfg.Rules)
	diff(t, "tokens", []config.Token{
		{Line: 31, IssuerURL: "https://id.example.com/realms/main", Audiences: []string{"my-api"}, UserClaim: "sub", EmailClaim: "email", GroupsClaims: []string{"groups"}},
		{Line: 33, IntrospectionURL: "https://id.example.com/introspect", ClientID: "doorward", ClientSecret: "hush", UserClaim: "sub", EmailClaim: "email", GroupsClaims: []string{"groups"}},
	}, cfg.Tokens)
	diff(t, "headers", []config.Header{{Name: "X-Team", Source: "claims.team"}, {Name: "X-Webauth-User", Source: "email"}}, cfg.Headers)
	diff(t, "provider", config.Provider{
		Name: "keycloak", Type: "oidc", Label: "Company login", Line: 2, IssuerURL: "https://id.example.com/realms/main", ClientID: "doorward", ClientSecret: secret.Secret("hush"),
		Scopes: []string{"openid", "email", "profile"}, Discovery: true, UserClaim: "sub", EmailClaim: "email", GroupsClaims: []string{"groups"},
	}, cfg.Providers[0])
}

func diff(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.EquateComparable(netip.Prefix{})); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// goodFiles have neither mistakes nor warnings.
var goodFiles = []struct {
	name    string
	content string
	got     func(*config.Config) any
	want    any
}{
	{"defaults of a rule", "rules: [{allow: any}]", func(c *config.Config) any { return c.Rules },
		[]config.Rule{{Name: "rule 1", Line: 1, Column: 9, Redirect: true, Allow: &config.Allow{Any: true}}}},
	{"everything in quotes", `{"rules": [{"allow": 'any', "name": "a # b"}]}`, func(c *config.Config) any { return c.Rules[0].Name }, "a # b"},
	{"lines of Windows", "rules:\r\n  - name: a\r\n    allow: any\r\n", func(c *config.Config) any { return c.Rules[0].Name }, "a"},
	{"byte order mark", "\ufeffrules: [{allow: any}]", func(c *config.Config) any { return len(c.Rules) }, 1},
	{"document signs", "---\nrules: [{allow: any}]\n...\n", func(c *config.Config) any { return len(c.Rules) }, 1},
	{"alias of a list", "rules:\n- hosts: &h [a.example.com]\n  paths: [/a]\n  public: true\n- hosts: *h\n  allow: any", func(c *config.Config) any { return c.Rules[1].Hosts }, []string{"a.example.com"}},
	{"alias of a mapping", "rules:\n- paths: [/a]\n  allow: &a {groups: [sre]}\n- allow: *a", func(c *config.Config) any { return c.Rules[1].Allow }, &config.Allow{Groups: []string{"sre"}}},
	{"anchor given twice", "rules:\n- paths: &p [/a]\n  public: true\n- paths: &p [/b]\n  methods: [GET]\n  public: true\n- paths: *p\n  public: true", func(c *config.Config) any { return c.Rules[2].Paths }, []string{"/b"}},
	{"host patterns", "rules: [{hosts: ['*.a.example.com', x_y-1.example.com, example.com], allow: any}]", func(c *config.Config) any { return c.Rules[0].Hosts }, []string{"*.a.example.com", "x_y-1.example.com", "example.com"}},
	{"path patterns", "rules: [{paths: ['/', '/a/', '/*/b', '/a/**', '/**', '/a%20%C3%BC', '/...', '/~a!$&()'], allow: any}]", func(c *config.Config) any { return len(c.Rules[0].Paths) }, 8},
	{"methods", "rules: [{methods: [GET, PROPFIND, M-SEARCH], allow: any}]", func(c *config.Config) any { return c.Rules[0].Methods }, []string{"GET", "PROPFIND", "M-SEARCH"}},
	{"AUTHZ-2 e-mails", "rules: [{allow: {emails: [Ada@Example.COM], email_domains: [Example.ORG]}}]", func(c *config.Config) any { return c.Rules[0].Allow }, &config.Allow{Emails: []string{"Ada@example.com"}, EmailDomains: []string{"example.org"}}},
	{"claims of every kind", "rules: [{allow: {claims: {level: [3, '03'], realm_access.roles: [admin], admin: [true]}}}]", func(c *config.Config) any { return c.Rules[0].Allow.Claims }, map[string][]string{"level": {"3", "03"}, "realm_access.roles": {"admin"}, "admin": {"true"}}},
	{"networks", "rules: [{allow: {networks: ['10.1.2.3/8', '2001:db8::7', '::ffff:192.0.2.9']}}]", func(c *config.Config) any { return c.Rules[0].Allow.Networks }, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::7/128"), netip.MustParsePrefix("192.0.2.9/32")}},
	{"step-up", "rules: [{allow: any, acr: [mfa, 'urn:x:2'], max_age: 1h30m, provider: oidc}]", func(c *config.Config) any {
		return []any{c.Rules[0].ACR, c.Rules[0].MaxAge, c.Rules[0].Provider}
	}, []any{[]string{"mfa", "urn:x:2"}, 90 * time.Minute, "oidc"}},
	{"origins", "rules: [{allow: any, cors: {origins: ['https://a.test', 'http://localhost:3000']}}]", func(c *config.Config) any { return c.Rules[0].CORS }, []string{"https://a.test", "http://localhost:3000"}},
	{"portal", "rules: [{allow: any, title: Ünïcode, icon: 'https://a.test/i.png'}]", func(c *config.Config) any { return c.Rules[0].Title + " " + c.Rules[0].Icon }, "Ünïcode https://a.test/i.png"},
	{"shadow", "rules: [{allow: {groups: [a]}, shadow: true}, {allow: any, shadow: false}]", func(c *config.Config) any { return []bool{c.Rules[0].Shadow, c.Rules[1].Shadow} }, []bool{true, false}},
	{"token with all", "rules: [{allow: any}]\ntokens: [{issuer_url: 'https://id.test', audiences: [a, b], legacy_id_tokens: true, user_claim: azp, email_claim: mail, groups_claim: realm_access.roles}]",
		func(c *config.Config) any { return c.Tokens }, []config.Token{{Line: 2, IssuerURL: "https://id.test", Audiences: []string{"a", "b"}, LegacyIDTokens: true, UserClaim: "azp", EmailClaim: "mail", GroupsClaims: []string{"realm_access.roles"}}}},
	{"introspection with a secret of its own", "rules: [{allow: any}]\ntokens: [{introspection_url: 'https://id.test', client_id: x, client_secret: hush, groups_claim: [a, b]}]", func(c *config.Config) any { return c.Tokens[0].ClientSecret.Reveal() }, "hush"},
	{"API keys", "rules: [{allow: any}]\ntokens: [{keys_file: /etc/keys}]", func(c *config.Config) any { return c.Tokens[0].KeysFile }, "/etc/keys"},
	{"headers in canonical form", "rules: [{allow: any}]\nheaders: {x-team: claims.a.b, X-Forwarded-Groups: groups, X-User: preferred_username}", func(c *config.Config) any { return c.Headers },
		[]config.Header{{Name: "X-Team", Source: "claims.a.b"}, {Name: "X-Forwarded-Groups", Source: "groups"}, {Name: "X-User", Source: "preferred_username"}}},
}

func TestGoodFiles(t *testing.T) {
	for _, tt := range goodFiles {
		t.Run(tt.name, func(t *testing.T) {
			cfg := goodFile(t, tt.content, env{"COOKIE_DOMAINS": "example.com,example.org", "PUBLIC_URL": "https://auth.example.com,https://auth.example.org"})
			diff(t, tt.name, tt.want, tt.got(cfg))
		})
	}
}

func TestProviderOfTheFile(t *testing.T) {
	cfg := goodFile(t, `
rules: [{allow: any, provider: kc}]
providers:
  - name: kc
    issuer_url: https://id.test
    client_id: x
    client_secret: hush
    scopes: [openid, groups]
    discovery: false
    auth_url: https://id.test/a
    token_url: https://id.test/t
    jwks_url: https://id.test/j
    userinfo_url: https://id.test/u
    end_session_url: https://id.test/e
    user_claim: uid
    email_claim: mail
    groups_claim: [groups, realm_access.roles]
    auth_params: {kc_idp_hint: google}
    insecure_skip_tls_verify: true
    insecure_allow_unverified_email: true
    untyped_logout_tokens: true
`, inFile)
	diff(t, "provider", config.Provider{
		Name: "kc", Type: "oidc", Line: 4, IssuerURL: "https://id.test", ClientID: "x", ClientSecret: "hush", Scopes: []string{"openid", "groups"},
		AuthURL: "https://id.test/a", TokenURL: "https://id.test/t", JWKSURL: "https://id.test/j", UserinfoURL: "https://id.test/u", EndSessionURL: "https://id.test/e",
		UserClaim: "uid", EmailClaim: "mail", GroupsClaims: []string{"groups", "realm_access.roles"}, AuthParams: map[string]string{"kc_idp_hint": "google"},
		InsecureSkipTLSVerify: true, InsecureAllowUnverifiedEmail: true, UntypedLogoutTokens: true,
	}, cfg.Providers[0])
	if got := len(cfg.Insecure()); got != 2 {
		t.Errorf("CFG-2: %d insecure options", got)
	}
}

// Each type of provider knows what it can know, and the rest is as configured.
func TestProvidersOfOtherTypes(t *testing.T) {
	key := write(t, "key", "-----BEGIN PRIVATE KEY-----\n")
	account := write(t, "account", `{"type":"service_account"}`)
	token := write(t, "token", "a.b.c\n")
	cfg := goodFile(t, `
rules: [{allow: any}]
providers:
  - {name: hub, type: github, client_id: x, client_secret: hush}
  - {name: tea, type: github, issuer_url: 'https://git.test', api_url: 'https://git.test/api/v1', client_id: x, client_auth: none, scopes: ['read:user']}
  - {name: google, type: google, client_id: x, hosted_domains: [Example.COM], groups_from: directory, service_account_file: `+account+`, service_account_subject: admin@example.com}
  - {name: entra, type: entra, client_id: x, tenants: [11111111-AAAA-4aaa-8aaa-111111111111], client_token_file: `+token+`, pushed_requests: false}
  - {name: keyed, issuer_url: 'https://id.test', discovery_url: 'http://id:8080/x', client_id: x, client_key_file: `+key+`, client_key_id: k1, client_assertion_audience: 'https://id.test/token'}
`, inFile)
	common := config.Provider{ClientID: "x", Discovery: true, UserClaim: "sub", EmailClaim: "email", GroupsClaims: []string{"groups"}}
	provider := func(line int, change func(*config.Provider)) config.Provider {
		p := common
		p.Line = line
		change(&p)
		return p
	}
	diff(t, "providers", []config.Provider{
		provider(4, func(p *config.Provider) { p.Name, p.Type, p.ClientSecret = "hub", "github", "hush" }),
		provider(5, func(p *config.Provider) {
			p.Name, p.Type, p.IssuerURL, p.APIURL, p.ClientAuth, p.Scopes = "tea", "github", "https://git.test", "https://git.test/api/v1", "none", []string{"read:user"}
		}),
		provider(6, func(p *config.Provider) {
			p.Name, p.Type, p.HostedDomains, p.GroupsFrom = "google", "google", []string{"example.com"}, "directory"
			p.ServiceAccountFile, p.ServiceAccountSubject = account, "admin@example.com"
		}),
		provider(7, func(p *config.Provider) {
			p.Name, p.Type, p.Tenants, p.ClientAuth, p.ClientTokenFile = "entra", "entra", []string{"11111111-AAAA-4aaa-8aaa-111111111111"}, "federated_token", token
			p.NoPushedRequests = true
		}),
		provider(8, func(p *config.Provider) {
			p.Name, p.Type, p.IssuerURL, p.DiscoveryURL, p.Scopes = "keyed", "oidc", "https://id.test", "http://id:8080/x", []string{"openid", "email", "profile"}
			p.ClientAuth, p.ClientKeyFile, p.ClientKeyID, p.ClientAudience = "private_key_jwt", key, "k1", "https://id.test/token"
		}),
	}, cfg.Providers)
}

// Where the file has no rules that are enforced, DOORWARD_ALLOW* goes on.
func TestRulesOfTheEnvironment(t *testing.T) {
	own := config.Rule{Name: "DOORWARD_ALLOW", Redirect: true, Allow: &config.Allow{Groups: []string{"sre"}}}
	diff(t, "no rules", []config.Rule{own}, goodFile(t, "headers: {X-Team: email}", env{"ALLOWED_GROUPS": "sre"}).Rules)
	shadow := config.Rule{Name: "rule 1", Line: 1, Column: 9, Redirect: true, Allow: &config.Allow{Any: true}, Shadow: true}
	diff(t, "shadow rules", []config.Rule{shadow, own}, goodFile(t, "rules: [{allow: any, shadow: true}]", env{"ALLOWED_GROUPS": "sre"}).Rules)
}

// An error in an expression can be said to stand where it stands in the file.
func TestWhenAt(t *testing.T) {
	for _, tt := range []struct {
		name         string
		when         string // in line 4 from column 11
		line, column int    // of X in the expression
		want         [2]int // of X in the file
	}{
		{"plain", "claims.X", 1, 8, [2]int{4, 18}},
		{"single quotes", "'claims.X'", 1, 8, [2]int{4, 19}},
		{"double quotes", `"claims.X"`, 1, 8, [2]int{4, 19}},
		{"literal, first line", "|\n      claims.X\n      == 1", 1, 8, [2]int{5, 14}},
		{"literal, second line", "|\n      true &&\n      claims.X", 2, 8, [2]int{6, 14}},
		{"literal behind an empty line", "|-\n\n      X", 2, 1, [2]int{6, 7}},
		{"folded", ">\n      claims.X", 1, 8, [2]int{5, 14}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := goodFile(t, "rules:\n- name: one\n  allow:\n    when: "+tt.when+"\n", nil).Rules[0].Allow
			lines := strings.Split(a.When, "\n")
			if lines[tt.line-1][tt.column-1] != 'X' {
				t.Fatalf("the expression is %q", a.When)
			}
			if line, column := a.WhenAt(tt.line, tt.column); [2]int{line, column} != tt.want {
				t.Errorf("at %d:%d, want %v", line, column, tt.want)
			}
		})
	}
}

func TestFileWarnings(t *testing.T) {
	sites := env{"COOKIE_DOMAINS": "example.com", "PUBLIC_URL": "https://auth.example.com"}
	for _, tt := range []struct {
		name    string
		content string
		want    []string // how the warnings begin
	}{
		{"PATH-8 the same again", "- allow: any\n- deny: true", []string{"doorward.yaml:3:3: rule 2: can never match, because rule 1 (line 2) comes first and covers it"}},
		{"PATH-8 wider host", "- name: all\n  hosts: ['*.example.com']\n  allow: any\n- name: x\n  hosts: [x.example.com, '*.y.example.com']\n  allow: any", []string{"doorward.yaml:5:3: rule \"x\": can never match, because rule \"all\" (line 2) comes first and covers it"}},
		{"PATH-8 wider path", "- paths: [/a/**]\n  allow: any\n- paths: [/a/b/*, /a/**, /a/]\n  deny: true", []string{"doorward.yaml:4:3: rule 2: can never match"}},
		{"PATH-8 star", "- paths: ['/*/b']\n  allow: any\n- paths: [/a/b, '/*/b']\n  deny: true", []string{"doorward.yaml:4:3: rule 2: can never match"}},
		{"PATH-8 wider methods", "- methods: [GET, HEAD]\n  allow: any\n- methods: [HEAD]\n  deny: true", []string{"doorward.yaml:4:3: rule 2: can never match"}},
		{"PATH-8 covered by two together", "- paths: [/a]\n  allow: any\n- paths: [/b]\n  allow: any\n- paths: [/a, /b]\n  deny: true", []string{"doorward.yaml:6:3: rule 3: can never match"}},
		{"PATH-8 all hosts", "- allow: any\n- hosts: [a.example.com, example.com]\n  deny: true", []string{"doorward.yaml:3:3: rule 2: can never match"}},
		{"PATH-8 public before protected", "- public: true\n- paths: [/admin/**]\n  allow: any", []string{"doorward.yaml:3:3: rule 2: can never match, because rule 1 (line 2) comes first and covers it; what it protects is public"}},
		{"PATH-8 public before a part", "- paths: [/a/**]\n  public: true\n- paths: [/a/admin, /b]\n  deny: true", []string{"doorward.yaml:4:3: rule 2: protects what is public already by rule 1 (line 2), which comes first and is wider"}},
		{"PATH-8 among the shadows", "- {allow: any}\n- {allow: {groups: [a]}, shadow: true}\n- {deny: true, shadow: true}", []string{"doorward.yaml:4:3: rule 3: can never match, because rule 2 (line 3)"}},

		{"narrower host first", "- hosts: [a.example.com]\n  allow: any\n- allow: any", nil},
		{"a wildcard is not its domain", "- hosts: ['*.example.com']\n  allow: any\n- hosts: [example.com]\n  deny: true", nil},
		{"a deeper wildcard", "- hosts: ['*.a.example.com']\n  allow: any\n- hosts: ['*.example.com']\n  deny: true", nil},
		{"a name that ends alike", "- hosts: ['*.a.example.com']\n  allow: any\n- hosts: [ba.example.com]\n  deny: true", nil},
		{"narrower path first", "- paths: [/a/b]\n  public: true\n- paths: [/a/**]\n  deny: true", nil},
		{"** is not its beginning", "- paths: [/a/**]\n  public: true\n- paths: [/a]\n  deny: true", nil},
		{"* is one segment", "- paths: ['/a/*']\n  public: true\n- paths: [/a/b/c, /a/, /a/**]\n  deny: true", nil},
		{"other methods", "- methods: [GET]\n  allow: any\n- methods: [GET, POST]\n  deny: true\n- deny: true", nil},
		{"shadow before real", "- {allow: any, shadow: true}\n- {allow: any}", nil},
		{"public behind protected", "- paths: [/a]\n  allow: any\n- public: true", nil},

		{"host that cannot be signed in to", "- hosts: [a.example.com, a.other.org, '*.other.org']\n  allow: any", []string{
			"doorward.yaml:2:3: rule 1: is for a.other.org, which cannot be signed in to: it is in none of the cookie domains and public URLs",
			"doorward.yaml:2:3: rule 1: is for *.other.org, which cannot be signed in to",
		}},
		{"host that only looks like it", "- hosts: [badexample.com]\n  allow: any", []string{"doorward.yaml:2:3: rule 1: is for badexample.com,"}},
		{"wildcard around the domain", "- hosts: ['*.com']\n  allow: any", nil},
		{"public elsewhere", "- hosts: [a.other.org]\n  public: true", nil},
		{"denied elsewhere", "- hosts: [a.other.org]\n  deny: true", nil},
		{"API elsewhere without tokens", "- hosts: [a.other.org]\n  allow: any\n  redirect: false", []string{"doorward.yaml:2:3: rule 1: is for a.other.org,"}},
		{"API elsewhere with tokens", "- hosts: [a.other.org]\n  allow: any\n  redirect: false\ntokens: [{keys_file: /k}]", nil},
		{"page elsewhere with tokens", "- hosts: [a.other.org]\n  allow: any\ntokens: [{keys_file: /k}]", []string{"doorward.yaml:2:3: rule 1: is for a.other.org,"}},
		{"every address", "- allow: {networks: [0.0.0.0/0]}", []string{"doorward.yaml:2:22: rule 1: `networks` entry 1 is every address there is"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, warnings, found := loadFile(t, "rules:\n"+tt.content+"\n", sites)
			if len(found) > 0 || len(warnings) != len(tt.want) {
				t.Fatalf("mistakes %q\nwarnings %q\nwant %q", found, warnings, tt.want)
			}
			for i, want := range tt.want {
				if !strings.HasPrefix(warnings[i], want) {
					t.Errorf("warning %q\nwant    %q…", warnings[i], want)
				}
			}
		})
	}
}
