package headers

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/doorward/doorward/internal/auth"
)

// source is where the value of a header comes from. It is a number and no function:
// what a function is given has to live on the heap.
type source int

const (
	fromNowhere source = iota
	fromID
	fromEmail
	fromUsername
	fromName
	fromGroups
	fromClaim // a path
	fromAccessToken
	fromIDToken
)

// sourceOf reads the source of a custom header, and the path of a claim. What the
// configuration has not refused and this does not know stays empty.
func sourceOf(from string) (source, string) {
	if path, ok := strings.CutPrefix(from, "claims."); ok {
		return fromClaim, path
	}
	switch from {
	case "user":
		return fromID, ""
	case "email":
		return fromEmail, ""
	case "preferred_username":
		return fromUsername, ""
	case "name":
		return fromName, ""
	case "groups":
		return fromGroups, ""
	}
	return fromNowhere, ""
}

// value is what a header says of a user.
func (f *field) value(u *auth.User, t *auth.Tokens) string {
	switch f.from {
	case fromID:
		return encode(u.ID)
	case fromEmail:
		return encode(u.Email)
	case fromUsername:
		return encode(u.PreferredUsername)
	case fromName:
		return encode(u.Name)
	case fromGroups:
		return list(u.Groups)
	case fromClaim:
		return claim(u.Claims[f.path])
	case fromAccessToken:
		return encode(t.Access.Reveal())
	case fromIDToken:
		if t.ID != "" {
			return "Bearer " + encode(t.ID.Reveal())
		}
	}
	return ""
}

// list joins names with commas. A comma or a percent sign inside a name is
// percent-encoded, so that nobody's group reads as two.
func list(names []string) string {
	if len(names) == 1 && cleanGroup(names[0]) {
		return names[0]
	}
	size := len(names)
	for _, name := range names {
		size += len(name)
	}
	var b strings.Builder
	b.Grow(size)
	for _, name := range names {
		if name == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		encodeGroup(&b, name)
	}
	return b.String()
}

// claim is a claim as text: a list like groups, and nothing for what is nested
// deeper.
func claim(value any) string {
	elements, ok := value.([]any)
	if !ok {
		return encode(scalar(value))
	}
	names := make([]string, len(elements))
	for i, element := range elements {
		names[i] = scalar(element)
	}
	return list(names)
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
