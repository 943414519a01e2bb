package config

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Site is a public URL and the cookie domain that it serves.
type Site struct {
	Scheme string // "http" or "https"
	Host   string // lower case, without port; "*.example.com" when every such host serves Doorward itself
	Port   string // "" for the default port of the scheme

	// CookieDomain is the domain all of whose hosts share the login; empty when
	// it is for Host alone.
	CookieDomain string
}

const (
	publicURL     = "DOORWARD_PUBLIC_URL"
	cookieDomains = "DOORWARD_COOKIE_DOMAINS"
)

// sites pairs each public URL with the longest cookie domain that its host is in.
func (r *reader) sites(s *spec, insecure bool) []Site {
	before := len(r.mistakes)
	sites := r.publicURLs(s.PublicURL)
	domains := r.cookieDomains(s.CookieDomains)
	if len(r.mistakes) > before {
		return nil // what could be said about pairs would only confuse
	}
	r.checkSchemes(sites, insecure)
	if len(domains) == 0 {
		r.checkHosts(sites)
		return sites
	}
	served := map[string]int{}
	for i := range sites {
		domain := longest(domains, strings.TrimPrefix(sites[i].Host, "*."))
		if domain == "" {
			r.mistake(publicURL, "entry %d is in none of the cookie domains; add its domain to %s", i+1, cookieDomains)
			continue
		}
		if first, taken := served[domain]; taken {
			r.mistake(publicURL, "entries %d and %d are in the same cookie domain; keep one of them, or give one a longer cookie domain", first, i+1)
			continue
		}
		served[domain] = i + 1
		sites[i].CookieDomain = domain
	}
	for i, domain := range domains {
		if served[domain] == 0 {
			r.mistake(cookieDomains, "entry %d has no public URL; add one on a host of that domain to %s", i+1, publicURL)
		}
	}
	return sites
}

func longest(domains []string, host string) string {
	best := ""
	for _, domain := range domains {
		if within(host, domain) && len(domain) > len(best) {
			best = domain
		}
	}
	return best
}

func (r *reader) publicURLs(text string) []Site {
	entries := r.list(publicURL, text)
	if strings.TrimSpace(text) == "" {
		r.mistake(publicURL, "is missing; write the address at which browsers reach Doorward, for example https://auth.example.com")
	}
	var sites []Site
	for i, entry := range entries {
		site, problem := parseSite(entry)
		if problem != "" {
			r.mistake(publicURL, "entry %d %s", i+1, problem)
			continue
		}
		sites = append(sites, site)
	}
	return sites
}

func parseSite(text string) (site Site, problem string) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "":
		return Site{}, "is not an address; write for example https://auth.example.com"
	case u.User != nil:
		return Site{}, "has a user name; remove it"
	case u.Path != "" && u.Path != "/":
		return Site{}, "has a path; put it into DOORWARD_PATH_PREFIX"
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(text, "#"):
		return Site{}, "has a query or a fragment; remove it"
	case strings.Contains(u.Host, "["):
		return Site{}, "is an IPv6 address; give it a host name"
	}
	host, problem := parseHost(u.Hostname(), true)
	if problem != "" {
		return Site{}, "has a host that " + problem
	}
	port := u.Port()
	if n, err := strconv.Atoi(port); port != "" && (err != nil || n < 1 || n > 65535 || strconv.Itoa(n) != port) {
		return Site{}, "has a port that is not a number from 1 to 65535"
	}
	if u.Scheme == "https" && port == "443" || u.Scheme == "http" && port == "80" {
		port = ""
	}
	return Site{Scheme: u.Scheme, Host: host, Port: port}, ""
}

func (r *reader) cookieDomains(text string) []string {
	var domains []string
	for i, entry := range r.list(cookieDomains, text) {
		domain, problem := parseHost(strings.TrimPrefix(entry, "."), false)
		switch {
		case problem != "":
		case isAddress(domain):
			problem = "is an IP address, for which browsers keep no shared cookies; unset it"
		case isPublicSuffix(domain):
			problem = "is a public suffix, for which browsers refuse cookies; name the domain that is yours"
		case slices.Contains(domains, domain):
			problem = "is there twice; remove it"
		}
		if problem != "" {
			r.mistake(cookieDomains, "entry %d %s", i+1, problem)
			continue
		}
		domains = append(domains, domain)
	}
	return domains
}

// checkSchemes wants https everywhere, or http everywhere and the switch that
// says that it is meant.
func (r *reader) checkSchemes(sites []Site, insecure bool) {
	const name = "DOORWARD_COOKIE_INSECURE"
	https, http := 0, 0
	for _, site := range sites {
		if site.Scheme == "https" {
			https++
		} else {
			http++
		}
	}
	switch {
	case https > 0 && http > 0:
		r.mistake(publicURL, "mixes http and https; use https for all")
	case http > 0 && !insecure:
		r.mistake(publicURL, "is http, so that anybody on the way can read the cookie; use https, or for localhost set %s=true", name)
	case https > 0 && insecure:
		r.mistake(name, "is true, but the public URL is https; unset it")
	}
}

// checkHosts refuses two host-only sites on one host: a cookie knows no port.
func (r *reader) checkHosts(sites []Site) {
	seen := map[string]int{}
	for i, site := range sites {
		if first, taken := seen[site.Host]; taken {
			r.mistake(publicURL, "entries %d and %d are on the same host and would share their cookie; keep one of them", first, i+1)
			continue
		}
		seen[site.Host] = i + 1
	}
}

// pathPrefix wants a path that no server or browser writes differently.
func (r *reader) pathPrefix(text string, sites []Site) string {
	const name = "DOORWARD_PATH_PREFIX"
	text = r.plain(name, text)
	switch {
	case text == "":
		if slices.ContainsFunc(sites, func(s Site) bool { return strings.HasPrefix(s.Host, "*.") }) {
			r.warn(name, "is not set, so that /start, /auth and the other endpoints take these paths from the apps on every host of the public URL; set it, for example to /oauth2")
		}
		return ""
	case text == "/":
		r.mistake(name, "is /; unset it to have no prefix")
	case text[0] != '/':
		r.mistake(name, "has to begin with a slash, as /oauth2")
	case strings.HasSuffix(text, "/"):
		r.mistake(name, "ends with a slash; remove it")
	case !canonicalPath(text):
		r.mistake(name, "has to be made of letters, digits, . _ ~ and - between single slashes, as /oauth2")
	}
	return text
}

func canonicalPath(path string) bool {
	for segment := range strings.SplitSeq(path[1:], "/") {
		if segment == "" || segment == "." || segment == ".." {
			return false
		}
		for _, c := range segment {
			if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("._~-", c) {
				return false
			}
		}
	}
	return true
}
