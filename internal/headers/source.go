package headers

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/doorward/doorward/internal/auth"
)

// source is how the value of a custom header is made. What the configuration has
// not refused and this does not know stays empty.
func source(from string) func(auth.User, auth.Tokens) string {
	if path, ok := strings.CutPrefix(from, "claims."); ok {
		return func(u auth.User, _ auth.Tokens) string { return claim(u.Claims[path]) }
	}
	switch from {
	case "user":
		return userID
	case "email":
		return email
	case "preferred_username":
		return preferredUsername
	case "name":
		return name
	case "groups":
		return groups
	}
	return func(auth.User, auth.Tokens) string { return "" }
}

// claim is a claim as text: a list like groups, and nothing for what is nested
// deeper.
func claim(value any) string {
	list, ok := value.([]any)
	if !ok {
		return encode(scalar(value))
	}
	var b strings.Builder
	for _, element := range list {
		text := scalar(element)
		if text == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		encodeGroup(&b, text)
	}
	return b.String()
}

func scalar(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case bool, int64, uint64:
		return fmt.Sprint(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return ""
}
