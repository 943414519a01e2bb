package main

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/doorward/doorward/internal/config"
)

// readClaims reads --claim name=value as a session would hold the claims: a
// dotted name is found by its path and inside the object that it begins with.
func readClaims(flags []string, providers []config.Provider) (map[string]any, error) {
	claims := map[string]any{}
	for _, flag := range flags {
		name, value, ok := strings.Cut(flag, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("--claim %s has to be name=value", strconv.Quote(flag))
		}
		if guardedAs(providers, name) != "" {
			return nil, fmt.Errorf("--claim %s: rules do not see this claim; use --email or --group", name)
		}
		claims[name] = addValue(claims[name], typed(value))
	}
	for name, value := range claims {
		nest(claims, name, value)
	}
	return claims, nil
}

// nest makes the objects of a dotted name, unless they are there.
func nest(object map[string]any, name string, value any) {
	first, rest, nested := strings.Cut(name, ".")
	if !nested {
		if _, there := object[name]; !there {
			object[name] = value
		}
		return
	}
	inner, ok := object[first].(map[string]any)
	if !ok {
		if _, there := object[first]; there {
			return
		}
		inner = map[string]any{}
		object[first] = inner
	}
	nest(inner, rest, value)
}

// addValue makes a list of a claim that is given more than once.
func addValue(before, value any) any {
	switch before := before.(type) {
	case nil:
		return value
	case []any:
		return append(before, value)
	default:
		return []any{before, value}
	}
}

// typed reads a value of JSON, and everything else as a text.
func typed(value string) any {
	decoder := json.NewDecoder(strings.NewReader(value))
	decoder.UseNumber()
	var decoded any
	if err := decoder.Decode(&decoded); err != nil || decoder.More() || decoded == nil {
		return value
	}
	return plain(decoded)
}

// plain has the types of numbers that sessions hold: int64 and float64.
func plain(value any) any {
	switch v := value.(type) {
	case json.Number:
		if whole, err := v.Int64(); err == nil {
			return whole
		}
		real, _ := v.Float64()
		return real
	case []any:
		for i := range v {
			v[i] = plain(v[i])
		}
	case map[string]any:
		for name := range v {
			v[name] = plain(v[name])
		}
	}
	return value
}
