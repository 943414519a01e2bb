package auth

import "errors"

// ErrProviderUnavailable says that what is known about a user is too old to count,
// and that their provider cannot be asked for more.
var ErrProviderUnavailable = errors.New("auth: the provider cannot be asked")

// Verdict is the answer to "may this request pass?". The zero Verdict denies.
type Verdict uint8

const (
	Deny     Verdict = iota // known or not: this request may not pass
	Allow                   // pass, as the decision's User
	SignIn                  // nobody is signed in, and somebody has to be
	BadToken                // a bearer token that does not verify
	Unknown                 // the session store or the provider cannot tell; not a sign-out
)

func (v Verdict) String() string {
	switch v {
	case Allow:
		return "allow"
	case SignIn:
		return "sign_in"
	case BadToken:
		return "bad_token"
	case Unknown:
		return "cannot_tell"
	default:
		return "deny"
	}
}

// Judgement is a verdict and why it was reached.
type Judgement struct {
	Verdict Verdict
	Reason  Reason
}

// Decision is all that a gateway's answer is made of.
type Decision struct {
	Judgement
	Rule string // the name of the rule that governed; "" when none did
	User User   // nobody unless a session or a token was presented

	// Identity is set on Allow, also for nobody: then every value is empty.
	Identity Identity

	// SignInURL is absolute and set on SignIn, when a login may begin at all.
	SignInURL string

	// Basic is set on BadToken when the token came by HTTP Basic, whose clients
	// understand no other challenge.
	Basic bool

	// Cause is set on Unknown and BadToken, for the log; it never reaches a client.
	Cause error
}

// CannotTell is the decision when it is not known who asks. A bearer token that
// does not verify says so, and so does an API key of other hosts; anything else
// means that somebody could not be asked, which fails closed and signs nobody out.
func CannotTell(rule string, cause error) Decision {
	switch {
	case errors.Is(cause, ErrInvalidToken):
		return Decision{Judgement: Judgement{BadToken, InvalidToken}, Rule: rule, Cause: cause, Basic: errors.Is(cause, ErrInvalidBasic)}
	case errors.Is(cause, ErrOtherHost):
		return Decision{Judgement: Judgement{Deny, OtherHost}, Rule: rule}
	case errors.Is(cause, ErrProviderUnavailable):
		return Decision{Judgement: Judgement{Unknown, ProviderUnavailable}, Rule: rule, Cause: cause}
	}
	return Decision{Judgement: Judgement{Unknown, StoreUnavailable}, Rule: rule, Cause: cause}
}

// Refuse is the decision on a question that could not even be read.
func Refuse(reason Reason) Decision {
	return Decision{Judgement: Judgement{Deny, reason}}
}
