package server

import (
	"bytes"
	"io"
	"net/http"
	"net/url"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/gate"
	"github.com/doorward/doorward/internal/gateway"
	"github.com/doorward/doorward/internal/server/pages"
)

// denied is the page of a 403 for gateways that can only show one of their own:
// nginx asks for it with error_page, with the same headers as the check. It
// judges anew, so it tells nobody more than the check itself did.
func (s *Server) denied(w http.ResponseWriter, r *http.Request) error {
	req, err := gateway.Original{Settings: s.Gateway}.Read(r)
	if err != nil {
		return &problem{
			Status: http.StatusForbidden, Reason: gate.Refuse(err).Reason.Code, Cause: err,
			Title: "This page is closed", Text: "The gateway in front did not say what was to be opened.",
		}
	}
	site, ok := s.Sites.For(req.Host)
	if !ok {
		return &problem{
			Status: http.StatusForbidden, Reason: auth.UnknownHost.Code,
			Title: "This host is not known here", Text: auth.UnknownHost.Text,
		}
	}
	d := s.Gate.Check(r.Context(), req)
	switch d.Verdict {
	case auth.Deny:
		return s.notAllowed(w, r, site, refused{
			user: d.User, reason: d.Reason, host: req.Host, target: gate.Address(site, req),
		})
	case auth.Allow:
		return &problem{
			Status: http.StatusForbidden, Reason: "forbidden_behind",
			Title: "This page is closed", Text: "Your account may enter this site, but not this page of it, or not in this way.",
		}
	case auth.Unknown:
		return storeUnavailable(d.Cause)
	default:
		return &problem{
			Status: http.StatusUnauthorized, Reason: d.Reason.Code, Cause: d.Cause,
			Title: "You are not signed in", Text: "Please sign in to go on.",
			RetryURL: d.SignInURL, RetryLabel: "Sign in",
		}
	}
}

// refused is somebody who is known but may not enter.
type refused struct {
	user     auth.User
	reason   auth.Reason
	host     string // that was to be opened; "" takes it from target
	target   string // to come back to with another account
	operator string // what whoever runs Doorward can do
}

// notAllowed answers 403: a page that names the account and offers another one,
// or JSON. The session stays.
func (s *Server) notAllowed(w http.ResponseWriter, r *http.Request, site auth.Site, f refused) error {
	id := gate.RequestID(gateway.RequestID(r.Header))
	if address, err := url.Parse(f.target); err == nil && f.host == "" {
		f.host = address.Hostname()
	}
	s.Log.Info("denied", "event", "denied_page", "reason", f.reason.Code, "user", f.user.ID,
		"email", f.user.Email, "host", f.host, "request_id", id)
	if !gateway.WantsHTML(r.Header) {
		writeJSON(w, http.StatusForbidden, map[string]string{
			"error": "forbidden", "reason": f.reason.Code, "account": f.user.Account(), "request_id": id,
		})
		return nil
	}
	page := s.notAllowedPage(site, f, id)
	return html(w, http.StatusForbidden, func(body io.Writer) error { return s.Pages.NotAllowed(body, page) })
}

// notAllowedPage is the page of a 403. The zero Site is a host at which nobody can
// sign in, so there are no links then.
func (s *Server) notAllowedPage(site auth.Site, f refused, id string) pages.NotAllowed {
	page := pages.NotAllowed{
		Account: f.user.Account(), Provider: s.Providers.Label(f.user.Provider), Host: f.host,
		Reason: f.reason.Text, ReasonCode: f.reason.Code, RequestID: id,
		Operator: f.operator,
	}
	if site == (auth.Site{}) {
		return page
	}
	page.SignOutURL = s.link(site, "/sign_out")
	page.OtherAccountURL = s.link(site, "/start", "prompt", "login", "rd", f.target)
	if f.reason == auth.OtherProvider {
		name := s.asksFor(site, f.target).Provider
		page.OtherAccountURL = s.link(site, "/start", "provider", name, "rd", f.target)
		page.OtherProvider = s.Providers.Label(name)
	}
	return page
}

// DeniedPage is the page of a 403 for the dialects whose gateways show it.
func (s *Server) DeniedPage(req auth.Request, d auth.Decision) gateway.Page {
	site, _ := s.Sites.For(req.Host)
	var body bytes.Buffer
	err := s.Pages.NotAllowed(&body, s.notAllowedPage(site, refused{
		user: d.User, reason: d.Reason, host: req.Host, target: gate.Address(site, req),
	}, gate.RequestID(req.ID)))
	if err != nil {
		s.Log.Error("a page could not be rendered", "event", "problem", "error", err)
	}
	return gateway.Page{Body: body.Bytes(), Policy: s.Pages.Policy()}
}
