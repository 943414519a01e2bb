package auth

import "errors"

// ErrInvalidToken says that a bearer token is not good: malformed, expired, of
// another issuer or audience, or simply made up. Any other error about a token
// says that this could not be found out.
var ErrInvalidToken = errors.New("auth: invalid bearer token")
