package policy

import (
	"slices"
	"strings"

	"github.com/doorward/doorward/internal/auth"
)

// rule is a Rule as it is judged.
type rule struct {
	Rule
	paths  []pattern
	denial auth.Reason // set on a rule that admits nobody

	emails, domains map[string]bool // in lower case
	groups          map[string]bool
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
func (r *rule) covers(method, path string) bool {
	if len(r.Methods) > 0 && !slices.Contains(r.Methods, method) {
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

func (r *rule) decide(req auth.Request, user auth.User) auth.Judgement {
	if r.denial.Code != "" {
		return auth.Judgement{Reason: r.denial}
	}
	narrowed := !unrestricted(req.Narrow)
	if r.Public && !narrowed {
		return auth.Judgement{Verdict: auth.Allow, Reason: auth.Public}
	}
	if user.Nobody() {
		return auth.Judgement{Verdict: auth.SignIn, Reason: auth.NotSignedIn}
	}
	if reason, ok := r.admits(user); !ok {
		return auth.Judgement{Reason: reason}
	}
	if narrowed && !withinNarrowing(req.Narrow, user) {
		return auth.Judgement{Reason: auth.Narrowed}
	}
	return auth.Judgement{Verdict: auth.Allow, Reason: auth.Admitted}
}

// admits reports whether the lists of the rule hold for user, and which one
// failed first.
func (r *rule) admits(user auth.User) (auth.Reason, bool) {
	if r.Public || r.Allow.Any {
		return auth.Admitted, true
	}
	if len(r.emails)+len(r.domains) == 0 && len(r.groups) == 0 {
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
	return auth.Admitted, true
}

func unrestricted(n auth.Narrowing) bool {
	return len(n.Groups) == 0 && len(n.Emails) == 0 && len(n.EmailDomains) == 0
}

// withinNarrowing reports whether every parameter of the check's query holds.
func withinNarrowing(n auth.Narrowing, user auth.User) bool {
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
