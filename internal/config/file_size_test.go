package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/config"
)

// LIM: aliases of a small file do not make a large one.
func TestAliasesAreBounded(t *testing.T) {
	var b strings.Builder
	b.WriteString("rules:\n- &a\n  hosts: [a.example.com" + strings.Repeat(", a.example.com", 9999) + "]\n  allow: any\n")
	b.WriteString(strings.Repeat("- *a\n", 5000))
	_, _, found := loadFile(t, b.String(), nil)
	if len(found) != 1 || !strings.Contains(found[0], "is one value too many; the file repeats too much by its aliases") {
		t.Errorf("mistakes %q", found)
	}
}

// LIM: the time of the parser would grow with the square of the keys.
func TestManyKeys(t *testing.T) {
	for _, tt := range []struct{ name, content string }{
		{"below each other", "headers:\n" + keysOf(" X-%06d: email\n", 100_000)},
		{"in brackets", "headers: {" + keysOf("X-%06d: email, ", 100_000) + "}"},
		{"in a list", "rules:\n- name: x\n" + keysOf("  k%06d: email\n", 100_000)},
		{"deeper and higher", "a:\n" + keysOf("   a%06d:\n    - x\n", 50_000)},
	} {
		_, _, found := loadFile(t, tt.content, nil)
		if len(found) != 1 || !strings.Contains(found[0], "is in a mapping with too many keys") {
			t.Errorf("%s: mistakes %q", tt.name, found)
		}
	}
}

// As many keys as there may be, and what follows them is counted elsewhere.
func TestMostKeys(t *testing.T) {
	if got := len(goodFile(t, "headers:\n"+keysOf("  X-%06d: email\n", 1000)+"rules: [{allow: any}]\n", nil).Headers); got != 1000 {
		t.Errorf("%d headers", got)
	}
}

// Each rule has few keys, however many rules there are.
func TestManyRules(t *testing.T) {
	const rule = "- name: r%05d\n  hosts: [h%[1]d.example.com]\n  allow:\n    groups:\n    - sre\n    claims:\n      a: [b]\n      c: [d]\n"
	for _, content := range []string{"rules:\n" + keysOf(rule, 2000), "rules:\n" + keysOf("- {hosts: [h%05d.example.com], allow: any}\n", 2000)} {
		if got := len(goodFile(t, content, nil).Rules); got != 2000 {
			t.Errorf("%d rules", got)
		}
	}
}

func keysOf(format string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

func TestLargeFile(t *testing.T) {
	_, _, found := loadFile(t, "#"+strings.Repeat("x", 4<<20), nil)
	if len(found) != 1 || !strings.HasSuffix(found[0], "the file is larger than 4096 KiB") {
		t.Errorf("mistakes %q", found)
	}
}

// BenchmarkReload reads 10,000 hosts with three rules each.
func BenchmarkReload(b *testing.B) {
	var content strings.Builder
	content.WriteString("rules:\n")
	for i := range 10_000 {
		fmt.Fprintf(&content, "- {hosts: [h%05d.example.com], paths: [/static/**], public: true}\n", i)
		fmt.Fprintf(&content, "- {hosts: [h%05d.example.com], paths: [/admin/**], allow: {groups: [sre]}}\n", i)
		fmt.Fprintf(&content, "- {hosts: [h%05d.example.com], allow: any}\n", i)
	}
	path := filepath.Join(b.TempDir(), "doorward.yaml")
	if err := os.WriteFile(path, []byte(content.String()), 0o600); err != nil {
		b.Fatal(err)
	}
	cfg := &config.Config{File: path, Sites: []config.Site{{Scheme: "https", Host: "auth.example.com", CookieDomain: "example.com"}}}
	for b.Loop() {
		next, warnings, err := config.Reload(cfg)
		if err != nil || len(warnings) > 0 || len(next.Rules) != 30_000 {
			b.Fatal(err, warnings)
		}
	}
	b.ReportMetric(float64(content.Len()), "file-bytes")
}
