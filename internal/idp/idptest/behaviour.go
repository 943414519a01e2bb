package idptest

import (
	"net/http"
	"net/url"
	"time"
)

// Behaviour is how the provider behaves. Functions run after everything else has
// been decided, so they have the last word; nil leaves things alone. They must not
// call the provider's methods.
type Behaviour struct {
	// User are the claims of the user who is signed in at once. They are in the
	// ID token and at the userinfo endpoint.
	User map[string]any
	// UserinfoOnly names claims of the user that the ID token leaves out.
	UserinfoOnly []string

	// RedirectURIs are the registered ones; empty accepts any.
	RedirectURIs []string
	// PostLogoutURIs are the registered ones; empty accepts any.
	PostLogoutURIs []string
	// PublicClient takes the client without a secret, and refuses one with it.
	PublicClient bool
	// SecretPost takes the secret in the form instead of the Authorization header.
	SecretPost bool
	// Proven replaces the check of the secret: it is given each form and its header,
	// and says whether that proves the client. What a client proves itself with
	// besides a secret is the test's to know.
	Proven func(form url.Values, r *http.Request) bool
	// PushedRequests offers pushed authorization requests (RFC 9126), and
	// RequirePushed takes no others.
	PushedRequests bool
	RequirePushed  bool
	// OmitIss leaves iss (RFC 9207) out of the redirect and of the metadata.
	OmitIss bool

	// TokenLifetime is that of access and ID tokens; 0 is five minutes.
	TokenLifetime time.Duration
	// SteadyRefreshToken leaves refresh tokens as they are. Otherwise each is
	// replaced when it is used, and all of its login end when one is used twice.
	SteadyRefreshToken bool
	// RefreshError answers every refresh with this OAuth error.
	RefreshError string

	// Discovery changes the metadata.
	Discovery func(doc map[string]any)
	// Authorize changes the parameters of the redirect back, as they are for the
	// request that it is given.
	Authorize func(answer, request url.Values)
	// TokenAnswer changes the answer of the token endpoint.
	TokenAnswer func(answer map[string]any)
	// Header and Claims change the ID token before it is signed.
	Header func(header map[string]any)
	Claims func(claims map[string]any)
	// RawHeader and Payload replace the encoded header and claims before they are
	// signed, for what no map can hold, such as a name that occurs twice.
	RawHeader func(json []byte) []byte
	Payload   func(json []byte) []byte
	// IDToken replaces the finished ID token.
	IDToken func(token string) string
	// Userinfo changes the claims of the userinfo answer.
	Userinfo func(claims map[string]any)
	// Introspection changes the answer about a token.
	Introspection func(answer map[string]any)
	// EndSession changes the parameters of the redirect after a sign-out, as they
	// are for the request that it is given.
	EndSession func(answer, request url.Values)
	// JWKS changes the published keys.
	JWKS func(keys []map[string]any) []map[string]any

	// Algorithm signs the ID token: RS256 (also for ""), PS256, ES256, EdDSA,
	// none, or HS256 with the client secret as its key.
	Algorithm string
	// WrongKey signs with a key that is not published, under the published kid.
	WrongKey bool

	// Delay holds answers back, for as long as the client waits and the provider
	// runs.
	Delay map[Endpoint]time.Duration
	// Fail answers with a status and a body that says nothing.
	Fail map[Endpoint]int
	// Handle replaces endpoints altogether.
	Handle map[Endpoint]http.Handler
}

func defaultBehaviour() Behaviour {
	return Behaviour{
		User: map[string]any{
			"sub":                "user-1",
			"email":              "ada@example.com",
			"email_verified":     true,
			"name":               "Ada Lovelace",
			"preferred_username": "ada",
			"groups":             []string{"sre", "platform"},
		},
		Delay:  map[Endpoint]time.Duration{},
		Fail:   map[Endpoint]int{},
		Handle: map[Endpoint]http.Handler{},
	}
}
