package policy

import "strings"

// splitEmail returns an e-mail address and its domain in lower case. It refuses
// what two programs could read in two ways: anything but one @, a quoted local
// part, a byte outside printable ASCII, more than 254 bytes, a domain with an
// empty label (SECURITY.md AUTHZ-2).
func splitEmail(email string) (address, domain string, ok bool) {
	if len(email) > 254 || strings.Count(email, "@") != 1 {
		return "", "", false
	}
	for i := range len(email) {
		if c := email[i]; c <= ' ' || c > '~' || c == '"' {
			return "", "", false
		}
	}
	address = lowerASCII(email)
	local, domain, _ := strings.Cut(address, "@")
	if local == "" || domain == "" || strings.HasPrefix(domain, ".") ||
		strings.HasSuffix(domain, ".") || strings.Contains(domain, "..") {
		return "", "", false
	}
	return address, domain, true
}

// lowerASCII lowers A to Z and nothing else: Unicode has letters that fold onto
// ASCII ones.
func lowerASCII(s string) string {
	for i := range len(s) {
		if 'A' <= s[i] && s[i] <= 'Z' {
			b := []byte(s)
			for j := i; j < len(b); j++ {
				if 'A' <= b[j] && b[j] <= 'Z' {
					b[j] += 'a' - 'A'
				}
			}
			return string(b)
		}
	}
	return s
}
