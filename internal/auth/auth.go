// Package auth holds the nouns of a check: the request that a gateway asks
// about, the user who makes it, and the decision. It is data; what is done with
// it lives in the packages above.
package auth

import (
	"net/netip"
	"time"

	"github.com/doorward/doorward/internal/secret"
)

// Request is one request of a browser or an API client, as its gateway
// describes it. Nothing in it was copied from a header that the client controls
// and the gateway does not, apart from Cookie and Authorization.
type Request struct {
	ID     string // for the log and pages; from X-Request-Id of the gateway, "" when it gave none
	Method string // as the client wrote it: methods are case-sensitive
	Scheme string // "http" or "https"
	Host   string // lower case, without port and final dot
	Port   string // as the client wrote it; "" when there was none
	Path   string // raw: nothing decoded, nothing cleaned, no query
	Query  string // raw, with its question mark; "" when there was none

	// Client is the address of the client, the rightmost in X-Forwarded-For that
	// is not a trusted proxy. The zero Addr means that it is not known.
	Client netip.Addr

	Cookies       []string // the lines of the Cookie header, as they came
	Authorization []string // the lines of the Authorization header

	// Origin is the one value of the Origin header, and Preflight is true for an
	// OPTIONS request that asks whether another may follow (Fetch, CORS preflight).
	Origin    string
	Preflight bool

	// Navigation is true when a person's browser opens a page, the only case in
	// which a login may begin. It changes the form of a denial, never the verdict.
	Navigation bool

	// Narrow is what the check's own query asks for beyond the rule.
	Narrow Narrowing
}

// Narrowing restricts a rule further; it never widens one. Each element is one
// parameter of the check's query and must hold; within it, values are
// alternatives, and an element without values admits nobody.
type Narrowing struct {
	Groups       [][]string
	Emails       [][]string
	EmailDomains [][]string
}

// User is somebody whom a provider signed in. The zero User is nobody.
type User struct {
	Provider string // the configured name of the provider
	Issuer   string // with Subject the key of the user (OpenID Connect Core 5.7)
	Subject  string

	ID                string // the configured user claim, `sub` by default
	Email             string // only when the provider says that it is verified
	PreferredUsername string
	Name              string
	Groups            []string

	// Claims are those that rules or headers need, and no others: texts, int64,
	// float64, booleans, lists and nested maps.
	Claims map[string]any

	// ClaimsAsked are the names of all claims that were looked for, so that one
	// that the user does not have is told from one that nobody asked about.
	ClaimsAsked []string

	// GroupsUnknown is true when the provider keeps the groups elsewhere, or says
	// them in a form that cannot be read. Then Groups may lack any.
	GroupsUnknown bool

	// ACR is how the user proved who they are, in the provider's words; "" when it
	// did not say.
	ACR string

	// AuthTime is when the provider last saw the user prove who they are; zero
	// when it did not say.
	AuthTime time.Time
}

// Nobody reports whether no one is signed in.
func (u User) Nobody() bool { return u.Subject == "" }

// Account is the name by which a page addresses the user: the most readable
// one that is known.
func (u User) Account() string {
	for _, name := range []string{u.Email, u.PreferredUsername, u.Name, u.ID} {
		if name != "" {
			return name
		}
	}
	return u.Subject
}

// Tokens are what the provider issued at login. They are empty unless the
// configuration passes them on.
type Tokens struct {
	Access  secret.Secret
	ID      secret.Secret
	Refresh secret.Secret

	// Expiry is when the access token ends, IDExpiry when the ID token does; zero
	// when the provider did not say.
	Expiry   time.Time
	IDExpiry time.Time
}

// Identity is a user as response headers: each configured header exactly once,
// with an empty value where nothing is known.
type Identity struct {
	Headers []Header
	Size    int // bytes of these headers on the wire
}

// Header is one response header. Name is in canonical form, and Value holds one
// element, so that it can be assigned to an http.Header as it is.
type Header struct {
	Name  string
	Value []string
}
