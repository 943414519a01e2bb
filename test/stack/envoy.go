package stack

import (
	"net"
	"path/filepath"
	"strings"
)

// envoy puts a static configuration in place.
func (f *Front) envoy() (Command, error) {
	binary, err := Tool("envoy")
	if err != nil {
		return Command{}, err
	}
	config := filepath.Join(f.Dir, "envoy.yaml")
	return Command{
		Name: "envoy", Path: binary,
		// Several may run at a time, each on its own.
		Args: []string{"--config-path", config, "--disable-hot-restart", "--concurrency", "1"},
	}, f.render(string(f.Gateway), "envoy.yaml", "", f.envoyReplacements())
}

func (f *Front) envoyReplacements() [][2]string {
	all := [][2]string{
		{"address: 0.0.0.0, port_value: 443", socket(f.Listen)},
		{"address: 127.0.0.1, port_value: 4180", socket(f.Doorward)},
		{"address: 127.0.0.1, port_value: 8080", socket(f.App)},
		{"[app.example.com]", "[" + f.AppHost + "]"},
		{"[auth.example.com]", "[" + f.AuthHost + "]"},
	}
	if f.Gateway == EnvoyGRPC {
		all = append(all, [2]string{"address: 127.0.0.1, port_value: 4182", socket(f.DoorwardGRPC)})
	}
	if f.CertFile == "" {
		return append(all, [2]string{tlsOfEnvoy, strings.Repeat(" ", 8) + "- filters:\n"})
	}
	return append(all, [][2]string{
		{"/etc/ssl/example.com.pem", f.CertFile},
		{"/etc/ssl/example.com.key", f.KeyFile},
	}...)
}

// socket is a host:port as Envoy writes it.
func socket(address string) string {
	host, port, _ := net.SplitHostPort(address) // it is ours, and has both
	return "address: " + host + ", port_value: " + port
}

// tlsOfEnvoy is what makes the shipped listener speak TLS.
const tlsOfEnvoy = `        - transport_socket:
            name: envoy.transport_sockets.tls
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
              common_tls_context:
                alpn_protocols: [h2, http/1.1]
                tls_certificates:
                  - certificate_chain: { filename: /etc/ssl/example.com.pem }
                    private_key: { filename: /etc/ssl/example.com.key }
          filters:
`
