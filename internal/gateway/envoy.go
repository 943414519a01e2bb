package gateway

import (
	"net/http"
	"strings"

	"github.com/doorward/doorward/internal/auth"
)

// Envoy is the dialect of Envoy's HTTP ext_authz and of what is built on it:
// Istio, Envoy Gateway, Contour. The check is the request itself, with its method
// and its host, below a prefix. Only 200 allows; every other answer reaches the
// browser as it is.
type Envoy struct {
	Settings
	Direct
	Prefix string     // the path of the check, in front of the request's own
	Sites  auth.Sites // tell the scheme where the gateway does not
}

// Read implements Dialect. The headers of the other families are the client's
// and mean nothing here, and so is the query: it is the request's own.
func (e Envoy) Read(r *http.Request) (auth.Request, error) {
	if !e.Proxies.Trust(r.RemoteAddr) {
		return auth.Request{}, &Refusal{Reason: auth.UntrustedPeer}
	}
	target, ok := strings.CutPrefix(r.RequestURI, e.Prefix)
	if !ok {
		return auth.Request{}, &Refusal{auth.MalformedHeaders, "the path"}
	}
	if target == "" || target[0] == '?' {
		target = "/" + target
	}
	var req auth.Request
	if !readTarget(target, &req) {
		return auth.Request{}, &Refusal{auth.MalformedHeaders, "the path"}
	}
	if !readAuthority(r.Host, &req) {
		return auth.Request{}, &Refusal{auth.MalformedHeaders, "Host"}
	}
	var err error
	if req.Scheme, err = e.scheme(r.Header, req.Host); err != nil {
		return auth.Request{}, err
	}
	req.Method = r.Method
	e.describe(r.Header, &req)
	return req, nil
}

// scheme is that of X-Forwarded-Proto, which Envoy passes on when it is told to,
// and otherwise the one of the public URL.
func (e Envoy) scheme(h http.Header, host string) (string, error) {
	if len(h[forwardedProto]) == 0 {
		site, _ := e.Sites.For(host)
		return site.Scheme, nil
	}
	proto, err := single(h, forwardedProto)
	if err != nil {
		return "", err
	}
	if scheme := webScheme(proto); scheme != "" {
		return scheme, nil
	}
	return "", &Refusal{auth.MalformedHeaders, forwardedProto}
}

// Answer implements Dialect.
func (e Envoy) Answer(w http.ResponseWriter, req auth.Request, d auth.Decision) {
	e.explain(w.Header(), d)
	code, body := e.answer(w.Header(), req, d, http.StatusOK)
	send(w, code, body)
}
