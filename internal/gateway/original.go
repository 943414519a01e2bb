package gateway

import (
	"net/http"

	"github.com/doorward/doorward/internal/auth"
)

// Original is the dialect of nginx's auth_request and of ingress-nginx: the
// request stands in X-Original-URL (scheme, host, path and query as they came)
// and X-Original-Method.
//
// nginx lets 2xx pass, understands 401 and 403, and makes a 500 of all else. It
// throws a body away and closes the connection for it, so every answer is empty.
type Original struct {
	Settings
}

// Read implements Dialect. It refuses a question that also carries the
// forwarded family, which nginx would have let through from the client.
func (o Original) Read(r *http.Request) (auth.Request, error) {
	if !o.Proxies.Trust(r.RemoteAddr) {
		return auth.Request{}, &Refusal{Reason: auth.UntrustedPeer}
	}
	if hasForwarded(r.Header) {
		return auth.Request{}, &Refusal{auth.AmbiguousHeaders, forwardedURI}
	}
	address, err := single(r.Header, originalURL)
	if err != nil {
		return auth.Request{}, err
	}
	method, err := single(r.Header, originalMethod)
	if err != nil {
		return auth.Request{}, err
	}
	var req auth.Request
	if !isToken(method) || !ReadAddress(address, &req) {
		return auth.Request{}, &Refusal{auth.MalformedHeaders, originalURL + " or " + originalMethod}
	}
	req.Method = method
	o.describe(r, &req)
	return req, nil
}

// Prepared values, shared by all answers. Nobody writes to them.
var (
	empty        = []string{"0"}
	noStore      = []string{"no-store"}
	challenge    = []string{`Bearer realm="doorward"`}
	invalidToken = []string{`Bearer error="invalid_token"`}
	retryAfter   = []string{"5"}
)

// Answer implements Dialect.
func (o Original) Answer(w http.ResponseWriter, req auth.Request, d auth.Decision) {
	h := w.Header()
	h["Cache-Control"] = noStore
	h["Content-Length"] = empty
	w.WriteHeader(o.status(h, req, d))
}

// status sets the headers that depend on the verdict and returns its status.
func (o Original) status(h http.Header, req auth.Request, d auth.Decision) int {
	switch d.Verdict {
	case auth.Allow:
		for _, identity := range d.Identity.Headers {
			h[identity.Name] = identity.Value
		}
		if o.AllowStatus != 0 {
			return o.AllowStatus
		}
		return http.StatusAccepted
	case auth.SignIn:
		h["Www-Authenticate"] = challenge
		if req.Navigation && d.SignInURL != "" {
			h["Location"] = []string{d.SignInURL}
		}
		return http.StatusUnauthorized
	case auth.BadToken:
		h["Www-Authenticate"] = invalidToken
		return http.StatusUnauthorized
	case auth.Unknown:
		h["Retry-After"] = retryAfter
		return http.StatusServiceUnavailable
	default:
		return http.StatusForbidden
	}
}
