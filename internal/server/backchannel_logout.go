package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"mime"
	"net/http"

	"github.com/doorward/doorward/internal/gate"
	"github.com/doorward/doorward/internal/gateway"
	"github.com/doorward/doorward/internal/idp"
	"github.com/doorward/doorward/internal/session"
	"github.com/doorward/doorward/internal/telemetry"
)

// maxLogoutBody is how many bytes the form of a back-channel logout may have.
const maxLogoutBody = 64 << 10

// backchannelLogout ends sessions that a provider says have ended: POST
// /backchannel_logout with a logout_token (OpenID Connect Back-Channel Logout 1.0
// section 2.5). The provider calls itself, perhaps inside the cluster: no cookie
// and no host of the request means anything here.
func (s *Server) backchannelLogout(w http.ResponseWriter, r *http.Request) error {
	token, problem := logoutToken(w, r)
	if problem != "" {
		s.refuseLogout(w, r, http.StatusBadRequest, problem, nil)
		return nil
	}
	// A provider that hangs up does not try again.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), loginTimeout)
	defer cancel()
	logout, err := s.Logouts.Take(ctx, token, func(l idp.Logout) error {
		return s.Sessions.RevokeAll(ctx, session.Whose{Issuer: l.Issuer, ProviderSession: l.SessionID, Subject: l.Subject})
	})
	var invalid *idp.InvalidError
	switch {
	case errors.As(err, &invalid):
		s.refuseLogout(w, r, http.StatusBadRequest, invalid.Reason, err)
	case err != nil:
		w.Header().Set("Retry-After", "5")
		s.refuseLogout(w, r, http.StatusServiceUnavailable, "unavailable", err)
	default:
		s.noteLogout(r, telemetry.ByBackChannel, logout)
		w.WriteHeader(http.StatusOK)
	}
	return nil
}

// logoutToken reads the one parameter of the form, "" with a reason when it is not
// there exactly once.
func logoutToken(w http.ResponseWriter, r *http.Request) (token, problem string) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/x-www-form-urlencoded" {
		return "", "content_type"
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxLogoutBody)
	if err := r.ParseForm(); err != nil {
		return "", "malformed_form"
	}
	if tokens := r.PostForm["logout_token"]; len(tokens) == 1 {
		return tokens[0], ""
	}
	return "", "logout_token_count"
}

// refuseLogout answers a provider whose logout was not carried out. Whoever asks
// hears what kind of mistake it is (section 2.8), and the log hears the cause.
func (s *Server) refuseLogout(w http.ResponseWriter, r *http.Request, status int, reason string, cause error) {
	s.Metrics.LogoutRefused(telemetry.ByBackChannel, reason)
	id := gate.RequestID(gateway.RequestID(r.Header))
	s.Log.Warn("a logout of a provider was refused", "event", "logout_refused", "kind", telemetry.ByBackChannel,
		"reason", reason, "cause", cause, "peer", r.RemoteAddr, "request_id", id)
	code := "invalid_request"
	if status >= http.StatusInternalServerError {
		code = "temporarily_unavailable"
	}
	writeJSON(w, status, map[string]string{"error": code, "error_description": reason, "request_id": id})
}

// noteLogout writes down whom a provider signed out.
func (s *Server) noteLogout(r *http.Request, kind string, l idp.Logout) {
	s.Metrics.SignOut(l.Provider, kind)
	s.Log.Info("the provider ended sessions", "event", "logout", "kind", kind, "provider", l.Provider,
		"subject", l.Subject, "provider_session", short(l.SessionID), "peer", r.RemoteAddr)
}

// short stands in for the provider's id of a session, which is enough to end it:
// the first eight bytes of its hash, "" for none.
func short(sessionID string) string {
	if sessionID == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(sessionID))
	return hex.EncodeToString(sum[:8])
}
