package policy

import (
	"strconv"
	"strings"
)

// holds reports whether the claim at a dotted path has one of the wanted values.
// A list holds when one of its elements does. Numbers and booleans are compared
// in the form in which JSON writes them; a claim that is not there holds never.
func holds(claims map[string]any, path string, wanted []string) bool {
	value, ok := lookup(claims, path)
	if !ok {
		return false
	}
	if list, ok := value.([]any); ok {
		for _, element := range list {
			if equals(element, wanted) {
				return true
			}
		}
		return false
	}
	return equals(value, wanted)
}

// lookup follows a dotted path. A claim whose own name is the whole path wins.
func lookup(claims map[string]any, path string) (any, bool) {
	if value, ok := claims[path]; ok {
		return value, true
	}
	name, rest, nested := strings.Cut(path, ".")
	if !nested {
		return nil, false
	}
	inner, ok := claims[name].(map[string]any)
	if !ok {
		return nil, false
	}
	return lookup(inner, rest)
}

func equals(value any, wanted []string) bool {
	var text string
	switch v := value.(type) {
	case string:
		text = v
	case bool:
		text = strconv.FormatBool(v)
	case int64:
		text = strconv.FormatInt(v, 10)
	case uint64:
		text = strconv.FormatUint(v, 10)
	case float64:
		text = strconv.FormatFloat(v, 'f', -1, 64)
	default:
		return false
	}
	for _, w := range wanted {
		if text == w {
			return true
		}
	}
	return false
}
