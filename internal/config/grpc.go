package config

import (
	"crypto/tls"
	"crypto/x509"
	"strings"
)

// GRPC is the listener for Envoy's gRPC ext_authz.
type GRPC struct {
	Listen Listener // zero: off

	// Certificate is set for TLS, and ClientCAs when a client has to show a
	// certificate of one of these authorities.
	Certificate *tls.Certificate
	ClientCAs   *x509.CertPool
}

// Names of the files that make the gRPC listener speak TLS.
const (
	grpcListen   = "DOORWARD_GRPC_LISTEN"
	grpcCert     = "DOORWARD_GRPC_TLS_CERT_FILE"
	grpcKey      = "DOORWARD_GRPC_TLS_KEY_FILE"
	grpcClientCA = "DOORWARD_GRPC_CLIENT_CA_FILE"
)

func (r *reader) grpc(s *spec, taken ...Listener) GRPC {
	var g GRPC
	cert, key, clientCA := strings.TrimSpace(s.GRPCTlsCertFile), strings.TrimSpace(s.GRPCTlsKeyFile), strings.TrimSpace(s.GRPCClientCaFile)
	if r.plain(grpcListen, s.GRPCListen) == "off" {
		for name, text := range map[string]string{grpcCert: cert, grpcKey: key, grpcClientCA: clientCA} {
			if text != "" {
				r.mistake(name, "has no effect without %s; unset it, or set that one", grpcListen)
			}
		}
		return g
	}
	g.Listen = r.listener(grpcListen, s.GRPCListen)
	for _, other := range taken {
		if g.Listen == other && !strings.HasSuffix(other.Address, ":0") {
			r.mistake(grpcListen, "is the same as another listener; gRPC needs an address of its own")
		}
	}
	if (cert == "") != (key == "") {
		r.mistake(grpcCert, "and %s go together; set both or none", grpcKey)
	}
	switch {
	case clientCA == "":
	case cert == "":
		r.mistake(grpcClientCA, "needs %s and %s beside it", grpcCert, grpcKey)
	default:
		g.ClientCAs = r.authorities(grpcClientCA, clientCA)
	}
	g.Certificate = r.keyPair(cert, key)
	return g
}

// keyPair reads a certificate and its private key; nil when neither is named.
func (r *reader) keyPair(cert, key string) *tls.Certificate {
	if cert == "" || key == "" {
		return nil
	}
	var content [2][]byte
	for i, file := range [2]struct{ name, path string }{{grpcCert, cert}, {grpcKey, key}} {
		var err error
		if content[i], err = readFile(file.path); err != nil {
			r.mistake(file.name, "cannot read %s: %v", shownPath(file.path), err)
		}
	}
	if content[0] == nil || content[1] == nil {
		return nil
	}
	pair, err := tls.X509KeyPair(content[0], content[1])
	if err != nil {
		r.mistake(grpcCert, "is no certificate in PEM that belongs to the key of %s", grpcKey)
		return nil
	}
	return &pair
}

// authorities reads certificates of authorities, in PEM.
func (r *reader) authorities(name, path string) *x509.CertPool {
	content, err := readFile(path)
	if err != nil {
		r.mistake(name, "cannot read %s: %v", shownPath(path), err)
		return nil
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(content) {
		r.mistake(name, "%s holds no certificate in PEM", shownPath(path))
		return nil
	}
	return pool
}
