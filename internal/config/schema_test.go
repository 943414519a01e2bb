package config_test

import (
	"bytes"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/doorward/doorward/internal/config"
)

//go:generate go test -run ^TestSchemaFile$ -update .

var update = flag.Bool("update", false, "write deploy/doorward.schema.json")

const schemaFile, exampleFile = "../../deploy/doorward.schema.json", "../../deploy/doorward.example.yaml"

func TestSchemaFile(t *testing.T) {
	if *update {
		if err := os.WriteFile(schemaFile, config.Schema(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	shipped, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(shipped, config.Schema()) {
		t.Error("deploy/doorward.schema.json is not what the types say; run go generate ./internal/config")
	}
}

// compiled is the schema, checked against its own draft.
func compiled(t *testing.T) *jsonschema.Schema {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(config.Schema()))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("doorward.schema.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("doorward.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// against is what the schema says about a file.
func against(t *testing.T, schema *jsonschema.Schema, content string) error {
	t.Helper()
	encoded, err := yaml.YAMLToJSON([]byte(strings.TrimPrefix(content, "\ufeff")))
	if err != nil {
		t.Fatal(err)
	}
	instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(encoded))
	if err != nil {
		t.Fatal(err)
	}
	return schema.Validate(instance)
}

func TestSchemaAccepts(t *testing.T) {
	schema := compiled(t)
	files := map[string]string{"the contract's example": contract(t), "the shipped example": example(t)}
	files["providers of every type"] = "providers: [{name: a, type: github, client_id: x}, {name: b, type: google, client_id: x}, " +
		"{name: c, type: entra, client_id: x, tenants: [11111111-aaaa-4aaa-8aaa-111111111111]}, {name: d, issuer_url: 'https://id.test', client_id: x}]"
	for _, tt := range goodFiles {
		files[tt.name] = tt.content
	}
	for name, content := range files {
		if err := against(t, schema, content); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The schema refuses every unknown key, wrong kind and missing part that Load
// refuses; what a value must look like is Load's alone.
func TestSchemaRefuses(t *testing.T) {
	schema := compiled(t)
	for _, tt := range keyMistakes {
		if strings.Contains(tt.want, "is there already") || strings.Contains(tt.want, "no plain text") {
			continue // JSON knows no such keys
		}
		if against(t, schema, tt.content) == nil {
			t.Errorf("%s: the schema accepts it", tt.name)
		}
	}
	for _, tt := range []struct{ name, content string }{
		{"no verdict", "rules: [{hosts: [a.test]}]"},
		{"two verdicts", "rules: [{allow: any, deny: true}]"},
		{"not public", "rules: [{public: false}]"},
		{"another word", "rules: [{allow: everybody}]"},
		{"days", "rules: [{allow: any, max_age: 7d}]"},
		{"token without audiences", "tokens: [{issuer_url: 'https://id.test'}]"},
		{"token of two kinds", "tokens: [{issuer_url: 'https://id.test', audiences: [x], keys_file: /k}]"},
		{"unknown type of provider", "providers: [{type: saml, issuer_url: 'https://id.test', client_id: x}]"},
		{"provider without an issuer", "providers: [{type: oidc, client_id: x}]"},
		{"Entra without tenants", "providers: [{type: entra, client_id: x}]"},
		{"provider without a client", "providers: [{issuer_url: 'https://id.test'}]"},
		{"cors without origins", "rules: [{allow: any, cors: {}}]"},
	} {
		if against(t, schema, tt.content) == nil {
			t.Errorf("%s: the schema accepts it", tt.name)
		}
	}
}

func example(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(exampleFile)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The example is right as it is, and with everything that is commented out.
func TestExample(t *testing.T) {
	cfg := goodFile(t, example(t), nil)
	if len(cfg.Rules) != 7 || len(cfg.Headers) != 2 {
		t.Errorf("%d rules, %d headers", len(cfg.Rules), len(cfg.Headers))
	}
	var whole strings.Builder
	for line := range strings.Lines(example(t)) {
		if strings.HasPrefix(line, "# providers:") || strings.HasPrefix(line, "# tokens:") || strings.HasPrefix(line, "#   ") {
			line = strings.TrimPrefix(line, "# ")
		}
		whole.WriteString(line)
	}
	secret := write(t, "secret", "hush")
	cfg = goodFile(t, strings.NewReplacer("/run/secrets/keycloak", secret, "/run/secrets/introspect", secret).Replace(whole.String()), inFile)
	if cfg.Providers[0].Name != "keycloak" || len(cfg.Tokens) != 2 {
		t.Errorf("provider %q, %d tokens", cfg.Providers[0].Name, len(cfg.Tokens))
	}
	if err := against(t, compiled(t), whole.String()); err != nil {
		t.Error(err)
	}
}
