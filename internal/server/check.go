package server

import (
	"net/http"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/gate"
	"github.com/doorward/doorward/internal/gateway"
)

// check answers a gateway, in the dialect that choose picks for its question.
func (s *Server) check(endpoint string, choose func(http.Header) gateway.Dialect) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 {
			// A gateway that passes on the length of a body seldom passes on the
			// body. Closing keeps net/http from waiting for it.
			w.Header().Set("Connection", "close")
		}
		dialect := choose(r.Header)
		req, err := dialect.Read(r)
		var d auth.Decision
		if err == nil {
			d = s.Gate.Check(r.Context(), req)
		} else {
			d = gate.Refuse(err)
		}
		if d.Verdict == auth.Deny {
			req.ID = gate.RequestID(req.ID) // the page and the line in the log have the same
		}
		dialect.Answer(w, req, d)
		s.Gate.Report(endpoint, r.RemoteAddr, req, d, err)
	}
}

// only is the choice of an endpoint that speaks one dialect.
func only(dialect gateway.Dialect) func(http.Header) gateway.Dialect {
	return func(http.Header) gateway.Dialect { return dialect }
}
