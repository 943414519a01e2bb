package gate

import (
	"net/url"
	"strings"

	"github.com/doorward/doorward/internal/auth"
)

// Bounds of a sign-in address, in bytes.
const (
	maxSignInURL = 3200 // keeps the whole header block of an answer within 3,500
	maxTarget    = 2048 // of the address to come back to, before it is escaped
)

// signInURL is where a browser that wanted req signs in. It has the scheme of the
// public URL, also in the address to come back to: a gateway behind a load
// balancer that ends TLS says "http" about a page that the browser knows as
// https. An address that is too long loses its query as a whole.
func (g *Gate) signInURL(req auth.Request) string {
	site, ok := g.Sites.For(req.Host)
	if !ok {
		return ""
	}
	if req.Scheme == "http" && site.Scheme == "https" {
		g.hintOnce.Do(func() {
			g.Log.Warn("a gateway asks about plain http, but the public URL is https; if it stands behind a load balancer that ends TLS, set DOORWARD_FORCE_SCHEME=https",
				"host", req.Host, "public_url", site.Origin())
		})
	}
	start := site.Origin() + g.StartPath + "?rd="
	host := hostAddress(site, req)
	for _, target := range []string{host + req.Path + req.Query, host + req.Path, host + "/"} {
		escaped := strings.ReplaceAll(url.QueryEscape(target), "+", "%20") // a plus sign in rd means itself
		if len(target) <= maxTarget && len(start)+len(escaped) <= maxSignInURL {
			return start + escaped
		}
	}
	return start + "%2F"
}

// Address is the whole address of req as a browser that is to come back to it
// writes it.
func Address(site auth.Site, req auth.Request) string {
	return hostAddress(site, req) + req.Path + req.Query
}

// hostAddress is the scheme, host and port of req as a browser knows them.
func hostAddress(site auth.Site, req auth.Request) string {
	if req.Port == "" || isDefault(req.Scheme, req.Port) || isDefault(site.Scheme, req.Port) {
		return site.Scheme + "://" + req.Host
	}
	return site.Scheme + "://" + req.Host + ":" + req.Port
}

// isDefault reports whether port is the one that a browser leaves out.
func isDefault(scheme, port string) bool {
	return scheme == "https" && port == "443" || scheme == "http" && port == "80"
}
