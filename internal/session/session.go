// Package session knows who is signed in. It is the sole owner of cookies: the
// session's own and those of logins under way.
//
// Begin with Store. There are two of them, and Moving is both at once:
//
//   - CookieStore has the whole session in its cookie, which every check opens:
//     cookie.go, codec.go with cbor.go; and in memory what a cookie cannot know:
//     revocations.go with met.go, idle.go, renewals.go, idtokens.go. sharing.go
//     tells other replicas of sign-outs.
//   - RedisStore has a reference in the cookie, and the rest in Redis: redis.go and
//     the files that begin alike, reference.go, vault.go; roster.go names the keys,
//     enlist.go, places.go and listing.go are the sessions of a user, lease.go has
//     one process refresh at a time, known.go, seen.go and outage.go spare the asking.
//
// jar.go, render.go, keys.go, gorilla.go, values.go and flights.go are of both.
// Flows are logins under way: flow.go, choice.go, signed_out.go.
package session

import (
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"time"

	"github.com/doorward/doorward/internal/auth"
)

// Session is one login of one user. The zero Session is nobody's.
type Session struct {
	ID      ID
	User    auth.User
	Tokens  auth.Tokens // those that are kept for use; see Store.End
	Created time.Time
	Expires time.Time // absolute; nothing moves it

	// Begun is when the login began that it comes from. Only Create looks at it; it
	// is not kept.
	Begun time.Time

	// Renewed is when the provider last said who the user is: at the login, or at
	// a refresh.
	Renewed time.Time

	// Version counts the refreshes since the login. Of two states of a session the
	// one with the higher number is the newer, whatever a clock says.
	Version int

	// ProviderSession is the provider's own id of it (`sid`), where it has one.
	ProviderSession string

	// Identity is the user as response headers, rendered when the session was
	// opened. It belongs to no one request: do not write to it.
	Identity auth.Identity
	Rendered int // which Render of the store made it; see IdentityBy

	// Client is the address that the login came from. It is given to Create, which notes it
	// where the user can see it, and empty otherwise.
	Client string

	// Held is how a store that keeps the session outside of its cookie finds and
	// opens it again. Nobody else reads it.
	Held *Held
}

// ID names a session: 128 random bits, new at each login.
type ID [16]byte

// NewID returns an ID that nobody can guess.
func NewID() ID {
	var id ID
	_, _ = rand.Read(id[:]) // never fails: it ends the program instead
	return id
}

// String is the first half of the ID, enough to follow a session through a log
// and too little to be one.
func (id ID) String() string { return hex.EncodeToString(id[:8]) }

// LogValue is String: a handler of log/slog that writes JSON does not ask for it
// by itself, and would write the whole ID (LOG-2).
func (id ID) LogValue() slog.Value { return slog.StringValue(id.String()) }
