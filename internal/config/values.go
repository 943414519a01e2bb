package config

import (
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// value is anything that the file can hold. read is given a node that is neither
// an alias nor null, and reports what is wrong with it.
type value interface {
	read(d *document, n ast.Node, at place)
	stand(at place) // called before read
	schema() schema
}

// text is a piece of text, not empty when it is given.
type text struct {
	place
	value string

	// Where the first character of value stands, beside quotes and signs.
	firstLine, firstColumn int
}

// flag is true or false.
type flag struct {
	place
	value bool
}

// list is a list with at least one entry.
type list[T any] struct {
	place
	entries []T
}

// table is a mapping whose keys are the operator's own, in the order of the file.
type table[T any] struct {
	place
	rows []row[T]
}

type row[T any] struct {
	key   text
	value T
}

// scalar is a text, a whole number, or true or false, as text.
type scalar struct{ text }

// textOrList is one text or a list of them.
type textOrList struct{ list[text] }

// labelled values name themselves in messages about what is inside them.
type labelled interface {
	label(d *document, n ast.Node, entry int) string
}

// into reads a node into v. After a mistake v stands at its place and is empty.
// at says where the key is, which is where a value that is missing is missed.
func (d *document) into(v value, n ast.Node, at place) {
	key := at
	at.line, at.column = nodeLine(n)
	if n = d.resolve(n); n == nil {
		return
	}
	if _, null := n.(*ast.NullNode); null {
		if key.given() {
			at = key
		}
		v.stand(at)
		d.mistake(at, "is empty; write a value, or leave the key out")
		return
	}
	switch d.budget--; {
	case d.budget == 0:
		d.mistake(at, "is one value too many; the file repeats too much by its aliases")
		return
	case d.budget < 0:
		return
	}
	if l, ok := v.(labelled); ok {
		at = place{line: at.line, column: at.column, context: l.label(d, n, at.entry)}
	}
	v.stand(at)
	v.read(d, n, at)
}

// nodeLine returns where a node begins.
func nodeLine(n ast.Node) (line, column int) {
	if m, ok := n.(*ast.MappingNode); ok && !m.IsFlowStyle && len(m.Values) > 0 {
		n = m.Values[0].Key // the token of such a mapping is its first colon
	}
	at := position(n.GetToken())
	return at.line, at.column
}

func (t *text) read(d *document, n ast.Node, at place) {
	text := ""
	t.firstLine, t.firstColumn = at.line, at.column
	switch n := n.(type) {
	case *ast.StringNode:
		text = n.Value
		if kind := n.GetToken().Type; kind == token.SingleQuoteType || kind == token.DoubleQuoteType {
			t.firstColumn++
		}
	case *ast.LiteralNode:
		text = n.Value.Value
		t.firstLine, t.firstColumn = d.blockStart(at.line)
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		d.mistake(at, "has to be text; put it into quotes")
		return
	default:
		d.mistake(at, "has to be text and is %s", kind(n))
		return
	}
	if strings.TrimSpace(text) == "" {
		d.mistake(at, "is empty; write a value, or leave it out")
		return
	}
	t.value = text
}

// blockStart returns where the content of a block scalar begins whose sign is in
// the line before.
func (d *document) blockStart(line int) (first, column int) {
	for _, content := range d.lines[min(line, len(d.lines)):] {
		if indented := strings.TrimLeft(content, " "); strings.TrimSpace(indented) != "" {
			return line + 1, len(content) - len(indented) + 1
		}
	}
	return line + 1, 1
}

func (s *scalar) read(d *document, n ast.Node, at place) {
	switch n := n.(type) {
	case *ast.BoolNode:
		s.value = fmt.Sprint(n.Value)
	case *ast.IntegerNode:
		if s.value = fmt.Sprint(n.Value); s.value != n.GetToken().Value {
			d.mistake(at, "is a number in an unusual form; write it in decimal digits, or put it into quotes")
		}
	default:
		s.text.read(d, n, at)
	}
}

func (f *flag) read(d *document, n ast.Node, at place) {
	boolean, ok := n.(*ast.BoolNode)
	if !ok {
		d.mistake(at, "has to be true or false")
		return
	}
	f.value = boolean.Value
}

func (l *list[T]) read(d *document, n ast.Node, at place) {
	sequence, ok := n.(*ast.SequenceNode)
	switch {
	case !ok:
		d.mistake(at, "has to be a list and is %s; write it in brackets or behind a dash", kind(n))
		return
	case len(sequence.Values) == 0:
		d.mistake(at, "is an empty list; write what belongs into it, or leave the key out")
		return
	}
	l.entries = make([]T, len(sequence.Values))
	for i, entry := range sequence.Values {
		l.readEntry(d, i, entry, at)
	}
}

// readEntry reads the entry i, from 0, of a list that stands at a place.
func (l *list[T]) readEntry(d *document, i int, n ast.Node, at place) {
	d.into(any(&l.entries[i]).(value), n, place{context: at.context, key: at.key, entry: i + 1})
}

func (t *textOrList) read(d *document, n ast.Node, at place) {
	if _, ok := n.(*ast.StringNode); !ok {
		t.list.read(d, n, at)
		return
	}
	var only text
	only.stand(at)
	only.read(d, n, at)
	t.entries = []text{only}
}

func (t *table[T]) read(d *document, n ast.Node, at place) {
	mapping, ok := n.(*ast.MappingNode)
	switch {
	case !ok:
		d.mistake(at, "has to be a mapping and is %s; write each entry as key: value", kind(n))
		return
	case len(mapping.Values) == 0:
		d.mistake(at, "is an empty mapping; write what belongs into it, or leave the key out")
		return
	}
	d.pairs(mapping, at, func(key text, n ast.Node) {
		var read T
		key.key = at.key + "." + key.value
		d.into(any(&read).(value), n, key.place)
		t.rows = append(t.rows, row[T]{key, read})
	})
}

// pairs calls visit for each key of a mapping that is text and not there twice.
func (d *document) pairs(m *ast.MappingNode, at place, visit func(key text, n ast.Node)) {
	lines := map[string]int{}
	for _, pair := range m.Values {
		line, column := nodeLine(pair.Key)
		where := place{line: line, column: column, context: at.context}
		name, ok := pair.Key.(*ast.StringNode)
		if !ok {
			d.note(where, "has a key that is no plain text; put it into quotes")
			continue
		}
		key := text{place: where, value: name.Value}
		if first, twice := lines[name.Value]; twice {
			d.note(where, "key `%s` is there already, on line %d; keep one of them", shown(name.Value), first)
			continue
		}
		lines[name.Value] = line
		visit(key, pair.Value)
	}
}

func kind(n ast.Node) string {
	switch n.(type) {
	case *ast.SequenceNode:
		return "a list"
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a mapping"
	case *ast.BoolNode:
		return "true or false"
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return "a number"
	}
	return "text"
}
