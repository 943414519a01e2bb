package idp

import (
	"encoding/json"
	"slices"
)

// Keep says which further claims, by dotted paths, the users of coming logins
// are to carry.
func (p *Provider) Keep(paths []string) { p.kept.Store(&paths) }

// keeps are the paths of the claims that users carry.
func (p *Provider) keeps() []string {
	if paths := p.kept.Load(); paths != nil {
		return *paths
	}
	return nil
}

// keep returns the claims that rules and headers need, by the dotted path under
// which they were asked for: texts, int64, float64, booleans, lists and nested
// maps. What no source has is left out.
func (p *Provider) keep(sources []claims) map[string]any {
	var kept map[string]any
	for _, path := range p.keeps() {
		if p.guarded(path) {
			continue
		}
		for _, source := range sources {
			value, there := source.lookup(path)
			if !there {
				continue
			}
			if kept == nil {
				kept = map[string]any{}
			}
			kept[path] = plain(value)
			break
		}
	}
	return kept
}

// guarded reports whether a claim is one that only counts after checks of its
// own, that it is verified and complete. Rules ask the user's e-mail and groups
// instead; as a claim it is not there (AUTHZ-3, AUTHZ-4).
func (p *Provider) guarded(path string) bool {
	return path == "email" || path == "groups" || path == p.conf.EmailClaim || slices.Contains(p.conf.GroupsClaims, path)
}

// plain replaces the numbers of JSON by Go's: whole ones that fit by int64, all
// others by float64.
func plain(value any) any {
	switch v := value.(type) {
	case json.Number:
		if whole, err := v.Int64(); err == nil {
			return whole
		}
		real, _ := v.Float64() // out of range is an infinity, which equals nothing
		return real
	case []any:
		list := make([]any, len(v))
		for i, element := range v {
			list[i] = plain(element)
		}
		return list
	case map[string]any:
		object := make(map[string]any, len(v))
		for name, member := range v {
			object[name] = plain(member)
		}
		return object
	}
	return value
}
