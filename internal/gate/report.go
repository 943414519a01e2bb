package gate

import (
	"crypto/rand"
	"errors"
	"strings"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/gateway"
)

// Refuse is the decision on a question that its dialect could not read.
func Refuse(err error) auth.Decision { return auth.Refuse(refusal(err).Reason) }

func refusal(err error) *gateway.Refusal {
	if refused, ok := errors.AsType[*gateway.Refusal](err); ok {
		return refused
	}
	return &gateway.Refusal{Reason: auth.MalformedHeaders}
}

// Report counts an answered check and writes the line of a denial. What passes,
// and who has yet to sign in, is the ordinary course of things and only counted.
// endpoint and peer say where the question came in and from whom; refused is the
// error of a question that could not be read.
func (g *Gate) Report(endpoint, peer string, req auth.Request, d auth.Decision, refused error) {
	g.Metrics.Check(endpoint, d.Verdict.String(), d.Reason.Code)
	if d.Verdict == auth.Allow || d.Verdict == auth.SignIn {
		return
	}
	line := g.Log.With(
		"event", "check", "endpoint", endpoint,
		"verdict", d.Verdict.String(), "reason", d.Reason.Code, "rule", d.Rule,
		"user", d.User.ID, "email", d.User.Email,
		"method", req.Method, "host", req.Host, "path", req.Path,
		"client", req.Client, "peer", peer, "request_id", RequestID(req.ID),
	)
	switch {
	case d.Verdict == auth.Unknown:
		line.Error("cannot tell who is signed in", "error", d.Cause)
	case d.Verdict == auth.BadToken:
		line.Info("a bearer token was refused", "error", d.Cause)
	case refused != nil:
		line.Warn("a question was refused", "detail", refusal(refused).Detail)
	default:
		line.Info("denied")
	}
}

// RequestID is the id that a log line and a page share: the gateway's, or a new
// one where it gave none.
func RequestID(given string) string {
	if given != "" {
		return given
	}
	return strings.ToLower(rand.Text()[:12])
}
