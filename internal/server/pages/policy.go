package pages

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"
)

// Policy is the Content-Security-Policy of every page. It admits the one style
// sheet by its hash and the icon, which is a data address, and nothing else.
//
// A form may be sent to the page's own origin and to the origins given, such as
// https://id.example.com. Browsers hold redirects to the same list: where a
// sign-out goes on to the provider's end-session endpoint, name the origin of
// that endpoint, and of where it sends the browser afterwards. What could not be
// one source of a policy is left out, so that it cannot widen the rest.
func (s *Set) Policy(formAction ...string) string { return s.PolicyWith(nil, formAction...) }

// PolicyWith is the Policy of a page that shows pictures from these origins.
func (s *Set) PolicyWith(pictures []string, formAction ...string) string {
	sum := sha256.Sum256([]byte(sheet))
	var b strings.Builder
	b.WriteString("default-src 'none'; style-src 'sha256-")
	b.WriteString(base64.StdEncoding.EncodeToString(sum[:]))
	b.WriteString("'; img-src data:")
	for _, origin := range pictures {
		if isSource(origin) {
			b.WriteString(" " + origin)
		}
	}
	b.WriteString("; base-uri 'none'; frame-ancestors 'none'; form-action 'self'")
	for _, origin := range formAction {
		if isSource(origin) {
			b.WriteString(" " + origin)
		}
	}
	return b.String()
}

// FramePolicy is the policy of an empty page that pages of these origins may show
// in a frame, and no others.
func (s *Set) FramePolicy(by []string) string {
	ancestors := ""
	for _, origin := range by {
		if isSource(origin) {
			ancestors += " " + origin
		}
	}
	if ancestors == "" {
		ancestors = " 'none'"
	}
	return "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors" + ancestors
}

// isSource reports whether origin can stand in a policy without ending the
// directive, the policy or the header.
func isSource(origin string) bool {
	if !strings.HasPrefix(origin, "https://") && !strings.HasPrefix(origin, "http://") {
		return false
	}
	for _, c := range []byte(origin) {
		if c <= ' ' || c >= 0x7f || c == ';' || c == ',' || c == '\'' || c == '*' {
			return false
		}
	}
	return true
}
