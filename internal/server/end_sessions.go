package server

import (
	"context"
	"net/http"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/gateway"
	"github.com/doorward/doorward/internal/session"
	"github.com/doorward/doorward/internal/telemetry"
)

// maxEndBody is how many bytes the form of the sessions page may have.
const maxEndBody = 4 << 10

// endSessions answers POST /sessions with `end`: the ID of one of the user's other
// sessions, or "others" for all of them. What is not in the list of this very user
// cannot be named, and so nobody ends the session of somebody else.
func (s *Server) endSessions(w http.ResponseWriter, r *http.Request) error {
	site, err := s.site(r)
	if err != nil {
		return err
	}
	if !meant(r, site) {
		return s.notMeant(site)
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxEndBody)
	if err := r.ParseForm(); err != nil || len(r.PostForm["end"]) != 1 {
		return s.malformedWish(site, err)
	}
	who, err := s.load(r, site)
	if err != nil {
		return err
	}
	asHTML := gateway.WantsHTML(r.Header)
	switch {
	case who.User.Nobody() && asHTML:
		return leave(w, r, s.link(site, "/sessions"))
	case who.User.Nobody():
		return s.unauthenticated(w, site, s.link(site, "/sessions"))
	case s.Listing == nil:
		return s.unlisted(w, site, asHTML)
	}
	ended, err := s.endOthers(r, who, r.PostForm["end"][0])
	if err != nil {
		return err
	}
	s.noteEnded(r, who, ended)
	if !asHTML {
		writeJSON(w, http.StatusOK, map[string]int{"ended": len(ended)})
		return nil
	}
	return leave(w, r, s.link(site, "/sessions"))
}

// endOthers ends what is asked for of the other sessions of who. It goes on when
// the browser gives up, so that what ended is in the log.
func (s *Server) endOthers(r *http.Request, who session.Session, which string) ([]session.Listed, error) {
	ctx := context.WithoutCancel(r.Context())
	if which == "others" {
		ended, err := s.Listing.EndOthers(ctx, who)
		if err != nil {
			return nil, storeUnavailable(err)
		}
		return ended, nil
	}
	all, err := s.Listing.Listed(ctx, session.Whose{Issuer: who.User.Issuer, Subject: who.User.Subject})
	if err != nil {
		return nil, storeUnavailable(err)
	}
	var chosen []session.Listed
	for _, l := range all {
		if l.ID == which && l.ID != who.ID.String() {
			chosen = append(chosen, l)
		}
	}
	if err := s.Listing.EndListed(ctx, chosen); err != nil {
		return nil, storeUnavailable(err)
	}
	return chosen, nil
}

// noteEnded counts and logs sessions that their user ended from another one. Their
// tokens cannot be revoked at the provider: only their own cookies open them.
func (s *Server) noteEnded(r *http.Request, who session.Session, ended []session.Listed) {
	for _, l := range ended {
		s.Metrics.SignOut(who.User.Provider, telemetry.ByUserElsewhere)
		s.Log.Info("signed out", "event", "logout", "kind", telemetry.ByUserElsewhere, "provider", who.User.Provider,
			"subject", who.User.Subject, "user", who.User.ID, "session", l.ID, "by_session", who.ID, "client", s.Gateway.Proxies.ClientOf(r))
	}
}

// notMeant refuses what a page of somebody else may have sent (OUT-2).
func (s *Server) notMeant(site auth.Site) error {
	return &problem{
		Status: http.StatusForbidden, Reason: "other_origin",
		Title: "Nothing was ended", Text: "This came from another page than that of your sessions. End them there.",
		RetryURL: s.link(site, "/sessions"), RetryLabel: "Your sessions",
	}
}

func (s *Server) malformedWish(site auth.Site, cause error) error {
	return &problem{
		Status: http.StatusBadRequest, Reason: "malformed_form", Cause: cause,
		Title: "Nothing was ended", Text: "It was not said which session to end.",
		RetryURL: s.link(site, "/sessions"), RetryLabel: "Your sessions",
	}
}
