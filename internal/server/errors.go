package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/gate"
	"github.com/doorward/doorward/internal/gateway"
	"github.com/doorward/doorward/internal/idp"
	"github.com/doorward/doorward/internal/server/pages"
)

// problem is an error with an answer of its own. Title and Text are for the
// person, Cause is for the log and never leaves it.
type problem struct {
	Status     int
	Reason     string // stable, for the log, JSON and the page
	Title      string
	Text       string
	RetryURL   string
	RetryLabel string
	RetryAfter int // seconds; 0: none
	Cause      error
}

func (p *problem) Error() string {
	if p.Cause == nil {
		return p.Reason
	}
	return p.Reason + ": " + p.Cause.Error()
}

// handler is a page or an answer for a script. It may fail as long as it has not
// written anything.
type handler func(w http.ResponseWriter, r *http.Request) error

// page makes an http.Handler of h. It sets the headers that every answer to a
// browser has, and is the one place that turns errors into answers.
func (s *Server) page(h handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Cache-Control", "no-store")
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("X-Frame-Options", "DENY")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("Content-Security-Policy", s.Pages.Policy())
		header.Set("Vary", "Accept, Cookie, Sec-Fetch-Mode")
		if r.ContentLength != 0 && r.Method != http.MethodPost {
			header.Set("Connection", "close") // as for a check: nobody waits for a body
		}
		if gateway.IsQuestion(r.Header) && r.URL.Path != s.Prefix+"/denied" {
			s.fail(w, r, misdirected())
			return
		}
		if err := h(w, r); err != nil {
			s.fail(w, r, err)
		}
	}
}

// misdirected is the answer to a gateway that sends its checks to a page. A page
// may well answer 200, which the gateway would take for a yes.
func misdirected() *problem {
	return &problem{
		Status: http.StatusForbidden, Reason: "not_a_check_endpoint",
		Title: "This is not where a gateway asks",
		Text:  "The gateway has to send its checks to /auth, /auth/nginx, /auth/forwarded or /auth/envoy, below the path prefix.",
	}
}

// fail answers with the page of an error, or with JSON when nobody asked for a
// page.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	var p *problem
	if !errors.As(err, &p) {
		p = &problem{
			Status: http.StatusInternalServerError, Reason: "internal",
			Title: "Something went wrong", Text: "This is our mistake, not yours.", Cause: err,
		}
	}
	id := gate.RequestID(gateway.RequestID(r.Header))
	level := s.Log.Info
	if p.Status >= 500 {
		level = s.Log.Error
	}
	level("a page could not be served", "event", "problem", "reason", p.Reason, "status", p.Status,
		"path", r.URL.Path, "cause", p.Cause, "request_id", id)
	if p.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(p.RetryAfter))
	}
	if !gateway.WantsHTML(r.Header) {
		writeJSON(w, p.Status, map[string]string{"error": p.Reason, "request_id": id})
		return
	}
	page := pages.Problem{
		Title: p.Title, Text: p.Text, Code: id + " " + p.Reason,
		RetryURL: p.RetryURL, RetryLabel: p.RetryLabel,
	}
	if html(w, p.Status, func(body io.Writer) error { return s.Pages.Problem(body, page) }) != nil {
		w.WriteHeader(p.Status)
	}
}

// storeUnavailable is the problem when nobody can tell who is signed in. It signs
// nobody out.
func storeUnavailable(cause error) *problem {
	return &problem{
		Status: http.StatusServiceUnavailable, Reason: auth.StoreUnavailable.Code, RetryAfter: 5, Cause: cause,
		Title: "We cannot tell who is signed in",
		Text:  "The session store does not answer at the moment. You stay signed in; please try again shortly.",
	}
}

// html answers with a page, whole or not at all: an error is that of rendering, and
// then nothing has been written. A browser that has gone away is none.
func html(w http.ResponseWriter, status int, render func(io.Writer) error) error {
	var body bytes.Buffer
	if err := render(&body); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = body.WriteTo(w)
	return nil
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func (s *Server) notFound(http.ResponseWriter, *http.Request) error {
	return &problem{
		Status: http.StatusNotFound, Reason: "not_found",
		Title: "There is nothing here", Text: "The address may be mistyped.",
	}
}

func (s *Server) methodNotAllowed(w http.ResponseWriter, r *http.Request) error {
	allowed := "GET"
	switch r.URL.Path {
	case s.Prefix + "/sign_out", s.Prefix + "/sessions":
		allowed = "GET, POST"
	case s.Prefix + "/backchannel_logout":
		allowed = "POST"
	}
	w.Header().Set("Allow", allowed)
	return &problem{
		Status: http.StatusMethodNotAllowed, Reason: "method_not_allowed",
		Title: "This cannot be done here", Text: "The page only answers " + allowed + " requests.",
	}
}

// unauthenticated answers a script that nobody is signed in for.
func (s *Server) unauthenticated(w http.ResponseWriter, site auth.Site, target string) error {
	w.Header().Set("Www-Authenticate", `Bearer realm="doorward"`)
	writeJSON(w, http.StatusUnauthorized, map[string]string{
		"error":       "unauthenticated",
		"sign_in_url": s.link(site, "/start", "rd", target),
	})
	return nil
}

// failedLogin is the problem of a login that the provider ended. again is where
// to begin another one.
func failedLogin(err error, again string) *problem {
	p := &problem{
		Status: http.StatusBadRequest, Reason: "login_failed",
		Title: "The sign-in did not work", Text: "Please try again.",
		RetryURL: again, Cause: err,
	}
	var down *idp.UnavailableError
	var rejected *idp.RejectedError
	var invalid *idp.InvalidError
	switch {
	case errors.As(err, &down):
		p.Status, p.Reason = http.StatusServiceUnavailable, "provider_unavailable"
		p.Title, p.Text = "The sign-in service is away", down.Public()+" Whoever is signed in already stays signed in."
		p.RetryAfter = max(1, int(down.RetryAfter.Seconds()))
	case errors.As(err, &rejected):
		p.Status, p.Reason = rejection(rejected.Code)
		p.Text = rejectionText(rejected.Code)
	case errors.As(err, &invalid):
		p.Status, p.Reason = http.StatusForbidden, "login_"+invalid.Reason
		p.Text = invalid.Public
	}
	return p
}

// rejection is the status and reason for an OAuth error code (RFC 6749 sections
// 4.1.2.1 and 5.2, OpenID Connect Core section 3.1.2.6). What the provider made
// up itself is not repeated.
func rejection(code string) (status int, reason string) {
	switch code {
	case "access_denied":
		return http.StatusForbidden, "login_access_denied"
	case "invalid_grant", "login_required", "interaction_required", "account_selection_required", "consent_required":
		return http.StatusBadRequest, "login_" + code
	case "server_error", "temporarily_unavailable":
		return http.StatusServiceUnavailable, "provider_unavailable"
	case "invalid_client", "unauthorized_client", "invalid_scope", "invalid_request", "unsupported_response_type":
		return http.StatusBadGateway, "login_" + code
	default:
		return http.StatusBadGateway, "login_rejected"
	}
}

func rejectionText(code string) string {
	switch code {
	case "access_denied":
		return "The sign-in was cancelled, or the sign-in service does not let this account in."
	case "invalid_grant":
		return "The sign-in took too long or was used already. Please begin again."
	case "login_required", "interaction_required", "account_selection_required", "consent_required":
		return "The sign-in service wants to ask you something first. Please begin again."
	case "server_error", "temporarily_unavailable":
		return "The sign-in service has a problem at the moment. Please try again shortly."
	default:
		return "The sign-in service refused the way in which this site asked. Whoever runs the site has to mend its settings."
	}
}
