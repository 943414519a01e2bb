// Package server speaks HTTP: the checks of gateways, and the pages on which
// people sign in and out.
package server

import (
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/gate"
	"github.com/doorward/doorward/internal/gateway"
	"github.com/doorward/doorward/internal/idp"
	"github.com/doorward/doorward/internal/redirect"
	"github.com/doorward/doorward/internal/server/pages"
	"github.com/doorward/doorward/internal/session"
	"github.com/doorward/doorward/internal/telemetry"
)

// Server is the main listener. Every exported field is required, but for Listing.
type Server struct {
	Gate      *gate.Gate
	Gateway   gateway.Settings
	Sessions  session.Store
	Listing   session.Listing // nil: nobody knows what sessions a user has
	Flows     *session.Flows
	Providers idp.Providers
	Sites     auth.Sites
	Logouts   *idp.LogoutTokens
	Redirects *redirect.Rules
	Pages     *pages.Set
	Log       *slog.Logger
	Metrics   *telemetry.Metrics

	Prefix     string // of every path, "" or "/oauth2"
	SignInPage bool   // ask before going to the only provider
	Now        func() time.Time

	farewells farewells
}

// Handler routes by the raw path. It cleans nothing and redirects nothing: what
// is not one of these paths, byte for byte, is a 404.
func (s *Server) Handler() http.Handler {
	direct := gateway.Direct{Denied: s.DeniedPage}
	original := gateway.Original{Settings: s.Gateway}
	forwarded := gateway.Forwarded{Settings: s.Gateway, Direct: direct}
	envoy := gateway.Envoy{Settings: s.Gateway, Direct: direct, Prefix: s.Prefix + "/auth/envoy", Sites: s.Sites}
	r := chi.NewRouter()
	r.Use(s.methods)
	r.NotFound(s.page(s.notFound))
	r.MethodNotAllowed(s.page(s.methodNotAllowed))

	checks := map[string]http.HandlerFunc{
		s.Prefix + "/auth":           s.check("auth", gateway.Auto{Original: original, Forwarded: forwarded}.Choose),
		s.Prefix + "/auth/nginx":     s.check("nginx", only(original)),
		s.Prefix + "/auth/forwarded": s.check("forwarded", only(forwarded)),
		envoy.Prefix:                 s.check("envoy", only(envoy)),
		envoy.Prefix + "/*":          s.check("envoy", only(envoy)),
	}
	for path, check := range checks {
		r.Handle(path, check)
	}

	r.Get(s.Prefix+"/", s.page(s.home))
	r.Get(s.Prefix+"/start", s.page(s.start))
	r.Get(s.Prefix+"/callback", s.page(s.callback))
	r.Get(s.Prefix+"/sign_out", s.page(s.signOut))
	r.Post(s.Prefix+"/sign_out", s.page(s.signOut))
	r.Post(s.Prefix+"/backchannel_logout", s.page(s.backchannelLogout))
	r.Get(s.Prefix+"/frontchannel_logout", s.page(s.frontchannelLogout))
	r.Get(s.Prefix+"/sessions", s.page(s.sessions))
	r.Post(s.Prefix+"/sessions", s.page(s.endSessions))
	r.Get(s.Prefix+"/userinfo", s.page(s.userinfo))
	r.Get(s.Prefix+"/denied", s.page(s.denied))
	return checksFirst(checks, envoy.Prefix+"/", r)
}

// checksFirst looks for the checks before the router does, by the same raw path:
// they are nearly all that is asked, and a route costs more than a look-up. Every
// method but TRACE and CONNECT may ask one: some gateways use that of the original
// request, whatever it is called, and chi routes only names that it knows. below
// is where all paths are checks of Envoy.
func checksFirst(checks map[string]http.HandlerFunc, below string, router http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := r.URL.RawPath
		if path == "" {
			path = r.URL.Path
		}
		if strings.HasPrefix(path, below) {
			path = below + "*"
		}
		check, found := checks[path]
		if !found || r.Method == http.MethodTrace || r.Method == http.MethodConnect {
			router.ServeHTTP(w, r)
			return
		}
		check(w, r)
	})
}

// methods lets the pages that change nothing answer HEAD as they answer GET (RFC
// 9110 section 9.3.2), and nothing answer TRACE and CONNECT.
func (s *Server) methods(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path, routed := r.URL.Path, r.Method
		switch {
		case r.Method == http.MethodGet:
		case r.Method == http.MethodTrace, r.Method == http.MethodConnect:
			routed = "none"
		case r.Method == http.MethodHead && (path == s.Prefix+"/" || path == s.Prefix+"/userinfo" || path == s.Prefix+"/sessions"):
			routed = http.MethodGet
		}
		if routed != r.Method {
			chi.RouteContext(r.Context()).RouteMethod = routed
		}
		next.ServeHTTP(w, r)
	})
}
