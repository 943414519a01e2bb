package gateway

import "net/http"

// Auto is /auth: it takes either family of headers, but exactly one. The gateway
// always sets its own family and a client can only add the other, so the worst
// that a client achieves is to refuse itself.
type Auto struct {
	Original  Dialect
	Forwarded Dialect
}

// Choose returns the dialect of a question by the family of headers that it has.
// The original one also gets what has both families or none, and refuses it.
func (a Auto) Choose(h http.Header) Dialect {
	if hasForwarded(h) && !hasOriginal(h) {
		return a.Forwarded
	}
	return a.Original
}
