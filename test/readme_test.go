package test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/config"
)

func readme(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// blocks are the fenced code blocks of a language.
func blocks(text, language string) []string {
	var found []string
	for _, m := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(text, -1) {
		found = append(found, m[1])
	}
	return found
}

// TestRecipesAreTheFiles: what README quotes stands in the files that the tests
// of the gateways run.
func TestRecipesAreTheFiles(t *testing.T) {
	text := readme(t)
	for _, tt := range []struct{ language, holds, file string }{
		{"nginx", "", "../deploy/nginx/doorward.conf"},
		{"yaml", "nginx.ingress.kubernetes.io/", "../deploy/ingress-nginx/app-ingress.example.yaml"}, // others are for DOORWARD_CONFIG_FILE
	} {
		content, err := os.ReadFile(tt.file)
		if err != nil {
			t.Fatal(err)
		}
		quoted := slices.DeleteFunc(blocks(text, tt.language), func(block string) bool { return !strings.Contains(block, tt.holds) })
		if len(quoted) == 0 {
			t.Errorf("README.md quotes nothing of %s", tt.file)
		}
		for _, block := range quoted {
			for line := range strings.Lines(block) {
				if !strings.Contains(string(content), strings.TrimSpace(line)) {
					t.Errorf("%s has no line %q", tt.file, strings.TrimSpace(line))
				}
			}
		}
	}
}

// TestLeastConfiguration: the variables that README calls the least are enough,
// and none of them can be left out.
func TestLeastConfiguration(t *testing.T) {
	var environment []string
	for _, block := range blocks(readme(t), "sh") {
		for line := range strings.Lines(block) {
			if assignment, _, _ := strings.Cut(line, " "); strings.HasPrefix(assignment, "DOORWARD_") {
				environment = append(environment, strings.TrimSpace(assignment))
			}
		}
	}
	if len(environment) < 5 {
		t.Fatalf("README.md shows no configuration: %v", environment)
	}
	const secret = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LTEyMzQ="
	for i, assignment := range environment {
		environment[i] = strings.Replace(assignment, "=…", "="+secret, 1)
	}
	binary := filepath.Join(t.TempDir(), "doorward")
	if out, err := exec.Command("go", "build", "-C", "..", "-o", binary, "./cmd/doorward").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	check := func(environment []string) (string, bool) {
		cmd := exec.Command(binary, "check")
		cmd.Env = environment
		out, err := cmd.CombinedOutput()
		return string(out), err == nil
	}
	if out, ok := check(environment); !ok {
		t.Errorf("the least configuration is refused: %s", out)
	}
	for i, assignment := range environment {
		name, _, _ := strings.Cut(assignment, "=")
		if name == "DOORWARD_COOKIE_DOMAINS" || name == "DOORWARD_OIDC_CLIENT_SECRET" {
			continue // one host, or a public client
		}
		without := append(append([]string{}, environment[:i]...), environment[i+1:]...)
		if _, ok := check(without); ok {
			t.Errorf("%s is not needed", name)
		}
	}
}

// TestNamesInProse: every variable that README mentions exists, and every link
// to a file or to a heading leads somewhere.
func TestNamesInProse(t *testing.T) {
	text := readme(t)
	known := map[string]bool{}
	for _, v := range config.Variables() {
		known[v.Name] = true
	}
	for _, name := range regexp.MustCompile(`DOORWARD_[A-Z0-9_]+\*?`).FindAllString(text, -1) {
		if strings.HasSuffix(name, "*") {
			continue // DOORWARD_ALLOW* and the like
		}
		if !known[name] {
			t.Errorf("README.md mentions %s, which does not exist", name)
		}
	}
	for _, link := range regexp.MustCompile(`\]\(([^)#:]+)\)`).FindAllStringSubmatch(text, -1) {
		if _, err := os.Stat(filepath.Join("..", link[1])); err != nil {
			t.Errorf("README.md links to %s: %v", link[1], err)
		}
	}
	anchors := map[string]bool{}
	for _, heading := range regexp.MustCompile(`(?m)^##+ (.+)$`).FindAllStringSubmatch(text, -1) {
		words := regexp.MustCompile(`[^\p{L}\p{N}_ -]`).ReplaceAllString(strings.ToLower(heading[1]), "")
		anchors[strings.ReplaceAll(words, " ", "-")] = true
	}
	for _, link := range regexp.MustCompile(`\]\(#([^)]+)\)`).FindAllStringSubmatch(text, -1) {
		if !anchors[link[1]] {
			t.Errorf("README.md has no heading #%s", link[1])
		}
	}
}
