package config

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
)

// Header is an identity header of the configuration file.
type Header struct {
	Name string // in canonical form

	// Source is "user", "email", "preferred_username", "name", "groups", or
	// "claims." and the dotted path of a claim.
	Source string
}

// sources are what a header may show, besides claims.
var sources = []string{"user", "email", "preferred_username", "name", "groups"}

// headers checks the headers of a file.
func (d *document) headers(s *fileSpec, c *Config) []Header {
	var headers []Header
	taken := map[string]string{}
	for _, name := range c.familyHeaders() {
		taken[name] = "is sent already by DOORWARD_IDENTITY_HEADERS or DOORWARD_PASS_*; remove it"
	}
	for _, row := range s.Headers.rows {
		name := http.CanonicalHeaderKey(row.key.value)
		problem := cmp.Or(headerProblem(row.key.value), taken[name])
		if problem != "" {
			d.mistake(row.key.place, "%s", problem)
		}
		taken[name] = "is there already in another spelling; keep one of them"
		headers = append(headers, Header{name, d.checked(row.value, sourceProblem)})
	}
	return headers
}

func sourceProblem(text string) string {
	if path, claim := strings.CutPrefix(text, "claims."); claim {
		return claimProblem(path)
	}
	if slices.Contains(sources, text) {
		return ""
	}
	problem := "has to be " + strings.Join(sources, ", ") + " or claims. and a claim"
	if near := closest(text, sources); near != "" {
		problem += "; did you mean " + near + "?"
	}
	return problem
}

// forwardedIdentity are the headers of X-Forwarded-* that say who asks, and not
// what is asked for.
var forwardedIdentity = []string{
	"X-Forwarded-User", "X-Forwarded-Email", "X-Forwarded-Groups", "X-Forwarded-Preferred-Username", "X-Forwarded-Name",
}

// ownedHeaders belong to HTTP, to the browser or to the gateway, and would change
// what a server behind does and not only what it knows (SECURITY.md HDR).
var ownedHeaders = []string{
	"Accept", "Authorization", "Cache-Control", "Connection", "Cookie", "Date", "Expect", "Expires", "Forwarded", "From", "Host", "Keep-Alive",
	"Location", "Max-Forwards", "Origin", "Pragma", "Range", "Referer", "Retry-After", "Server", "Set-Cookie", "Te", "Trailer",
	"Transfer-Encoding", "Upgrade", "User-Agent", "Vary", "Via", "Www-Authenticate", "X-Auth-Host", "X-Http-Method", "X-Http-Method-Override",
	"X-Method-Override", "X-Real-Ip", "X-Request-Id", "X-Requested-With", "X-Rewrite-Url",
}

// ownedPrefixes begin the names of such headers.
var ownedPrefixes = []string{
	"Accept-", "Access-Control-", "Content-", "If-", "Proxy-", "Sec-", "X-Doorward-", "X-Envoy-", "X-Forwarded-", "X-Original-",
}

func headerProblem(text string) string {
	name := http.CanonicalHeaderKey(text)
	switch {
	case strings.Contains(text, "_"):
		return "has an underscore, which servers drop or read as a dash; write a dash"
	case strings.ContainsFunc(text, func(c rune) bool { return notInLabel(c | 0x20) }):
		return "is not the name of a header; write letters, digits and dashes, as X-Team"
	case len(text) > 64:
		return "is longer than 64 bytes"
	case slices.Contains(forwardedIdentity, name):
		return ""
	case slices.Contains(ownedHeaders, name) || slices.ContainsFunc(ownedPrefixes, func(p string) bool { return strings.HasPrefix(name, p) }):
		return "is a header that HTTP, the gateway or Doorward itself needs; choose another name"
	}
	return ""
}

// familyHeaders are the names of the identity headers that the environment asks
// for, in canonical form.
func (c *Config) familyHeaders() []string {
	families := map[string][]string{
		"x-auth-request": {
			"X-Auth-Request-User", "X-Auth-Request-Email", "X-Auth-Request-Preferred-Username", "X-Auth-Request-Name", "X-Auth-Request-Groups",
		},
		"x-forwarded": {"X-Forwarded-User", "X-Forwarded-Email", "X-Forwarded-Groups", "X-Forwarded-Preferred-Username"},
		"remote":      {"Remote-User", "Remote-Email", "Remote-Name", "Remote-Groups"},
	}
	var names []string
	for _, family := range c.IdentityHeaders {
		names = append(names, families[family]...)
	}
	if c.PassAccessToken {
		names = append(names, "X-Auth-Request-Access-Token")
	}
	return names
}
