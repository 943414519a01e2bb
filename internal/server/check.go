package server

import (
	"errors"
	"net/http"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/gateway"
)

// check answers a gateway that asks in this dialect.
func (s *Server) check(endpoint string, dialect gateway.Dialect) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 {
			// A gateway that passes on the length of a body seldom passes on the
			// body. Closing keeps net/http from waiting for it.
			w.Header().Set("Connection", "close")
		}
		req, err := dialect.Read(r)
		var d auth.Decision
		if err == nil {
			d = s.Gate.Check(r.Context(), req)
		} else {
			d = auth.Refuse(refusal(err).Reason)
		}
		dialect.Answer(w, req, d)
		s.Metrics.Check(endpoint, d.Verdict.String(), d.Reason.Code)
		s.audit(r, endpoint, req, d, err)
	}
}

// refusal is the error of a dialect.
func refusal(err error) *gateway.Refusal {
	var refused *gateway.Refusal
	if errors.As(err, &refused) {
		return refused
	}
	return &gateway.Refusal{Reason: auth.MalformedHeaders}
}

// audit writes the line of a denial. What passes, and who has yet to sign in, is
// the ordinary course of things and only counted.
func (s *Server) audit(r *http.Request, endpoint string, req auth.Request, d auth.Decision, refused error) {
	if d.Verdict == auth.Allow || d.Verdict == auth.SignIn {
		return
	}
	line := s.Log.With(
		"event", "check", "endpoint", endpoint,
		"verdict", d.Verdict.String(), "reason", d.Reason.Code, "rule", d.Rule,
		"user", d.User.ID, "email", d.User.Email,
		"method", req.Method, "host", req.Host, "path", req.Path,
		"client", req.Client, "peer", r.RemoteAddr, "request_id", requestID(req.ID),
	)
	switch {
	case d.Verdict == auth.Unknown:
		line.Error("cannot tell who is signed in", "error", d.Cause)
	case refused != nil:
		line.Warn("a question was refused", "detail", refusal(refused).Detail)
	default:
		line.Info("denied")
	}
}
