package config

import (
	"fmt"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
)

// APIKey is one key of a file of API keys.
type APIKey struct {
	Line int // in the file, where the entry begins

	ID      string    // which the key itself contains
	Owner   string    // by which logs, rules and apps know whoever has the key
	Groups  []string  // byte for byte
	Email   string    // domain in lower case; ""
	Hosts   []string  // lower case, exact or "*.example.com"; none: every host
	Expires time.Time // the first moment at which the key is not good; zero: never

	// Hash is what stands for the key itself, and its first character stands at
	// HashLine and HashColumn.
	Hash                 string
	HashLine, HashColumn int
}

// keySpec is an entry of a file of API keys as it comes.
type keySpec struct {
	place
	ID      text       `key:"id"`
	Owner   text       `key:"owner"`
	Groups  list[text] `key:"groups"`
	Email   text       `key:"email"`
	Hosts   list[text] `key:"hosts"`
	Expires text       `key:"expires"`
	Hash    text       `key:"hash"`
}

func (s *keySpec) read(d *document, n ast.Node, at place) { d.fields(s, n, at) }
func (s *keySpec) schema() schema                         { return fieldsSchema(s, "id", "owner", "hash") }

// label calls an entry by its owner, so that a message says whom it is about.
func (s *keySpec) label(d *document, n ast.Node, entry int) string {
	return d.calledBy("owner", n, "key", entry)
}

// ReadKeys reads a file of API keys, as ParseKeys does.
func ReadKeys(path string) ([]APIKey, error) {
	content, err := readUpTo(path, maxFile)
	if err != nil {
		return nil, Mistakes{fmt.Sprintf("%s: cannot be read: %v", path, err)}
	}
	return ParseKeys(path, string(content))
}

// ParseKeys reads API keys, a list in YAML that messages call name. Nothing in it
// is no keys, so that whoever removes the last one is not left with it. The error
// is of type Mistakes and lists all, each with its line and column.
func ParseKeys(name, source string) ([]APIKey, error) {
	if holdsNothing(source) {
		return nil, nil
	}
	d := &document{name: name, source: source}
	var specs list[keySpec]
	if d.text() && d.parse() {
		d.into(&specs, d.root, place{})
	}
	keys := d.apiKeys(specs.entries)
	if mistakes := d.mistakes(); len(mistakes) > 0 {
		return nil, mistakes
	}
	return keys, nil
}

// holdsNothing reports whether a file has comments at most, or an empty list.
func holdsNothing(source string) bool {
	for line := range strings.Lines(strings.TrimPrefix(source, "\ufeff")) {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line != "" && line != "[]" && line != "---" {
			return false
		}
	}
	return true
}

// apiKeys checks the entries of a file.
func (d *document) apiKeys(specs []keySpec) []APIKey {
	var keys []APIKey
	lines := map[string]int{}
	for i := range specs {
		s := &specs[i]
		if first := lines[s.ID.value]; s.ID.value != "" && first > 0 {
			d.mistake(s.ID.place, "is that of the key on line %d too; keep one of them", first)
		}
		lines[s.ID.value] = s.line
		keys = append(keys, d.apiKey(s))
	}
	return keys
}

func (d *document) apiKey(s *keySpec) APIKey {
	for _, needed := range []struct {
		key string
		at  place
	}{{"id", s.ID.place}, {"owner", s.Owner.place}, {"hash", s.Hash.place}} {
		if s.given() && !d.said[s.place] && !needed.at.given() {
			d.note(s.place, "lacks `%s`; `doorward key new` prints whole entries", needed.key)
		}
	}
	d.short(s.Owner)
	key := APIKey{
		Line:    s.line,
		ID:      d.checked(s.ID, plainProblem),
		Owner:   d.checked(s.Owner, plainProblem),
		Groups:  d.each(s.Groups, groupProblem),
		Hosts:   d.each(s.Hosts, keyHostProblem),
		Expires: d.moment(s.Expires),
		Hash:    s.Hash.value, HashLine: s.Hash.firstLine, HashColumn: s.Hash.firstColumn,
	}
	if emails := d.emails(list[text]{entries: []text{s.Email}}); len(emails) > 0 {
		key.Email = emails[0]
	}
	return key
}

// keyHostProblem is hostProblem, in the words of a file of keys.
func keyHostProblem(text string) string {
	if text == "*" {
		return "is *; leave `hosts` out for every host"
	}
	return hostProblem(text)
}

// moment reads a time of RFC 3339, or the beginning of a day in UTC.
func (d *document) moment(t text) time.Time {
	if t.value == "" {
		return time.Time{}
	}
	for _, form := range []string{time.RFC3339, time.DateOnly} {
		if moment, err := time.Parse(form, t.value); err == nil {
			return moment
		}
	}
	d.mistake(t.place, "is no time; write it as 2027-01-31, which is from that day on, or 2027-01-31T18:00:00Z")
	return time.Time{}
}
