package gateway

import (
	"net/netip"
	"strings"

	"github.com/doorward/doorward/internal/auth"
)

// ReadAddress takes an absolute http or https address apart, as a gateway wrote
// it, and reports whether it is one. It decodes nothing. What the path may look
// like is the policy's business; here it only has to begin with a slash.
func ReadAddress(address string, req *auth.Request) bool {
	req.Scheme = "https"
	rest, ok := strings.CutPrefix(address, "https://")
	if !ok {
		req.Scheme = "http"
		if rest, ok = strings.CutPrefix(address, "http://"); !ok {
			return false
		}
	}
	slash := strings.IndexByte(rest, '/')
	if slash < 0 {
		return false
	}
	return readTarget(rest[slash:], req) && readAuthority(rest[:slash], req)
}

// readTarget splits path[?query]. What begins with two slashes is a path here
// and never another host.
func readTarget(target string, req *auth.Request) bool {
	if target == "" || target[0] != '/' {
		return false
	}
	req.Path, req.Query = target, ""
	if mark := strings.IndexByte(target, '?'); mark >= 0 {
		req.Path, req.Query = target[:mark], target[mark:]
	}
	return true
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
// and without a final dot, an IPv6 address in its brackets and shortest spelling.
// It reports false for what is no host name and no bracketed IPv6 address.
func CanonicalHost(host string) (string, bool) {
	if inner, bracketed := strings.CutPrefix(host, "["); bracketed {
		inner, closed := strings.CutSuffix(inner, "]")
		addr, err := netip.ParseAddr(inner)
		if !closed || err != nil || !addr.Is6() || addr.Zone() != "" {
			return "", false
		}
		return "[" + addr.String() + "]", true
	}
	host = strings.TrimSuffix(host, ".")
	if host == "" || len(host) > 253 || strings.HasSuffix(host, ".") {
		return "", false
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
