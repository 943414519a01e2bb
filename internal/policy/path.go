package policy

import (
	"strings"
	"unicode/utf8"
)

// canonical reports whether a raw path has one reading only (SECURITY.md
// PATH-2a): no empty or dot segment, no byte and no escape that servers treat
// in different ways, and no escape that need not be one.
func canonical(path string) bool {
	if path == "" || path[0] != '/' {
		return false
	}
	for i := 0; i < len(path); {
		switch c := path[i]; {
		case c == '/':
			if dotOrEmpty(path[i+1:]) {
				return false
			}
			i++
		case c == '%':
			n := canonicalEscape(path[i:])
			if n == 0 {
				return false
			}
			i += n
		case c <= ' ' || c >= 0x7f || c == '\\' || c == ';' || c == '#':
			return false
		default:
			i++
		}
	}
	return true
}

// dotOrEmpty reports whether what follows a slash begins with an empty segment
// or one that is "." or "..". The end of the path is a trailing slash, not an
// empty segment. Encoded dots are refused where escapes are looked at.
func dotOrEmpty(rest string) bool {
	if strings.HasPrefix(rest, "/") {
		return true
	}
	segment, _, _ := strings.Cut(rest, "/")
	return segment == "." || segment == ".."
}

// canonicalEscape returns the length of the escapes at the start of s that make
// one character, and 0 when they are none that a canonical path may have.
func canonicalEscape(s string) int {
	first, ok := unescape(s)
	switch {
	case !ok || first < ' ' || first == 0x7f || first == '/' || first == '\\' || first == ';' || first == '%' || unreserved(first):
		return 0
	case first < utf8.RuneSelf:
		return 3
	}
	encoded := []byte{first, 0, 0, 0}[:1:4]
	for !utf8.FullRune(encoded) {
		next, ok := unescape(s[3*len(encoded):])
		if !ok || next < utf8.RuneSelf {
			return 0
		}
		encoded = append(encoded, next)
	}
	if r, n := utf8.DecodeRune(encoded); r == utf8.RuneError && n == 1 {
		return 0
	}
	return 3 * len(encoded)
}

// unescape decodes the escape at the start of s.
func unescape(s string) (byte, bool) {
	if len(s) < 3 || s[0] != '%' {
		return 0, false
	}
	high, ok1 := hexDigit(s[1])
	low, ok2 := hexDigit(s[2])
	return high<<4 | low, ok1 && ok2
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// unreserved is RFC 3986 section 2.3.
func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		c == '-' || c == '.' || c == '_' || c == '~'
}

// decode removes the escapes of a path, once. It reports false for a path that
// cannot be read at all.
func decode(path string) (string, bool) {
	if path == "" || path[0] != '/' {
		return "", false
	}
	decoded := make([]byte, 0, len(path))
	for i := 0; i < len(path); i++ {
		c := path[i]
		if c == '#' {
			return "", false
		}
		if c == '%' {
			var ok bool
			if c, ok = unescape(path[i:]); !ok {
				return "", false
			}
			i += 2
		}
		if c == 0 {
			return "", false
		}
		decoded = append(decoded, c)
	}
	return string(decoded), true
}

// resolve merges slashes and resolves dot segments of a decoded path. With
// parameters, `\` is a slash and what follows `;` in a segment is dropped, as some
// servers have it; without, both are bytes like any other. A path cannot climb
// above its root.
func resolve(path string, parameters bool) string {
	if parameters {
		path = strings.ReplaceAll(path, `\`, "/")
	}
	var kept []string
	last := ""
	for segment := range strings.SplitSeq(path, "/") {
		if parameters {
			segment, _, _ = strings.Cut(segment, ";")
		}
		last = segment
		switch segment {
		case "", ".":
		case "..":
			kept = kept[:max(0, len(kept)-1)]
		default:
			kept = append(kept, segment)
		}
	}
	resolved := "/" + strings.Join(kept, "/")
	if len(kept) > 0 && (last == "" || last == "." || last == "..") {
		resolved += "/"
	}
	return resolved
}
