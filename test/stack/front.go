package stack

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"

	"github.com/doorward/doorward/deploy"
)

// A Gateway is a configuration that the tests run: its main file, from the root
// of the repository.
type Gateway string

const (
	// PlainNginx is deploy/nginx as shipped.
	PlainNginx Gateway = "deploy/nginx/doorward.conf"
	// IngressNginx is what ingress-nginx renders for deploy/ingress-nginx.
	IngressNginx Gateway = "test/stack/testdata/ingress-nginx.conf"
	// Traefik is its ForwardAuth, configured by files.
	Traefik Gateway = "deploy/traefik/dynamic.yaml"
	// TraefikIngress is its provider for the annotations of ingress-nginx.
	TraefikIngress Gateway = "deploy/traefik/ingress-nginx-provider.yaml"
	// TraefikKubernetes is its ForwardAuth, configured by its own resources.
	TraefikKubernetes Gateway = "deploy/traefik/kubernetes.yaml"
	// Caddy is its forward_auth.
	Caddy Gateway = "deploy/caddy/Caddyfile"
	// EnvoyHTTP is ext_authz over HTTP.
	EnvoyHTTP Gateway = "deploy/envoy/envoy-http.yaml"
	// EnvoyGRPC is ext_authz over gRPC.
	EnvoyGRPC Gateway = "deploy/envoy/envoy-grpc.yaml"
	// HAProxy asks with a script of ours.
	HAProxy Gateway = "deploy/haproxy/haproxy.cfg"
)

// Front is the gateway in front of the app and of Doorward's pages.
type Front struct {
	Gateway Gateway
	Dir     string
	Listen  string // host:port

	// What stands in the configuration in place of the shipped values.
	AppHost, AuthHost string // names, without port
	AuthURL           string // origin, with the port of Listen
	App, Doorward     string // where they listen: host:port, or unix:/path for Doorward
	DoorwardGRPC      string // host:port
	CertFile, KeyFile string // both empty: plain http
	Replace           [][2]string

	process    *Process
	kubernetes *kubernetes // only for gateways that read their configuration from it
}

// Start renders the configuration, starts the gateway and waits until it takes
// connections and knows the app.
func (f *Front) Start(ctx context.Context) error {
	command, err := f.command()
	if err != nil {
		return fmt.Errorf("stack: configure %s: %w", f.Gateway, err)
	}
	command.Dir = f.Dir
	if f.process, err = Start(command); err != nil {
		return err
	}
	if f.Gateway == PlainNginx || f.Gateway == IngressNginx {
		return f.process.Await(ctx, accepts(f.Listen))
	}
	return f.process.Await(ctx, f.routes)
}

func (f *Front) command() (Command, error) {
	switch f.Gateway {
	case PlainNginx, IngressNginx:
		return f.nginx()
	case Traefik:
		return f.traefik()
	case TraefikIngress:
		return f.traefikIngress()
	case TraefikKubernetes:
		return f.traefikKubernetes()
	case Caddy:
		return f.caddy()
	case EnvoyHTTP, EnvoyGRPC:
		return f.envoy()
	case HAProxy:
		return f.haproxy()
	}
	return Command{}, errors.New("no such gateway")
}

// routes is a condition for Await: some gateways listen before they have read
// all of their configuration, and call every host unknown until then.
func (f *Front) routes(ctx context.Context) error {
	scheme := "http"
	if f.CertFile != "" {
		scheme = "https"
	}
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			var dialer net.Dialer
			return dialer.DialContext(ctx, network, f.Listen)
		},
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, // #nosec G402 -- whether it answers is all that counts
		DisableKeepAlives: true,
	}
	for _, host := range []string{f.AuthHost, f.AppHost} {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+host+"/", nil)
		if err != nil {
			return err
		}
		res, err := transport.RoundTrip(req)
		if err != nil {
			return err
		}
		if err := res.Body.Close(); err != nil {
			return err
		}
		if res.StatusCode == http.StatusNotFound {
			return fmt.Errorf("%s is not known yet", host)
		}
	}
	return nil
}

// Process is what Start started last, nil before.
func (f *Front) Process() *Process { return f.process }

// Stop stops the gateway.
func (f *Front) Stop() error {
	var err error
	if f.process != nil {
		err = f.process.Stop()
	}
	if f.kubernetes != nil {
		err = errors.Join(err, f.kubernetes.stop())
	}
	return err
}

// render writes a file of the repository into the run's directory, with the
// values of this run in place of the shipped ones and a few lines before it.
func (f *Front) render(shipped, name, before string, pairs [][2]string) error {
	root, err := Root()
	if err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(root, shipped))
	if err != nil {
		return err
	}
	if shipped == string(f.Gateway) {
		pairs = append(f.Replace[:len(f.Replace):len(f.Replace)], pairs...)
	}
	rendered, err := deploy.Render(string(text), pairs)
	if err != nil {
		return fmt.Errorf("%s: %w", shipped, err)
	}
	return os.WriteFile(filepath.Join(f.Dir, name), []byte(before+rendered), 0o600)
}
