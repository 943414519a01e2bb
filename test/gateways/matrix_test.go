// Package gateways asks every gateway the same and compares what people get.
package gateways

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/doorward/doorward/test/stack"
)

var (
	update = flag.Bool("update", false, "write matrix.md and README's copy of it")
	given  = flag.String("doorward", "", "run this binary instead of building one")
)

// row is a behaviour. Most gateways show it in one way, the others as they can.
type row struct {
	name   string
	try    func(*testing.T, *column) string // what was seen
	want   string
	except map[string]string // by the name of the column
}

func (r row) wantOf(c *column) string {
	if other, ok := r.except[c.name]; ok {
		return other
	}
	return r.want
}

// TestMatrix is the matrix: every cell is a test of that behaviour with that
// program. Public rules and a session store that is down have no rows yet: the
// one needs the rule file, the other does not exist with the cookie store.
func TestMatrix(t *testing.T) {
	all := start(t)
	cells := make(map[string]string)
	sameVerdicts(t, all)
	for _, r := range rows() {
		for _, c := range all {
			t.Run(r.name+"/"+c.name, func(t *testing.T) {
				got := r.try(t, c)
				cells[r.name+"/"+c.name] = got
				if got != r.wantOf(c) {
					t.Errorf("%s; want %s", got, r.wantOf(c))
				}
			})
		}
	}
	text := table(all, cells)
	fmt.Print(text)
	switch {
	case t.Failed() || len(cells) < len(rows())*len(all): // -run left some out
	case *update:
		keep(t, text)
	case text != read(t, matrixFile):
		t.Errorf("%s is not what was seen; run: go test ./gateways -run TestMatrix -args -update", matrixFile)
	}
}

const (
	matrixFile = "matrix.md"
	readme     = "../../README.md"
	opening    = "<!-- matrix -->\n"
	closing    = "<!-- /matrix -->"
)

// keep writes the matrix to its file and into README.
func keep(t *testing.T, text string) {
	t.Helper()
	before, rest, opened := strings.Cut(read(t, readme), opening)
	_, after, closed := strings.Cut(rest, closing)
	if !opened || !closed {
		t.Fatalf("%s has no place for the matrix", readme)
	}
	for file, content := range map[string]string{matrixFile: text, readme: before + opening + text + closing + after} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestMatrixIsKept: what README shows is what the last run saw.
func TestMatrixIsKept(t *testing.T) {
	_, rest, _ := strings.Cut(read(t, readme), opening)
	shown, _, _ := strings.Cut(rest, closing)
	if written := read(t, matrixFile); shown != written {
		t.Errorf("README and %s differ; run: go test ./gateways -run TestMatrix -args -update", matrixFile)
	}
}

// TestTraefikResources: configured by its own resources, Traefik does what it
// does when it is configured by files.
func TestTraefikResources(t *testing.T) {
	c := &column{name: traefik, gateway: stack.TraefikKubernetes, version: []string{"traefik", "version"}, number: versionNumber()}
	c.start(t, build(t))
	for _, r := range rows() {
		t.Run(r.name, func(t *testing.T) {
			if got := r.try(t, c); got != r.wantOf(c) {
				t.Errorf("%s; want %s", got, r.wantOf(c))
			}
		})
	}
}

// start starts all columns.
func start(t *testing.T) []*column {
	t.Helper()
	all := columns()
	binary := build(t)
	for _, c := range all {
		c.start(t, binary)
	}
	return all
}

func build(t *testing.T) string {
	t.Helper()
	if *given != "" {
		return *given
	}
	binary, err := stack.BuildDoorward(t.Context(), t.TempDir(), true)
	if err != nil {
		t.Fatal(err)
	}
	return binary
}

// table is the matrix as Markdown, gateways across.
func table(all []*column, cells map[string]string) string {
	var text strings.Builder
	text.WriteString("| |")
	for _, c := range all {
		text.WriteString(" " + c.title() + " |")
	}
	text.WriteString("\n|---|" + strings.Repeat("---|", len(all)) + "\n")
	for _, r := range rows() {
		text.WriteString("| " + r.name + " |")
		for _, c := range all {
			text.WriteString(" " + cells[r.name+"/"+c.name] + " |")
		}
		text.WriteString("\n")
	}
	return text.String()
}

// title is the name with the version after its first word.
func (c *column) title() string {
	program, how, found := strings.Cut(c.name, ", ")
	switch {
	case c.gateway == stack.IngressNginx:
		return "ingress-nginx 1.15, as rendered, in nginx " + c.printed
	case found:
		return program + " " + c.printed + ", " + how
	default:
		return program + " " + c.printed
	}
}
