package server

import (
	"net/http"
	"time"

	"github.com/doorward/doorward/internal/session"
)

// userinfo answers GET /userinfo: who is signed in, as JSON.
func (s *Server) userinfo(w http.ResponseWriter, r *http.Request) error {
	site, err := s.site(r)
	if err != nil {
		return err
	}
	who, err := s.shown(w, r, site)
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
