package config

import "github.com/goccy/go-yaml/token"

// Bounds of what the parser is given: its time grows with the square of the keys
// of a mapping, and its stack with the depth.
const (
	maxDepth  = 32
	maxColumn = 400 // of what opens a level without a bracket
	maxKeys   = 1000
)

// simple refuses what no configuration needs: tags, directives, keys that are no
// text, and nesting or mappings without end. It reports false after a mistake.
func (d *document) simple(tokens token.Tokens) bool {
	keys := keyCount{}
	for i, t := range tokens {
		if problem := keys.next(tokens, i); problem != "" {
			d.mistake(position(t), "%s", problem)
			return false
		}
	}
	return true
}

// keyCount counts the keys of the mappings that are open: those in brackets by
// depth, the others by the column of their keys.
type keyCount struct {
	brackets []int
	columns  []columnCount // ascending
}

type columnCount struct{ column, keys int }

func (k *keyCount) next(tokens token.Tokens, i int) (problem string) {
	t := tokens[i]
	block := len(k.brackets) == 0
	switch t.Type {
	case token.TagType:
		return "is a tag; remove it"
	case token.DirectiveType:
		return "is a directive; remove it"
	case token.MappingKeyType:
		return "begins a key that is no plain text; remove the question mark"
	case token.MergeKeyType:
		return "merges a mapping, which is not part of YAML 1.2; write its keys out"
	case token.SequenceStartType, token.MappingStartType:
		if k.brackets = append(k.brackets, 0); len(k.brackets) > maxDepth {
			return "is nested too deeply"
		}
	case token.SequenceEndType, token.MappingEndType:
		if !block {
			k.brackets = k.brackets[:len(k.brackets)-1]
		}
	case token.SequenceEntryType:
		if block {
			if t.Position.Column > maxColumn {
				return "is nested too deeply"
			}
			k.close(t.Position.Column)
		}
	case token.MappingValueType:
		if !block {
			k.brackets[len(k.brackets)-1]++
			if k.brackets[len(k.brackets)-1] > maxKeys {
				return "is in a mapping with too many keys"
			}
			return ""
		}
		return k.key(tokens, i)
	}
	return ""
}

// key counts the key before the colon tokens[i].
func (k *keyCount) key(tokens token.Tokens, i int) (problem string) {
	column := tokens[i].Position.Column
	if i > 0 && tokens[i-1].Position.Line == tokens[i].Position.Line {
		column = tokens[i-1].Position.Column
	}
	if column > maxColumn {
		return "is nested too deeply"
	}
	k.close(column + 1)
	if n := len(k.columns); n == 0 || k.columns[n-1].column < column {
		k.columns = append(k.columns, columnCount{column: column})
	}
	last := &k.columns[len(k.columns)-1]
	if last.keys++; last.keys > maxKeys {
		return "is in a mapping with too many keys"
	}
	return ""
}

// close ends the mappings whose keys stand at the column or behind it.
func (k *keyCount) close(column int) {
	for len(k.columns) > 0 && k.columns[len(k.columns)-1].column >= column {
		k.columns = k.columns[:len(k.columns)-1]
	}
}
