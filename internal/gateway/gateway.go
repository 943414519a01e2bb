// Package gateway speaks with gateways: it reads what they ask, and writes the
// answer in the form that each of them can take. It is the only reader of
// X-Original-* and X-Forwarded-* and the only writer of a check's answer; one
// file holds one dialect.
//
// Each gateway overwrites its own family of headers and lets the client's copy
// of the other family through. So a dialect reads one family only, and a
// question that carries two is refused.
package gateway

import (
	"net/http"

	"github.com/doorward/doorward/internal/auth"
)

// Dialect is how one kind of gateway asks and wants to be answered.
type Dialect interface {
	// Read returns the request that the gateway asks about. The error is always
	// a *Refusal, and the answer to it is 403.
	Read(r *http.Request) (auth.Request, error)

	// Answer writes the decision on req. It writes the status last and once.
	Answer(w http.ResponseWriter, req auth.Request, d auth.Decision)
}

// Refusal says why a question was not judged.
type Refusal struct {
	Reason auth.Reason
	Detail string // for the log: the header at fault, never its value
}

func (r *Refusal) Error() string {
	if r.Detail == "" {
		return "gateway: " + r.Reason.Text
	}
	return "gateway: " + r.Detail + ": " + r.Reason.Text
}

// Settings are what all dialects share.
type Settings struct {
	Proxies     Proxies
	ForceScheme string // "https" behind a load balancer that ends TLS; "" believes the gateway
	AllowStatus int    // of an allow; 202 unless the gateway wants 200

	// Reasons adds X-Doorward-Reason to whatever does not pass. Gateways that hand
	// a denial on to the client hand it on too.
	Reasons bool
}

// explain says why a request does not pass, to a trusted peer alone.
func (s Settings) explain(h http.Header, d auth.Decision) {
	if s.Reasons && d.Verdict != auth.Allow && d.Reason != auth.UntrustedPeer && d.Reason.Code != "" {
		h["X-Doorward-Reason"] = []string{d.Reason.Code}
	}
}

// allowed is the status of an allow.
func (s Settings) allowed() int {
	if s.AllowStatus != 0 {
		return s.AllowStatus
	}
	return http.StatusAccepted
}

// The two families of headers. A header counts as present under its exact
// canonical name only: X_Forwarded_Uri and the like are other headers, which
// nobody reads.
const (
	originalURL     = "X-Original-Url"
	originalMethod  = "X-Original-Method"
	forwardedURI    = "X-Forwarded-Uri"
	forwardedMethod = "X-Forwarded-Method"
	forwardedProto  = "X-Forwarded-Proto"
	forwardedHost   = "X-Forwarded-Host"
	forwardedFor    = "X-Forwarded-For"
)

func hasOriginal(h http.Header) bool {
	return len(h[originalURL]) > 0
}

func hasForwarded(h http.Header) bool {
	return len(h[forwardedURI]) > 0 || len(h[forwardedMethod]) > 0
}

// IsQuestion reports whether a request describes another one, as only a gateway's
// check does.
func IsQuestion(h http.Header) bool { return hasOriginal(h) || hasForwarded(h) }

// single returns the value of a header that a dialect cannot do without.
func single(h http.Header, name string) (string, error) {
	lines := h[name]
	switch {
	case len(lines) == 0 || lines[0] == "" && len(lines) == 1:
		return "", &Refusal{auth.MissingHeaders, name}
	case len(lines) > 1:
		return "", &Refusal{auth.MalformedHeaders, name + " is repeated"}
	}
	return lines[0], nil
}

// describe fills in what every dialect reads from headers in the same way.
func (s Settings) describe(h http.Header, req *auth.Request) {
	req.ID = RequestID(h)
	req.Client = s.Proxies.client(h[forwardedFor])
	req.Cookies = h["Cookie"]
	req.Authorization = h["Authorization"]
	req.Navigation = Navigation(req.Method, h)
	if origin := h["Origin"]; len(origin) == 1 {
		req.Origin = origin[0]
		req.Preflight = req.Method == http.MethodOptions && len(h["Access-Control-Request-Method"]) == 1
	}
	if s.ForceScheme != "" {
		req.Scheme = s.ForceScheme
	}
}

// RequestID returns the gateway's X-Request-Id when it is one that a log can
// carry: at most 64 letters, digits, dots, dashes and underscores.
func RequestID(h http.Header) string {
	lines := h["X-Request-Id"]
	if len(lines) != 1 || len(lines[0]) > 64 {
		return ""
	}
	for i := range len(lines[0]) {
		if c := lines[0][i]; !isAlphanumeric(c) && c != '-' && c != '_' && c != '.' {
			return ""
		}
	}
	return lines[0]
}

func isAlphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}
