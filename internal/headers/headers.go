// Package headers renders a user into the response headers of an allow. With
// sessions in cookies that is a part of every check.
package headers

import (
	"net/http"
	"slices"

	"github.com/doorward/doorward/internal/auth"
)

// Limit is how many bytes the identity headers of one answer may have. With the
// status line and the other headers an answer stays within 3,500 bytes, which
// fits the 4 KiB that nginx reads by default (SECURITY.md HDR-10).
const Limit = 3300

// Renderer knows which headers there are. It is immutable.
type Renderer struct {
	fields []field
}

// field is one header and where its value comes from.
type field struct {
	name string
	from source
	path string // of a claim
}

// Config picks the headers.
type Config struct {
	// Families are names of "x-auth-request", "x-forwarded" and "remote".
	Families []string

	// Custom are further headers, each with the source of its value: "user",
	// "email", "preferred_username", "name", "groups" or "claims.PATH".
	Custom []Source

	PassAccessToken bool // as X-Auth-Request-Access-Token
	PassIDToken     bool // as Authorization: Bearer
}

// Source is a header and where its value comes from.
type Source struct{ Name, From string }

// New returns a renderer for the configured headers. It passes over a family
// that it does not know; the configuration has refused it.
func New(cfg Config) *Renderer {
	r := &Renderer{}
	for _, family := range cfg.Families {
		switch family {
		case "x-auth-request":
			r.add("X-Auth-Request-User", fromID)
			r.add("X-Auth-Request-Email", fromEmail)
			r.add("X-Auth-Request-Preferred-Username", fromUsername)
			r.add("X-Auth-Request-Name", fromName)
			r.add("X-Auth-Request-Groups", fromGroups)
		case "x-forwarded":
			r.add("X-Forwarded-User", fromID)
			r.add("X-Forwarded-Email", fromEmail)
			r.add("X-Forwarded-Groups", fromGroups)
			r.add("X-Forwarded-Preferred-Username", fromUsername)
		case "remote":
			r.add("Remote-User", fromID)
			r.add("Remote-Email", fromEmail)
			r.add("Remote-Name", fromName)
			r.add("Remote-Groups", fromGroups)
		}
	}
	for _, custom := range cfg.Custom {
		from, path := sourceOf(custom.From)
		r.addField(field{custom.Name, from, path})
	}
	if cfg.PassAccessToken {
		r.add("X-Auth-Request-Access-Token", fromAccessToken)
	}
	if cfg.PassIDToken {
		r.add("Authorization", fromIDToken)
	}
	return r
}

// add adds a header, unless it is there already.
func (r *Renderer) add(name string, from source) { r.addField(field{name: name, from: from}) }

func (r *Renderer) addField(f field) {
	f.name = http.CanonicalHeaderKey(f.name)
	if !slices.ContainsFunc(r.fields, func(other field) bool { return other.name == f.name }) {
		r.fields = append(r.fields, f)
	}
}

// Render returns every configured header exactly once, with an empty value where
// nothing is known. For nobody all are empty.
func (r *Renderer) Render(user auth.User, tokens auth.Tokens) auth.Identity {
	id := auth.Identity{Headers: make([]auth.Header, len(r.fields))}
	values := make([]string, len(r.fields))
	for i := range r.fields {
		f := &r.fields[i]
		values[i] = f.value(&user, &tokens)
		id.Headers[i] = auth.Header{Name: f.name, Value: values[i : i+1 : i+1]}
		id.Size += len(f.name) + len(": ") + len(values[i]) + len("\r\n")
	}
	return id
}
