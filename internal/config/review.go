package config

import (
	"slices"
	"strings"
)

// maxComparisons bounds the review of very large files; beyond it some warnings
// are not found.
const maxComparisons = 4 << 20

// review warns of rules without effect, of what a public rule uncovers, and of
// hosts where nobody can sign in.
func (d *document) review(c *Config) {
	v := &review{document: d, left: maxComparisons}
	hosts := c.Hosts()
	for _, shadow := range []bool{false, true} {
		v.earlier = map[string][]*Rule{}
		for i := range c.Rules {
			rule := &c.Rules[i]
			if rule.Shadow != shadow {
				continue
			}
			if rule.Line > 0 {
				v.reach(rule, hosts)
				v.signIn(rule, hosts, len(c.Tokens) > 0)
			}
			for _, host := range rule.hostsOr(hosts) {
				v.earlier[host] = append(v.earlier[host], rule)
			}
		}
	}
}

// review looks at rules in their order.
type review struct {
	*document
	earlier map[string][]*Rule // by each of their hosts
	left    int                // comparisons
}

func (r *Rule) hostsOr(all []string) []string {
	if len(r.Hosts) == 0 {
		return all
	}
	return r.Hosts
}

func (r *Rule) pathsOrAll() []string {
	if len(r.Paths) == 0 {
		return []string{"/**"}
	}
	return r.Paths
}

// reach warns when earlier rules decide everything that this one is for, and when
// public ones decide a part of it that it protects (SECURITY.md PATH-8).
func (v *review) reach(rule *Rule, hosts []string) {
	reached := len(hosts) == 0
	var hiding, uncovering *Rule
	for _, host := range rule.hostsOr(hosts) {
		for _, path := range rule.pathsOrAll() {
			switch by := v.covering(rule, host, path); {
			case by == nil:
				reached = true
			case by.Public && !rule.Public:
				uncovering, hiding = by, by
			default:
				hiding = by
			}
		}
	}
	switch {
	case !reached && hiding != nil:
		v.warn(rule.at(), "can never match, because %s comes first and covers it%s", hiding.called(), openly(hiding, rule))
	case uncovering != nil:
		v.warn(rule.at(), "protects what is public already by %s, which comes first and is wider", uncovering.called())
	}
}

// at is where messages about the rule point to.
func (r *Rule) at() place {
	return place{line: r.Line, column: r.Column, context: r.label()}
}

func openly(hiding, rule *Rule) string {
	if hiding.Public && !rule.Public {
		return "; what it protects is public"
	}
	return ""
}

// covering returns the first earlier rule that decides each request to the host
// and path with the methods of the rule.
func (v *review) covering(rule *Rule, host, path string) *Rule {
	for pattern := host; pattern != ""; pattern = wider(pattern) {
		for _, other := range v.earlier[pattern] {
			if v.left--; v.left < 0 {
				return nil
			}
			if !methodsCover(other.Methods, rule.Methods) {
				continue
			}
			if slices.ContainsFunc(other.pathsOrAll(), func(wide string) bool { return pathCovers(wide, path) }) {
				return other
			}
		}
	}
	return nil
}

// wider returns the next pattern that has all hosts of a pattern; "" when there
// is none.
func wider(pattern string) string {
	_, rest, _ := strings.Cut(strings.TrimPrefix(pattern, "*."), ".")
	if rest == "" {
		return ""
	}
	return "*." + rest
}

func methodsCover(wide, narrow []string) bool {
	if len(wide) == 0 {
		return true
	}
	return len(narrow) > 0 && !slices.ContainsFunc(narrow, func(m string) bool { return !slices.Contains(wide, m) })
}

// pathCovers reports whether every path that narrow matches is matched by wide.
func pathCovers(wide, narrow string) bool {
	w, n := strings.Split(wide, "/"), strings.Split(narrow, "/")
	for i, segment := range w {
		switch {
		case i == len(n):
			return false
		case segment == "**":
			return true
		case n[i] == "**", segment == "*" && n[i] == "", segment != "*" && segment != n[i]:
			return false
		}
	}
	return len(w) == len(n)
}

// signIn warns of hosts for which there is no cookie.
func (v *review) signIn(rule *Rule, hosts []string, tokens bool) {
	if rule.Allow == nil || tokens && !rule.Redirect || len(hosts) == 0 {
		return
	}
	for _, host := range rule.Hosts {
		if !slices.ContainsFunc(hosts, func(known string) bool { return hostsOverlap(known, host) }) {
			v.warn(rule.at(), "is for %s, which cannot be signed in to: it is in none of the cookie domains and public URLs", host)
		}
	}
}

// hostsOverlap reports whether some host matches both patterns.
func hostsOverlap(a, b string) bool {
	domainA, starA := strings.CutPrefix(a, "*.")
	domainB, starB := strings.CutPrefix(b, "*.")
	switch {
	case starA && starB:
		return within(domainA, domainB) || within(domainB, domainA)
	case starA:
		return domainA != b && within(b, domainA)
	case starB:
		return domainB != a && within(a, domainB)
	}
	return a == b
}
