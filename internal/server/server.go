// Package server speaks HTTP: the checks of gateways, and the pages on which
// people sign in and out.
package server

import (
	"log/slog"
	"net/http"
	"strings"

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

// Server is the main listener. Every exported field is required.
type Server struct {
	Gate      *gate.Gate
	Gateway   gateway.Settings
	Sessions  session.Store
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

	r.Handle(s.Prefix+"/auth", s.check("auth", gateway.Auto{Original: original, Forwarded: forwarded}.Choose))
	r.Handle(s.Prefix+"/auth/nginx", s.check("nginx", only(original)))
	r.Handle(s.Prefix+"/auth/forwarded", s.check("forwarded", only(forwarded)))
	r.Handle(s.Prefix+"/auth/envoy", s.check("envoy", only(envoy)))
	r.Handle(s.Prefix+"/auth/envoy/*", s.check("envoy", only(envoy)))

	r.Get(s.Prefix+"/", s.page(s.home))
	r.Get(s.Prefix+"/start", s.page(s.start))
	r.Get(s.Prefix+"/callback", s.page(s.callback))
	r.Get(s.Prefix+"/sign_out", s.page(s.signOut))
	r.Post(s.Prefix+"/sign_out", s.page(s.signOut))
	r.Post(s.Prefix+"/backchannel_logout", s.page(s.backchannelLogout))
	r.Get(s.Prefix+"/frontchannel_logout", s.page(s.frontchannelLogout))
	r.Get(s.Prefix+"/userinfo", s.page(s.userinfo))
	r.Get(s.Prefix+"/denied", s.page(s.denied))
	return r
}

// methods lets the checks be asked with every method but TRACE and CONNECT: some
// gateways ask with the method of the original request, whatever it is called, and
// chi routes only names that it knows. The pages that change nothing answer HEAD
// as they answer GET (RFC 9110 section 9.3.2).
func (s *Server) methods(next http.Handler) http.Handler {
	checks := s.Prefix + "/auth"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path, routed := r.URL.Path, r.Method
		switch {
		case r.Method == http.MethodGet:
		case r.Method == http.MethodTrace, r.Method == http.MethodConnect:
			routed = "none"
		case path == checks, strings.HasPrefix(path, checks+"/"):
			routed = http.MethodGet
		case r.Method == http.MethodHead && (path == s.Prefix+"/" || path == s.Prefix+"/userinfo"):
			routed = http.MethodGet
		}
		if routed != r.Method {
			chi.RouteContext(r.Context()).RouteMethod = routed
		}
		next.ServeHTTP(w, r)
	})
}
