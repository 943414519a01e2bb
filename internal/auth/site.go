package auth

import "strings"

// Site is a place where people sign in: a public URL and the cookie domain that
// it serves.
type Site struct {
	Scheme string // "http" or "https"
	Host   string // lower case, without port; "*.example.com" when every such host is a site of its own
	Port   string // "" for the default port of the scheme

	// CookieDomain is the domain that shares the login. Empty means that the
	// session belongs to Host alone.
	CookieDomain string
}

// Origin is the scheme, host and port as a browser writes them.
func (s Site) Origin() string {
	if s.Port == "" {
		return s.Scheme + "://" + s.Host
	}
	return s.Scheme + "://" + s.Host + ":" + s.Port
}

// Covers reports whether a session of this site is meant for host.
func (s Site) Covers(host string) bool {
	if s.CookieDomain != "" {
		return host == s.CookieDomain || strings.HasSuffix(host, "."+s.CookieDomain)
	}
	if domain, wildcard := strings.CutPrefix(s.Host, "*"); wildcard {
		return len(host) > len(domain) && strings.HasSuffix(host, domain)
	}
	return host == s.Host
}

// at is the site as host sees it: a wildcard site is served by host itself.
func (s Site) at(host string) Site {
	if strings.HasPrefix(s.Host, "*.") {
		s.Host = host
	}
	return s
}

// Sites are all places where people sign in.
type Sites []Site

// For returns the site that serves host, the one with the longest suffix. A
// wildcard site comes back with host in place of its pattern. It reports false
// for a host that belongs to none: such a request is denied.
func (s Sites) For(host string) (Site, bool) {
	best, length := -1, -1
	for i, site := range s {
		if n := len(site.suffix()); n > length && site.Covers(host) {
			best, length = i, n
		}
	}
	if best < 0 {
		return Site{}, false
	}
	return s[best].at(host), true
}

// suffix is what a host is compared with.
func (s Site) suffix() string {
	if s.CookieDomain != "" {
		return s.CookieDomain
	}
	return s.Host
}
