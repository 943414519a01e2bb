package session

import (
	"iter"
	"strings"
)

// values yields the values of the cookies called name in one line of a Cookie
// header. Names are compared byte for byte. Besides the semicolon a comma
// separates cookies, because some gateways join several lines with one; our
// values contain neither.
//
// A browser keeps a comma inside a value, and so whoever may set any cookie can
// write one of ours into it. What follows a comma therefore comes last: it
// neither goes before nor wears out the tries of a cookie that stands by itself.
func values(line, name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		_ = valuesAfter(';', line, name, yield) && valuesAfter(',', line, name, yield)
	}
}

// valuesAfter yields the values of the cookies that begin after separator. It
// reports false when it was told to stop.
func valuesAfter(separator byte, line, name string, yield func(string) bool) bool {
	for from := 0; ; {
		at := strings.Index(line[from:], name)
		if at < 0 {
			return true
		}
		start := from + at
		from = start + len(name)
		if from >= len(line) || line[from] != '=' || separatorBefore(line[:start]) != separator {
			continue
		}
		value := line[from+1:]
		if end := strings.IndexAny(value, ";,"); end >= 0 {
			value = value[:end]
		}
		if !yield(value) {
			return false
		}
	}
}

// separatorBefore returns what separates a cookie from what stands before it, and
// 0 when none can begin there. The start of the line counts as a semicolon.
func separatorBefore(before string) byte {
	before = strings.TrimRight(before, " \t")
	if before == "" {
		return ';'
	}
	if last := before[len(before)-1]; last == ';' || last == ',' {
		return last
	}
	return 0
}
