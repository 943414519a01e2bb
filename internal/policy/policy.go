// Package policy says which rule governs a request and whether it admits a user.
// It is pure: no input or output, and no clock.
package policy

import (
	"slices"
	"strings"

	"github.com/doorward/doorward/internal/auth"
)

// Rule is one rule as it is configured. It has exactly one of Public, Deny and
// Allow.
type Rule struct {
	Name    string
	Hosts   []string // "app.example.com" or "*.example.com" (any depth); none: the set's default hosts
	Paths   []string // exact, `*` for one segment, `**` for the rest; none: all
	Methods []string // none: all

	Public bool
	Deny   bool
	Allow  *Allow
}

// Allow says who is admitted. The values of a list are alternatives; a list
// that is not set does not restrict. (Emails or EmailDomains) and Groups must
// both hold. E-mail addresses are compared without regard to ASCII case.
type Allow struct {
	Any          bool // anyone who is signed in
	Emails       []string
	EmailDomains []string
	Groups       []string
}

// Set is a compiled list of rules; the first that matches a request governs it.
// It is immutable and may be used by many goroutines.
type Set struct {
	rules []rule

	// Indexes into rules, ascending, by host and by the domain of a wildcard, so
	// that a request looks only at the rules that name its host.
	exact    map[string][]int
	wildcard map[string][]int

	// What governs a request that no rule does.
	unknownHost, noRule, unreadable, oddPath rule
}

// New compiles rules. defaultHosts stand in for the hosts of a rule that names
// none.
func New(rules []Rule, defaultHosts []string) *Set {
	s := &Set{
		exact:       map[string][]int{},
		wildcard:    map[string][]int{},
		unknownHost: rule{denial: auth.UnknownHost},
		noRule:      rule{denial: auth.NoRule},
		unreadable:  rule{denial: auth.PathUnreadable},
		oddPath:     rule{denial: auth.PathNotCanonical},
	}
	for i, r := range rules {
		s.rules = append(s.rules, compile(r))
		hosts := r.Hosts
		if len(hosts) == 0 {
			hosts = defaultHosts
		}
		for _, host := range hosts {
			index := s.exact
			if domain, ok := strings.CutPrefix(host, "*."); ok {
				host, index = domain, s.wildcard
			}
			if list := index[host]; !slices.Contains(list, i) {
				index[host] = append(list, i)
			}
		}
	}
	return s
}

// Match returns what governs req. Every request is governed by something: a
// host that no rule names, and a path that no rule covers, by a denial.
//
// A path that is not canonical is never public, and it is matched twice: as it
// came, and as a server behind the gateway might read it (SECURITY.md PATH-2).
func (s *Set) Match(req auth.Request) Governing {
	if canonical(req.Path) {
		return Governing{first: s.match(req.Host, req.Method, req.Path, false)}
	}
	reread, ok := secondReading(req.Path)
	if !ok {
		return Governing{first: &s.unreadable}
	}
	return Governing{
		first:  s.match(req.Host, req.Method, req.Path, true),
		second: s.match(req.Host, req.Method, reread, true),
	}
}

// match returns the first rule that names host and covers method and path. A
// public rule does not count for an odd path, one that is not canonical.
func (s *Set) match(host, method, path string, odd bool) *rule {
	candidates := s.candidates(host)
	known := false
	passedPublic := false
	for i := candidates.next(); i >= 0; i = candidates.next() {
		known = true
		r := &s.rules[i]
		if !r.covers(method, path) {
			continue
		}
		if r.Public && odd {
			passedPublic = true
			continue
		}
		return r
	}
	switch {
	case passedPublic:
		return &s.oddPath
	case known:
		return &s.noRule
	default:
		return &s.unknownHost
	}
}

// cursor walks the rules that name a host in the order of the file, by merging
// the few lists that the host's own name and its parent domains have.
type cursor struct {
	lists [maxLabels][]int
	n     int
}

// maxLabels bounds the parent domains that are looked up: a host name of 253
// bytes has at most 127 labels, but nobody writes rules for more than these.
const maxLabels = 16

func (s *Set) candidates(host string) cursor {
	var c cursor
	c.add(s.exact[host])
	for {
		dot := strings.IndexByte(host, '.')
		if dot < 0 {
			return c
		}
		host = host[dot+1:]
		c.add(s.wildcard[host])
	}
}

func (c *cursor) add(list []int) {
	if len(list) > 0 && c.n < len(c.lists) {
		c.lists[c.n] = list
		c.n++
	}
}

// next returns the lowest index that is left, and -1 at the end.
func (c *cursor) next() int {
	lowest := -1
	for _, list := range c.lists[:c.n] {
		if len(list) > 0 && (lowest < 0 || list[0] < lowest) {
			lowest = list[0]
		}
	}
	if lowest < 0 {
		return -1
	}
	for i, list := range c.lists[:c.n] {
		if len(list) > 0 && list[0] == lowest {
			c.lists[i] = list[1:]
		}
	}
	return lowest
}

// Governing is the rule that governs a request or, for a path that can be read
// in two ways, the rules of both readings. The zero Governing denies.
type Governing struct {
	first, second *rule
}

// Public reports whether the request may pass without anybody signed in.
func (g Governing) Public() bool {
	return g.first != nil && g.first.Public && g.second == nil
}

// Name is the name of the rule that decides, "" when none covers the request.
func (g Governing) Name() string {
	if g.first == nil {
		return ""
	}
	return g.first.Name
}

// Decide judges user on req. Where two rules govern, both must admit the user.
func (g Governing) Decide(req auth.Request, user auth.User) auth.Judgement {
	if g.first == nil {
		return auth.Judgement{Reason: auth.NoRule}
	}
	judgement := g.first.decide(req, user)
	if g.second != nil && judgement.Verdict != auth.Deny {
		if other := g.second.decide(req, user); other.Verdict != auth.Allow {
			return other
		}
	}
	return judgement
}
