package policy

import (
	"net/netip"
	"strings"

	"github.com/doorward/doorward/internal/auth"
)

// App is a place that the rules let a user open.
type App struct {
	Title string // of the rule; "" when it has none
	Icon  string // an address, or ""
	Host  string
	Path  string // where it begins
}

// Apps are the hosts that rules name exactly and that admit user, coming from
// client, in the order of the rules. It is judged as any request is: a rule that
// another one stands in front of shows nothing.
func (s *Set) Apps(user auth.User, client netip.Addr) []App {
	var apps []App
	seen := map[string]bool{}
	for i := range s.rules {
		r := &s.rules[i]
		if r.Allow == nil || r.denial.Code != "" {
			continue
		}
		for _, host := range r.Hosts {
			app := App{Title: r.Title, Icon: r.Icon, Host: host, Path: r.front()}
			if strings.HasPrefix(host, "*.") || app.Path == "" || seen[host+app.Path] {
				continue
			}
			req := auth.Request{Method: "GET", Scheme: "https", Host: host, Path: app.Path, Client: client}
			governing := s.Match(req)
			if governing.all[0].rule == r && governing.Decide(req, user).Verdict == auth.Allow {
				seen[host+app.Path] = true
				apps = append(apps, app)
			}
		}
	}
	return apps
}

// front is the path at which a person enters what the rule covers: the part of
// its first path that is written out. It is "" when a person cannot enter, by
// method or because the path needs something filled in.
func (r *rule) front() string {
	if !r.coversMethod("GET") {
		return ""
	}
	if len(r.Paths) == 0 {
		return "/"
	}
	path := strings.TrimSuffix(r.Paths[0], "**")
	if strings.Contains(path, "*") {
		return ""
	}
	return path
}
