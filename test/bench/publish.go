package main

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/doorward/doorward/test/stack"
)

// publish writes the report, and README's quotes of it.
func publish(report string) error {
	root, err := stack.Root()
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(root, "test", "bench", "results.md"), []byte(report), 0o644); err != nil { // #nosec G306 -- for everybody
		return err
	}
	readme := filepath.Join(root, "README.md")
	text, err := os.ReadFile(readme)
	if err != nil {
		return err
	}
	return os.WriteFile(readme, []byte(quote(string(text), report)), 0o644) // #nosec G306 -- for everybody
}

// quote puts the blocks of a report in the place of those that a text has.
func quote(text, report string) string {
	for _, name := range append(sectionNames(), "machine") {
		old, there := quoted(text, name)
		if block, ok := quoted(report, name); ok && there {
			text = strings.Replace(text, opening(name)+old, opening(name)+block, 1)
		}
	}
	return text
}

func opening(name string) string { return "<!-- bench:" + name + " -->\n" }

// quoted is a block of a text.
func quoted(text, name string) (string, bool) {
	_, rest, found := strings.Cut(text, opening(name))
	block, _, closed := strings.Cut(rest, "<!-- /bench:"+name+" -->")
	return block, found && closed
}
