package gateway

import (
	"strings"

	"github.com/doorward/doorward/internal/auth"
)

// ReadAddress takes an absolute http or https address apart, as a gateway wrote
// it, and reports whether it is one. It decodes nothing. What the path may look
// like is the policy's business; here it only has to begin with a slash.
func ReadAddress(address string, req *auth.Request) bool {
	scheme, rest, ok := strings.Cut(address, "://")
	if !ok || scheme != "http" && scheme != "https" {
		return false
	}
	slash := strings.IndexByte(rest, '/')
	if slash < 0 {
		return false
	}
	req.Scheme = scheme
	req.Path = rest[slash:]
	if mark := strings.IndexByte(req.Path, '?'); mark >= 0 {
		req.Path, req.Query = req.Path[:mark], req.Path[mark:]
	}
	return readAuthority(rest[:slash], req)
}

// readAuthority splits host[:port]. It refuses user information and every byte
// that a host name or an address literal cannot hold, so that no other parser
// can see another host in it.
func readAuthority(authority string, req *auth.Request) bool {
	host, port := authority, ""
	if colon := strings.LastIndexByte(authority, ':'); colon > strings.LastIndexByte(authority, ']') {
		host, port = authority[:colon], authority[colon+1:]
		if !isPort(port) {
			return false
		}
	}
	host, ok := CanonicalHost(host)
	req.Host, req.Port = host, port
	return ok
}

// CanonicalHost returns a host without port as Doorward compares it: lower case
// and without a final dot. It reports false for what is no host name and no
// bracketed IPv6 address.
func CanonicalHost(host string) (string, bool) {
	host = strings.TrimSuffix(host, ".")
	if host == "" || len(host) > 253 {
		return "", false
	}
	if inner, bracketed := strings.CutPrefix(host, "["); bracketed {
		inner, closed := strings.CutSuffix(inner, "]")
		if !closed || strings.Trim(inner, "0123456789abcdefABCDEF:.") != "" {
			return "", false
		}
		return strings.ToLower(host), true
	}
	for i := range len(host) {
		if c := host[i]; !isAlphanumeric(c) && c != '-' && c != '_' && (c != '.' || i == 0 || host[i-1] == '.') {
			return "", false
		}
	}
	return strings.ToLower(host), true
}

func isPort(port string) bool {
	if port == "" || len(port) > 5 {
		return false
	}
	for i := range len(port) {
		if port[i] < '0' || port[i] > '9' {
			return false
		}
	}
	return len(port) < 5 || port <= "65535"
}

// isToken reports whether s may be a method (RFC 9110 section 5.6.2). Methods
// of any name are judged; a list of them is not one.
func isToken(s string) bool {
	if s == "" || len(s) > 32 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !isAlphanumeric(c) && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return true
}
