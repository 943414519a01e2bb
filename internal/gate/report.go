package gate

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
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
	level, words, why := occasion(d, refused)
	g.Log.LogAttrs(context.Background(), level, words,
		slog.String("event", "check"), slog.String("endpoint", endpoint),
		slog.String("verdict", d.Verdict.String()), slog.String("reason", d.Reason.Code), slog.String("rule", d.Rule),
		slog.String("user", d.User.ID), slog.String("email", d.User.Email),
		slog.String("method", req.Method), slog.String("host", req.Host), slog.String("path", req.Path),
		slog.Any("client", req.Client), slog.String("peer", peer), slog.String("request_id", RequestID(req.ID)), why)
}

// occasion is how loud the line of a denial is, what it says, and what it says why.
func occasion(d auth.Decision, refused error) (slog.Level, string, slog.Attr) {
	switch {
	case d.Verdict == auth.Unknown:
		return slog.LevelError, "cannot tell who is signed in", slog.Any("error", d.Cause)
	case d.Verdict == auth.BadToken:
		return slog.LevelInfo, "a bearer token was refused", slog.Any("error", d.Cause)
	case refused != nil:
		return slog.LevelWarn, "a question was refused", slog.String("detail", refusal(refused).Detail)
	}
	return slog.LevelInfo, "denied", slog.Attr{}
}

// RequestID is the id that a log line and a page share: the gateway's, or a new
// one where it gave none.
func RequestID(given string) string {
	if given != "" {
		return given
	}
	return strings.ToLower(rand.Text()[:12])
}
