package server

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/gateway"
	"github.com/doorward/doorward/internal/server/pages"
	"github.com/doorward/doorward/internal/session"
)

// maxShown is how many sessions the page has room for. Scripts get all.
const maxShown = 50

// sessions answers GET /sessions: where the user is signed in, as a page or as
// JSON.
func (s *Server) sessions(w http.ResponseWriter, r *http.Request) error {
	site, err := s.site(r)
	if err != nil {
		return err
	}
	asHTML := gateway.WantsHTML(r.Header)
	if asHTML && elsewhere(w, r, site) {
		return nil
	}
	who, err := s.shown(w, r, site)
	if err != nil {
		return err
	}
	if who.User.Nobody() {
		return s.sessionsOfNobody(w, site, asHTML)
	}
	if s.Listing == nil {
		return s.unlisted(w, site, asHTML)
	}
	list, err := s.listed(r, who)
	if err != nil {
		return err
	}
	if !asHTML {
		writeJSON(w, http.StatusOK, map[string]any{"sessions": s.describeAll(list, who)})
		return nil
	}
	page := s.sessionsPage(site, who, list)
	return html(w, http.StatusOK, func(body io.Writer) error { return s.Pages.Sessions(body, page) })
}

// sessionsOfNobody offers to sign in.
func (s *Server) sessionsOfNobody(w http.ResponseWriter, site auth.Site, asHTML bool) error {
	back := s.link(site, "/sessions")
	if !asHTML {
		return s.unauthenticated(w, site, back)
	}
	page := pages.Account{SignInURL: s.link(site, "/start", "rd", back)}
	return html(w, http.StatusOK, func(body io.Writer) error { return s.Pages.Account(body, page) })
}

// unlisted says that the store keeps no list.
func (s *Server) unlisted(w http.ResponseWriter, site auth.Site, asHTML bool) error {
	if !asHTML {
		writeJSON(w, http.StatusNotImplemented, map[string]string{"error": "sessions_not_listed"})
		return nil
	}
	page := pages.Sessions{Unlisted: true, HomeURL: s.link(site, "/")}
	return html(w, http.StatusOK, func(body io.Writer) error { return s.Pages.Sessions(body, page) })
}

// listed are the sessions of who, their own first: it is there whatever the store
// knows of it.
func (s *Server) listed(r *http.Request, who session.Session) ([]session.Listed, error) {
	all, err := s.Listing.Listed(r.Context(), session.Whose{Issuer: who.User.Issuer, Subject: who.User.Subject})
	if err != nil {
		return nil, storeUnavailable(err)
	}
	own := session.Listed{
		ID: who.ID.String(), User: who.User.ID, Agent: r.UserAgent(), Client: clientText(s.Gateway.Proxies.ClientOf(r)),
		Created: who.Created, Expires: who.Expires,
	}
	if i := slices.IndexFunc(all, func(l session.Listed) bool { return l.ID == own.ID }); i >= 0 {
		own = all[i]
		all = slices.Delete(all, i, i+1)
	}
	own.Used = s.Now()
	return append([]session.Listed{own}, all...), nil
}

func (s *Server) sessionsPage(site auth.Site, who session.Session, list []session.Listed) pages.Sessions {
	page := pages.Sessions{
		Account: who.User.Account(), Others: len(list) - 1, More: max(0, len(list)-maxShown),
		ActionURL: s.link(site, "/sessions"), SignOutURL: s.link(site, "/sign_out"), HomeURL: s.link(site, "/"),
	}
	several := slices.ContainsFunc(list, func(l session.Listed) bool { return l.Site != "" && l.Site != list[0].Site })
	for _, l := range list[:len(list)-page.More] {
		row := pages.Session{
			ID: l.ID, Device: Device(l.Agent), Client: l.Client, Created: l.Created,
			Here: l.ID == who.ID.String(), Used: ago(s.Now().Sub(l.Used)),
		}
		if row.Here {
			row.Used = "now"
		}
		if several {
			row.Site = l.Site
		}
		page.Sessions = append(page.Sessions, row)
	}
	return page
}

// ago is a time that is over in words. Nobody knows it closer than to a minute.
func ago(d time.Duration) string {
	for _, unit := range []struct {
		length time.Duration
		name   string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}} {
		switch n := int(d / unit.length); {
		case n == 1:
			return "1 " + unit.name + " ago"
		case n > 1:
			return fmt.Sprintf("%d %ss ago", n, unit.name)
		}
	}
	return "less than a minute ago"
}

// listedSession is a session as scripts see it. Every key is always there.
type listedSession struct {
	ID         string    `json:"id"` // as the log has it
	Current    bool      `json:"current"`
	Device     string    `json:"device"`
	Address    string    `json:"address"`
	Site       string    `json:"site"`
	SignedInAt time.Time `json:"signed_in_at"` // RFC 3339
	LastUsedAt time.Time `json:"last_used_at"`
	ExpiresAt  time.Time `json:"expires_at"`
}

func (s *Server) describeAll(list []session.Listed, who session.Session) []listedSession {
	all := make([]listedSession, 0, len(list))
	for _, l := range list {
		all = append(all, listedSession{
			ID: l.ID, Current: l.ID == who.ID.String(), Device: Device(l.Agent), Address: l.Client, Site: l.Site,
			SignedInAt: l.Created.UTC().Truncate(time.Second), LastUsedAt: l.Used.UTC().Truncate(time.Second), ExpiresAt: l.Expires.UTC(),
		})
	}
	return all
}
