package redirect

import "strings"

// Param returns the rd parameter of a raw query, decoded once. It reports false
// when there is none or an empty one; an rd that is there twice or is malformed
// is a *Refused.
//
// Only & separates parameters. A semicolon and a plus sign stay what they are,
// because gateways put paths into rd that mean them, and some of them do so
// without any escaping: then the address ends at its first &, and what is left
// of it is judged like any other. Check is still to be asked.
func Param(rawQuery string) (target string, found bool, err error) {
	count := 0
	for param := range strings.SplitSeq(rawQuery, "&") {
		name, value, _ := strings.Cut(param, "=")
		if decode(name) != "rd" {
			continue
		}
		if count++; count > 1 {
			return "", false, errRepeated
		}
		target = value
	}
	if !wellEscaped(target) {
		return "", false, errMalformed
	}
	return decode(target), target != "", nil
}

func wellEscaped(s string) bool {
	for i := range len(s) {
		if s[i] == '%' {
			if _, ok := escaped(s[i:]); !ok {
				return false
			}
		}
	}
	return true
}
