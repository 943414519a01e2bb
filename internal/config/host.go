package config

import (
	"net/netip"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// parseHost reads a host name, or with wildcard also "*." before one, and
// returns it in lower case. problem says what is wrong with anything else.
func parseHost(text string, wildcard bool) (host, problem string) {
	host = strings.ToLower(text)
	domain, star := strings.CutPrefix(host, "*.")
	switch {
	case star && !wildcard:
		return "", "begins with *.; write the domain alone"
	case strings.Contains(domain, "://"):
		return "", "is an address and not a host; leave out the scheme and what follows the host"
	case !isASCII(text):
		return "", "has letters beyond ASCII; write the xn-- form of the name"
	case strings.HasSuffix(domain, "."):
		return "", "ends with a dot; remove it"
	case !isHostName(domain):
		return "", "is not a host name; write it without scheme, port and path"
	case star && isAddress(domain):
		return "", "is a wildcard over an IP address"
	case star && isPublicSuffix(domain):
		return "", "is a wildcard over a public suffix, below which anybody can have a host; name the domain that is yours"
	}
	return host, ""
}

// isPublicSuffix reports whether anybody may register names below the domain. A
// name without a dot counts, as in browsers.
func isPublicSuffix(domain string) bool {
	suffix, _ := publicsuffix.PublicSuffix(domain)
	return suffix == domain
}

func isAddress(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}

func isHostName(host string) bool {
	if len(host) > 253 {
		return false
	}
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || len(label) > 63 || strings.ContainsFunc(label, notInLabel) {
			return false
		}
	}
	return true
}

func notInLabel(c rune) bool {
	return (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_'
}

func isASCII(text string) bool {
	return !strings.ContainsFunc(text, func(c rune) bool { return c >= 0x80 })
}

// within reports whether host is domain or a name below it.
func within(host, domain string) bool {
	return host == domain || strings.HasSuffix(host, "."+domain)
}
