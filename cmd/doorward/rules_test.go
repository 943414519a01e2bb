package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/config"
	"github.com/doorward/doorward/internal/gateway"
	"github.com/doorward/doorward/internal/idp"
	"github.com/doorward/doorward/internal/idp/idptest"
	"github.com/doorward/doorward/internal/policy"
	"github.com/doorward/doorward/internal/policy/policytest"
	"github.com/doorward/doorward/internal/secret"
)

const (
	ruleFile  = "../../test/rules/rules.yaml"
	caseFile  = "../../test/rules/cases.txt"
	verifier  = "a-verifier-of-forty-three-characters-or-more"
	manyCases = 150
)

// environment is a configuration with the file for the rules.
func environment(file string) map[string]string {
	return map[string]string{
		"DOORWARD_PUBLIC_URL": "https://auth.example.com", "DOORWARD_COOKIE_DOMAINS": "example.com",
		"DOORWARD_COOKIE_SECRET":   "sdOvmfGTqcZpDR7fyKXtDGF4S8wJ0R9Qh3bWmDnE4kc=",
		"DOORWARD_OIDC_ISSUER_URL": "https://id.example.com", "DOORWARD_OIDC_CLIENT_ID": "doorward", "DOORWARD_CONFIG_FILE": file,
	}
}

// loadRules is what a process enforces that reads the file.
func loadRules(t *testing.T, file string) (enforced, shadow *policy.Set) {
	t.Helper()
	for name, value := range environment(file) {
		t.Setenv(name, value)
	}
	cfg, warnings, err := config.Load()
	if err != nil || len(warnings) > 0 {
		t.Fatalf("%v, warnings %q", err, warnings)
	}
	enforced, shadow, err = ruleSets(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return enforced, shadow
}

func readCases(t *testing.T) *policytest.Table {
	t.Helper()
	table, err := policytest.Read(caseFile)
	if err != nil {
		t.Fatal(err)
	}
	if len(table.Cases) < manyCases {
		t.Fatalf("there are %d cases and should be %d", len(table.Cases), manyCases)
	}
	return table
}

// TestRuleCases judges every case of the table.
func TestRuleCases(t *testing.T) {
	table := readCases(t)
	rules, _ := loadRules(t, ruleFile)
	users := signInAll(t, table, rules.Claims())
	for _, c := range table.Cases {
		t.Run(c.Group+"/"+c.String(), func(t *testing.T) {
			req := requestOf(t, c)
			governing := rules.Match(req)
			got, rule := governing.Judge(req, users[c.User])
			if got.Verdict.String() != c.Verdict() || got.Reason.Code != c.Reason || rule != c.Rule {
				t.Errorf("%s, %s by %q; want %s, %s by %q", got.Verdict, got.Reason.Code, rule, c.Verdict(), c.Reason, c.Rule)
			}
			if redirected := governing.Redirects() && !c.Script; got.Verdict == auth.SignIn && redirected != (c.Answer == "login") {
				t.Errorf("is sent to a login: %v", redirected)
			}
		})
	}
}

func requestOf(t *testing.T, c policytest.Case) auth.Request {
	t.Helper()
	req := auth.Request{Method: c.Method, Origin: c.Origin, Preflight: c.Preflight, Navigation: !c.Script}
	if !gateway.ReadAddress("https://"+c.Host+c.Target, &req) {
		t.Fatalf("%s%s is no address", c.Host, c.Target)
	}
	if c.Client != "" {
		req.Client = netip.MustParseAddr(c.Client).Unmap()
	}
	return req
}

// signInAll signs everybody in at a provider, so that they have what a session
// would hold.
func signInAll(t *testing.T, table *policytest.Table, claims []string) map[string]auth.User {
	t.Helper()
	server := idptest.New()
	t.Cleanup(server.Close)
	users := map[string]auth.User{}
	for name, described := range table.Users {
		server.Set(func(b *idptest.Behaviour) { b.User, b.Claims = described.Claims, dated(described) })
		users[name] = signIn(t, server, described, claims)
	}
	return users
}

// dated changes when the login was.
func dated(u policytest.User) func(map[string]any) {
	return func(claims map[string]any) {
		claims["auth_time"] = time.Now().Add(-u.Age).Unix()
		if u.NoTime {
			delete(claims, "auth_time")
		}
	}
}

func signIn(t *testing.T, server *idptest.Provider, u policytest.User, claims []string) auth.User {
	t.Helper()
	provider, err := idp.New(idp.Config{
		Name: "oidc", IssuerURL: server.Issuer(), Discovery: true, ClientID: server.ClientID, ClientSecret: secret.Secret(server.ClientSecret),
		UserClaim: "sub", EmailClaim: "email", GroupsClaims: []string{"groups"}, Scopes: []string{"openid"},
	})
	if err != nil {
		t.Fatal(err)
	}
	provider.Keep(claims)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	flow := idp.Flow{State: "state", Nonce: "nonce", Verifier: verifier}
	const callback = "https://auth.example.com/callback"
	address, err := provider.AuthURL(ctx, flow, callback, url.Values{})
	if err != nil {
		t.Fatal(err)
	}
	back, err := server.SignIn(address)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := idp.ParseCallback(back.RawQuery)
	if err != nil {
		t.Fatal(err)
	}
	login, err := provider.Login(ctx, flow, answer, callback)
	if err != nil {
		t.Fatalf("%s: %v", u.Name, err)
	}
	if u.Provider != "" {
		login.User.Provider = u.Provider
	}
	return login.User
}

// TestExplainAgrees asks `doorward explain` about every case of the table.
func TestExplainAgrees(t *testing.T) {
	table := readCases(t)
	rules, _ := loadRules(t, ruleFile)
	users := signInAll(t, table, rules.Claims())
	for _, c := range table.Cases {
		t.Run(c.Group+"/"+c.String(), func(t *testing.T) {
			args := []string{"explain", "--method", c.Method, "--url", "https://" + c.Host + c.Target, "--client", c.Client}
			if c.Preflight {
				args = append(args, "--origin", c.Origin)
			}
			if c.User != "" {
				args = append(args, described(t, table.Users[c.User], users[c.User])...)
			}
			var out, problems bytes.Buffer
			if code := run(t.Context(), args, &out, &problems, announceOnly); code != 0 {
				t.Fatalf("%q: %d: %s", args, code, problems.String())
			}
			want := c.Verdict() + ": " + c.Reason
			if c.Rule != "" {
				want += fmt.Sprintf(", by the rule %q", c.Rule)
			}
			lines := strings.Split(strings.TrimSpace(out.String()), "\n")
			if last := lines[len(lines)-1]; !strings.HasPrefix(last, want+". ") {
				t.Errorf("%q says:\n%s\nwant %s", args, out.String(), want)
			}
			decides := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(c.Rule) + ` +decides: ` + c.Verdict() + ` \(` + c.Reason + `\)`)
			if c.Rule != "" && !decides.Match(out.Bytes()) {
				t.Errorf("no line of the rule %q says so:\n%s", c.Rule, out.String())
			}
		})
	}
}

// described are the flags that describe a user to explain.
func described(t *testing.T, u policytest.User, user auth.User) []string {
	t.Helper()
	args := []string{"--user", user.ID, "--email", user.Email, "--acr", user.ACR, "--age", u.Age.String(), "--provider", u.Provider}
	if u.NoTime {
		args = append(args, "--age", "100000h")
	}
	for _, group := range user.Groups {
		args = append(args, "--group", group)
	}
	for _, name := range slices.Sorted(maps.Keys(user.Claims)) {
		args = append(args, "--claim", name+"="+asJSON(t, user.Claims[name]))
	}
	return args
}

func asJSON(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
