package auth

import (
	"errors"
	"fmt"
)

// ErrInvalidToken says that a bearer token is not good: malformed, expired, of
// another issuer or audience, or simply made up. Any other error about a token
// says that this could not be found out.
var ErrInvalidToken = errors.New("auth: invalid bearer token")

// ErrInvalidBasic is an ErrInvalidToken whose token came by HTTP Basic.
var ErrInvalidBasic = fmt.Errorf("%w by HTTP Basic", ErrInvalidToken)

// ErrOtherHost says that an API key is good, but not for the host of the request.
var ErrOtherHost = errors.New("auth: the API key is for other hosts")
