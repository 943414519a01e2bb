package config

import (
	"os"
	"strings"
	"testing"
	"time"
)

// FuzzFile holds what operators rely on: no file makes the reader panic or run
// away, a file is good or has mistakes, and each mistake is one line that begins
// with the name of the file.
func FuzzFile(f *testing.F) {
	for _, path := range []string{"testdata/contract.yaml", "../../deploy/doorward.example.yaml"} {
		content, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(content))
	}
	for _, seed := range []string{
		"", "rules: [{allow: any}]", "rules:\n- &a\n  allow: &b {groups: [x]}\n- *a\n- allow: *b\n", "a: [*a, &a b]", "rules: |\n  x\n", "- - - -", "{{{{", "? a\n: b",
		"headers: {X-A: email}\ntokens: [{keys_file: /k}]", "providers: [{issuer_url: 'https://x', client_id: x}]", "<<: *a", "rules: [{allow: {when: >-\n   x\n}}]", "%YAML 1.2\n---\n", "a: !!x b",
		"rules: [{paths: [/a%20, /**, '/*/b'], methods: [GET], hosts: ['*.x.y']}]", "\"a\\x00b\": 'c''d'", "a:\r\n  b: \"\r\n", "rules: [{max_age: 1h, acr: [1, true, ~, .inf, 0x1]}]",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, content string) {
		if len(content) > 64<<10 {
			return
		}
		began := time.Now()
		d := &document{name: "doorward.yaml", source: content}
		s := d.spec()
		c := &Config{
			Sites: []Site{{Scheme: "https", Host: "auth.example.com", CookieDomain: "example.com"}}, Providers: []Provider{{Name: "oidc"}},
			AllowedGroups: []string{"sre"}, IdentityHeaders: []string{"x-auth-request"},
		}
		if s != nil {
			d.providers(s)
		}
		d.settle(s, c)
		mistakes := d.mistakes()
		if s == nil && len(mistakes) == 0 {
			t.Error("CFG-1: nothing is read, and nothing is said")
		}
		if len(mistakes) == 0 && len(c.Rules) == 0 {
			t.Error("CFG-1: a good file without a rule in force")
		}
		for _, line := range append(d.warnings, mistakes...) {
			if !strings.HasPrefix(line, "doorward.yaml:") || strings.ContainsAny(line, "\n\r\x00") {
				t.Errorf("a message that is no line of the file: %q", line)
			}
		}
		for i := range c.Rules {
			checkRule(t, &c.Rules[i], len(mistakes) == 0)
		}
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("LIM: %d bytes took %s", len(content), took)
		}
	})
}

// checkRule holds what policy takes for granted.
func checkRule(t *testing.T, r *Rule, good bool) {
	t.Helper()
	if !good {
		return
	}
	verdicts := 0
	for _, given := range []bool{r.Public, r.Deny, r.Allow != nil} {
		if given {
			verdicts++
		}
	}
	if verdicts != 1 || r.Name == "" {
		t.Errorf("CFG-1: rule %+v has %d verdicts", r, verdicts)
	}
	a := r.Allow
	if a != nil && !a.Any && len(a.Emails)+len(a.EmailDomains)+len(a.Groups)+len(a.Claims)+len(a.Networks) == 0 && a.When == "" {
		t.Errorf("CFG-1: rule %q admits by no condition", r.Name)
	}
	if a != nil && a.When != "" && (a.WhenLine < 1 || a.WhenColumn < 1) {
		t.Errorf("rule %q has an expression at %d:%d", r.Name, a.WhenLine, a.WhenColumn)
	}
}
