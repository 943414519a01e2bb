package policy

import "strings"

// pattern is a path of a rule: exact segments, `*` for one segment of at least
// one byte, and a last `**` for everything below, so that `/x/**` covers `/x/`
// and all below it, but not `/x`.
type pattern struct {
	segments []segment
	below    bool // ends in `**`
}

// segment is one name of a pattern, as it is written and decoded.
type segment struct {
	written, text string
	any           bool
}

func compilePattern(path string) pattern {
	var p pattern
	names := strings.Split(path, "/")
	for i, name := range names {
		if name == "**" && i == len(names)-1 {
			p.below = true
			return p
		}
		p.segments = append(p.segments, segment{name, unescapeAll(name), name == "*"})
	}
	return p
}

// match reports whether the pattern covers a path that is read so.
func (p pattern) match(r reading) bool {
	path := r.path
	for i, want := range p.segments {
		name, rest, more := strings.Cut(path, "/")
		if !want.match(name, r) {
			return false
		}
		if !more {
			return !p.below && i == len(p.segments)-1
		}
		path = rest
	}
	return p.below
}

// match compares with one name of a path. It does not allocate, because it stands
// in every check.
func (s segment) match(name string, r reading) bool {
	switch {
	case s.any:
		return name != ""
	case r.decoded:
		return name == s.text
	case r.odd:
		return name == s.written
	case strings.IndexByte(name, '%') < 0:
		return name == s.text
	}
	left := s.text
	for i := 0; i < len(name); i++ {
		c := name[i]
		if c == '%' {
			var ok bool
			if c, ok = unescape(name[i:]); !ok {
				return false
			}
			i += 2
		}
		if left == "" || left[0] != c {
			return false
		}
		left = left[1:]
	}
	return left == ""
}

// unescapeAll decodes a segment once. What is no escape stays as it is.
func unescapeAll(name string) string {
	decoded := make([]byte, 0, len(name))
	for i := 0; i < len(name); i++ {
		c, ok := unescape(name[i:])
		if ok {
			i += 2
		} else {
			c = name[i]
		}
		decoded = append(decoded, c)
	}
	return string(decoded)
}
