// Package redirect says whether a return address is ours. It is the one place
// that does: the start of a login, its end, the sign-out and every link on a
// page ask it.
package redirect

import "strings"

// maxLength is the number of bytes up to which an address is looked at. A longer
// one is refused and never cut.
const maxLength = 2048

// Rules say where a login or a sign-out may end. The zero Rules accept rooted
// paths only.
type Rules struct {
	Sites []Site

	// Hosts are allowed besides those of the sites: "x.org" is this host alone,
	// "*.x.org" every host below it and not x.org itself. Lower case, no port.
	Hosts []string

	// Prefix is the path below which Doorward's own endpoints are: empty, or
	// "/oauth2".
	Prefix string
}

// Site is a public URL and the cookie domain that it serves.
type Site struct {
	Scheme string // "http" or "https"
	Host   string // lower case, without port; "*.example.com" when every such host serves Doorward itself
	Port   string // "" for the default port of the scheme

	// CookieDomain is the domain all of whose hosts share the login; empty when
	// it is for Host alone.
	CookieDomain string
}

// Check returns nil when target may be a return address, and a *Refused when it
// may not. Accepted are
//   - paths with exactly one leading slash;
//   - absolute addresses with the scheme of a public URL, on a host of a cookie
//     domain, of a public URL or of Hosts, at the default port or that of a public
//     URL.
//
// They consist of printable ASCII without backslash, carry no user name, are not
// an endpoint of Doorward, and their path means the same host however often
// it is decoded. An accepted target is to be used byte for byte; its query and
// fragment are of no interest here.
func (r *Rules) Check(target string) error {
	if refused := r.refuse(target); refused != nil {
		return refused
	}
	return nil
}

// Target returns target when Check accepts it, and "/" with the *Refused
// otherwise. The login goes on in both cases.
func (r *Rules) Target(target string) (string, error) {
	if err := r.Check(target); err != nil {
		return "/", err
	}
	return target, nil
}

func (r *Rules) refuse(target string) *Refused {
	switch {
	case target == "":
		return errEmpty
	case len(target) > maxLength:
		return errTooLong
	case strings.ContainsFunc(target, unprintable):
		return errBytes
	}
	addr, refused := split(target)
	if refused != nil {
		return refused
	}
	if addr.scheme != "" {
		if refused := r.refuseOrigin(addr); refused != nil {
			return refused
		}
	}
	return r.refusePath(addr)
}

// unprintable also covers the runes of bytes beyond ASCII and of broken UTF-8.
func unprintable(c rune) bool { return c < 0x21 || c > 0x7e || c == '\\' }

// refuseOrigin judges the scheme, host and port of an absolute address.
func (r *Rules) refuseOrigin(addr address) *Refused {
	known, sameScheme := false, false
	for _, site := range r.Sites {
		if site.covers(addr.host) {
			known = true
			sameScheme = sameScheme || site.Scheme == addr.scheme
		}
	}
	for _, pattern := range r.Hosts {
		if matches(pattern, addr.host) {
			known = true
			sameScheme = sameScheme || r.speaks(addr.scheme)
		}
	}
	switch {
	case !known:
		return errHost
	case !sameScheme:
		return errScheme
	case !r.listens(addr):
		return errPort
	}
	return nil
}

// speaks reports whether a public URL has this scheme.
func (r *Rules) speaks(scheme string) bool {
	for _, site := range r.Sites {
		if site.Scheme == scheme {
			return true
		}
	}
	return false
}

// listens reports whether the port is the default one or that of a public URL.
func (r *Rules) listens(addr address) bool {
	if addr.port == "" || addr.port == defaultPort(addr.scheme) {
		return true
	}
	for _, site := range r.Sites {
		if site.Port == addr.port && site.Scheme == addr.scheme {
			return true
		}
	}
	return false
}

// covers reports whether host is in the cookie domain or serves the public URL.
func (s Site) covers(host string) bool {
	if s.CookieDomain != "" && (host == s.CookieDomain || below(host, s.CookieDomain)) {
		return true
	}
	return matches(s.Host, host)
}

// matches compares a host with "x.org" or "*.x.org".
func matches(pattern, host string) bool {
	if domain, wildcard := strings.CutPrefix(pattern, "*."); wildcard {
		return below(host, domain)
	}
	return pattern != "" && host == pattern
}

// below reports whether host is a name under domain. The dot belongs to the
// comparison: badexample.com is not below example.com.
func below(host, domain string) bool {
	return domain != "" && strings.HasSuffix(host, "."+domain)
}

func defaultPort(scheme string) string {
	if scheme == "http" {
		return "80"
	}
	return "443"
}
