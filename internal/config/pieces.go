package config

import (
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// entriesOfPiece is how many rules are parsed together: enough to be worth a call,
// and few enough that their tree is small beside the file.
const entriesOfPiece = 100

// leastEntry is how many bytes a rule has on the average that is worth room before
// it is read. What has fewer is no list of rules.
const leastEntry = 12

// pieces are a file that is cut at entries of its rules. One tree of tens of
// thousands of rules takes the parser a second and hundreds of megabytes; pieces
// are read on all processors, and the tree of each is dropped at once.
//
// A cut is made at a line that looks like an entry, which it need not be: it may
// stand inside a text. So each piece is read together with the dash of the entry
// behind it. When lexer and parser find that this dash is the next entry of the
// list, they go on behind it as they begin the next piece, and the file is its
// pieces one after another. When they do not, and after any mistake, the file is
// read as a whole.
type pieces struct {
	name   string
	lines  []string
	starts []int  // lines of the entries, from 0
	indent string // of the entries
	rules  *list[ruleSpec]
}

// inPieces returns what spec would return of a good file that has more rules than
// one piece. It returns nil, and has done nothing to the document, when it cannot
// be sure of that.
func (d *document) inPieces(entries int) *fileSpec {
	p := &pieces{name: d.name, lines: d.lines}
	p.cut()
	if len(p.starts) < entries+2 || len(d.source) < leastEntry*len(p.starts) || strings.ContainsAny(d.source, "\t\r") {
		return nil
	}
	frame := p.part()
	s := p.readFrame(frame)
	if s == nil || len(frame.remarks) > 0 || !p.readAll(entries) {
		return nil
	}
	return s
}

// cut finds the lines that look like entries of the list of rules.
func (p *pieces) cut() {
	after := slices.Index(p.lines, "rules:") + 1
	if after == 0 {
		return
	}
	for i, line := range p.lines[after:] {
		content := strings.TrimLeft(line, " ")
		if content == "" || content[0] == '#' {
			continue
		}
		if p.starts == nil {
			p.indent = line[:len(line)-len(content)]
		}
		behind, inside := strings.CutPrefix(line, p.indent)
		switch {
		case inside && strings.HasPrefix(behind, "- "):
			p.starts = append(p.starts, after+i)
		case !inside || behind[0] != ' ':
			return // a key behind the list, or nothing that is known here
		}
	}
}

// part is a document that a part of the file is read into. Its budget is its own:
// no file without aliases needs all of one.
func (p *pieces) part() *document {
	return &document{name: p.name, lines: p.lines, budget: maxBudget}
}

// text is the file from a line to before another, both from 0.
func (p *pieces) text(from, to int) string {
	return strings.Join(p.lines[from:to], "\n") + "\n"
}

// readFrame reads what is around the list of rules, and the first and the last
// entry, and makes room for the others.
func (p *pieces) readFrame(d *document) *fileSpec {
	last := len(p.starts) - 1
	first, end := p.text(0, p.starts[1]), strings.Join(p.lines[p.starts[last]:], "\n")
	tokens, ok := d.tokens(first + end)
	if !ok {
		return nil
	}
	cut := slices.IndexFunc(tokens, func(t *token.Token) bool { return t.Type == token.SequenceEntryType && position(t) == p.at(1) })
	if cut < 0 {
		return nil
	}
	shift(tokens[cut:], p.starts[last]-p.starts[1])
	root, ok := d.tree(tokens)
	if !ok {
		return nil
	}
	sequence := rulesOf(root)
	if sequence == nil || !p.holds(tokens, sequence, 1, last) {
		return nil
	}
	ending := sequence.Values[1]
	sequence.Values = sequence.Values[:1]
	s := &fileSpec{}
	d.into(s, root, place{})
	if len(d.remarks) > 0 {
		return nil
	}
	entries := make([]ruleSpec, len(p.starts))
	copy(entries, s.Rules.entries)
	s.Rules.entries = entries
	s.Rules.readEntry(d, last, ending, s.Rules.place)
	p.rules = &s.Rules
	return s
}

// rulesOf returns nil when there is no such list.
func rulesOf(root ast.Node) *ast.SequenceNode {
	mapping, ok := root.(*ast.MappingNode)
	if !ok {
		return nil
	}
	for _, pair := range mapping.Values {
		if key, ok := pair.Key.(*ast.StringNode); ok && key.Value == "rules" {
			sequence, _ := pair.Value.(*ast.SequenceNode)
			return sequence
		}
	}
	return nil
}

// readAll reads the entries that the frame leaves, and reports whether it has read
// each of them.
func (p *pieces) readAll(entries int) bool {
	last := len(p.starts) - 1
	var all sync.WaitGroup
	var taken, read atomic.Int64
	for range runtime.GOMAXPROCS(0) {
		all.Go(func() {
			part := p.part()
			for n := 1; n > 0; read.Add(int64(n)) {
				end := 1 + int(taken.Add(int64(entries)))
				n = p.readPiece(part, end-entries, min(end, last))
			}
			taken.Store(int64(last)) // all are taken, or the others would be read in vain
		})
	}
	all.Wait()
	return int(read.Load()) == last-1
}

// readPiece returns how many entries it has read: all, or after a mistake none.
func (p *pieces) readPiece(d *document, first, end int) int {
	if first >= end {
		return 0
	}
	tokens, ok := d.tokens(p.text(p.starts[first], p.starts[end]) + p.indent + "- end\n")
	if !ok {
		return 0
	}
	shift(tokens, p.starts[first])
	root, ok := d.tree(tokens)
	if !ok {
		return 0
	}
	sequence, ok := root.(*ast.SequenceNode)
	if !ok || !p.holds(tokens, sequence, end-first, end) {
		return 0
	}
	for i, entry := range sequence.Values[:end-first] {
		p.rules.readEntry(d, first+i, entry, p.rules.place)
	}
	if len(d.remarks) > 0 {
		return 0
	}
	return end - first
}

// shift moves tokens to the lines that they have in the file.
func shift(tokens token.Tokens, by int) {
	for _, t := range tokens {
		t.Position.Line += by
	}
}

// at is where the dash of an entry stands.
func (p *pieces) at(entry int) place {
	return place{line: p.starts[entry] + 1, column: len(p.indent) + 1}
}

// holds reports whether a list has so many entries and one more, which is the next
// of the file and in no brackets. It wants no anchors and aliases: they reach beyond
// a piece.
func (p *pieces) holds(tokens token.Tokens, sequence *ast.SequenceNode, entries, next int) bool {
	if len(sequence.Values) != entries+1 {
		return false
	}
	dash := sequence.Entries[entries].Start
	if position(dash) != p.at(next) {
		return false
	}
	depth := 0
	for _, t := range tokens {
		switch t.Type {
		case token.AnchorType, token.AliasType:
			return false
		case token.SequenceStartType, token.MappingStartType:
			depth++
		case token.SequenceEndType, token.MappingEndType:
			depth--
		}
		if t == dash && depth != 0 {
			return false
		}
	}
	return true
}
