package session

import (
	"time"

	"github.com/doorward/doorward/internal/auth"
)

// jar is what stores have in common: one cookie for each site, and the rules for
// what is in it and behind it.
type jar struct {
	CookieConfig
	hostName   string // the full name of a cookie for one host
	domainName string // and of one for a domain
}

func newJar(cfg CookieConfig) jar {
	return jar{
		CookieConfig: cfg,
		hostName:     cookiePrefix(cfg.Insecure, "") + cfg.Name,
		domainName:   cookiePrefix(cfg.Insecure, "domain") + cfg.Name,
	}
}

// name is the full name of the session cookie of a site.
func (j *jar) name(site auth.Site) string {
	if site.CookieDomain == "" {
		return j.hostName
	}
	return j.domainName
}

// cookiePrefix has the browser enforce what the cookie promises (RFC 6265bis
// section 4.1.3): that it is secure and, without a domain, of this host alone.
func cookiePrefix(insecure bool, domain string) string {
	switch {
	case insecure:
		return ""
	case domain == "":
		return "__Host-"
	default:
		return "__Secure-"
	}
}

// scope is where a session of site is valid. It is sealed into the cookie.
func scope(site auth.Site) string {
	if site.CookieDomain != "" {
		return site.CookieDomain
	}
	return site.Host
}

// counts reports whether a session has not reached its end, and comes from an
// issuer and of a subject whose sessions count.
func (j *jar) counts(s *Session, now time.Time) bool {
	if accepts := j.Accepts[s.User.Provider]; accepts != nil && !accepts(s.User.Subject) {
		return false
	}
	issuer, known := j.Issuers[s.User.Provider]
	return now.Before(s.Expires) && now.Before(s.Created.Add(j.Lifetime)) && // which may be shorter than it was
		(j.Issuers == nil || known && issuer == s.User.Issuer)
}

// keep returns the tokens that the configuration passes on.
func (j *jar) keep(t auth.Tokens) auth.Tokens {
	var kept auth.Tokens
	if j.KeepAccessToken {
		kept.Access = t.Access
	}
	if j.KeepIDToken {
		kept.ID = t.ID
	}
	if j.KeepRefreshToken {
		kept.Refresh, kept.Expiry, kept.IDExpiry = t.Refresh, t.Expiry, t.IDExpiry
	}
	return kept
}
