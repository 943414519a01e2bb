package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/doorward/doorward/internal/config"
	"github.com/doorward/doorward/internal/policy"
)

// guardedMistakes refuses rules and headers that look at claims which count only
// after checks of their own and are never there as claims. A condition that keeps
// somebody out by one of them would let everybody in.
func guardedMistakes(cfg *config.Config, rules []policy.Rule) []error {
	var mistakes []error
	refuse := func(where, path string) {
		if instead := guardedAs(cfg.Providers, path); instead != "" {
			mistakes = append(mistakes, fmt.Errorf("%s: %s: the claim %s is never there as a claim, because it counts only when it was checked; use %s", cfg.File, where, path, instead))
		}
	}
	for _, r := range rules {
		if r.Allow == nil {
			continue
		}
		var paths []string
		for path := range r.Allow.Claims {
			paths = append(paths, path)
		}
		if r.Allow.When != nil {
			paths = append(paths, r.Allow.When.Claims()...)
		}
		slices.Sort(paths)
		for _, path := range slices.Compact(paths) {
			refuse(fmt.Sprintf("rule %q", r.Name), path)
		}
	}
	for _, header := range cfg.Headers {
		if path, ok := strings.CutPrefix(header.Source, "claims."); ok {
			refuse("header "+header.Name, path)
		}
	}
	return mistakes
}

// guardedAs is where what a claim says is found instead, "" for one that no
// provider guards.
func guardedAs(providers []config.Provider, path string) string {
	email, groups := path == "email", path == "groups"
	for _, p := range providers {
		email = email || path == p.EmailClaim
		groups = groups || slices.Contains(p.GroupsClaims, path)
	}
	switch {
	case email:
		return "emails, user.email or the source email"
	case groups:
		return "groups, user.groups or the source groups"
	}
	return ""
}
