package idp

import (
	"fmt"
	"time"
)

// UnavailableError says that the provider or the way to it is down: no
// connection, a time-out, 429 or a 5xx answer. It says nothing about the user,
// who may try again. Cause is for the log and holds no code, token or body.
type UnavailableError struct {
	Part       string        // what did not answer: "discovery", "token endpoint", "keys", "userinfo"
	RetryAfter time.Duration // when another try makes sense; never zero
	Cause      error
}

func (e *UnavailableError) Error() string {
	return fmt.Sprintf("idp: %s is out of reach: %v", e.Part, e.Cause)
}

func (e *UnavailableError) Unwrap() error { return e.Cause }

// Public is a sentence for a page.
func (e *UnavailableError) Public() string {
	return "The sign-in service does not answer at the moment."
}

// unavailable is the error for a part that could not be asked.
func unavailable(part string, cause error) *UnavailableError {
	return &UnavailableError{Part: part, RetryAfter: 5 * time.Second, Cause: cause}
}

// RejectedError is an OAuth error that the provider answered with, at the
// redirect URI (RFC 6749 4.1.2.1) or at an endpoint of its own (RFC 6749 5.2).
type RejectedError struct {
	// Code is the error code, such as access_denied or invalid_grant: at most 64
	// printable ASCII characters, and "unreadable" where the provider's was not.
	Code string
	// Endpoint tells where it was answered: "authorization", "token" or "pushed
	// authorization request".
	Endpoint string
}

func (e *RejectedError) Error() string {
	return fmt.Sprintf("idp: the %s endpoint answered the error %s", e.Endpoint, e.Code)
}

// InvalidError says that an answer of the provider failed a check. The login is
// over; nobody is signed in.
type InvalidError struct {
	// Reason is one of the constants below, stable for logs and metrics.
	Reason string
	// Public is a sentence for a page. It holds nothing of the answer.
	Public string
	// Cause is for the log. It holds no code, state, nonce, token or body.
	Cause error
}

// The reasons of an InvalidError.
const (
	ReasonCallback      = "callback"          // the answer at the redirect URI is malformed
	ReasonState         = "state"             // it belongs to another login
	ReasonMixUp         = "mixup"             // it came from another issuer (RFC 9207)
	ReasonTokenResponse = "token_response"    // the token endpoint's answer is malformed
	ReasonTokenFormat   = "token_format"      // not three parts of base64url, or too long
	ReasonTokenType     = "token_type"        // typ says that it is another kind of token
	ReasonAlgorithm     = "algorithm"         // signed with an algorithm that is not accepted
	ReasonCritical      = "critical_header"   // crit asks for an extension (RFC 7515 4.1.11)
	ReasonUnknownKey    = "unknown_key"       // the issuer does not publish the key
	ReasonSignature     = "signature"         // the signature is wrong
	ReasonClaims        = "claims"            // not one JSON object, a name twice, a wrong type
	ReasonIssuer        = "issuer"            // iss
	ReasonAudience      = "audience"          // aud
	ReasonAuthorized    = "authorized_party"  // azp
	ReasonExpired       = "expired"           // exp
	ReasonNotYetValid   = "not_yet_valid"     // nbf
	ReasonIssuedAt      = "issued_at"         // iat
	ReasonNonce         = "nonce"             // nonce
	ReasonSubject       = "subject"           // sub
	ReasonAccessHash    = "access_token_hash" // at_hash
	ReasonUserinfo      = "userinfo"          // the userinfo answer is malformed
	ReasonUserinfoSub   = "userinfo_subject"  // it describes somebody else
	ReasonUserClaim     = "user_claim"        // the claim that names the user is missing
	ReasonEvents        = "events"            // events does not say that this is a logout token
	ReasonTokenID       = "token_id"          // jti
	ReasonReplayed      = "replayed"          // a token that counts once came again
	ReasonTenant        = "tenant"            // of an Entra tenant that is not configured
	ReasonHostedDomain  = "hosted_domain"     // of a Google domain that is not configured
	ReasonInactive      = "inactive"          // the introspection endpoint does not vouch for the token
)

func (e *InvalidError) Error() string {
	return fmt.Sprintf("idp: %s: %v", e.Reason, e.Cause)
}

func (e *InvalidError) Unwrap() error { return e.Cause }

// invalid is the error for a failed check. The format never receives a secret.
func invalid(reason, format string, args ...any) *InvalidError {
	return &InvalidError{Reason: reason, Public: publicWords(reason), Cause: fmt.Errorf(format, args...)}
}

func publicWords(reason string) string {
	switch reason {
	case ReasonCallback, ReasonState, ReasonMixUp:
		return "This answer of the sign-in service does not belong to the sign-in that was begun here."
	case ReasonExpired, ReasonNotYetValid, ReasonIssuedAt:
		return "The sign-in service's answer is not valid at this time. The clocks may differ."
	case ReasonTenant, ReasonHostedDomain:
		return "This account does not belong to the organisation whose people may sign in here."
	case ReasonUserClaim:
		return "This account lacks the attribute that names its user here."
	default:
		return "The sign-in service's answer could not be verified."
	}
}
