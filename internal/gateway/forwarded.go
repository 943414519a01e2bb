package gateway

import (
	"net/http"
	"strings"

	"github.com/doorward/doorward/internal/auth"
)

// Forwarded is the dialect of Traefik (ForwardAuth, and its ingress-nginx
// provider), Caddy, HAProxy and APISIX: the request stands in X-Forwarded-Method,
// -Proto, -Host and -Uri. They pass every denial to the browser as it is.
type Forwarded struct {
	Settings
	Direct
}

// Read implements Dialect. The other family is not looked at: the gateway lets
// the client's copy of it through, and it means nothing here.
func (f Forwarded) Read(r *http.Request) (auth.Request, error) {
	if !f.Proxies.Trust(r.RemoteAddr) {
		return auth.Request{}, &Refusal{Reason: auth.UntrustedPeer}
	}
	var values [4]string
	for i, name := range [...]string{forwardedMethod, forwardedProto, forwardedHost, forwardedURI} {
		value, err := single(r.Header, name)
		if err != nil {
			return auth.Request{}, err
		}
		values[i] = value
	}
	method, proto, host, uri := values[0], values[1], values[2], values[3]
	var req auth.Request
	req.Scheme = webScheme(proto)
	switch {
	case !isToken(method):
		return auth.Request{}, &Refusal{auth.MalformedHeaders, forwardedMethod}
	case req.Scheme == "":
		return auth.Request{}, &Refusal{auth.MalformedHeaders, forwardedProto}
	case !readAuthority(host, &req):
		return auth.Request{}, &Refusal{auth.MalformedHeaders, forwardedHost}
	case !readTarget(uri, &req):
		return auth.Request{}, &Refusal{auth.MalformedHeaders, forwardedURI}
	}
	req.Method = method
	req.Narrow = narrowing(r.URL.RawQuery)
	f.describe(r.Header, &req)
	return req, nil
}

// webScheme maps the scheme of a WebSocket handshake to that of the page it
// belongs to, and is "" for every other scheme than http and https.
func webScheme(proto string) string {
	switch strings.ToLower(proto) {
	case "https", "wss":
		return "https"
	case "http", "ws":
		return "http"
	}
	return ""
}

// Answer implements Dialect.
func (f Forwarded) Answer(w http.ResponseWriter, req auth.Request, d auth.Decision) {
	f.explain(w.Header(), d)
	code, body := f.answer(w.Header(), req, d, f.allowed())
	send(w, code, body)
}
