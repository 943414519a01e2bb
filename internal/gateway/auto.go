package gateway

import (
	"net/http"

	"github.com/doorward/doorward/internal/auth"
)

// Auto is /auth: it takes either family of headers, but exactly one. The gateway
// always sets its own family and a client can only add the other, so the worst
// that a client achieves is to refuse itself.
type Auto struct {
	Original Original
}

// Read implements Dialect.
func (a Auto) Read(r *http.Request) (auth.Request, error) {
	if !a.Original.Proxies.Trust(r.RemoteAddr) {
		return auth.Request{}, &Refusal{Reason: auth.UntrustedPeer}
	}
	original, forwarded := hasOriginal(r.Header), hasForwarded(r.Header)
	switch {
	case original && forwarded:
		return auth.Request{}, &Refusal{auth.AmbiguousHeaders, originalURL + " and " + forwardedURI}
	case forwarded:
		return auth.Request{}, &Refusal{auth.UnsupportedForm, forwardedURI}
	}
	return a.Original.Read(r)
}

// Answer implements Dialect.
func (a Auto) Answer(w http.ResponseWriter, req auth.Request, d auth.Decision) {
	a.Original.Answer(w, req, d)
}
