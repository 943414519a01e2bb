package idp

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/idp/idptest"
)

// user returns a behaviour that changes the user's claims; nil removes one.
func user(pairs ...any) func(*idptest.Behaviour) {
	return func(b *idptest.Behaviour) {
		for i := 0; i < len(pairs); i += 2 {
			name := pairs[i].(string)
			if b.User[name] = pairs[i+1]; pairs[i+1] == nil {
				delete(b.User, name)
			}
		}
	}
}

func TestEmail(t *testing.T) {
	insecure := func(c *Config) { c.InsecureAllowUnverifiedEmail = true }
	named := func(path string) func(*Config) { return func(c *Config) { c.EmailClaim = path } }
	for _, tt := range []struct {
		name   string
		user   func(*idptest.Behaviour)
		change func(*Config)
		want   string
	}{
		{"verified", user(), nil, "ada@example.com"},
		{"AUTHZ-3 not verified", user("email_verified", false), nil, ""},
		{"AUTHZ-3 nothing said", user("email_verified", nil), nil, ""},
		{"AUTHZ-3 the string true", user("email_verified", "true"), nil, ""},
		{"AUTHZ-3 the number 1", user("email_verified", 1), nil, ""},
		{"AUTHZ-3 another spelling (TOK-4)", user("email_verified", false, "EMAIL_VERIFIED", true, "Email_Verified", true), nil, ""},
		{"unverified by option", user("email_verified", false), insecure, "ada@example.com"},
		{"nothing said, by option", user("email_verified", nil), insecure, "ada@example.com"},
		{"AUTHZ-2 also by option", user("email", "a@b@example.com"), insecure, ""},
		{"missing", user("email", nil), nil, ""},
		{"no string", user("email", []string{"ada@example.com"}), nil, ""},
		{"another claim, not vouched for", user("upn", "ada@corp.example.com"), named("upn"), ""},
		{"another claim, vouched for", user("upn", "ada@corp.example.com", "upn_verified", true), named("upn"), "ada@corp.example.com"},
		{"another claim by option", user("upn", "ada@corp.example.com"), func(c *Config) { named("upn")(c); insecure(c) }, "ada@corp.example.com"},
		{"dotted", user("work", map[string]any{"mail": "ada@corp.example.com", "mail_verified": true}), named("work.mail"), "ada@corp.example.com"},
		{"dotted, not vouched for", user("work", map[string]any{"mail": "ada@corp.example.com"}), named("work.mail"), ""},
		{"AUTHZ-2 domain in lower case", user("email", "Ada@EXAMPLE.com"), nil, "Ada@example.com"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			op := startOP(t)
			op.Set(tt.user)
			p := rp(t, op, func(c *Config) {
				if tt.change != nil {
					tt.change(c)
				}
			})
			login, err := signIn(t, op, p)
			if err != nil || login.User.Email != tt.want {
				t.Errorf("got %q, %v", login.User.Email, err)
			}
		})
	}
}

func TestCanonicalEmail(t *testing.T) {
	for _, tt := range []struct{ address, want string }{
		{"a@example.com", "a@example.com"},
		{"a@EXAMPLE.com", "a@example.com"},
		{"First.Last+tag@example.com", "First.Last+tag@example.com"},
		{"o'neil_{x}@example.com", "o'neil_{x}@example.com"},
		{"jörg@example.com", "jörg@example.com"},
		{"a@localhost", "a@localhost"},
		{"a@xn--bcher-kva.example", "a@xn--bcher-kva.example"},
		{"a@evil-example.com", "a@evil-example.com"},
		{"a@example.com.evil.com", "a@example.com.evil.com"},
		{strings.Repeat("a", 242) + "@example.com", strings.Repeat("a", 242) + "@example.com"},
		{strings.Repeat("a", 243) + "@example.com", ""},
		{"", ""},
		{"@", ""},
		{"a", ""},
		{"@example.com", ""},
		{"a@", ""},
		{"a@x@example.com", ""},
		{"a@evil.com@example.com", ""},
		{`"a@example.com"@evil.com`, ""},
		{`"a b"@example.com`, ""},
		{`"a"@example.com`, ""},
		{"a@example.com.", ""},
		{"a@.example.com", ""},
		{"a@example..com", ""},
		{"a@exampleſ.com", ""},
		{"a@exampl\u212a.com", ""}, // the Kelvin sign, which folds to k
		{"a@bücher.example", ""},
		{"a\uff20example.com@evil.com", ""}, // the full-width @, which normalises to @
		{"a@example.com\x00", ""},
		{"a\x00@example.com", ""},
		{"a\r\nb@example.com", ""},
		{"a b@example.com", ""},
		{"a@exam ple.com", ""},
		{" a@example.com", ""},
		{"a@example.com ", ""},
		{"a\u00a0b@example.com", ""},
		{"<a@example.com>", ""},
		{"a,b@example.com", ""},
		{"a@[127.0.0.1]", ""},
		{"a@example.com:25", ""},
		{"a@" + strings.Repeat("b", 64) + ".com", ""},
	} {
		got, err := canonicalEmail(tt.address)
		if got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("AUTHZ-2 %q: got %q, %v", tt.address, got, err)
		}
		if err != nil && tt.address != "" && len(tt.address) > 3 && strings.Contains(err.Error(), tt.address) {
			t.Errorf("the error repeats the address: %v", err)
		}
	}
}

func TestGroups(t *testing.T) {
	claimed := func(paths ...string) func(*Config) { return func(c *Config) { c.GroupsClaims = paths } }
	for _, tt := range []struct {
		name   string
		user   func(*idptest.Behaviour)
		change func(*Config)
		want   []string
		log    string
	}{
		{"array", user(), nil, []string{"sre", "platform"}, ""},
		{"AUTHZ-5 string", user("groups", "sre"), nil, []string{"sre"}, ""},
		{"AUTHZ-5 a string is one group", user("groups", "sre,admin sre"), nil, []string{"sre,admin sre"}, ""},
		{"AUTHZ-5 object", user("groups", map[string]any{"sre": true}), nil, nil, "neither a string nor"},
		{"AUTHZ-5 nested array", user("groups", []any{"a", []string{"b"}}), nil, nil, "neither a string nor"},
		{"AUTHZ-5 number in the array", user("groups", []any{"a", 1}), nil, nil, "neither a string nor"},
		{"AUTHZ-5 null in the array", user("groups", []any{"a", nil}), nil, nil, "neither a string nor"},
		{"AUTHZ-5 case is kept", user("groups", []string{"SRE", "sre"}), nil, []string{"SRE", "sre"}, ""},
		{"empty array", user("groups", []string{}), nil, nil, ""},
		{"missing", user("groups", nil), nil, nil, ""},
		{"empty names are dropped", user("groups", []string{"", "a"}), nil, []string{"a"}, ""},
		{"HDR-9 odd bytes are kept", user("groups", []string{"a\r\nX-Admin: 1", "g1,g2", "Jörg"}), nil, []string{"a\r\nX-Admin: 1", "g1,g2", "Jörg"}, ""},
		{"LIM-2 a very long name", user("groups", []string{"a", strings.Repeat("g", maxName+1)}), nil, nil, "more than 1024 bytes"},
		{"several claims, each group once, in order", user("groups", []string{"b", "a", "b"}, "realm_access", map[string]any{"roles": []string{"c", "a"}}),
			claimed("realm_access.roles", "groups"), []string{"c", "a", "b"}, ""},
		{"one of several claims is refused", user("groups", 1, "roles", "r"), claimed("groups", "roles"), []string{"r"}, "neither a string nor"},
		{"namespaced", user("https://example.com/groups", []string{"n"}), claimed("https://example.com/groups"), []string{"n"}, ""},
		{"AUTHZ-4 distributed claim", user("groups", nil, "_claim_names", map[string]any{"groups": "src1"},
			"_claim_sources", map[string]any{"src1": map[string]any{"endpoint": "http://169.254.169.254/"}}), nil, nil, "more groups than"},
		{"AUTHZ-4 hasgroups", user("groups", nil, "hasgroups", true), nil, nil, "more groups than"},
		{"AUTHZ-4 hasgroups as a string", user("groups", nil, "hasgroups", "true"), nil, nil, "more groups than"},
		{"AUTHZ-4 groups:src1", user("groups", nil, "groups:src1", "https://graph.example.com"), nil, nil, "more groups than"},
		{"AUTHZ-4 another claim is distributed", user("_claim_names", map[string]any{"address": "src1"},
			"_claim_sources", map[string]any{"src1": map[string]any{"endpoint": "https://id.example.com/"}}), nil, []string{"sre", "platform"}, ""},
		{"HDR-10 two thousand groups are left to the headers", user("groups", manyGroups(), "email", nil), nil, manyGroups(), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			op := startOP(t)
			op.Set(tt.user)
			op.Set(func(b *idptest.Behaviour) {
				if strings.HasPrefix(tt.name, "HDR-10") { // more than a token may hold
					b.UserinfoOnly = []string{"groups"}
				}
			})
			log := &logBuffer{}
			p := rp(t, op, func(c *Config) {
				c.Log = logTo(log)
				if tt.change != nil {
					tt.change(c)
				}
			})
			login, err := signIn(t, op, p)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, login.User.Groups); diff != "" {
				t.Error(diff)
			}
			if login.User.GroupsUnknown != (tt.log != "") {
				t.Errorf("AUTHZ-4: groups unknown: %v", login.User.GroupsUnknown)
			}
			if !strings.Contains(log.String(), tt.log) || tt.log == "" && strings.Contains(log.String(), "groups claim") {
				t.Errorf("the log says %s", log)
			}
		})
	}
}

func manyGroups() []string {
	groups := make([]string, 2000)
	for i := range groups {
		groups[i] = "group-" + strings.Repeat("x", 10) + string(rune('a'+i%26)) + strings.Repeat("y", i%97) + string(rune('a'+i/97))
	}
	return groups
}

func TestUserClaim(t *testing.T) {
	for _, tt := range []struct {
		name, claim string
		user        func(*idptest.Behaviour)
		want        string
		reason      string
	}{
		{"sub", "", user(), "user-1", ""},
		{"preferred_username", "preferred_username", user(), "ada", ""},
		{"dotted", "ext.id", user("ext", map[string]any{"id": "u7"}), "u7", ""},
		{"HDR-9 odd bytes are kept", "preferred_username", user("preferred_username", "a\x00\nb"), "a\x00\nb", ""},
		{"missing", "employee", user(), "", ReasonUserClaim},
		{"empty", "employee", user("employee", ""), "", ReasonUserClaim},
		{"a number", "employee", user("employee", 7), "", ReasonUserClaim},
		{"LIM-2 too long", "employee", user("employee", strings.Repeat("e", maxName+1)), "", ReasonUserClaim},
		{"verified e-mail", "email", user(), "ada@example.com", ""},
		{"AUTHZ-3 unverified e-mail", "email", user("email_verified", false), "", ReasonUserClaim},
		{"AUTHZ-2 e-mail with two @", "email", user("email", "a@evil.com@example.com"), "", ReasonUserClaim},
	} {
		t.Run(tt.name, func(t *testing.T) {
			op := startOP(t)
			op.Set(tt.user)
			login, err := signIn(t, op, rp(t, op, func(c *Config) { c.UserClaim = tt.claim }))
			if reason(err) != tt.reason || login.User.ID != tt.want {
				t.Errorf("got %q, %v", login.User.ID, err)
			}
			if err == nil && login.User.Subject != "user-1" {
				t.Errorf("AUTHZ-1: the subject is %q", login.User.Subject)
			}
		})
	}
}

func TestUserinfoIsAskedWhenSomethingIsMissing(t *testing.T) {
	for _, tt := range []struct {
		name   string
		only   []string // at the userinfo endpoint only
		change func(*Config)
		asked  int
		want   auth.User
	}{
		{"nothing is missing", nil, nil, 0, auth.User{ID: "user-1", Email: "ada@example.com", Name: "Ada Lovelace", Groups: []string{"sre", "platform"}}},
		{"only a name is missing", []string{"name"}, nil, 0, auth.User{ID: "user-1", Email: "ada@example.com", Groups: []string{"sre", "platform"}}},
		{"e-mail", []string{"email", "email_verified"}, nil, 1, auth.User{ID: "user-1", Email: "ada@example.com", Name: "Ada Lovelace", Groups: []string{"sre", "platform"}}},
		{"verification", []string{"email_verified"}, nil, 1, auth.User{ID: "user-1", Email: "ada@example.com", Name: "Ada Lovelace", Groups: []string{"sre", "platform"}}},
		{"groups", []string{"groups"}, nil, 1, auth.User{ID: "user-1", Email: "ada@example.com", Name: "Ada Lovelace", Groups: []string{"sre", "platform"}}},
		{"user claim", []string{"preferred_username"}, func(c *Config) { c.UserClaim = "preferred_username" }, 1,
			auth.User{ID: "ada", Email: "ada@example.com", Name: "Ada Lovelace", Groups: []string{"sre", "platform"}}},
		{"everything", []string{"email", "email_verified", "groups", "name", "preferred_username"}, nil, 1,
			auth.User{ID: "user-1", Email: "ada@example.com", Name: "Ada Lovelace", Groups: []string{"sre", "platform"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			op := startOP(t)
			op.Set(func(b *idptest.Behaviour) { b.UserinfoOnly = tt.only })
			login, err := signIn(t, op, rp(t, op, func(c *Config) {
				if tt.change != nil {
					tt.change(c)
				}
			}))
			if err != nil {
				t.Fatal(err)
			}
			got := auth.User{ID: login.User.ID, Email: login.User.Email, Name: login.User.Name, Groups: login.User.Groups}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			if n := op.Requests(idptest.Userinfo); n != tt.asked {
				t.Errorf("asked %d times", n)
			}
		})
	}
}

func TestUserinfoAnswers(t *testing.T) {
	const json = "application/json"
	handle := func(h http.Handler) func(*idptest.Behaviour) {
		return func(b *idptest.Behaviour) { b.Handle[idptest.Userinfo] = h }
	}
	change := func(name string, value any) func(*idptest.Behaviour) {
		return func(b *idptest.Behaviour) {
			b.Userinfo = func(c map[string]any) {
				if c[name] = value; value == nil {
					delete(c, name)
				}
			}
		}
	}
	for _, tt := range []struct {
		name   string
		change func(*idptest.Behaviour)
		want   string
		groups int
	}{
		{"as it should be", func(*idptest.Behaviour) {}, "", 2},
		{"OIDC-8 sub of somebody else", change("sub", "user-2"), ReasonUserinfoSub, 0},
		{"OIDC-8 sub missing", change("sub", nil), ReasonUserinfoSub, 0},
		{"OIDC-8 sub differs in case", change("sub", "User-1"), ReasonUserinfoSub, 0},
		{"OIDC-8 sub is an array", change("sub", []string{"user-1"}), ReasonUserinfoSub, 0},
		{"TOK-4 sub twice", handle(answering(200, json, `{"sub":"user-2","sub":"user-1"}`)), ReasonUserinfo, 0},
		{"signed answer", handle(answering(200, "application/jwt; charset=utf-8", "a.b.c")), ReasonUserinfo, 0},
		{"not JSON", handle(answering(200, json, "<p>")), ReasonUserinfo, 0},
		{"NET-1 more than 1 MiB", handle(answering(200, json, strings.Repeat(" ", maxBody)+"{}")), ReasonUserinfo, 0},
		{"NET-1 redirect", handle(http.RedirectHandler("/jwks", http.StatusFound)), ReasonUserinfo, 0},
		{"503", handle(answering(503, json, "{}")), "unavailable: userinfo", 0},
		{"429", handle(answering(429, json, "{}")), "unavailable: userinfo", 0},
		{"connection closed", handle(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })), "unavailable: userinfo", 0},
		{"403: nothing is claimed", handle(answering(403, json, "{}")), "", 0},
		{"overage at userinfo", change("hasgroups", true), "", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			op := startOP(t)
			op.Set(func(b *idptest.Behaviour) { b.UserinfoOnly = []string{"groups"} })
			op.Set(tt.change)
			login, err := signIn(t, op, rp(t, op))
			if tt.name == "signed answer" && !strings.Contains(err.Error(), "userinfo_signed_response_alg") {
				t.Errorf("the operator is not told what to change: %v", err)
			}
			if reason(err) != tt.want || len(login.User.Groups) != tt.groups {
				t.Errorf("got %v, %v", login.User.Groups, err)
			}
		})
	}
}

// What the ID token says is never overruled by userinfo, and an address of one
// is not verified by the other.
func TestIDTokenComesBeforeUserinfo(t *testing.T) {
	op := startOP(t)
	op.Set(func(b *idptest.Behaviour) {
		b.UserinfoOnly = []string{"groups"}
		b.Claims = func(c map[string]any) { c["email_verified"] = false }
		b.Userinfo = func(c map[string]any) { c["name"], c["preferred_username"] = "Mallory", "mallory" }
	})
	login, err := signIn(t, op, rp(t, op))
	if err != nil {
		t.Fatal(err)
	}
	if u := login.User; u.Email != "" || u.Name != "Ada Lovelace" || u.PreferredUsername != "ada" {
		t.Errorf("got %+v", u)
	}
	op.Set(func(b *idptest.Behaviour) {
		b.Claims = func(c map[string]any) { c["email"] = "admin@example.com"; delete(c, "email_verified") }
	})
	if login, err = signIn(t, op, rp(t, op)); err != nil || login.User.Email != "ada@example.com" {
		t.Errorf("AUTHZ-3: %q, %v", login.User.Email, err)
	}
}

func TestWithoutUserinfoEndpoint(t *testing.T) {
	op := startOP(t)
	op.Set(func(b *idptest.Behaviour) { b.UserinfoOnly = []string{"groups"} })
	op.Set(inDocument("userinfo_endpoint", nil))
	login, err := signIn(t, op, rp(t, op))
	if err != nil || login.User.Groups != nil || login.User.Email != "ada@example.com" {
		t.Errorf("%+v, %v", login.User, err)
	}
}

func TestAuthTimeAndACR(t *testing.T) {
	op := startOP(t)
	op.Set(func(b *idptest.Behaviour) {
		b.Claims = func(c map[string]any) { c["auth_time"], c["acr"] = 1700000000, "mfa"; delete(c, "sid") }
	})
	login, err := signIn(t, op, rp(t, op))
	if err != nil || !login.User.AuthTime.Equal(time.Unix(1700000000, 0)) || login.User.ACR != "mfa" || login.SessionID != "" {
		t.Errorf("%+v, %v", login, err)
	}
	op.Set(claim("auth_time", nil))
	if login, err = signIn(t, op, rp(t, op)); err != nil || !login.User.AuthTime.IsZero() {
		t.Errorf("no auth_time: %v, %v", login.User.AuthTime, err)
	}
}
