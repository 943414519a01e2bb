package config_test

import (
	"os"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/config"
)

const reloadable = `providers: [{issuer_url: https://id.test, client_id: x}]
rules: [{name: one, allow: any}]
`

// TestReload changes a file behind a configuration that was read from it.
func TestReload(t *testing.T) {
	for _, tt := range []struct {
		name     string
		content  string
		rule     string // the name of the first one afterwards; "" for a mistake
		mistake  string
		warnings []string
	}{
		{name: "the same", content: reloadable, rule: "one"},
		{name: "another rule", content: strings.Replace(reloadable, "one", "two", 1), rule: "two"},
		{name: "tokens and headers", content: reloadable + "tokens: [{keys_file: /k}]\nheaders: {X-Team: email}\n", rule: "one"},
		{name: "the provider on another line", content: "\n\n" + reloadable, rule: "one"},
		{name: "another client", content: strings.Replace(reloadable, "client_id: x", "client_id: y", 1), rule: "one",
			warnings: []string{"doorward.yaml:1:12: `providers` changed, which needs a restart; the process goes on with the providers that it has"}},
		{name: "CFG-3 a rule for the provider to be", content: "providers: [{name: kc, issuer_url: https://id.test, client_id: x}]\nrules: [{allow: any, provider: kc}]\n",
			mistake: "doorward.yaml:2:32: rule 1: `provider` is no provider; known here are oidc", warnings: []string{"doorward.yaml:1:12: `providers` changed"}},
		{name: "CFG-3 a broken rule", content: reloadable + "  - {}", mistake: "doorward.yaml:3:3: is no YAML"},
		{name: "CFG-3 a broken provider", content: strings.Replace(reloadable, "https://id.test", "id.test", 1), mistake: "doorward.yaml:1:26: provider 1: `issuer_url` is not an address"},
		{name: "CFG-3 no provider", content: "rules: [{allow: any}]\n", mistake: "doorward.yaml: has no `providers` any more"},
		{name: "CFG-3 no rules", content: "providers: [{issuer_url: https://id.test, client_id: x}]\n", mistake: "doorward.yaml: has no `rules`"},
		{name: "CFG-3 half written", content: "", mistake: "doorward.yaml: is empty"},
		{name: "CFG-3 gone", content: unset, mistake: "DOORWARD_CONFIG_FILE: cannot read"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			current := goodFile(t, reloadable, inFile)
			before := *current
			if err := os.WriteFile(current.File, []byte(tt.content), 0o600); err != nil {
				t.Fatal(err)
			}
			if tt.content == unset {
				if err := os.Remove(current.File); err != nil {
					t.Fatal(err)
				}
			}
			next, warnings, err := config.Reload(current)
			wantLines(t, "mistakes", short(current.File, mistakes(t, err)), tt.mistake)
			wantLines(t, "warnings", short(current.File, warnings), tt.warnings...)
			diff(t, "CFG-3 the old configuration", before, *current)
			switch {
			case tt.mistake != "" && next != nil:
				t.Error("CFG-3 there is a configuration beside mistakes")
			case tt.mistake == "" && (next == nil || next.Rules[0].Name != tt.rule):
				t.Errorf("got %+v", next)
			case tt.mistake == "":
				diff(t, "the provider", current.Providers, next.Providers)
				diff(t, "the sites", current.Sites, next.Sites)
			}
		})
	}
}

// wantLines compares lines with how they have to begin; an empty one is none.
func wantLines(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if len(want) == 1 && want[0] == "" {
		want = nil
	}
	if len(got) != len(want) {
		t.Fatalf("%s:\n%s\nwant %q", what, strings.Join(got, "\n"), want)
	}
	for i := range want {
		if !strings.HasPrefix(got[i], want[i]) {
			t.Errorf("%s: %q, want %q…", what, got[i], want[i])
		}
	}
}

func TestReloadBesideEnvironment(t *testing.T) {
	for _, tt := range []struct {
		name    string
		before  string
		env     env
		after   string
		mistake string
	}{
		{"rules of the environment go on", "headers: {X-A: email}", env{"ALLOWED_GROUPS": "sre"}, "headers: {X-B: email}", ""},
		{"CFG-3 rules beside those of the environment", "headers: {X-A: email}", env{"ALLOWED_GROUPS": "sre"}, "rules: [{allow: any}]", "doorward.yaml:1:8: `rules` are set together with DOORWARD_ALLOW*"},
		{"CFG-3 provider beside that of the environment", "rules: [{allow: any}]", nil, reloadable, "doorward.yaml:1:12: `providers` are in the file now, and DOORWARD_OIDC_* are set"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			current := goodFile(t, tt.before, tt.env)
			if err := os.WriteFile(current.File, []byte(tt.after), 0o600); err != nil {
				t.Fatal(err)
			}
			next, _, err := config.Reload(current)
			wantLines(t, "mistakes", short(current.File, mistakes(t, err)), tt.mistake)
			if tt.mistake == "" && (next.Headers[0].Name != "X-B" || len(next.Rules) != 1) {
				t.Errorf("got %+v", next)
			}
		})
	}
}

func TestReloadWithoutFile(t *testing.T) {
	current := good(t, nil)
	next, warnings, err := config.Reload(current)
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	diff(t, "copy", current, next)
}
