package redirect

import "strings"

// address is a target taken apart. A rooted path has neither scheme nor host.
type address struct {
	scheme string // "http", "https" or ""
	host   string // lower case, without final dot
	port   string // as written; "" when there was none
	path   string // as written, without query and fragment; "" or with a leading slash
}

// split reads target by hand and strictly, so that no lenient parser stands
// between the bytes that are judged and the bytes that a browser gets. Its input
// has printable ASCII only.
func split(target string) (address, *Refused) {
	if strings.HasPrefix(target, "/") {
		if strings.HasPrefix(target, "//") {
			return address{}, errForm
		}
		return address{path: beforeAny(target, "?#")}, nil
	}
	scheme, rest, found := strings.Cut(target, "://")
	if !found || (scheme != "http" && scheme != "https") {
		return address{}, errForm
	}
	authority := beforeAny(rest, "/?#")
	host, port, ok := splitAuthority(authority)
	if !ok {
		return address{}, errAuthority
	}
	path := beforeAny(rest[len(authority):], "?#")
	return address{scheme: scheme, host: host, port: port, path: path}, nil
}

// splitAuthority accepts a host name and an optional port. User names, IPv6
// literals, percent-encoded hosts and an empty port do not fit into it.
func splitAuthority(authority string) (host, port string, ok bool) {
	host, port, hasPort := strings.Cut(authority, ":")
	if hasPort && !isPort(port) {
		return "", "", false
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	return host, port, isHostName(host)
}

// isPort wants a number in its only canonical form: "0443" is refused.
func isPort(port string) bool {
	if port == "" || len(port) > 5 || port[0] == '0' {
		return false
	}
	for _, c := range []byte(port) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

func isHostName(host string) bool {
	if host == "" || len(host) > 253 {
		return false
	}
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || strings.ContainsFunc(label, notInLabel) {
			return false
		}
	}
	return true
}

// The underscore is no host name of RFC 1123, but names with it exist.
func notInLabel(c rune) bool {
	return (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_'
}

// beforeAny returns the part of s before the first of the separators.
func beforeAny(s, separators string) string {
	if i := strings.IndexAny(s, separators); i >= 0 {
		return s[:i]
	}
	return s
}
