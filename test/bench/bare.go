package main

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime/metrics"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"context"

	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
)

// serveSubject is this program as one of the servers that Doorward is put beside.
func serveSubject(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("usage: bench [bare|bare-grpc ADDRESS]")
	}
	switch args[0] {
	case "bare":
		return http.ListenAndServe(args[1], http.HandlerFunc(bare)) // #nosec G114 -- bare is the point
	case "bare-grpc":
		return serveBareGRPC(args[1])
	}
	return fmt.Errorf("there is no subject %q", args[0])
}

// bare is the least that a check can be in net/http: the answer of an allow, for
// everybody.
func bare(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == mallocsPath {
		fmt.Fprintf(w, "go_memstats_mallocs_total %d\n", mallocs())
		return
	}
	h := w.Header()
	h.Set("X-Auth-Request-User", "f1b4f4c0-8f7e-4b6e-9d3a-2f1f5a9f7c11")
	h.Set("X-Auth-Request-Email", "ada@example.com")
	h.Set("X-Auth-Request-Groups", "sre,platform")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusAccepted)
}

// mallocsPath is where a server tells how many objects it has allocated, in the
// words of Doorward's /metrics.
const mallocsPath = "/metrics"

// mallocs counts as Doorward's /metrics does, tiny objects included.
func mallocs() uint64 {
	samples := []metrics.Sample{{Name: "/gc/heap/allocs:objects"}, {Name: "/gc/heap/tiny/allocs:objects"}}
	metrics.Read(samples)
	return samples[0].Value.Uint64() + samples[1].Value.Uint64()
}

// bareGRPC is the same over gRPC.
type bareGRPC struct {
	authv3.UnimplementedAuthorizationServer
}

func (bareGRPC) Check(context.Context, *authv3.CheckRequest) (*authv3.CheckResponse, error) {
	ok := &authv3.OkHttpResponse{}
	for _, header := range [][2]string{
		{"X-Auth-Request-User", "f1b4f4c0-8f7e-4b6e-9d3a-2f1f5a9f7c11"},
		{"X-Auth-Request-Email", "ada@example.com"},
		{"X-Auth-Request-Groups", "sre,platform"},
		{"Cache-Control", "no-store"},
	} {
		ok.Headers = append(ok.Headers, &corev3.HeaderValueOption{
			Header:       &corev3.HeaderValue{Key: header[0], Value: header[1]},
			AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
		})
	}
	return &authv3.CheckResponse{
		Status:       &rpcstatus.Status{Code: int32(codes.OK)},
		HttpResponse: &authv3.CheckResponse_OkResponse{OkResponse: ok},
	}, nil
}

func serveBareGRPC(address string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	s := grpc.NewServer()
	authv3.RegisterAuthorizationServer(s, bareGRPC{})
	if err := s.Serve(listener); !errors.Is(err, grpc.ErrServerStopped) {
		return err
	}
	return nil
}
