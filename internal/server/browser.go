package server

import (
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/gateway"
	"github.com/doorward/doorward/internal/redirect"
	"github.com/doorward/doorward/internal/session"
)

// site returns the site that a browser reached, by the host that it named. A
// gateway that does not pass the host on leaves no choice where there is only
// one site; where there are several it is an error that says so.
func (s *Server) site(r *http.Request) (auth.Site, error) {
	if host, ok := hostOf(r); ok {
		if site, ok := s.Sites.For(host); ok {
			return site, nil
		}
	}
	if len(s.Sites) == 1 && !strings.HasPrefix(s.Sites[0].Host, "*.") {
		return s.Sites[0], nil
	}
	return auth.Site{}, &problem{
		Status: http.StatusForbidden,
		Reason: auth.UnknownHost.Code,
		Title:  "This host is not known here",
		Text:   "The sign-in page was reached under a name that belongs to none of the configured sites. The gateway in front has to pass on the Host header.",
	}
}

// hostOf is the host that the browser named, without its port, and false when it
// is no host name.
func hostOf(r *http.Request) (string, bool) {
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return gateway.CanonicalHost(host)
}

// elsewhere sends a browser that reached another host of the site to the public
// URL, where the cookies of logins are. It reports whether it did.
func elsewhere(w http.ResponseWriter, r *http.Request, site auth.Site) bool {
	host, ok := hostOf(r)
	if !ok || host == site.Host || !site.Covers(host) {
		return false
	}
	http.Redirect(w, r, site.Origin()+r.URL.RequestURI(), http.StatusFound)
	return true
}

// load returns the session of a browser that is at one of our own pages.
func (s *Server) load(r *http.Request, site auth.Site) (session.Session, error) {
	who, err := s.Sessions.Load(r.Context(), auth.Request{Host: site.Host, Cookies: r.Header["Cookie"]})
	if err != nil {
		return session.Session{}, storeUnavailable(err)
	}
	return who, nil
}

// shown is load for an answer that reaches the browser itself: it also carries
// there what a refresh brought to the session. It belongs before the status.
func (s *Server) shown(w http.ResponseWriter, r *http.Request, site auth.Site) (session.Session, error) {
	who, err := s.load(r, site)
	if err == nil {
		s.Sessions.Carry(w, r, site, who)
	}
	return who, err
}

// target returns where the request wants to go afterwards, and "/" when it does
// not say or says what is not ours. The login or sign-out goes on in any case.
func (s *Server) target(r *http.Request) (target string, given bool) {
	wanted, found, err := redirect.Param(r.URL.RawQuery)
	if err == nil && !found {
		return "/", false
	}
	return s.judge(r, wanted, err)
}

// judge returns a target that is ours, and "/" for any other or with an error.
func (s *Server) judge(r *http.Request, wanted string, err error) (target string, given bool) {
	if err == nil {
		wanted, err = s.Redirects.Target(wanted)
	}
	if err != nil {
		s.Log.Warn("a return address was refused", "event", "redirect", "error", err, "peer", r.RemoteAddr)
		return "/", false
	}
	return wanted, true
}

// link is an address of ours at a site, with a query of pairs of name and value.
// A pair with an empty value is left out.
func (s *Server) link(site auth.Site, path string, pairs ...string) string {
	var query strings.Builder
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			continue
		}
		separator := "&"
		if query.Len() == 0 {
			separator = "?"
		}
		query.WriteString(separator + pairs[i] + "=" + url.QueryEscape(pairs[i+1]))
	}
	return site.Origin() + s.Prefix + path + query.String()
}
