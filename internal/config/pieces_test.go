package config

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/goccy/go-yaml/ast"
)

// pieceCases are files, and whether they are read in pieces of one entry. Many
// have lines that look like entries and are none.
var pieceCases = []struct {
	name    string
	content string
	split   bool
}{
	{"plain", "rules:\n  - name: a\n    deny: true\n  - name: b\n    deny: true\n  - allow: any\n", true},
	{"no indentation", "rules:\n- deny: true\n- deny: true\n- allow: any\n", true},
	{"four spaces", "rules:\n    - deny: true\n    - deny: true\n    - allow: any", true},
	{"keys before and after", "headers: {X-A: email}\nrules:\n- deny: true\n- public: true\n- allow: any\ntokens:\n- keys_file: /k\n- keys_file: /l\n", true},
	{"blank lines and comments", "# a\nrules:\n\n# - b\n- deny: true # - c\n\n  # - d\n- deny: true\n# - e\n\n- allow: any\n\n# f", true},
	{"one document", "---\nrules:\n- deny: true\n- deny: true\n- allow: any\n", true},
	{"ended document", "rules:\n- deny: true\n- deny: true\n- allow: any\n...\n", true},
	{"byte order mark", "\ufeffrules:\n- deny: true\n- deny: true\n- allow: any\n", true},
	{"unicode line breaks", "rules:\n- name: a\u2028b\n  deny: true\n- name: c\u0085- d\n  deny: true\n- allow: any\n", true},
	{"brackets over lines", "rules:\n- methods: [GET,\n    POST]\n  deny: true\n- {deny: true,\n  name: b}\n- allow: any\n", true},
	{"quotes over lines", "rules:\n- name: \"a\n    b\"\n  deny: true\n- name: 'c\n\n    - d'\n  deny: true\n- allow: any\n", true},
	{"plain text over lines", "rules:\n- name: a\n    - b\n    c\n  deny: true\n- name: d\n   - e\n  deny: true\n- allow: any\n", true},
	{"block scalars", "rules:\n- allow:\n    when: |\n      true &&\n      - 1 < 2\n- allow:\n    when: >-\n      a\n\n      - b\n- allow: any\n", true},
	{"block scalars with indicators", "rules:\n- allow:\n    when: |2\n       - a\n      b\n- allow: {when: a}\n  name: |+\n   x\n\n\n- name: >1-\n    - y\n  deny: true\n- allow:\n    when: |+\n     z\n\n", true},
	{"block scalar with markers", "rules:\n- allow:\n    when: |\n      ---\n      ...\n- name: |\n   ---\n  deny: true\n- allow: any\n", true},
	{"key rules below", "rules:\n- deny: true\n- allow:\n    claims:\n      rules:\n      - a\n      - b\n- allow: any\n", true},
	{"line rules in a text", "headers:\n  X-A: |\n    x\nproviders:\n- name: 'a\nrules:\n- b\n- c\n- d'\nrules: [{allow: any}]\n", false},
	{"two entries", "rules:\n- deny: true\n- allow: any\n", false},
	{"in brackets", "rules: [{deny: true},\n{deny: true},\n{allow: any}]\n", false},
	{"empty list", "rules: []\n", false},
	{"tree in brackets", "{\nrules:\n- deny: true\n- deny: true\n- allow: any\n}\n", false},
	{"comma in a tree in brackets", "{\nrules:\n- deny: true\n- name: a, b\n  deny: true\n- allow: any\n}\n", false},
	{"entry in brackets", "rules:\n- hosts: [a,\n- b]\n- hosts: [\n- c\n- d ]\n- allow: any\n", false},
	{"entry in quotes", "rules:\n- name: \"a\n- b\"\n- name: 'c\n- d'\n- allow: any\n", false},
	{"end of a piece in quotes", "rules:\n- deny: true\n- name: \"a\n- b\"\n  deny: true\n- deny: true\n- allow: any\n", false},
	{"dash alone", "rules:\n- deny: true\n-\n  deny: true\n- deny: true\n- deny: true\n- allow: any\n", false},
	{"dash alone at the end", "rules:\n- deny: true\n- deny: true\n- allow: any\n-\n  deny: true\n", false},
	{"empty entry", "rules:\n- deny: true\n- \n- deny: true\n- allow: any\n", false},
	{"list in the list", "rules:\n- - deny: true\n- - deny: true\n- - allow: any\n", false},
	{"list behind the list", "rules:\n- deny: true\n- deny: true\n- allow: any\n - deny: true\n", false},
	{"rules twice", "rules:\n- deny: true\n- deny: true\n- allow: any\nrules:\n- public: true\n", false},
	{"key twice", "rules:\n- deny: true\n- deny: true\n  deny: true\n- allow: any\n", false},
	{"unknown key", "rules:\n- deny: true\n- denied: true\n- allow: any\n", false},
	{"two documents", "rules:\n- deny: true\n- deny: true\n- allow: any\n---\nrules: []\n", false},
	{"document in the list", "rules:\n- deny: true\n---\n- deny: true\n- allow: any\n", false},
	{"anchors", "rules:\n- deny: &a true\n- deny: true\n- deny: *a\n- allow: any\n", false},
	{"anchor around", "headers: &h {X-A: email}\nrules:\n- deny: true\n- deny: true\n- allow: any\n", false},
	{"alias of an anchor before", "providers:\n- client_id: &a any\nrules:\n- deny: true\n- allow: *a\n- allow: any\n", false},
	{"tag", "rules:\n- deny: true\n- deny: !!bool true\n- allow: any\n", false},
	{"directive", "%YAML 1.2\n---\nrules:\n- deny: true\n- deny: true\n- allow: any\n", false},
	{"tab", "rules:\n- deny: true\n- deny:\ttrue\n- allow: any\n", false},
	{"carriage return", "rules:\r\n- deny: true\r\n- deny: true\r\n- allow: any\r\n", false},
	{"open at the end", "rules:\n- deny: true\n- deny: true\n- allow: {\n", false},
}

func TestPieces(t *testing.T) {
	for _, tt := range pieceCases {
		t.Run(tt.name, func(t *testing.T) {
			if got := comparePieces(t, tt.content, 1); got != tt.split {
				t.Errorf("in pieces: %t, want %t", got, tt.split)
			}
			for _, more := range []int{2, 3} {
				comparePieces(t, tt.content, more)
			}
		})
	}
}

// comparePieces holds that a file which can be read in pieces is the same as a
// whole (CFG-1), and reports whether it can.
func comparePieces(t *testing.T, content string, entries int) bool {
	t.Helper()
	d := &document{name: "doorward.yaml", source: content}
	if !d.text() {
		return false
	}
	pieces := d.inPieces(entries)
	if len(d.remarks)+len(d.warnings) > 0 {
		t.Errorf("pieces of %d: they say %q", entries, d.mistakes())
	}
	if pieces == nil {
		return false
	}
	whole := d.whole()
	if whole == nil || len(d.remarks)+len(d.warnings) > 0 {
		t.Fatalf("pieces of %d: none has a mistake, and the file has %q", entries, d.mistakes())
	}
	if !reflect.DeepEqual(pieces, whole) {
		t.Errorf("pieces of %d:\n%#v\nwhole:\n%#v", entries, pieces, whole)
	}
	return true
}

// As the command reads them, with names and without, in pieces that are not all full.
func TestPiecesOfManyRules(t *testing.T) {
	var text strings.Builder
	text.WriteString("headers: {X-A: email}\nrules:\n")
	for i := range 7*entriesOfPiece + 3 {
		if i%3 == 0 {
			text.WriteString("  # without a name\n  - deny: true\n\n")
			continue
		}
		fmt.Fprintf(&text, "  - name: r%d\n    allow:\n      when: |\n        claims.n > %[1]d\n", i)
	}
	text.WriteString("tokens:\n- keys_file: /k\n")
	if !comparePieces(t, text.String(), entriesOfPiece) {
		t.Error("not in pieces")
	}
}

// A lexer that counts lines in another way is not believed.
func TestPieceOnAnotherLine(t *testing.T) {
	d := &document{name: "doorward.yaml"}
	tokens, _ := d.tokens("- deny: true\n- end\n")
	root, _ := d.tree(tokens)
	for line, want := range []bool{false, true, false} {
		p := &pieces{starts: []int{0, line}}
		if got := p.holds(tokens, root.(*ast.SequenceNode), 1, 1); got != want {
			t.Errorf("next entry in line %d: %t", line+1, got)
		}
	}
}

// FuzzPieces holds that no file is another one when it is read in pieces.
func FuzzPieces(f *testing.F) {
	for _, tt := range pieceCases {
		f.Add(tt.content)
	}
	f.Fuzz(func(t *testing.T, content string) {
		if len(content) > 16<<10 {
			return
		}
		for entries := range 3 {
			comparePieces(t, content, entries+1)
		}
	})
}
