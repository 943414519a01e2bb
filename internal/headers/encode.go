package headers

import "strings"

// encode returns value with every byte outside printable ASCII percent-encoded.
// Encoded with it is what could turn one name into another: the spaces at either
// end, which HTTP would cut off, and a percent sign that reads like an escape.
func encode(value string) string {
	if clean(value) {
		return value
	}
	var b strings.Builder
	for i := range len(value) {
		c := value[i]
		edge := c == ' ' && (i == 0 || i == len(value)-1)
		if printable(c) && !edge && (c != '%' || !looksEscaped(value[i:])) {
			b.WriteByte(c)
			continue
		}
		escape(&b, c)
	}
	return b.String()
}

// looksEscaped reports whether two hex digits follow the percent sign that s begins
// with.
func looksEscaped(s string) bool {
	return len(s) >= 3 && isHex(s[1]) && isHex(s[2])
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// encodeGroup writes a group's name as it stands in a list with commas.
func encodeGroup(b *strings.Builder, name string) {
	if cleanGroup(name) {
		b.WriteString(name)
		return
	}
	for i := range len(name) {
		c := name[i]
		edge := c == ' ' && (i == 0 || i == len(name)-1)
		if printable(c) && c != ',' && c != '%' && !edge {
			b.WriteByte(c)
			continue
		}
		escape(b, c)
	}
}

// clean reports whether encode leaves a value as it is.
func clean(value string) bool {
	for i := range len(value) {
		if c := value[i]; !printable(c) || c == '%' && looksEscaped(value[i:]) {
			return false
		}
	}
	return trimmed(value)
}

// cleanGroup reports whether encodeGroup leaves a name as it is.
func cleanGroup(name string) bool {
	for i := range len(name) {
		if c := name[i]; !printable(c) || c == ',' || c == '%' {
			return false
		}
	}
	return trimmed(name)
}

// trimmed reports whether there is no space at either end.
func trimmed(value string) bool {
	return value == "" || value[0] != ' ' && value[len(value)-1] != ' '
}

func printable(c byte) bool { return c >= ' ' && c <= '~' }

func escape(b *strings.Builder, c byte) {
	const hex = "0123456789ABCDEF"
	b.WriteByte('%')
	b.WriteByte(hex[c>>4])
	b.WriteByte(hex[c&15])
}
