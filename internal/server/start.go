package server

import (
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/gateway"
	"github.com/doorward/doorward/internal/idp"
	"github.com/doorward/doorward/internal/policy"
	"github.com/doorward/doorward/internal/server/pages"
)

// start begins a login: GET /start?rd=URL&provider=NAME. Only a browser that
// opens a page can follow to the provider; anything else hears 401 and leaves no
// flow behind, so that a page in the background never crowds out a real login.
//
// It is also where others begin a login here, a provider's own page of apps: then
// iss stands for the provider's name and target_link_uri for rd (OpenID Connect
// Core section 4).
func (s *Server) start(w http.ResponseWriter, r *http.Request) error {
	site, err := s.site(r)
	if err != nil {
		return err
	}
	query := r.URL.Query()
	target, given := s.target(r)
	if link := query["target_link_uri"]; !given && len(link) == 1 {
		target, _ = s.judge(r, link[0], nil)
	}
	if !gateway.Navigation(r.Method, r.Header) {
		return s.unauthenticated(w, site, target)
	}
	if elsewhere(w, r, site) {
		return nil
	}
	asked := s.asksFor(site, target)
	provider, ok := s.wanted(query, asked)
	switch {
	case !ok:
		return &problem{
			Status: http.StatusBadRequest, Reason: "unknown_provider",
			Title: "This way of signing in does not exist", Text: "Please choose another one.",
			RetryURL: s.link(site, "/start", "rd", target), RetryLabel: "Sign in",
		}
	case provider == nil:
		return s.signInPage(w, r, site, target, query)
	}
	extra := parameters(asked)
	if prompt := prompt(query); prompt != "" {
		extra.Set("prompt", prompt)
	}
	if hint := loginHint(query); hint != "" {
		extra.Set("login_hint", hint)
	}
	return s.begin(w, r, site, provider, target, extra, false)
}

// prompt is how the provider is to ask, so that another account can be chosen; ""
// for what no page of ours links to.
func prompt(query url.Values) string {
	if prompt := query.Get("prompt"); prompt == "login" || prompt == "select_account" {
		return prompt
	}
	return ""
}

// wanted is the provider that the address names, or the rule of the target. It is
// nil when the person is to choose, and false when there is no such provider.
func (s *Server) wanted(query url.Values, asked policy.Login) (*idp.Provider, bool) {
	name, issuer := query.Get("provider"), query.Get("iss")
	switch {
	case name != "":
		return s.Providers.Named(name)
	case issuer != "":
		return s.Providers.OfIssuer(issuer)
	case asked.Provider != "":
		return s.Providers.Named(asked.Provider)
	case s.SignInPage || len(s.Providers) > 1:
		return nil, true
	default:
		return s.Providers[0], true
	}
}

// loginHint is what the address says about who is going to sign in (OpenID Connect
// Core section 3.1.2.1), "" when it is no one short line of text. The provider shows
// it to the person, who may change it.
func loginHint(query url.Values) string {
	const limit = 254 // bytes, of which an e-mail address has no more
	hints := query["login_hint"]
	if len(hints) != 1 || len(hints[0]) > limit || !utf8.ValidString(hints[0]) || strings.ContainsFunc(hints[0], unicode.IsControl) {
		return ""
	}
	return hints[0]
}

// asksFor is what kind of login the rule of the target asks for. It comes from
// the rule and not from the address, so that nobody can leave it out.
func (s *Server) asksFor(site auth.Site, target string) policy.Login {
	req, ok := asRequest(site, target)
	if !ok {
		return policy.Login{}
	}
	return s.Gate.LoginFor(req)
}

// parameters tell the provider what kind of login is asked for (OpenID Connect
// Core section 3.1.2.1).
func parameters(login policy.Login) url.Values {
	extra := url.Values{}
	if len(login.ACR) > 0 {
		extra.Set("acr_values", strings.Join(login.ACR, " "))
	}
	if login.MaxAge > 0 {
		extra.Set("max_age", strconv.Itoa(int(login.MaxAge.Seconds())))
	}
	return extra
}

// signInPage offers all providers, first the one of the browser's last login. What
// query asks of the login goes on with the choice.
func (s *Server) signInPage(w http.ResponseWriter, r *http.Request, site auth.Site, target string, query url.Values) error {
	var page pages.SignIn
	for _, provider := range s.Providers {
		offer := pages.Provider{
			Label: provider.Label(),
			URL:   s.link(site, "/start", "provider", provider.Name(), "prompt", prompt(query), "rd", target, "login_hint", loginHint(query)),
		}
		if len(s.Providers) > 1 && s.Flows.Remembered(r, provider.Name()) {
			offer.Last = true
			page.Providers = slices.Insert(page.Providers, 0, offer)
			continue
		}
		page.Providers = append(page.Providers, offer)
	}
	if address, err := url.Parse(target); err == nil {
		page.Host = address.Hostname()
	}
	return html(w, http.StatusOK, func(body io.Writer) error { return s.Pages.SignIn(body, page) })
}

// begin sends the browser to the provider. Again marks a login that replaces one
// whose cookie was lost.
func (s *Server) begin(w http.ResponseWriter, r *http.Request, site auth.Site, provider *idp.Provider, target string, extra url.Values, again bool) error {
	flow := s.Flows.New(provider.Name(), target, again)
	address, err := provider.AuthURL(r.Context(), idp.Flow{
		State: flow.State, Nonce: flow.Nonce, Verifier: flow.Verifier,
	}, s.link(site, "/callback"), extra)
	if err != nil {
		return failedLogin(err, s.link(site, "/start", "rd", target))
	}
	s.Flows.Begin(w, r, flow)
	w.Header().Set("Location", address)
	w.WriteHeader(http.StatusFound)
	return nil
}
