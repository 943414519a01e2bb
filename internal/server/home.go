package server

import (
	"io"
	"net/http"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/gateway"
	"github.com/doorward/doorward/internal/server/pages"
	"github.com/doorward/doorward/internal/session"
)

// home answers GET /: who you are, what you may open, with sign-in and sign-out.
func (s *Server) home(w http.ResponseWriter, r *http.Request) error {
	if !gateway.WantsHTML(r.Header) {
		return s.userinfo(w, r)
	}
	site, err := s.site(r)
	if err != nil {
		return err
	}
	who, err := s.shown(w, r, site)
	if err != nil {
		return err
	}
	page := pages.Account{SignInURL: s.link(site, "/start")}
	if !who.User.Nobody() {
		page = s.account(r, site, who)
		var pictures []string
		for _, app := range page.Apps {
			pictures = append(pictures, origin(app.Icon))
		}
		w.Header().Set("Content-Security-Policy", s.Pages.PolicyWith(pictures))
	}
	return html(w, http.StatusOK, func(body io.Writer) error { return s.Pages.Account(body, page) })
}

// account is the page of who, with the apps that the rules let them open.
func (s *Server) account(r *http.Request, site auth.Site, who session.Session) pages.Account {
	page := pages.Account{
		Account: who.User.Account(), Name: who.User.Name, Email: who.User.Email,
		Groups: who.User.Groups, Provider: s.Providers.Label(who.User.Provider), Expires: who.Expires,
		SignOutURL: s.link(site, "/sign_out"),
	}
	if s.Listing != nil {
		page.SessionsURL = s.link(site, "/sessions")
	}
	for _, app := range s.Gate.Apps(who.User, s.Gateway.Proxies.ClientOf(r)) {
		at, ok := s.Sites.For(app.Host)
		if !ok {
			continue // nobody could sign in there
		}
		title := app.Title
		if title == "" {
			title = app.Host
		}
		address := auth.Site{Scheme: at.Scheme, Host: app.Host, Port: at.Port}.Origin() + app.Path
		page.Apps = append(page.Apps, pages.App{Title: title, Host: app.Host, URL: address, Icon: app.Icon})
	}
	return page
}
