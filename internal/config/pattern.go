package config

import (
	"net/url"
	"strings"
	"unicode/utf8"
)

// hostProblem wants a host as requests have it after SECURITY.md PATH-4, or `*.`
// before one.
func hostProblem(text string) string {
	domain := strings.TrimPrefix(text, "*.")
	switch {
	case text == "*":
		return "is *; leave `hosts` out for every host, or write *. and a domain"
	case strings.Contains(text, "://"):
		return "is an address and not a host; leave out the scheme and what follows the host"
	case !isASCII(text):
		return "has letters beyond ASCII; write the xn-- form of the name"
	case strings.ToLower(text) != text:
		return "has capital letters; write it in lower case"
	case strings.HasSuffix(text, "."):
		return "ends with a dot; remove it"
	case strings.HasPrefix(text, "."):
		return "begins with a dot; write *. for all hosts below a domain"
	case strings.Contains(domain, "*"):
		return "has a * inside; only *. at the beginning stands for something"
	case strings.Contains(domain, "/"):
		return "has a path; write it into `paths`"
	case strings.Contains(domain, ":"):
		return "has a port; hosts are compared without it, so remove it"
	case !isHostName(domain):
		return "is not a host name"
	case domain != text && isAddress(domain):
		return "is a wildcard over an IP address"
	}
	return ""
}

// pathProblem wants a pattern that canonical paths can match (SECURITY.md
// PATH-2a). Requests are matched as they came, so that no other ever would.
func pathProblem(text string) string {
	if !strings.HasPrefix(text, "/") {
		return "has to begin with a slash, as /static/**"
	}
	if strings.ContainsAny(text, "?#") {
		return "has a query or a fragment; paths are matched without them"
	}
	if strings.ContainsFunc(text, notPrintable) || strings.ContainsAny(text, `\;`) {
		return `has a space, a \, a ; or a byte beyond ASCII, which no canonical path has; write its percent-encoded form where there is one`
	}
	segments := strings.Split(text[1:], "/")
	for i, segment := range segments {
		last := i == len(segments)-1
		switch {
		case segment == "" && !last:
			return "has an empty segment; remove a slash"
		case segment == "." || segment == "..":
			return "has a dot segment; write the path that is meant"
		case segment == "**" && !last:
			return "has a ** that is not the last segment; only there it stands for the rest"
		case strings.Contains(segment, "*") && segment != "*" && segment != "**":
			return "has a * inside a segment; it stands for a whole one, as /users/*/photo"
		}
		if problem := escapeProblem(segment); problem != "" {
			return problem
		}
	}
	return ""
}

// escapeProblem looks at the percent-encoded bytes of a segment.
func escapeProblem(segment string) string {
	if !strings.Contains(segment, "%") {
		return ""
	}
	whole, err := url.PathUnescape(segment)
	if err != nil {
		return "has a % without two hexadecimal digits behind it; write %25 nowhere, and other bytes as %20"
	}
	if !utf8.ValidString(whole) {
		return "has an escape that is not UTF-8"
	}
	for i := strings.IndexByte(segment, '%'); i >= 0; {
		decoded, _ := url.PathUnescape(segment[i : i+3])
		switch c := decoded[0]; {
		case c < ' ' || c == 0x7f || strings.IndexByte(`/\;%`, c) >= 0:
			return "has an escape that no canonical path has, such as %2f, %5c, %3b and %25"
		case isUnreserved(c):
			return "has an escape that decodes to a plain character; write the character"
		}
		next := strings.IndexByte(segment[i+3:], '%')
		if next < 0 {
			break
		}
		i += 3 + next
	}
	return ""
}

// isUnreserved is RFC 3986, 2.3.
func isUnreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0
}

func methodProblem(text string) string {
	switch upper := strings.ToUpper(text); {
	case text == "*":
		return "is *; leave `methods` out for all"
	case strings.ContainsFunc(text, notInToken):
		return "is not a method; write for example GET"
	case upper != text && !strings.ContainsFunc(text, func(c rune) bool { return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') }):
		return "is not in upper case, and methods are compared as they are; write " + upper
	case upper != text:
		return "is not in upper case, and methods are compared as they are"
	}
	return ""
}

// originProblem wants an origin as browsers write it (RFC 6454, 6.2), because it
// is compared byte for byte.
func originProblem(text string) string {
	const remedy = "; write for example https://app.example.com"
	u, err := url.Parse(text)
	switch {
	case text == "*":
		return "is *, which would let every page of the web ask; name the origins"
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "":
		return "is not an origin" + remedy
	case u.Path != "" || u.RawQuery != "" || u.ForceQuery || u.User != nil || strings.ContainsAny(text, "#*"):
		return "has more than a scheme, a host and a port" + remedy
	case strings.ToLower(text) != text:
		return "has capital letters; write it in lower case"
	case u.Scheme == "https" && u.Port() == "443" || u.Scheme == "http" && u.Port() == "80" || strings.HasSuffix(text, ":"):
		return "names the default port, which browsers leave out; remove it"
	case !isHostName(u.Hostname()) && !isAddress(u.Hostname()):
		return "has a host that is not a host name" + remedy
	}
	return ""
}
