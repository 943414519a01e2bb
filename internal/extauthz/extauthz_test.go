package extauthz_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"net"
	"net/http/httptest"
	"net/netip"
	"sync"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/extauthz"
	"github.com/doorward/doorward/internal/gate"
	"github.com/doorward/doorward/internal/gateway"
	"github.com/doorward/doorward/internal/headers"
	"github.com/doorward/doorward/internal/policy"
	"github.com/doorward/doorward/internal/session"
	"github.com/doorward/doorward/internal/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// envoy is a server for one test, and the cookies of as many users as it wants.
func envoy(t *testing.T, creds credentials.TransportCredentials, users ...string) (address string, cookies []string) {
	t.Helper()
	keys, err := session.NewKeyring([][]byte{bytes.Repeat([]byte{7}, 32)})
	must(t, err)
	sites := auth.Sites{{Scheme: "https", Host: "auth.example.com", CookieDomain: "example.com"}}
	render := headers.New(headers.Config{Families: []string{"x-auth-request"}})
	sessions, err := session.NewCookieStore(session.CookieConfig{
		Keys: keys, Sites: sites, Name: "doorward", Lifetime: time.Hour, Render: render.Render, Now: time.Now,
	})
	must(t, err)
	for _, user := range users {
		w := httptest.NewRecorder()
		_, err := sessions.Create(w, httptest.NewRequest("GET", "/", nil), sites[0], session.Session{User: auth.User{Subject: user, ID: user}})
		must(t, err)
		cookie := w.Result().Cookies()[0]
		cookies = append(cookies, cookie.Name+"="+cookie.Value)
	}
	g := &gate.Gate{
		Sessions: sessions, Sites: sites, StartPath: "/start",
		Log: telemetry.NewLog(io.Discard, 0, "json"), Metrics: telemetry.NewMetrics("test"),
	}
	g.Govern(&gate.Rules{
		Nobody: render.Render(auth.User{}, auth.Tokens{}),
		Set:    policy.New([]policy.Rule{{Name: "all", Allow: &policy.Allow{Any: true}}}, []string{"*.example.com"}, time.Now),
	})
	settings := gateway.Settings{Proxies: gateway.Proxies{netip.MustParsePrefix("127.0.0.0/8")}}
	server, _ := extauthz.NewGRPC(&extauthz.Server{Gate: g, Dialect: gateway.GRPC{Settings: settings}}, creds)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(listener) })
	t.Cleanup(func() { server.Stop(); serving.Wait() })
	return listener.Addr().String(), cookies
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func dial(t *testing.T, address string, creds credentials.TransportCredentials) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(creds))
	must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func question(cookie string) *authv3.CheckRequest {
	return &authv3.CheckRequest{Attributes: &authv3.AttributeContext{Request: &authv3.AttributeContext_Request{
		Http: &authv3.AttributeContext_HttpRequest{
			Method: "GET", Scheme: "https", Host: "app.example.com", Path: "/x",
			Headers: map[string]string{"cookie": cookie, "sec-fetch-mode": "navigate"},
		},
	}}}
}

// TestParallelStreams is CON-1 over gRPC: many checks on one connection, each of
// somebody else, and never anybody else's answer.
func TestParallelStreams(t *testing.T) {
	var users []string
	for i := range 32 {
		users = append(users, "user-"+string(rune('A'+i)))
	}
	address, cookies := envoy(t, nil, users...)
	client := authv3.NewAuthorizationClient(dial(t, address, insecure.NewCredentials()))
	var group sync.WaitGroup
	for i, user := range users {
		group.Go(func() {
			for range 50 {
				answer, err := client.Check(t.Context(), question(cookies[i]))
				if err != nil {
					t.Error(err)
					return
				}
				if got := answer.GetOkResponse().GetHeaders()[0].GetHeader().GetValue(); got != user {
					t.Errorf("%s is answered as %q", user, got)
				}
			}
		})
	}
	group.Wait()
}

func TestNobody(t *testing.T) {
	address, _ := envoy(t, nil)
	client := authv3.NewAuthorizationClient(dial(t, address, insecure.NewCredentials()))
	answer, err := client.Check(t.Context(), question(""))
	must(t, err)
	if codes.Code(answer.GetStatus().GetCode()) != codes.Unauthenticated || answer.GetDeniedResponse().GetStatus().GetCode() != 302 {
		t.Errorf("%v", answer)
	}
}

func TestHealth(t *testing.T) {
	address, _ := envoy(t, nil)
	answer, err := healthv1.NewHealthClient(dial(t, address, insecure.NewCredentials())).Check(t.Context(), &healthv1.HealthCheckRequest{})
	must(t, err)
	if answer.GetStatus() != healthv1.HealthCheckResponse_SERVING {
		t.Errorf("%v", answer)
	}
}

// TestLimit is LIM-1: a question larger than any request's headers is refused
// before it is read.
func TestLimit(t *testing.T) {
	address, _ := envoy(t, nil)
	client := authv3.NewAuthorizationClient(dial(t, address, insecure.NewCredentials()))
	if _, err := client.Check(t.Context(), question(string(make([]byte, 300<<10)))); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("%v", err)
	}
}

// TestMutualTLS: with an authority configured, Envoy has to show a certificate.
func TestMutualTLS(t *testing.T) {
	authority, pair := certificate(t)
	address, cookies := envoy(t, credentials.NewTLS(&tls.Config{
		Certificates: []tls.Certificate{pair}, ClientCAs: authority, ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS12,
	}), "ada")
	for _, tt := range []struct {
		name string
		conf *tls.Config
		ok   bool
	}{
		{"with a certificate", &tls.Config{RootCAs: authority, ServerName: "doorward", Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}, true},
		{"without one", &tls.Config{RootCAs: authority, ServerName: "doorward", MinVersion: tls.VersionTLS12}, false},
	} {
		client := authv3.NewAuthorizationClient(dial(t, address, credentials.NewTLS(tt.conf)))
		if _, err := client.Check(t.Context(), question(cookies[0])); (err == nil) != tt.ok {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// certificate makes one that is its own authority.
func certificate(t *testing.T) (*x509.CertPool, tls.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "doorward"}, DNSNames: []string{"doorward"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(t, err)
	parsed, err := x509.ParseCertificate(der)
	must(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return pool, tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// panicking is a store with a mistake in it.
type panicking struct{ session.Store }

func (panicking) Load(context.Context, auth.Request) (session.Session, error) { panic("a mistake") }

// TestPanic: a check that panics lets nobody in, and the process lives.
func TestPanic(t *testing.T) {
	log := telemetry.NewLog(io.Discard, 0, "json")
	g := &gate.Gate{Sessions: panicking{}, Log: log, Metrics: telemetry.NewMetrics("test")}
	g.Govern(&gate.Rules{Set: policy.New([]policy.Rule{{Name: "all", Allow: &policy.Allow{Any: true}}}, []string{"*.example.com"}, time.Now)})
	settings := gateway.Settings{Proxies: gateway.Proxies{netip.MustParsePrefix("127.0.0.0/8")}}
	s := &extauthz.Server{Gate: g, Dialect: gateway.GRPC{Settings: settings}}
	ctx := peer.NewContext(t.Context(), &peer.Peer{Addr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}})
	answer, err := s.Check(ctx, question("a=b"))
	must(t, err)
	if codes.Code(answer.GetStatus().GetCode()) != codes.Unavailable || answer.GetDeniedResponse().GetStatus().GetCode() != 503 {
		t.Errorf("SES-4: %v", answer)
	}
}
