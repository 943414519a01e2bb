package idp

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseClaims(t *testing.T) {
	for _, tt := range []struct {
		name string
		json string
		bad  bool
	}{
		{"object", `{"a":1,"b":[true,null,{"c":"d"}]}`, false},
		{"empty", `{}`, false},
		{"white space around", " {\"a\":1}\n", false},
		{"TOK-4 names that differ in case are different names", `{"sub":"a","SUB":"b"}`, false},
		{"TOK-4 same name in different objects", `{"a":{"x":1},"b":{"x":2}}`, false},
		{"TOK-4 repeated name", `{"sub":"a","sub":"b"}`, true},
		{"TOK-4 repeated name, the same value", `{"sub":"a","sub":"a"}`, true},
		{"TOK-4 repeated name, escaped", `{"sub":"a","s\u0075b":"b"}`, true},
		{"TOK-4 repeated name, null first", `{"sub":null,"sub":"b"}`, true},
		{"TOK-4 repeated name inside", `{"a":{"roles":[],"roles":["admin"]}}`, true},
		{"TOK-4 repeated name inside an array", `{"a":[{"b":1,"b":2}]}`, true},
		{"array", `["sub"]`, true},
		{"text", `"sub"`, true},
		{"null", `null`, true},
		{"nothing", ``, true},
		{"unfinished", `{"a":1`, true},
		{"two objects", `{"a":1}{"b":2}`, true},
		{"rubbish behind", `{"a":1}x`, true},
		{"trailing comma", `{"a":1,}`, true},
		{"not UTF-8", "{\"a\":\"\xff\"}", true},
		{"deep", `{"a":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`, true},
		{"very deep", strings.Repeat(`{"a":`, 100000), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got, err := parseClaims([]byte(tt.json)); (err != nil) != tt.bad {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}

// FuzzParseClaims compares the strict reader with encoding/json: what the strict
// one takes, the other one takes with the same result.
func FuzzParseClaims(f *testing.F) {
	for _, seed := range []string{`{"a":1,"b":["c",{"d":null}]}`, `{"a":1,"a":2}`, `{"\u0061":1e400}`, `{"a":"\ud800"}`, `[[[[`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := parseClaims(data)
		if err != nil {
			return
		}
		dec := json.NewDecoder(strings.NewReader(string(data)))
		dec.UseNumber()
		var want map[string]any
		if err := dec.Decode(&want); err != nil {
			t.Fatalf("%q: taken, and encoding/json says %v", data, err)
		}
		if diff := cmp.Diff(want, map[string]any(got)); diff != "" {
			t.Errorf("%q: %s", data, diff)
		}
		for name := range got {
			if len(name) < 100 { // paths are configured, and short
				got.lookup(name + ".x")
			}
			_, _ = got.date(name)
			_, _ = got.texts(name)
		}
	})
}

func TestLookup(t *testing.T) {
	c, err := parseClaims([]byte(`{
		"sub": "s", "none": null,
		"realm_access": {"roles": ["a"], "x.y": "dotted"},
		"https://example.com/groups": ["g"],
		"https://example.com/app": {"roles": ["r"]},
		"a.b": "literal", "a": {"b": "nested", "c": {"d": "deep"}},
		"p.q": {"r": "long prefix"}, "p": {"q": {"r": "short prefix", "s": "fallback"}}
	}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		path string
		want any
	}{
		{"sub", "s"},
		{"realm_access.roles", []any{"a"}},
		{"realm_access.x.y", "dotted"},
		{"https://example.com/groups", []any{"g"}},
		{"https://example.com/app.roles", []any{"r"}},
		{"a.b", "literal"},
		{"a.c.d", "deep"},
		{"p.q.r", "long prefix"},
		{"p.q.s", "fallback"},
		{"none", nil},
		{"missing", nil},
		{"sub.x", nil},
		{"Sub", nil},
		{"realm_access.missing", nil},
		{"", nil},
		{".", nil},
		{"a.", nil},
		{".a", nil},
	} {
		got, there := c.lookup(tt.path)
		if diff := cmp.Diff(tt.want, got); diff != "" || there != (tt.want != nil) {
			t.Errorf("%s: there %v, %s", tt.path, there, diff)
		}
	}
}

func TestDate(t *testing.T) {
	for _, tt := range []struct {
		json string
		want time.Time
		bad  bool
	}{
		{`1700000000`, time.Unix(1700000000, 0), false},
		{`1700000000.5`, time.Unix(1700000000, 5e8), false},
		{`1.7e9`, time.Unix(1700000000, 0), false},
		{`null`, time.Time{}, false},
		{`"1700000000"`, time.Time{}, true},
		{`true`, time.Time{}, true},
		{`-1`, time.Time{}, true},
		{`1e12`, time.Time{}, true},
		{`1e400`, time.Time{}, true},
		{`99999999999999999999999`, time.Time{}, true},
	} {
		c, err := parseClaims([]byte(`{"exp":` + tt.json + `}`))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := c.date("exp"); !got.Equal(tt.want) || (err != nil) != tt.bad {
			t.Errorf("TOK-4 %s: got %v, %v", tt.json, got, err)
		}
	}
}
