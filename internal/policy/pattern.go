package policy

import "strings"

// pattern is a path of a rule: exact segments, `*` for one segment of at least
// one byte, and a last `**` for everything below, so that `/x/**` covers `/x/`
// and all below it, but not `/x`.
type pattern struct {
	segments []string
	below    bool // ends in `**`
}

func compilePattern(path string) pattern {
	segments := strings.Split(path, "/")
	last := len(segments) - 1
	if segments[last] == "**" {
		return pattern{segments[:last], true}
	}
	return pattern{segments, false}
}

func (p pattern) match(path string) bool {
	for i, want := range p.segments {
		segment, rest, more := strings.Cut(path, "/")
		if want == "*" && segment == "" || want != "*" && want != segment {
			return false
		}
		if !more {
			return !p.below && i == len(p.segments)-1
		}
		path = rest
	}
	return p.below
}
