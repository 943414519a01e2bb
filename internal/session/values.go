package session

import (
	"iter"
	"strings"
)

// values yields the values of the cookies called name in one line of a Cookie
// header. Names are compared byte for byte. Only a semicolon separates cookies: a
// comma is part of a value, and whoever may set any cookie could otherwise write
// one of ours into it.
func values(line, name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for from := 0; ; {
			at := strings.Index(line[from:], name)
			if at < 0 {
				return
			}
			start := from + at
			from = start + len(name)
			if from >= len(line) || line[from] != '=' || !beginsCookie(line[:start]) {
				continue
			}
			value, _, _ := strings.Cut(line[from+1:], ";")
			if !yield(value) {
				return
			}
		}
	}
}

// maxCandidates is how many cookies of one name are tried, of those that a key of
// ours has sealed as it seems.
const maxCandidates = 3

// candidates yields the values of the cookies called name, in the lines of a
// Cookie header, that are worth trying.
func (s *sealer) candidates(lines []string, name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		n := 0
		for _, line := range lines {
			for value := range values(line, name) {
				if !s.mayOpen(value) {
					continue
				}
				if n++; n > maxCandidates || !yield(value) {
					return
				}
			}
		}
	}
}

// beginsCookie reports whether a cookie may begin after before: at the start of
// the line, or after a semicolon and its spaces.
func beginsCookie(before string) bool {
	before = strings.TrimRight(before, " \t")
	return before == "" || strings.HasSuffix(before, ";")
}
