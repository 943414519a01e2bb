package session

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/doorward/doorward/internal/auth"
)

// Store keeps sessions. In all of it an error means that the store could not be
// asked: answer 503 and leave the cookie alone. That nobody is signed in, or that
// a session has ended, is never an error.
type Store interface {
	// Load returns the session that the request's cookie opens. Nobody signed in,
	// an expired, a revoked and a forged cookie are all the zero Session.
	Load(ctx context.Context, req auth.Request) (Session, error)

	// Create makes a session of a login at site and sets its cookie on w, before
	// any status is written. It fails with ErrTooLarge, and sets nothing, when the
	// session does not fit, and with ErrEnded when RevokeAll ended what it would be
	// made of after the login had begun (s.Begun).
	Create(w http.ResponseWriter, r *http.Request, site auth.Site, s Session) (Session, error)

	// End ends a session everywhere and takes its cookie from the browser. The zero
	// Session only takes the cookie. What is still known of the session's tokens
	// comes back, for the provider to hear of: the ID token may be there although
	// Load never showed it, and may be missing although there was one.
	End(w http.ResponseWriter, r *http.Request, site auth.Site, s Session) (auth.Tokens, error)

	// Revoke ends a session everywhere; a cookie of it that comes back is nobody's.
	Revoke(ctx context.Context, s Session) error

	// RevokeAll ends every session of a login or of a user that there is now, and
	// those whose login is under way. Later ones are not touched, not even with the
	// same ProviderSession.
	RevokeAll(ctx context.Context, whose Whose) error

	// Renew has refresh bring s up to date, once at a time for a session however
	// many ask, and keeps what it returns with a Version one higher. It goes on when
	// ctx ends, so that a refresh token that was used is never lost. Who comes
	// second gets what the first one brought, without a refresh. When refresh says
	// ErrEnded the session is revoked; of that one, and of one that was ended in the
	// meantime, the zero Session is returned. With any other error of refresh the
	// session is as it was, and returned beside the error. A refresh that panics
	// has failed.
	Renew(ctx context.Context, s Session, refresh Refresh) (Session, error)

	// Carry sets the cookie of s anew, before any status is written, when the one
	// that r came with is of an older state. A store whose cookie only names the
	// session does nothing. What does not fit into a cookie stays as it was.
	Carry(w http.ResponseWriter, r *http.Request, site auth.Site, s Session)

	// SetRender replaces how identity headers are made, for every session from now
	// on. It must not be called by two goroutines at once.
	SetRender(render Render) Rendering
}

// Refresh asks the provider for the present state of a session: the user, the
// tokens, and when the provider said so (Renewed). What else a session has, a
// refresh cannot change.
type Refresh func(ctx context.Context, s Session) (Session, error)

// ErrEnded says that a session was ended: by the provider, as a Refresh reports it,
// or by RevokeAll while its login was under way.
var ErrEnded = errors.New("session: ended by the provider")

// Whose names sessions by what the provider knows: all that came from one of its
// own sessions or, without ProviderSession, all of a user.
type Whose struct {
	Issuer          string
	ProviderSession string // `sid`; with it Subject does not matter
	Subject         string

	// Unproven says that anybody may have asked. Such a wish is fulfilled like any
	// other, but must not cost memory that others then lack.
	Unproven bool
}

// clone is w in memory of its own.
func (w Whose) clone() Whose {
	w.Issuer, w.ProviderSession, w.Subject = strings.Clone(w.Issuer), strings.Clone(w.ProviderSession), strings.Clone(w.Subject)
	return w
}
