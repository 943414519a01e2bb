package policy

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/auth"
)

func TestCompileMistakes(t *testing.T) {
	for _, tt := range []struct {
		name         string
		expression   string
		line, column int
		problem      string // a part of it
	}{
		{"syntax", "claims.level >=", 1, 16, "Syntax error"},
		{"a name that is not there", "claim.level >= 3", 1, 1, "sees request, user and claims"},
		{"a field of the request", "request.metod == 'GET'", 1, 8, "method, scheme, host, path, query, client"},
		{"a field of the user", "true && user.mail != ''", 1, 13, "id, email, preferred_username, name, groups, provider"},
		{"a claim alone", "claims.level", 1, 1, "compare it"},
		{"not a boolean", "1 + 1", 1, 1, "of type int, and has to be true or false"},
		{"a text that is no boolean", "user.id", 1, 1, "of type string"},
		{"types that do not compare", "user.groups == 'sre'", 1, 13, "no matching overload"},
		{"the second line", "user.id == 'a' ||\n  usr.id == 'b'", 2, 3, "undeclared reference"},
		{"a function that is not there", "user.id.reverse() == 'x'", 1, 16, "undeclared reference"},
		{"all claims at once", "size(claims) > 0", 1, 1, "name each claim"},
		{"a claim whose name is computed", "claims[user.id] == 'x'", 1, 1, "name each claim"},
		{"claims in a macro", "claims.exists(c, c == 'x')", 1, 1, "name each claim"},
		{"claims handed on", "[claims].exists(c, c.level > 3)", 1, 1, "name each claim"},
		{"claims compared", "claims == {'a': 1}", 1, 1, "name each claim"},
		{"empty", "", 1, 1, "Syntax error"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Compile(tt.expression)
			mistake, ok := errors.AsType[*Mistake](err)
			if !ok {
				t.Fatalf("%q gives %v", tt.expression, err)
			}
			if mistake.Line != tt.line || mistake.Column != tt.column || !strings.Contains(mistake.Problem, tt.problem) || strings.Contains(mistake.Error(), "\n") {
				t.Errorf("%v; want %d:%d and %q", mistake, tt.line, tt.column, tt.problem)
			}
		})
	}
}

func TestConditionClaims(t *testing.T) {
	for _, tt := range []struct {
		expression string
		want       []string
	}{
		{"true", nil},
		{"claims.level > 3 && claims.level < 9", []string{"level"}},
		{"has(claims.a) && claims['b-c'] == 'x' && 'd' in claims", []string{"a", "b-c", "d"}},
		{"claims.realm_access.roles.exists(r, r == 'admin')", []string{"realm_access"}},
		{"user.groups.all(g, g.startsWith(claims.team))", []string{"team"}},
	} {
		c, err := Compile(tt.expression)
		if err != nil {
			t.Errorf("%q: %v", tt.expression, err)
			continue
		}
		if !slices.Equal(c.Claims(), tt.want) {
			t.Errorf("%q looks at %q, want %q", tt.expression, c.Claims(), tt.want)
		}
	}
}

func TestConditionHolds(t *testing.T) {
	many := make([]any, 2000)
	for i := range many {
		many[i] = int64(i)
	}
	req := auth.Request{
		Method: "POST", Scheme: "https", Host: "app.example.com", Path: "/a/b", Query: "?x=1&y=2",
		Client: netip.MustParseAddr("192.0.2.7"),
	}
	user := auth.User{
		Subject: "1", ID: "ada", Email: "ada@example.com", PreferredUsername: "lovelace", Name: "Ada", Groups: []string{"sre", "ops"}, Provider: "oidc",
		Claims: map[string]any{
			"level": int64(4), "half": 2.5, "text": "4", "yes": true, "list": []any{"a", int64(2)}, "many": many,
			"realm_access": map[string]any{"roles": []any{"admin"}}, "a-b": "c", "null": nil,
		},
	}
	for _, tt := range []struct {
		expression string
		want       auth.Reason
	}{
		{"request.method == 'POST' && request.scheme == 'https' && request.host == 'app.example.com'", auth.Admitted},
		{"request.path == '/a/b' && request.query == 'x=1&y=2' && request.client == '192.0.2.7'", auth.Admitted},
		{"user.id == 'ada' && user.email == 'ada@example.com' && user.preferred_username == 'lovelace' && user.name == 'Ada' && user.provider == 'oidc'", auth.Admitted},
		{"'ops' in user.groups && user.groups.exists(g, g.startsWith('s'))", auth.Admitted},
		{"'Ops' in user.groups", auth.ConditionFailed},
		{"claims.level >= 3", auth.Admitted},
		{"claims.level >= 5", auth.ConditionFailed},
		{"claims.level == 4.0 && claims.half > 2 && claims.half < 3", auth.Admitted},
		{"claims.text == '4'", auth.Admitted},
		{"claims.text >= 3", auth.ConditionError},
		{"claims.yes == true", auth.Admitted},
		{"!claims.yes", auth.ConditionFailed},
		{"'a' in claims.list && 2 in claims.list && !('b' in claims.list)", auth.Admitted},
		{"'admin' in claims.realm_access.roles", auth.Admitted},
		{"claims['a-b'] == 'c' && 'a-b' in claims", auth.Admitted},
		{"claims.missing == 'x'", auth.ConditionError},
		{"has(claims.missing)", auth.ConditionFailed},
		{"!has(claims.missing) || claims.missing == 'x'", auth.Admitted},
		{"claims.yes || claims.missing == 'x'", auth.Admitted},
		{"claims.missing == 'x' || claims.yes", auth.Admitted}, // CEL's or does not mind an error beside a true
		{"claims.missing == 'x' && claims.yes", auth.ConditionError},
		{"claims.realm_access.none == 'x'", auth.ConditionError},
		{"claims.list[7] == 'x'", auth.ConditionError},
		{"1 / (claims.level - 4) == 1", auth.ConditionError},
		{"claims['null'] == 'x'", auth.ConditionFailed},
		{"claims.many.all(a, claims.many.all(b, a + b >= 0))", auth.ConditionError}, // costs too much
		{"claims.many.exists(a, a == 1999)", auth.ConditionError},                   // likewise
		{"claims.text.matches('^[0-9]+$')", auth.Admitted},
	} {
		t.Run(tt.expression, func(t *testing.T) {
			c, err := Compile(tt.expression)
			if err != nil {
				t.Fatal(err)
			}
			if got, ok := c.holds(&req, &user, req.Path); got != tt.want || ok != (tt.want == auth.Admitted) {
				t.Errorf("%v, %v; want %v", got, ok, tt.want)
			}
		})
	}
}

// TestConditionOfNobody: an expression sees empty values and no surprise.
func TestConditionOfNobody(t *testing.T) {
	for expression, want := range map[string]auth.Reason{
		"user.id == '' && size(user.groups) == 0 && request.client == '' && request.query == ''": auth.Admitted,
		"'x' in user.groups": auth.ConditionFailed,
		"has(claims.x)":      auth.ConditionFailed,
		"claims.x == ''":     auth.ConditionError,
	} {
		c, err := Compile(expression)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := c.holds(&auth.Request{}, &auth.User{}, auth.Request{}.Path); got != want {
			t.Errorf("%s: %v, want %v", expression, got, want)
		}
	}
}

// TestClaims compares a claim with what a rule wants, as text.
func TestClaims(t *testing.T) {
	claims := map[string]any{
		"text": "eng", "whole": int64(-3), "big": uint64(1 << 63), "real": 2.5, "round": 3.0, "yes": true, "list": []any{"a", int64(7), false, []any{"deep"}},
		"object": map[string]any{"inner": map[string]any{"leaf": "x"}, "dotted.name": "y"}, "empty": "", "none": nil, "realm.roles": []any{"flat"},
		"realm": map[string]any{"roles": "nested"},
	}
	for _, tt := range []struct {
		path   string
		wanted []string
		want   bool
	}{
		{"text", []string{"ops", "eng"}, true},
		{"text", []string{"Eng"}, false},
		{"text", []string{"en", "engineering"}, false},
		{"text", nil, false},
		{"whole", []string{"-3"}, true},
		{"whole", []string{"3"}, false},
		{"big", []string{"9223372036854775808"}, true},
		{"real", []string{"2.5"}, true},
		{"real", []string{"2"}, false},
		{"round", []string{"3"}, true},
		{"yes", []string{"true"}, true},
		{"yes", []string{"True", "1"}, false},
		{"list", []string{"a"}, true},
		{"list", []string{"7"}, true},
		{"list", []string{"false"}, true},
		{"list", []string{"deep"}, false},
		{"list", []string{"a,7"}, false},
		{"object", []string{"inner"}, false},
		{"object.inner", []string{"leaf"}, false},
		{"object.inner.leaf", []string{"x"}, true},
		{"object.inner.leaf.x", []string{"x"}, false},
		{"object.dotted.name", []string{"y"}, true},
		{"realm.roles", []string{"flat"}, true},    // the claim that is called so
		{"realm.roles", []string{"nested"}, false}, // hides the one inside
		{"empty", []string{""}, true},
		{"none", []string{"", "null", "<nil>"}, false},
		{"missing", []string{""}, false},
		{"text.missing", []string{"eng", ""}, false},
	} {
		if got := holds(claims, tt.path, tt.wanted); got != tt.want {
			t.Errorf("%s has one of %q: %v", tt.path, tt.wanted, got)
		}
	}
}
