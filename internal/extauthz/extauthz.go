// Package extauthz serves checks over gRPC, as Envoy's ext_authz filter asks them
// (envoy.service.auth.v3.Authorization). The decision is the same gate.Check.
package extauthz

import (
	"context"
	"fmt"
	"runtime/debug"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/peer"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/gate"
	"github.com/doorward/doorward/internal/gateway"
)

// Limits of the listener (SECURITY.md LIM-1). A question is the headers of one
// request; Envoy holds them to 60 KiB.
const (
	maxQuestion = 256 << 10
	maxStreams  = 1024 // at a time, on one connection
)

// Server answers Envoy. Gate and Dialect are required.
type Server struct {
	authv3.UnimplementedAuthorizationServer

	Gate    *gate.Gate
	Dialect gateway.GRPC
}

// Check implements authv3.AuthorizationServer. It never fails: what cannot be
// judged is a denial, because Envoy may be set to let errors pass. A panic must not
// end the process, as it does not end it over HTTP.
func (s *Server) Check(ctx context.Context, question *authv3.CheckRequest) (answer *authv3.CheckResponse, err error) {
	defer func() {
		if p := recover(); p != nil {
			cause := fmt.Errorf("extauthz: check: panic of type %T", p)
			s.Gate.Log.Error("a check panicked", "event", "check", "error", cause, "stack", string(debug.Stack()))
			answer, err = s.Dialect.Answer(auth.Request{}, auth.CannotTell("", cause)), nil
		}
	}()
	return s.check(ctx, question), nil
}

func (s *Server) check(ctx context.Context, question *authv3.CheckRequest) *authv3.CheckResponse {
	from := "unknown" // is nobody's address, and nobody trusts it
	if p, ok := peer.FromContext(ctx); ok {
		from = p.Addr.String()
	}
	req, err := s.Dialect.Read(from, question)
	var d auth.Decision
	if err == nil {
		d = s.Gate.Check(ctx, req)
	} else {
		d = gate.Refuse(err)
	}
	if d.Verdict == auth.Deny {
		req.ID = gate.RequestID(req.ID) // the page and the line in the log have the same
	}
	s.Gate.Report("grpc", from, req, d, err)
	return s.Dialect.Answer(req, d)
}

// NewGRPC returns a gRPC server with the check and the standard health service.
// creds may be nil: then it speaks plain text, as inside a mesh.
func NewGRPC(s *Server, creds credentials.TransportCredentials) (*grpc.Server, *health.Server) {
	options := []grpc.ServerOption{grpc.MaxRecvMsgSize(maxQuestion), grpc.MaxConcurrentStreams(maxStreams)}
	if creds != nil {
		options = append(options, grpc.Creds(creds))
	}
	server := grpc.NewServer(options...)
	healthy := health.NewServer()
	authv3.RegisterAuthorizationServer(server, s)
	healthv1.RegisterHealthServer(server, healthy)
	return server, healthy
}
