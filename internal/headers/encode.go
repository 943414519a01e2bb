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
		if printable(c) && !edge && !looksEscaped(value[i:]) {
			b.WriteByte(c)
			continue
		}
		escape(&b, c)
	}
	return b.String()
}

// looksEscaped reports whether s begins with a percent sign and two hex digits.
func looksEscaped(s string) bool {
	return len(s) >= 3 && s[0] == '%' && isHex(s[1]) && isHex(s[2])
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// encodeGroup writes a group's name as it stands in a list with commas.
func encodeGroup(b *strings.Builder, name string) {
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

func clean(value string) bool {
	for i := range len(value) {
		if !printable(value[i]) || looksEscaped(value[i:]) {
			return false
		}
	}
	return !strings.HasPrefix(value, " ") && !strings.HasSuffix(value, " ")
}

func printable(c byte) bool { return c >= ' ' && c <= '~' }

func escape(b *strings.Builder, c byte) {
	const hex = "0123456789ABCDEF"
	b.WriteByte('%')
	b.WriteByte(hex[c>>4])
	b.WriteByte(hex[c&15])
}
