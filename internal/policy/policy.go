// Package policy says which rule governs a request and whether it admits a user.
// It is pure: no input or output, and no clock but the one that it is given.
package policy

import (
	"net/netip"
	"slices"
	"strings"
	"time"

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

	// What a login has to be like: one of these ACRs, at most MaxAge old, at this
	// provider. A session that falls short is asked for another login.
	ACR      []string
	MaxAge   time.Duration // 0: any age
	Provider string

	// NoRedirect never sends anybody to a login: the hosts are an API.
	NoRedirect bool

	// CORS are origins whose preflight requests need no login. A preflight carries
	// no cookie, so it could not have one.
	CORS []string

	// Title and Icon are for the card in the list of apps.
	Title string
	Icon  string // an address, or ""
}

// Allow says who is admitted. The values of a list are alternatives; a list
// that is not set does not restrict. (Emails or EmailDomains), Groups, Claims,
// Networks and When must all hold. E-mail addresses are compared without regard
// to ASCII case.
type Allow struct {
	Any          bool // anyone who is signed in, and for whom the rest holds
	Emails       []string
	EmailDomains []string
	Groups       []string
	Claims       map[string][]string // dotted path to the alternatives of its value
	Networks     []netip.Prefix      // of the client
	When         *Condition
}

// Set is a compiled list of rules; the first that matches a request governs it.
// It is immutable and may be used by many goroutines.
type Set struct {
	rules []rule
	now   func() time.Time

	// Indexes into rules, ascending, by host and by the domain of a wildcard, so
	// that a request looks only at the rules that name its host.
	exact    map[string][]int
	wildcard map[string][]int

	// What governs a request that no rule does.
	unknownHost, noRule, unreadable, oddPath rule
}

// New compiles rules. defaultHosts stand in for the hosts of a rule that names
// none, and now tells how old a login is.
func New(rules []Rule, defaultHosts []string, now func() time.Time) *Set {
	s := &Set{
		now:         now,
		rules:       make([]rule, 0, len(rules)),
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

// Claims are the dotted paths of all claims that the rules look at.
func (s *Set) Claims() []string {
	var paths []string
	for _, r := range s.rules {
		paths = append(paths, r.needs...)
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

// reading is one way to read a path. Of a canonical path it is the only one, and
// /a%3Ab is /a:b, because it is for the servers behind.
type reading struct {
	path    string
	odd     bool // there is another way: no public rule counts, and what is written counts
	decoded bool // nothing in it is an escape any more
}

// maxReadings is how many ways there are to read a path.
const maxReadings = 3

// readings are the ways to read a path: one for a path that is canonical, and
// otherwise as it came, and as servers behind the gateway might read it: with the
// meaning that some give to `;` and `\`, and without. They are none for a path
// that cannot be read.
func readings(path string) (all [maxReadings]reading, n int) {
	if canonical(path) {
		return [maxReadings]reading{{path: path}}, 1
	}
	decoded, ok := decode(path)
	if !ok {
		return all, 0
	}
	all = [maxReadings]reading{
		{path: path, odd: true},
		{path: resolve(decoded, true), odd: true, decoded: true},
		{path: resolve(decoded, false), odd: true, decoded: true},
	}
	if all[1] == all[2] {
		return all, 2
	}
	return all, 3
}

// Match returns what governs req. Every request is governed by something: a
// host that no rule names, and a path that no rule covers, by a denial.
//
// A path that is not canonical is never public, and it is matched in each of its
// readings (SECURITY.md PATH-2): as it came, and as a server behind the gateway
// might read it. Conditions see a canonical path decoded.
func (s *Set) Match(req auth.Request) Governing {
	g := Governing{set: s, narrowed: !unrestricted(&req.Narrow)}
	all, n := readings(req.Path)
	if n == 0 {
		g.add(&s.unreadable, req.Path)
	}
	for _, path := range all[:n] {
		g.add(s.match(req.Host, req.Method, path), path.path)
	}
	return g
}

// match returns the first rule that names host and covers method and path. A
// public rule does not count for an odd path, one that is not canonical.
func (s *Set) match(host, method string, path reading) *rule {
	candidates := s.candidates(host)
	known := false
	passedPublic := false
	for i := candidates.next(); i >= 0; i = candidates.next() {
		known = true
		r := &s.rules[i]
		if !r.covers(method, path) {
			continue
		}
		if r.Public && path.odd {
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
	near [8][]int // as many as anybody has, without allocating
	n    int
	far  [][]int
}

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
	switch {
	case len(list) == 0:
	case c.n < len(c.near):
		c.near[c.n] = list
		c.n++
	default:
		c.far = append(c.far, list)
	}
}

// next returns the lowest index that is left, and -1 at the end.
func (c *cursor) next() int {
	lowest := least(-1, c.near[:c.n])
	lowest = least(lowest, c.far)
	pass(lowest, c.near[:c.n])
	pass(lowest, c.far)
	return lowest
}

// least returns the lowest of best and the heads of lists; -1 is none.
func least(best int, lists [][]int) int {
	for _, list := range lists {
		if len(list) > 0 && (best < 0 || list[0] < best) {
			best = list[0]
		}
	}
	return best
}

// pass removes index from the heads of lists.
func pass(index int, lists [][]int) {
	for i, list := range lists {
		if len(list) > 0 && list[0] == index {
			lists[i] = list[1:]
		}
	}
}
