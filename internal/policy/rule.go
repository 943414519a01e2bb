package policy

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/doorward/doorward/internal/auth"
)

// rule is a Rule as it is judged.
type rule struct {
	Rule
	paths  []pattern
	denial auth.Reason // set on a rule that admits nobody

	emails, domains map[string]bool // in lower case
	groups          map[string]bool
	needs           []string // claims, by their dotted paths

	// unrestricted is an allow without a word about whom: a mistake that must not
	// admit everybody.
	unrestricted bool
}

func compile(r Rule) rule {
	c := rule{Rule: r}
	for _, p := range r.Paths {
		c.paths = append(c.paths, compilePattern(p))
	}
	switch {
	case r.Deny || !r.Public && r.Allow == nil:
		c.denial, c.Public = auth.RuleDenies, false
	case r.Allow != nil:
		c.emails = set(r.Allow.Emails, lowerASCII)
		c.domains = set(r.Allow.EmailDomains, lowerASCII)
		c.groups = set(r.Allow.Groups, strings.Clone)
		c.needs = r.Allow.needs()
		c.unrestricted = !r.Allow.Any && len(c.emails)+len(c.domains)+len(c.groups)+len(r.Allow.Claims)+len(r.Allow.Networks) == 0 && r.Allow.When == nil
	}
	return c
}

func set(values []string, normal func(string) string) map[string]bool {
	m := make(map[string]bool, len(values))
	for _, v := range values {
		m[normal(v)] = true
	}
	return m
}

// covers reports whether the rule is about this method and path.
func (r *rule) covers(method string, path reading) bool {
	if !r.coversMethod(method) {
		return false
	}
	if len(r.paths) == 0 {
		return true
	}
	for _, p := range r.paths {
		if p.match(path) {
			return true
		}
	}
	return false
}

func (r *rule) coversMethod(method string) bool {
	return len(r.Methods) == 0 || slices.Contains(r.Methods, method)
}

func (r *rule) decide(req *auth.Request, user *auth.User, path string, now func() time.Time) auth.Judgement {
	if r.denial.Code != "" {
		return auth.Judgement{Reason: r.denial}
	}
	narrowed := !unrestricted(&req.Narrow)
	if r.Public && !narrowed {
		return auth.Judgement{Verdict: auth.Allow, Reason: auth.Public}
	}
	if req.Preflight && slices.Contains(r.CORS, req.Origin) {
		return auth.Judgement{Verdict: auth.Allow, Reason: auth.Preflight}
	}
	if user.Nobody() {
		return auth.Judgement{Verdict: auth.SignIn, Reason: auth.NotSignedIn}
	}
	if r.Provider != "" && user.Provider != r.Provider {
		// What another provider says is not what the rule is about. The person is told,
		// and not sent on: they would be somebody else from one page to the next.
		return auth.Judgement{Reason: auth.OtherProvider}
	}
	switch reason, ok := r.admits(req, user, path); {
	case reason == auth.ClaimsUnknown:
		return auth.Judgement{Verdict: auth.SignIn, Reason: reason} // a new login will tell
	case !ok:
		return auth.Judgement{Reason: reason}
	}
	if narrowed && !withinNarrowing(&req.Narrow, user) {
		return auth.Judgement{Reason: auth.Narrowed}
	}
	if reason, ok := r.trusts(user, now); !ok {
		return auth.Judgement{Verdict: auth.SignIn, Reason: reason}
	}
	return auth.Judgement{Verdict: auth.Allow, Reason: auth.Admitted}
}

// knows reports whether all claims that the rule looks at were asked for when the
// user signed in. The rules may have come to name them only since.
func (r *rule) knows(user *auth.User) bool {
	for _, path := range r.needs {
		if _, there := user.Claims[path]; !there && !slices.Contains(user.ClaimsAsked, path) {
			return false
		}
	}
	return true
}

// trusts reports whether the login of user is what the rule asks for. Who falls
// short can sign in again, so it is asked only of who may enter at all.
func (r *rule) trusts(user *auth.User, now func() time.Time) (auth.Reason, bool) {
	switch {
	case len(r.ACR) > 0 && !slices.Contains(r.ACR, user.ACR):
		return auth.LoginTooWeak, false
	case r.MaxAge > 0 && (user.AuthTime.IsZero() || now().Sub(user.AuthTime) > r.MaxAge):
		return auth.LoginTooOld, false
	}
	return auth.Admitted, true
}

// admits reports whether the conditions of the rule hold, and which one failed
// first.
func (r *rule) admits(req *auth.Request, user *auth.User, path string) (auth.Reason, bool) {
	if r.Public {
		return auth.Admitted, true
	}
	if r.unrestricted {
		return auth.RuleDenies, false
	}
	if len(r.emails)+len(r.domains) > 0 {
		address, domain, ok := splitEmail(user.Email)
		if !ok {
			return auth.EmailUnverified, false
		}
		if !r.emails[address] && !r.domains[domain] {
			return auth.EmailNotAllowed, false
		}
	}
	if len(r.groups) > 0 && !slices.ContainsFunc(user.Groups, func(g string) bool { return r.groups[g] }) {
		return auth.GroupMissing, false
	}
	if !r.knows(user) {
		return auth.ClaimsUnknown, false
	}
	for path, wanted := range r.Allow.Claims {
		if !holds(user.Claims, path, wanted) {
			return auth.ClaimMissing, false
		}
	}
	if len(r.Allow.Networks) > 0 && !within(req.Client, r.Allow.Networks) {
		return auth.NetworkOutside, false
	}
	if r.Allow.When != nil {
		return r.Allow.When.holds(req, user, path)
	}
	return auth.Admitted, true
}

// within reports whether addr lies in one of the networks. An address that is
// not known lies in none.
func within(addr netip.Addr, networks []netip.Prefix) bool {
	for _, network := range networks {
		if network.Contains(addr) {
			return true
		}
	}
	return false
}

func unrestricted(n *auth.Narrowing) bool {
	return len(n.Groups) == 0 && len(n.Emails) == 0 && len(n.EmailDomains) == 0
}

// withinNarrowing reports whether every parameter of the check's query holds.
func withinNarrowing(n *auth.Narrowing, user *auth.User) bool {
	address, domain, ok := splitEmail(user.Email)
	for _, groups := range n.Groups {
		if !slices.ContainsFunc(groups, func(g string) bool { return slices.Contains(user.Groups, g) }) {
			return false
		}
	}
	for _, emails := range n.Emails {
		if !ok || !slices.ContainsFunc(emails, func(e string) bool { return lowerASCII(e) == address }) {
			return false
		}
	}
	for _, domains := range n.EmailDomains {
		if !ok || !slices.ContainsFunc(domains, func(d string) bool { return lowerASCII(d) == domain }) {
			return false
		}
	}
	return true
}

// needs are the claims that somebody has to have been asked about.
func (a *Allow) needs() []string {
	paths := slices.Sorted(maps.Keys(a.Claims))
	if a.When != nil {
		paths = append(paths, a.When.Claims()...)
	}
	return paths
}
