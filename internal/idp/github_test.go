package idp

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/doorward/doorward/internal/idp/idptest"
	"github.com/doorward/doorward/internal/secret"
)

// forge starts a GitHub or a Gitea for one test, and a relying party of it.
func forge(t *testing.T, gitea bool, change ...func(*Config)) (*idptest.Forge, *Provider, *logBuffer) {
	t.Helper()
	f := idptest.NewForge(gitea)
	t.Cleanup(f.Close)
	log := &logBuffer{}
	conf := Config{
		Name: "forge", Type: "github", IssuerURL: f.URL(), ClientID: f.ClientID, ClientSecret: secret.Secret(f.ClientSecret),
		Discovery: true, Log: logTo(log),
	}
	if gitea {
		conf.APIURL = f.APIURL()
	}
	for _, c := range change {
		c(&conf)
	}
	p, err := New(conf)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.client.CloseIdleConnections()
		for _, s := range f.Secrets() {
			if strings.Contains(log.String(), s) {
				t.Errorf("LOG-2: a secret of the login is in the log: %s", log)
			}
		}
	})
	return f, p, log
}

// signInAt is a whole login at something that answers an authorization request.
func signInAt(t *testing.T, p *Provider) (Login, error) {
	t.Helper()
	flow := newFlow()
	address, err := p.AuthURL(t.Context(), flow, redirectURI, nil)
	if err != nil {
		return Login{}, err
	}
	back, err := idptest.Unstarted().SignIn(address)
	if err != nil {
		t.Fatal(err)
	}
	cb, err := ParseCallback(back.RawQuery)
	if err != nil {
		t.Fatal(err)
	}
	return p.Login(t.Context(), flow, cb, redirectURI)
}

func TestForgeLogin(t *testing.T) {
	for _, gitea := range []bool{false, true} {
		t.Run(fmt.Sprintf("gitea %v", gitea), func(t *testing.T) {
			f, p, _ := forge(t, gitea)
			if err := p.Ready(); err != nil {
				t.Errorf("L1: %v", err)
			}
			login, err := signInAt(t, p)
			if err != nil {
				t.Fatal(err)
			}
			u := login.User
			got := []string{u.Provider, u.Issuer, u.Subject, u.ID, u.Email, u.PreferredUsername, u.Name, strings.Join(u.Groups, " ")}
			want := []string{"forge", f.URL(), "583231", "583231", "ada@example.com", "ada", "Ada Lovelace", "acme tools acme/sre"}
			if diff := cmp.Diff(want, got); diff != "" || u.GroupsUnknown {
				t.Error(diff)
			}
			if login.Tokens.Access == "" || login.Tokens.ID != "" || login.Tokens.Refresh != "" || p.EndSessionURL(SignOut{ReturnTo: "https://a.test"}) != "" {
				t.Errorf("%+v", login)
			}
			if p.Keys() != nil || p.Trouble() != nil || p.Issuer() != f.URL() {
				t.Error("keys, trouble or another issuer")
			}
			f.Set(func(c *idptest.Contents) { c.User["login"], c.User["name"] = "countess", "" })
			login, err = signInAt(t, p)
			if err != nil || login.User.Subject != "583231" || login.User.PreferredUsername != "countess" {
				t.Errorf("AUTHZ-1 a renamed account is another user: %+v, %v", login.User, err)
			}
		})
	}
}

func TestForgeAddresses(t *testing.T) {
	for _, tt := range []struct {
		issuer, api string
		want        [4]string // issuer, API, authorization, scopes
	}{
		{"", "", [4]string{"https://github.com", "https://api.github.com", "https://github.com/login/oauth/authorize", "read:user user:email read:org"}},
		{"https://github.com/", "", [4]string{"https://github.com", "https://api.github.com", "https://github.com/login/oauth/authorize", "read:user user:email read:org"}},
		{"https://git.example.com", "", [4]string{"https://git.example.com", "https://git.example.com/api/v3", "https://git.example.com/login/oauth/authorize", "read:user user:email read:org"}},
		{"https://corp.ghe.com", "", [4]string{"https://corp.ghe.com", "https://api.corp.ghe.com", "https://corp.ghe.com/login/oauth/authorize", "read:user user:email read:org"}},
		{"https://x.test/git/", "https://x.test/git/api/v1/", [4]string{"https://x.test/git", "https://x.test/git/api/v1", "https://x.test/git/login/oauth/authorize", "read:user read:organization"}},
	} {
		p, err := New(Config{Name: "g", Type: "github", IssuerURL: tt.issuer, APIURL: tt.api, ClientID: "c", Discovery: true})
		if err != nil {
			t.Fatal(err)
		}
		got := [4]string{p.Issuer(), p.conf.APIURL, p.conf.AuthURL, strings.Join(p.conf.Scopes, " ")}
		if got != tt.want {
			t.Errorf("%q: %q", tt.issuer, got)
		}
	}
	if _, err := New(Config{Name: "g", Type: "gitlab", IssuerURL: "https://x.test", ClientID: "c"}); err == nil {
		t.Error("CFG-1: a provider of an unknown type")
	}
	if _, err := New(Config{Name: "g", Type: "github", APIURL: "x.test/api", ClientID: "c"}); err == nil {
		t.Error("CFG-1: an API that is at no address")
	}
}

func TestForgePages(t *testing.T) {
	for _, gitea := range []bool{false, true} {
		f, p, _ := forge(t, gitea)
		f.Set(func(c *idptest.Contents) {
			for i := range 1999 {
				team := map[string]any{"name": fmt.Sprintf("team-%d", i), "slug": fmt.Sprintf("team-%d", i), "organization": c.Orgs[0]}
				c.Teams = append(c.Teams, team)
			}
			for i := range 30 {
				c.Emails = append([]map[string]any{{"email": fmt.Sprintf("old-%d@example.org", i), "primary": false, "verified": true}}, c.Emails...)
			}
			c.PageSize = 25
		})
		login, err := signInAt(t, p)
		if err != nil || len(login.User.Groups) != 2002 || login.User.Groups[2001] != "acme/team-1998" || login.User.GroupsUnknown {
			t.Errorf("2,000 teams: %d groups, %v", len(login.User.Groups), err)
		}
		if login.User.Email != "ada@example.com" || f.Requests("/user/teams") != 80 || f.Requests("/user/emails") != 2 {
			t.Errorf("%q after %d and %d pages", login.User.Email, f.Requests("/user/teams"), f.Requests("/user/emails"))
		}
	}
}

func TestForgeEmails(t *testing.T) {
	email := func(address any, primary, verified any) map[string]any {
		return map[string]any{"email": address, "primary": primary, "verified": verified}
	}
	for _, tt := range []struct {
		name   string
		emails []map[string]any
		want   string
	}{
		{"AUTHZ-3 primary and verified", []map[string]any{email("a@example.com", true, true)}, "a@example.com"},
		{"AUTHZ-3 primary, not verified", []map[string]any{email("a@example.com", true, false), email("b@example.com", false, true)}, ""},
		{"AUTHZ-3 verified by a string", []map[string]any{email("a@example.com", true, "true")}, ""},
		{"none", nil, ""},
		{"no primary", []map[string]any{email("b@example.com", false, true)}, ""},
		{"no string", []map[string]any{email(1, true, true)}, ""},
		{"AUTHZ-2 several @", []map[string]any{email("a@evil.example@example.com", true, true)}, ""},
		{"AUTHZ-2 look-alike domain", []map[string]any{email("a@exampleſ.com", true, true)}, ""},
		{"AUTHZ-2 line break", []map[string]any{email("a@example.com\r\nX-Admin: 1", true, true)}, ""},
		{"AUTHZ-2 NUL", []map[string]any{email("a@example.com\x00", true, true)}, ""},
		{"AUTHZ-2 domain in lower case", []map[string]any{email("Ada@EXAMPLE.com", true, true)}, "Ada@example.com"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, p, _ := forge(t, false)
			f.Set(func(c *idptest.Contents) { c.Emails = tt.emails })
			login, err := signInAt(t, p)
			if err != nil || login.User.Email != tt.want {
				t.Errorf("%q, %v", login.User.Email, err)
			}
		})
	}
}

// onlyOnce answers a page that names itself, or another, as the next one.
func linking(next string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "<"+strings.ReplaceAll(next, "SELF", "http://"+r.Host+r.URL.RequestURI())+`>; rel="next"`)
		_, _ = w.Write([]byte(`[]`))
	})
}

func limited(status int, header, value string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set(header, value)
		w.WriteHeader(status)
	})
}

func TestForgeAnswers(t *testing.T) {
	const json, unknown = "application/json", "groups unknown"
	big := answering(200, json, `[{"login":"`+strings.Repeat("a", maxBody)+`"}]`)
	hangUp := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	for _, tt := range []struct {
		name, path string
		answer     http.Handler
		want       string // reason of the error, "groups unknown", or "" for a login without the e-mail
	}{
		{"user 500", "/user", answering(500, json, "secret-body"), "unavailable: " + partAPI},
		{"user limited", "/user", limited(403, "X-RateLimit-Remaining", "0"), "unavailable: " + partAPI},
		{"user 429", "/user", limited(429, "Retry-After", "60"), "unavailable: " + partAPI},
		{"user closed", "/user", hangUp, "unavailable: " + partAPI},
		{"user 401", "/user", answering(401, json, "secret-body"), ReasonUserinfo},
		{"user redirects", "/user", http.RedirectHandler("/api/v3/user/orgs", http.StatusFound), ReasonUserinfo},
		{"user not JSON", "/user", answering(200, json, "secret-body"), ReasonUserinfo},
		{"user huge", "/user", big, ReasonUserinfo},
		{"user is a list", "/user", answering(200, json, "[]"), ReasonUserinfo},
		{"TOK-4 user with two ids", "/user", answering(200, json, `{"id":1,"id":2,"login":"ada"}`), ReasonUserinfo},
		{"user id is a text", "/user", answering(200, json, `{"id":"1","login":"ada"}`), ReasonUserinfo},
		{"user id is a fraction", "/user", answering(200, json, `{"id":1.5,"login":"ada"}`), ReasonUserinfo},
		{"user id is 0", "/user", answering(200, json, `{"id":0,"login":"ada"}`), ReasonUserinfo},
		{"user id is huge", "/user", answering(200, json, `{"id":9223372036854775808,"login":"ada"}`), ReasonUserinfo},
		{"user without a login", "/user", answering(200, json, `{"id":1}`), ReasonUserinfo},
		{"e-mail 404", "/user/emails", answering(404, json, "{}"), ""},
		{"e-mail not JSON", "/user/emails", answering(200, json, "secret-body"), ""},
		{"e-mail huge", "/user/emails", big, ""},
		{"e-mail 502", "/user/emails", answering(502, json, "{}"), "unavailable: " + partAPI},
		{"organisations 403", "/user/orgs", answering(403, json, "secret-body"), unknown},
		{"organisations limited", "/user/orgs", limited(403, "Retry-After", "1"), "unavailable: " + partAPI},
		{"organisations are text", "/user/orgs", answering(200, json, `["acme"]`), unknown},
		{"an organisation without a name", "/user/orgs", answering(200, json, `[{"login":"acme"},{"login":null}]`), unknown},
		{"an organisation with a number", "/user/orgs", answering(200, json, `[{"login":1}]`), unknown},
		{"organisations are an object", "/user/orgs", answering(200, json, `{"login":"acme"}`), unknown},
		{"organisations huge", "/user/orgs", big, unknown},
		{"NET-1 next page elsewhere", "/user/orgs", linking("https://evil.example.com/api/v3/user/orgs?page=2"), unknown},
		{"NET-1 next page beside the API", "/user/orgs", linking("/login"), unknown},
		{"LIM-2 next page is the same", "/user/orgs", linking("SELF"), unknown},
		{"LIM-2 pages without an end", "/user/orgs", linking("SELF0"), unknown},
		{"teams 404", "/user/teams", answering(404, json, ""), unknown},
		{"teams 500", "/user/teams", answering(500, json, ""), "unavailable: " + partAPI},
		{"a team of nobody", "/user/teams", answering(200, json, `[{"slug":"sre"}]`), unknown},
		{"code refused with 200", "/token", answering(200, json, `{"error":"bad_verification_code","error_description":"secret-body"}`), "rejected: invalid_grant"},
		{"client refused with 200", "/token", answering(200, json, `{"error":"incorrect_client_credentials"}`), "rejected: invalid_client"},
		{"a made-up token as a form", "/token", answering(200, "application/x-www-form-urlencoded", "access_token=secret-body"), ReasonUserinfo},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, p, log := forge(t, false)
			f.Set(func(c *idptest.Contents) { c.Handle[tt.path] = tt.answer })
			login, err := signInAt(t, p)
			got := reason(err)
			if err == nil && login.User.GroupsUnknown {
				got = unknown
			}
			if got != tt.want {
				t.Errorf("got %q (%v), want %q", got, err, tt.want)
			}
			if got == unknown && len(login.User.Groups) != 0 {
				t.Errorf("some groups are known: %q", login.User.Groups)
			}
			if got == "" && login.User.Email != "" {
				t.Errorf("%+v", login.User)
			}
			if strings.Contains(fmt.Sprint(err, log), "secret-body") {
				t.Errorf("LOG-2: %v %s", err, log)
			}
		})
	}
}

func TestForgeIssuerOfTheCallback(t *testing.T) {
	f, p, _ := forge(t, false)
	for issuer, want := range map[string]string{
		"": "", f.URL(): "", f.URL() + "/login/oauth": "", f.URL() + "/": "",
		"https://evil.example.com": ReasonMixUp, f.URL() + ".evil.example.com": ReasonMixUp,
	} {
		f.Set(func(c *idptest.Contents) { c.Issuer = issuer })
		if _, err := signInAt(t, p); reason(err) != want {
			t.Errorf("OIDC-4 %q: %v", issuer, err)
		}
	}
}

func TestForgeRefreshOfAnotherAccount(t *testing.T) {
	f, p, _ := forge(t, false)
	login, err := signInAt(t, p)
	if err != nil {
		t.Fatal(err)
	}
	meta := p.meta.Load()
	if user, err := p.user(t.Context(), meta, idToken{subject: login.User.Subject}, login.Tokens.Access); err != nil || user.Subject != login.User.Subject {
		t.Errorf("%+v, %v", user, err)
	}
	f.Set(func(c *idptest.Contents) { c.User["id"] = 2 })
	if _, err := p.user(t.Context(), meta, idToken{subject: login.User.Subject}, login.Tokens.Access); reason(err) != ReasonUserinfoSub {
		t.Errorf("OIDC-8: %v", err)
	}
}

func TestForgeStateAndNonce(t *testing.T) {
	_, p, _ := forge(t, false)
	address, err := p.AuthURL(t.Context(), newFlow(), redirectURI, url.Values{"login": {"ada"}})
	if err != nil {
		t.Fatal(err)
	}
	query, err := url.Parse(address)
	if err != nil || query.Query().Get("code_challenge_method") != "S256" || query.Query().Has("nonce") || query.Query().Get("login") != "ada" {
		t.Errorf("OIDC-1: %s, %v", address, err)
	}
}

func TestNextLink(t *testing.T) {
	for link, want := range map[string]string{
		"": "", "nonsense": "", "<https://a.test/2>": "", `<https://a.test/2>; rel="last"`: "",
		`<https://a.test/2>; rel="next"`: "https://a.test/2", `<https://a.test/2>; rel=next`: "https://a.test/2",
		`<https://a.test/1>; rel="prev", <https://a.test/3>; rel="next last"`: "https://a.test/3",
		`<https://a.test/2>; title="x"; REL="next"`:                           "https://a.test/2",
	} {
		if got := nextLink(http.Header{"Link": {link}}); got != want {
			t.Errorf("%s: %q", link, got)
		}
	}
	if got := nextLink(http.Header{"Link": {`<https://a.test/1>; rel="prev"`, `<https://a.test/3>; rel="next"`}}); got != "https://a.test/3" {
		t.Errorf("two lines: %q", got)
	}
}

func TestGiteaBehindAnotherAddress(t *testing.T) {
	f, p, _ := forge(t, true)
	second := "https://git.example.com/api/v1/user/orgs?page=2&limit=50"
	f.Set(func(c *idptest.Contents) {
		c.Handle["/user/orgs"] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("page") == "2" {
				_, _ = w.Write([]byte(`[{"username":"old"}]`))
				return
			}
			w.Header().Set("Link", "<"+second+`>; rel="next"`)
			_, _ = w.Write([]byte(`[{"name":"new","username":"new"}]`))
		})
	})
	if login, err := signInAt(t, p); err != nil || strings.Join(login.User.Groups, " ") != "new old acme/sre" {
		t.Errorf("%q, %v", login.User.Groups, err)
	}
}

func TestBelow(t *testing.T) {
	const base = "https://api.test/v3"
	for address, want := range map[string]bool{
		"https://api.test/v3/user?page=2": true, "https://api.test/v3": false, "https://api.test/v3x/user": false, "https://api.test/v4/user": false,
		"http://api.test/v3/user": false, "https://api.test:8443/v3/user": false, "https://api.test.evil.test/v3/user": false,
		"https://u:p@api.test/v3/user": false, "https://api.test/v3/../admin": false, "https://api.test/v3/%2e%2e/admin": false,
		"/v3/user": false, "//api.test/v3/user": false, "": false, "https://api.test/%zz": false,
	} {
		if below(base, address) != want {
			t.Errorf("NET-1 %s", address)
		}
	}
}
