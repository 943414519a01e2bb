package config

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// document is the configuration file while it is read: its tree, and everything
// that is wrong with it.
type document struct {
	name   string // as messages show it
	source string
	digest [sha256.Size]byte // of the file as it is
	lines  []string
	root   ast.Node

	aliases map[*ast.AliasNode]ast.Node
	budget  int // how many more values may be read
	keys    map[reflect.Type][]string

	remarks  []remark
	said     map[place]bool // places that have a mistake
	omitted  int            // remarks beyond maxRemarks
	warnings []string
}

// place is where a value stands in the file, both from 1, and what it is called.
// The zero place is that of a value which is not there.
type place struct {
	line, column int

	context string // as `rule "grafana"`; "" at the top
	key     string // as "hosts"; "" for what has none
	entry   int    // of a list, from 1; 0 for what is not in one
}

// remark is a mistake at a place.
type remark struct {
	place
	text string
}

// Bounds of a file, far beyond what anybody writes by hand.
const (
	maxFile    = 4 << 20 // bytes
	maxBudget  = 2 << 20 // values, those behind an alias counted each time
	maxRemarks = 100
)

func (p place) given() bool { return p.line > 0 }

func (p *place) stand(at place) { *p = at }

// String names the value, without its position.
func (p place) String() string {
	var parts []string
	if p.context != "" {
		parts = append(parts, p.context+":")
	}
	if p.key != "" {
		parts = append(parts, "`"+shown(p.key)+"`")
	}
	if p.entry > 0 {
		parts = append(parts, fmt.Sprintf("entry %d", p.entry))
	}
	return strings.Join(parts, " ")
}

// shown is a key or a name as messages repeat it: short, and on one line.
func shown(text string) string {
	const most = 60
	text = strings.Map(func(c rune) rune {
		if c == utf8.RuneError || c < ' ' || c == 0x7f || c == '`' {
			return '?'
		}
		return c
	}, text)
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}

// mistake must never be given a value of the file, which might be a secret; keys
// and names of rules are no values. Of the mistakes about one value the first is
// kept: the others follow from it.
func (d *document) mistake(at place, format string, args ...any) {
	if d.said[at] {
		return
	}
	if d.said == nil {
		d.said = map[place]bool{}
	}
	d.said[at] = true
	d.note(at, format, args...)
}

// note is a mistake about a key, whatever else is wrong at its place.
func (d *document) note(at place, format string, args ...any) {
	if len(d.remarks) == maxRemarks {
		d.omitted++
		return
	}
	d.remarks = append(d.remarks, remark{at, fmt.Sprintf(format, args...)})
}

func (d *document) warn(at place, format string, args ...any) {
	d.warnings = append(d.warnings, d.line(remark{at, fmt.Sprintf(format, args...)}))
}

func (d *document) line(r remark) string {
	position := d.name
	if r.given() {
		position = fmt.Sprintf("%s:%d:%d", d.name, r.line, r.column)
	}
	subject := r.String()
	if subject == "" {
		return position + ": " + r.text
	}
	return position + ": " + subject + " " + r.text
}

func byPosition(a, b place) int {
	return cmp.Or(a.line-b.line, a.column-b.column)
}

// mistakes are in the order of the file.
func (d *document) mistakes() Mistakes {
	slices.SortStableFunc(d.remarks, func(a, b remark) int { return byPosition(a.place, b.place) })
	var all Mistakes
	for _, r := range d.remarks {
		all = append(all, d.line(r))
	}
	if d.omitted > 0 {
		all = append(all, fmt.Sprintf("%s: and %d more mistakes", d.name, d.omitted))
	}
	return all
}

// parse makes the tree of what is text. It reports false after a mistake, and then
// there is none.
func (d *document) parse() bool {
	tokens, ok := d.tokens(d.source)
	if !ok {
		return false
	}
	root, ok := d.tree(tokens)
	if !ok {
		return false
	}
	if _, null := root.(*ast.NullNode); root == nil || null {
		d.mistake(place{}, "is empty; write at least the rules, or unset %s", configFile)
		return false
	}
	d.root, d.budget = root, maxBudget
	d.aliases = map[*ast.AliasNode]ast.Node{}
	d.link(root, map[string]ast.Node{})
	return len(d.remarks) == 0
}

// text refuses what is not text.
func (d *document) text() bool {
	d.source = strings.TrimPrefix(d.source, "\ufeff")
	d.lines = strings.Split(d.source, "\n")
	for i, line := range d.lines {
		line = strings.TrimSuffix(line, "\r")
		for j, c := range line {
			if c < ' ' && c != '\t' || c == 0x7f || c == utf8.RuneError && !strings.HasPrefix(line[j:], "\ufffd") {
				at := place{line: i + 1, column: utf8.RuneCountInString(line[:j]) + 1}
				d.mistake(at, "is no text in UTF-8, or a control character; remove it")
				return false
			}
		}
	}
	return true
}

// tokens calls the lexer, and refuses what would be costly to read.
func (d *document) tokens(source string) (tokens token.Tokens, ok bool) {
	defer d.survive(&ok)
	tokens = lexer.Tokenize(source)
	return tokens, d.simple(tokens)
}

// survive makes a mistake of a panic of the lexer or the parser over odd input.
func (d *document) survive(ok *bool) {
	if recover() != nil {
		d.mistake(place{}, "is no YAML that can be read")
		*ok = false
	}
}

// tree calls the parser.
func (d *document) tree(tokens token.Tokens) (root ast.Node, ok bool) {
	defer d.survive(&ok)
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		d.syntax(err)
		return nil, false
	}
	if len(file.Docs) > 1 {
		d.mistake(position(file.Docs[1].Start), "begins a second document; keep one")
		return nil, false
	}
	if len(file.Docs) == 0 {
		return nil, true
	}
	return file.Docs[0].Body, true
}

// syntax repeats what the parser says, unless it quotes the file.
func (d *document) syntax(err error) {
	at, text := place{}, ""
	if positioned, ok := err.(interface {
		GetToken() *token.Token
		GetMessage() string
	}); ok {
		at, text = position(positioned.GetToken()), positioned.GetMessage()
	}
	if text == "" || strings.ContainsAny(text, "\"\n\t") {
		d.mistake(at, "is no YAML; look at the indentation and the quotes")
		return
	}
	d.mistake(at, "is no YAML: %s", text)
}

func position(t *token.Token) place {
	if t == nil || t.Position == nil {
		return place{}
	}
	return place{line: t.Position.Line, column: max(1, t.Position.Column)}
}

// link finds what each alias stands for: the anchor of its name that ends before
// it. So none contains itself.
func (d *document) link(n ast.Node, anchors map[string]ast.Node) {
	switch n := n.(type) {
	case *ast.MappingNode:
		for _, pair := range n.Values {
			d.link(pair.Key, anchors)
			d.link(pair.Value, anchors)
		}
	case *ast.SequenceNode:
		for _, entry := range n.Values {
			d.link(entry, anchors)
		}
	case *ast.AnchorNode:
		d.link(n.Value, anchors)
		anchors[n.Name.GetToken().Value] = n.Value
	case *ast.AliasNode:
		target := anchors[n.Value.GetToken().Value]
		if target == nil {
			d.mistake(position(n.GetToken()), "names an anchor that does not stand before it")
			return
		}
		d.aliases[n] = target
	}
}

// resolve takes anchors and aliases away.
func (d *document) resolve(n ast.Node) ast.Node {
	for {
		switch node := n.(type) {
		case *ast.AnchorNode:
			n = node.Value
		case *ast.AliasNode:
			n = d.aliases[node]
		default:
			return n
		}
	}
}
