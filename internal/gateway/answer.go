package gateway

import (
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/doorward/doorward/internal/auth"
)

// Prepared values, shared by all answers. Nobody writes to them.
var (
	noStore      = []string{"no-store"}
	challenge    = []string{`Bearer realm="doorward"`}
	invalidToken = []string{`Bearer error="invalid_token"`}
	invalidBasic = []string{`Basic realm="doorward", Bearer error="invalid_token"`}
	retryAfter   = []string{"5"}
	jsonType     = []string{"application/json"}
	htmlType     = []string{"text/html; charset=utf-8"}
	nosniff      = []string{"nosniff"}
)

// Page is a document for a person, with the Content-Security-Policy that it is
// served under.
type Page struct {
	Body   []byte
	Policy string
}

// status sets the headers that a verdict has in every dialect and returns its
// status. allowed is the status of an allow.
func status(h http.Header, d auth.Decision, allowed int) int {
	switch d.Verdict {
	case auth.Allow:
		for _, identity := range d.Identity.Headers {
			h[identity.Name] = identity.Value
		}
		return allowed
	case auth.SignIn:
		h["Www-Authenticate"] = challenge
		return http.StatusUnauthorized
	case auth.BadToken:
		h["Www-Authenticate"] = invalidToken
		if d.Basic {
			h["Www-Authenticate"] = invalidBasic
		}
		return http.StatusUnauthorized
	case auth.Unknown:
		h["Retry-After"] = retryAfter
		return http.StatusServiceUnavailable
	default:
		return http.StatusForbidden
	}
}

// Direct are the answers of dialects whose gateways hand a denial to the browser
// as it is. So a navigation is sent to the sign-in by the answer itself, and who
// may not enter reads why.
type Direct struct {
	// Denied renders the page of a 403.
	Denied func(auth.Request, auth.Decision) Page
}

// answer sets the headers of the answer and returns its status and body. An
// allow has no body: several gateways close the connection for one.
func (a Direct) answer(h http.Header, req auth.Request, d auth.Decision, allowed int) (int, []byte) {
	h["Cache-Control"] = noStore
	code := status(h, d, allowed)
	var body []byte
	switch d.Verdict {
	case auth.Allow:
	case auth.SignIn:
		if req.Navigation && d.SignInURL != "" {
			delete(h, "Www-Authenticate")
			h["Location"] = []string{d.SignInURL}
			return redirection(req.Method), nil
		}
		body = document(h, map[string]string{"error": "unauthenticated", "sign_in_url": d.SignInURL})
	case auth.BadToken:
		body = document(h, map[string]string{"error": "invalid_token"})
	case auth.Unknown:
		body = document(h, map[string]string{"error": d.Reason.Code})
	default:
		if req.Navigation && a.Denied != nil {
			page := a.Denied(req, d)
			h["Content-Type"], h["X-Content-Type-Options"] = htmlType, nosniff
			h["Content-Security-Policy"] = []string{page.Policy}
			body = page.Body
		} else {
			body = document(h, map[string]string{"error": "forbidden", "reason": d.Reason.Code})
		}
	}
	return code, body
}

// redirection is the status of a redirect after which the browser makes a GET.
func redirection(method string) int {
	if method == http.MethodGet || method == http.MethodHead {
		return http.StatusFound
	}
	return http.StatusSeeOther
}

// document is the body of an answer that a program reads.
func document(h http.Header, fields map[string]string) []byte {
	h["Content-Type"], h["X-Content-Type-Options"] = jsonType, nosniff
	body, _ := json.Marshal(fields) // a map of strings always marshals
	return body
}

// send writes an answer to HTTP. That it is empty, the server says by itself.
func send(w http.ResponseWriter, code int, body []byte) {
	if len(body) == 0 {
		w.WriteHeader(code)
		return
	}
	w.Header()["Content-Length"] = []string{strconv.Itoa(len(body))}
	w.WriteHeader(code)
	_, _ = w.Write(body)
}
