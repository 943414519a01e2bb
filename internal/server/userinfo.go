package server

import (
	"net/http"
	"time"

	"github.com/doorward/doorward/internal/gateway"
	"github.com/doorward/doorward/internal/server/pages"
	"github.com/doorward/doorward/internal/session"
)

// userinfo answers GET /userinfo: who is signed in, as JSON.
func (s *Server) userinfo(w http.ResponseWriter, r *http.Request) error {
	site, err := s.site(r)
	if err != nil {
		return err
	}
	who, err := s.load(r, site)
	if err != nil {
		return err
	}
	if who.User.Nobody() {
		return s.unauthenticated(w, site, "")
	}
	writeJSON(w, http.StatusOK, describe(who))
	return nil
}

// account is a session as scripts see it. Every key is always there.
type account struct {
	User              string    `json:"user"`
	Email             string    `json:"email"` // only when verified
	PreferredUsername string    `json:"preferred_username"`
	Name              string    `json:"name"`
	Groups            []string  `json:"groups"`
	Provider          string    `json:"provider"`
	ExpiresAt         time.Time `json:"expires_at"` // RFC 3339
}

func describe(who session.Session) account {
	groups := who.User.Groups
	if groups == nil {
		groups = []string{}
	}
	return account{
		User: who.User.ID, Email: who.User.Email, PreferredUsername: who.User.PreferredUsername,
		Name: who.User.Name, Groups: groups, Provider: who.User.Provider, ExpiresAt: who.Expires.UTC(),
	}
}

// home answers GET /: who you are, with sign-in and sign-out.
func (s *Server) home(w http.ResponseWriter, r *http.Request) error {
	if !gateway.WantsHTML(r.Header) {
		return s.userinfo(w, r)
	}
	site, err := s.site(r)
	if err != nil {
		return err
	}
	who, err := s.load(r, site)
	if err != nil {
		return err
	}
	page := pages.Account{SignInURL: s.link(site, "/start")}
	if !who.User.Nobody() {
		page = pages.Account{
			Account: who.User.Account(), Name: who.User.Name, Email: who.User.Email,
			Groups: who.User.Groups, Provider: s.Provider.Label(), Expires: who.Expires,
			SignOutURL: s.link(site, "/sign_out"),
		}
		w.Header().Set("Content-Security-Policy", s.Pages.Policy(site.Origin(), s.endSessionOrigin()))
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	return s.Pages.Account(w, page)
}
