package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/config"
)

// manyHosts is a file with three rules for each of n hosts, one of ten with a
// condition.
func manyHosts(n int) string {
	var text strings.Builder
	text.WriteString("rules:\n")
	for i := range n {
		when := ""
		if i%10 == 0 {
			when = ", when: claims.level >= 3"
		}
		fmt.Fprintf(&text, `  - name: static %[1]d
    hosts: [app%[1]d.example.com]
    paths: [/static/**]
    public: true
  - name: admin %[1]d
    hosts: [app%[1]d.example.com]
    paths: [/admin/**]
    allow: {groups: [ops]%[2]s}
  - name: app %[1]d
    hosts: [app%[1]d.example.com]
    allow: any
`, i, when)
	}
	return text.String()
}

// BenchmarkLoad reads and compiles a file of 10,000 hosts with three rules each.
func BenchmarkLoad(b *testing.B) {
	file := filepath.Join(b.TempDir(), "doorward.yaml")
	if err := os.WriteFile(file, []byte(manyHosts(10_000)), 0o600); err != nil {
		b.Fatal(err)
	}
	for name, value := range environment(file) {
		b.Setenv(name, value)
	}
	for b.Loop() {
		cfg, _, err := config.Load()
		if err != nil {
			b.Fatal(err)
		}
		if _, _, err := ruleSets(cfg); err != nil || len(cfg.Rules) != 30_000 {
			b.Fatalf("%d rules: %v", len(cfg.Rules), err)
		}
	}
}
