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
	req.Narrow = narrowing(r.URL.RawQuery)
	o.describe(r.Header, &req)
	return req, nil
}

// Answer implements Dialect. nginx reads the Location of a 401 as
// $upstream_http_location and makes the redirect itself.
func (o Original) Answer(w http.ResponseWriter, req auth.Request, d auth.Decision) {
	h := w.Header()
	h["Cache-Control"] = noStore
	o.explain(h, d)
	if d.Verdict == auth.SignIn && req.Navigation && d.SignInURL != "" {
		h["Location"] = []string{d.SignInURL}
	}
	w.WriteHeader(status(h, d, o.allowed()))
}
