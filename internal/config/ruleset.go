package config

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// rules checks the rules of a file.
func (d *document) rules(s *fileSpec, c *Config) []Rule {
	rules := make([]Rule, 0, len(s.Rules.entries)+1)
	names := map[string]int{}
	for i := range s.Rules.entries {
		spec := &s.Rules.entries[i]
		rule := d.rule(spec, c)
		at := spec.place
		if spec.Name.value != "" {
			rule.Name, at = spec.Name.value, spec.Name.place
		} else {
			rule.Name = fmt.Sprintf("rule %d", i+1)
		}
		if first := names[rule.Name]; first > 0 {
			d.mistake(at, "is named as the rule on line %d is; give each a name of its own", first)
		} else {
			names[rule.Name] = spec.line
		}
		rules = append(rules, rule)
	}
	return rules
}

func (d *document) rule(s *ruleSpec, c *Config) Rule {
	d.short(s.Name)
	d.short(s.Title)
	d.verdict(s)
	d.idle(s)
	r := Rule{
		Line:     s.line,
		Column:   s.column,
		Hosts:    d.each(s.Hosts, hostProblem),
		Paths:    d.each(s.Paths, pathProblem),
		Methods:  d.each(s.Methods, methodProblem),
		Public:   s.Public.value,
		Deny:     s.Deny.value,
		Allow:    d.allow(&s.Allow),
		ACR:      d.each(s.ACR, acrProblem),
		MaxAge:   d.maxAge(s.MaxAge),
		Provider: s.Provider.value,
		Redirect: s.Redirect.value || !s.Redirect.given(),
		CORS:     d.each(s.CORS.Origins, originProblem),
		Shadow:   s.Shadow.value,
		Title:    s.Title.value,
		Icon:     d.checked(s.Icon, endpointProblem),
	}
	if r.Provider != "" && len(c.Providers) > 0 {
		d.known(s.Provider, c.Providers)
	}
	return r
}

// known wants the name of one of the providers.
func (d *document) known(name text, providers []Provider) {
	var names []string
	for _, p := range providers {
		names = append(names, p.Name)
	}
	if !slices.Contains(names, name.value) {
		d.mistake(name.place, "is no provider; known here are %s", strings.Join(names, ", "))
	}
}

// verdict wants exactly one of public, allow and deny.
func (d *document) verdict(s *ruleSpec) {
	given := slices.DeleteFunc([]place{s.Public.place, s.Allow.place, s.Deny.place}, func(p place) bool { return !p.given() })
	slices.SortFunc(given, byPosition)
	for i, at := range given {
		if i > 0 {
			d.mistake(at, "is one too many; a rule has exactly one of public, allow and deny")
		}
	}
	if len(given) == 0 && s.given() {
		d.mistake(s.place, "has none of public, allow and deny; write the one that is meant")
	}
	for _, f := range []flag{s.Public, s.Deny} {
		if f.given() && !f.value {
			d.mistake(f.place, "has to be true; a rule that is not so leaves it out")
		}
	}
}

// idle refuses what a rule says in vain.
func (d *document) idle(s *ruleSpec) {
	login := []place{s.ACR.place, s.MaxAge.place, s.Provider.place, s.Redirect.place, s.CORS.place}
	switch {
	case s.Deny.value:
		for _, at := range append(login, s.Title.place, s.Icon.place) {
			if at.given() {
				d.mistake(at, "has no effect in a rule that denies; remove it")
			}
		}
	case s.Public.value:
		for _, at := range login {
			if at.given() {
				d.mistake(at, "has no effect in a public rule; remove it")
			}
		}
	}
}

// short wants a line that a log or a card can hold.
func (d *document) short(t text) {
	if len(t.value) > 100 || hasControl(t.value) {
		d.mistake(t.place, "is longer than a line of 100 bytes")
	}
}

// checked returns the text when problem finds none with it.
func (d *document) checked(t text, problem func(string) string) string {
	if t.value == "" {
		return ""
	}
	if p := problem(t.value); p != "" {
		d.mistake(t.place, "%s", p)
		return ""
	}
	return t.value
}

// each returns the entries with which problem finds none.
func (d *document) each(l list[text], problem func(string) string) []string {
	var good []string
	for _, entry := range l.entries {
		if text := d.checked(entry, problem); text != "" {
			good = append(good, text)
		}
	}
	return good
}

func (d *document) maxAge(t text) time.Duration {
	if t.value == "" {
		return 0
	}
	age, err := time.ParseDuration(t.value)
	switch {
	case err != nil:
		d.mistake(t.place, "is not a duration; write for example 90s, 15m or 12h")
	case age < time.Second:
		d.mistake(t.place, "is too short; it has to be at least 1s")
	}
	return age
}

// acrProblem wants what acr_values can name, which is separated by spaces
// (OpenID Connect Core 3.1.2.1).
func acrProblem(text string) string {
	if hasSpaceOrMore(text) {
		return "is no authentication context; it has no spaces and nothing beyond ASCII"
	}
	return ""
}
