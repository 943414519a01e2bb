package server

import (
	"errors"
	"io"
	"net/http"
	"net/url"

	"github.com/doorward/doorward/internal/idp"
	"github.com/doorward/doorward/internal/session"
	"github.com/doorward/doorward/internal/telemetry"
)

// frontchannelLogout ends the sessions of one session at a provider: GET
// /frontchannel_logout?iss=…&sid=…, in a frame of the provider's page (OpenID
// Connect Front-Channel Logout 1.0). A browser sends no cookie of ours into a frame
// of another site, so it is the provider's id that says which session it is, and
// nobody can guess that. Nothing proves that the provider asks, so that nothing else
// is done (OUT-5).
func (s *Server) frontchannelLogout(w http.ResponseWriter, r *http.Request) error {
	issuer, sid, err := frontchannelQuery(r.URL.RawQuery)
	provider, known := s.Providers.OfIssuer(issuer)
	if err == nil && !known {
		err = errors.New("iss is of no configured provider")
	}
	if err != nil {
		s.Metrics.LogoutRefused(telemetry.ByFrontChannel, "malformed")
		return &problem{
			Status: http.StatusBadRequest, Reason: "logout_malformed", Cause: err,
			Title: "This sign-out is not known here", Text: "The address does not say which session is to end.",
		}
	}
	issuer = provider.Issuer() // of its users, who may be of several tenants
	err = s.Sessions.RevokeAll(r.Context(), session.Whose{Issuer: issuer, ProviderSession: sid, Unproven: true})
	if err != nil {
		return storeUnavailable(err)
	}
	s.noteLogout(r, telemetry.ByFrontChannel, idp.Logout{Provider: provider.Name(), Issuer: issuer, SessionID: sid})
	w.Header().Del("X-Frame-Options") // which cannot name an origin
	w.Header().Set("Content-Security-Policy", s.Pages.FramePolicy(provider.SessionOrigins()))
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = io.WriteString(w, "<!DOCTYPE html>\n<title>Signed out</title>\n")
	return nil
}

// frontchannelQuery reads both parameters, each exactly once (section 3).
func frontchannelQuery(raw string) (issuer, sid string, err error) {
	query, err := url.ParseQuery(raw)
	switch {
	case err != nil:
		return "", "", errors.New("the query is malformed")
	case len(query["iss"]) != 1 || len(query["sid"]) != 1:
		return "", "", errors.New("iss or sid is not there exactly once")
	case query.Get("sid") == "" || len(query.Get("sid")) > 255:
		return "", "", errors.New("sid is empty or too long")
	}
	return query.Get("iss"), query.Get("sid"), nil
}
