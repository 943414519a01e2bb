package server

import (
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/idp"
	"github.com/doorward/doorward/internal/server/pages"
	"github.com/doorward/doorward/internal/telemetry"
)

// signOut ends the session here and, where the provider has an end-session
// endpoint, there: /sign_out?rd=URL (OpenID Connect RP-Initiated Logout 1.0). It
// acts at once only when the person can have meant it; see meant.
func (s *Server) signOut(w http.ResponseWriter, r *http.Request) error {
	site, err := s.site(r)
	if err != nil {
		return err
	}
	who, err := s.load(r, site)
	if err != nil {
		return err
	}
	target, given := s.target(r)
	if sealed := r.URL.Query().Get("state"); sealed != "" && !given {
		target, given = s.returned(sealed)
	}
	if who.User.Nobody() { // perhaps since the session was ended elsewhere
		s.Flows.MarkSignedOut(w, site)
		return s.signedOut(w, r, site, "", target, given)
	}
	if !meant(r, site) {
		return s.confirmSignOut(w, r, site, who.User, target, given)
	}
	tokens, err := s.Sessions.End(w, r, site, who)
	if err != nil {
		return storeUnavailable(err)
	}
	s.Flows.MarkSignedOut(w, site)
	s.Metrics.SignOut(who.User.Provider, telemetry.ByUser)
	s.Log.Info("signed out", "event", "logout", "kind", telemetry.ByUser, "provider", who.User.Provider,
		"subject", who.User.Subject, "user", who.User.ID, "session", who.ID, "client", s.Gateway.Proxies.ClientOf(r))
	if provider, ok := s.Providers.Named(who.User.Provider); ok {
		s.revoke(provider, tokens)
		if address := s.endSession(site, provider, tokens, target, given); address != "" {
			return leave(w, r, address)
		}
	}
	return s.signedOut(w, r, site, s.Providers.Label(who.User.Provider), target, given)
}

// endSession is where a provider ends its own session and sends the browser back,
// "" when there is no such place.
func (s *Server) endSession(site auth.Site, provider *idp.Provider, tokens auth.Tokens, target string, given bool) string {
	out := idp.SignOut{ReturnTo: s.link(site, "/sign_out"), IDToken: tokens.ID}
	if given {
		out.State = s.Flows.SealTarget(target)
	}
	return provider.EndSessionURL(out)
}

// meant reports whether a sign-out comes from the person and not from a page of
// somebody else: a POST from our own origin, or a navigation that did not begin
// on a foreign site. A browser that sends neither header is asked, and so is one
// that only fetches ahead.
func meant(r *http.Request, site auth.Site) bool {
	if r.Method == http.MethodPost {
		origin := r.Header["Origin"]
		return len(origin) == 1 && origin[0] == site.Origin()
	}
	mode, from := r.Header.Get("Sec-Fetch-Mode"), r.Header.Get("Sec-Fetch-Site")
	return mode == "navigate" && (from == "same-origin" || from == "same-site" || from == "none") &&
		!strings.Contains(r.Header.Get("Sec-Purpose"), "prefetch")
}

// returned opens the state that a provider hands back after its own sign-out.
func (s *Server) returned(state string) (target string, given bool) {
	target, ok := s.Flows.OpenTarget(state)
	if !ok || s.Redirects.Check(target) != nil {
		return "/", false
	}
	return target, true
}

// signedOut is where a sign-out ends: at the address that was asked for, or on a
// page that says so. StillAt is the label of a provider whose own session goes on.
func (s *Server) signedOut(w http.ResponseWriter, r *http.Request, site auth.Site, stillAt, target string, given bool) error {
	if given {
		return leave(w, r, target)
	}
	page := pages.SignedOut{SignInURL: s.link(site, "/start"), StillAt: stillAt}
	if len(s.Providers) == 1 && s.Providers[0].EndSessionURL(idp.SignOut{}) == "" {
		page.StillAt = s.Providers[0].Label()
	}
	return html(w, http.StatusOK, func(body io.Writer) error { return s.Pages.SignedOut(body, page) })
}

// leave redirects after a GET with 302 and after a POST with 303, so that what
// comes next is a GET.
func leave(w http.ResponseWriter, r *http.Request, address string) error {
	status := http.StatusFound
	if r.Method != http.MethodGet {
		status = http.StatusSeeOther
	}
	w.Header().Set("Location", address)
	w.WriteHeader(status)
	return nil
}

func (s *Server) confirmSignOut(w http.ResponseWriter, r *http.Request, site auth.Site, user auth.User, target string, given bool) error {
	if !given {
		target = ""
	}
	// Browsers hold the redirects after a form to the policy of its page, and
	// nobody can tell how many a provider's sign-out has. So there is a form only
	// for browsers that do not say where a link was followed.
	byLink := len(r.Header["Sec-Fetch-Site"]) > 0
	w.Header().Set("Content-Security-Policy", s.Pages.Policy(origin(target), s.endSessionOrigin(user)))
	page := pages.ConfirmSignOut{
		Account:   user.Account(),
		ActionURL: s.link(site, "/sign_out", "rd", target),
		ByLink:    byLink,
		CancelURL: target,
	}
	return html(w, http.StatusOK, func(body io.Writer) error { return s.Pages.ConfirmSignOut(body, page) })
}

// endSessionOrigin is where the provider of user ends its own session, "" when it
// does not.
func (s *Server) endSessionOrigin(user auth.User) string {
	provider, ok := s.Providers.Named(user.Provider)
	if !ok {
		return ""
	}
	return origin(provider.EndSessionURL(idp.SignOut{}))
}

// origin is the scheme, host and port of an absolute address, "" of any other.
func origin(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return ""
	}
	return u.Scheme + "://" + u.Host
}
