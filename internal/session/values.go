package session

import (
	"iter"
	"strings"
)

// values yields the values of the cookies called name in one line of a Cookie
// header. Names are compared byte for byte. Besides the semicolon a comma
// separates cookies, because some gateways join several lines with one; our
// values contain neither.
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
			value := line[from+1:]
			if end := strings.IndexAny(value, ";,"); end >= 0 {
				value = value[:end]
			}
			if !yield(value) {
				return
			}
		}
	}
}

// beginsCookie reports whether a cookie may begin after before: at the start of
// the line or after a separator and its spaces.
func beginsCookie(before string) bool {
	before = strings.TrimRight(before, " \t")
	return before == "" || strings.HasSuffix(before, ";") || strings.HasSuffix(before, ",")
}
