package server

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/gateway"
	"github.com/doorward/doorward/internal/idp"
	"github.com/doorward/doorward/internal/session"
)

// loginTimeout bounds what a login asks of the provider: token, keys, userinfo.
const loginTimeout = 15 * time.Second

// callback ends a login: GET /callback?code=…&state=…, as the provider sends the
// browser back (OpenID Connect Core section 3.1.2.5).
func (s *Server) callback(w http.ResponseWriter, r *http.Request) error {
	site, err := s.site(r)
	if err != nil {
		return err
	}
	if elsewhere(w, r, site) {
		return nil
	}
	answer, err := idp.ParseCallback(r.URL.RawQuery)
	if err != nil {
		return s.loginProblem("", failedLogin(err, s.link(site, "/start")), http.StatusBadRequest)
	}
	flow, ok := s.Flows.Take(w, r, answer.State)
	if !ok {
		return s.lost(w, r, site, answer.State)
	}
	provider, ok := s.Providers.Named(flow.Provider)
	if !ok { // the configuration changed while the person was away
		return s.lost(w, r, site, answer.State)
	}
	login, err := s.login(r, site, provider, flow, answer)
	if err != nil {
		return s.loginProblem(flow.Provider, failedLogin(err, s.link(site, "/start", "rd", flow.Target)), 0)
	}
	return s.signIn(w, r, site, flow, login)
}

// login redeems the code. It goes on when the browser gives up: the code can be
// used only once.
func (s *Server) login(r *http.Request, site auth.Site, provider *idp.Provider, flow session.Flow, answer idp.Callback) (idp.Login, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), loginTimeout)
	defer cancel()
	return provider.Login(ctx, idp.Flow{
		State: flow.State, Nonce: flow.Nonce, Verifier: flow.Verifier,
	}, answer, s.link(site, "/callback"))
}

// loginProblem counts a login that failed at a provider, "" when it is not known
// at which. Status, when it is not 0, is the one to answer with.
func (s *Server) loginProblem(provider string, p *problem, status int) error {
	s.Metrics.Login(provider, p.Reason)
	if status != 0 {
		p.Status = status
	}
	return p
}

// lost is a callback without its flow: a bookmark, the back button, a replay, a
// login page that stood open for too long. Who is signed in goes on; for others
// the login begins anew, once.
func (s *Server) lost(w http.ResponseWriter, r *http.Request, site auth.Site, state string) error {
	who, err := s.shown(w, r, site)
	switch {
	case err != nil:
		return err
	case !who.User.Nobody():
		http.Redirect(w, r, "/", http.StatusFound)
		return nil
	case session.Restarted(state) || !gateway.Navigation(r.Method, r.Header):
		return s.loginProblem("", &problem{
			Status: http.StatusBadRequest, Reason: "login_lost",
			Title:    "This sign-in is no longer under way",
			Text:     "It took too long, was finished already, or your browser did not send back the cookie that it was given. If this happens again, check that cookies are allowed for this site.",
			RetryURL: s.link(site, "/start"), RetryLabel: "Sign in",
		}, 0)
	}
	if len(s.Providers) > 1 {
		return s.signInPage(w, r, site, "/", nil)
	}
	return s.begin(w, r, site, s.Providers[0], "/", url.Values{}, true)
}

// signIn makes the session of a login and sends the browser on. A session that
// the browser had before ends: a login always has an id of its own.
func (s *Server) signIn(w http.ResponseWriter, r *http.Request, site auth.Site, flow session.Flow, login idp.Login) error {
	before, err := s.load(r, site)
	if err != nil {
		return err
	}
	now, err := s.Sessions.Create(w, r, site, session.Session{
		User: login.User, Tokens: login.Tokens, ProviderSession: login.SessionID, Begun: flow.Started,
		Client: clientText(s.Gateway.Proxies.ClientOf(r)),
	})
	if errors.Is(err, session.ErrTooLarge) {
		s.Metrics.Login(flow.Provider, auth.IdentityTooLarge.Code)
		return s.notAllowed(w, r, site, refused{
			user: login.User, reason: auth.IdentityTooLarge, operator: "The identity of this account does not fit into a cookie. Have the provider send fewer groups, or pass no tokens on.",
		})
	}
	if errors.Is(err, session.ErrEnded) {
		return s.endedMeanwhile(w, r, site, flow)
	}
	if err != nil {
		return storeUnavailable(err)
	}
	if len(s.Providers) > 1 {
		s.Flows.Remember(w, flow.Provider)
	}
	if err := s.Sessions.Revoke(r.Context(), before); err != nil {
		return storeUnavailable(err)
	}
	s.Metrics.Login(flow.Provider, "success")
	s.Log.Info("signed in", "event", "login", "provider", login.User.Provider, "subject", login.User.Subject,
		"user", now.User.ID, "email", now.User.Email, "session", now.ID, "client", s.Gateway.Proxies.ClientOf(r))
	target, err := s.Redirects.Target(flow.Target)
	if err != nil {
		s.Log.Warn("a return address was refused", "event", "redirect", "error", err)
	}
	if reason, ok := s.admits(r, site, target, now.User); !ok {
		return s.notAllowed(w, r, site, refused{user: now.User, reason: reason, target: target})
	}
	w.Header().Set("Location", target)
	w.WriteHeader(http.StatusFound)
	return nil
}

// endedMeanwhile is a login that the provider took back before it was finished: it
// begins anew, once.
func (s *Server) endedMeanwhile(w http.ResponseWriter, r *http.Request, site auth.Site, flow session.Flow) error {
	s.Metrics.Login(flow.Provider, "ended_by_provider")
	if provider, ok := s.Providers.Named(flow.Provider); ok && !session.Restarted(flow.State) {
		return s.begin(w, r, site, provider, flow.Target, parameters(s.asksFor(site, flow.Target)), true)
	}
	return &problem{
		Status: http.StatusForbidden, Reason: "login_ended_by_provider",
		Title: "You were signed out", Text: "The sign-in service ended your session while you were signing in.",
		RetryURL: s.link(site, "/start", "rd", flow.Target), RetryLabel: "Sign in",
	}
}

// clientText is an address as the user is shown it, "" when it is not known.
func clientText(client netip.Addr) string {
	if !client.IsValid() {
		return ""
	}
	return client.String()
}

// admits reports whether the rules let user in at target, as far as it is the
// account or the login that they object to. Many gateways can only show their own
// page for a 403, so this is where a person hears why, and of another account. A
// provider that gave no stronger login than before is asked once, not for ever.
func (s *Server) admits(r *http.Request, site auth.Site, target string, user auth.User) (auth.Reason, bool) {
	req, ok := asRequest(site, target)
	if !ok {
		return auth.Reason{}, true
	}
	req.Client = s.Gateway.Proxies.ClientOf(r)
	judgement := s.Gate.Judge(req, user)
	switch judgement.Reason {
	case auth.EmailUnverified, auth.EmailNotAllowed, auth.GroupMissing, auth.ClaimMissing,
		auth.ConditionFailed, auth.ConditionError, auth.LoginTooWeak, auth.LoginTooOld, auth.OtherProvider:
		return judgement.Reason, false
	}
	return auth.Reason{}, true
}

// asRequest is what a browser will ask for when it is sent to target.
func asRequest(site auth.Site, target string) (auth.Request, bool) {
	if strings.HasPrefix(target, "/") {
		target = site.Origin() + target
	}
	target, _, _ = strings.Cut(target, "#")
	req := auth.Request{Method: http.MethodGet}
	return req, gateway.ReadAddress(target, &req)
}
