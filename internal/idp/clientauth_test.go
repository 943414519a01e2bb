package idp

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/doorward/doorward/internal/idp/idptest"
)

// write puts a file into dir, with a time of change that no other has.
func write(t *testing.T, path string, content []byte) string {
	t.Helper()
	info, statErr := os.Stat(path)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if statErr == nil {
		later := info.ModTime().Add(time.Second)
		if err := os.Chtimes(path, later, later); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

func pkcs8(t *testing.T, key crypto.Signer) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// certificate is a self-signed one of the key.
func certificate(t *testing.T, key crypto.Signer, name string) []byte {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func newECKey(t *testing.T, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newRSAKey(t *testing.T, bits int) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// assertions reads what a client proved itself with, and keeps the header and the
// claims of the last one.
type assertions struct {
	key    crypto.PublicKey
	header map[string]any
	claims map[string]any
	seen   map[any]bool
}

func (a *assertions) good(form url.Values, _ *http.Request) bool {
	if form.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" {
		return false
	}
	raw := form.Get("client_assertion")
	jws, err := jose.ParseSignedCompact(raw, algorithms)
	if err != nil {
		return false
	}
	payload, err := jws.Verify(a.key)
	head, _ := base64.RawURLEncoding.DecodeString(strings.SplitN(raw, ".", 2)[0])
	a.header, a.claims = map[string]any{}, map[string]any{}
	if err != nil || json.Unmarshal(head, &a.header) != nil || json.Unmarshal(payload, &a.claims) != nil {
		return false
	}
	again := a.seen[a.claims["jti"]]
	if a.seen == nil {
		a.seen = map[any]bool{}
	}
	a.seen[a.claims["jti"]] = true
	lifetime := a.claims["exp"].(float64) - a.claims["iat"].(float64)
	return !again && a.claims["iss"] == "client" && a.claims["sub"] == "client" && lifetime > 0 && lifetime <= 300
}

func TestPrivateKeyJWT(t *testing.T) {
	rsaKey, p256, p384 := newRSAKey(t, 2048), newECKey(t, elliptic.P256()), newECKey(t, elliptic.P384())
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sec1, err := x509.MarshalECPrivateKey(p256)
	if err != nil {
		t.Fatal(err)
	}
	jwk := func(key any, alg string) []byte {
		raw, err := json.Marshal(jose.JSONWebKey{Key: key, KeyID: "of the jwk", Algorithm: alg})
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	onlyPSS := func(doc map[string]any) {
		doc["token_endpoint_auth_signing_alg_values_supported"] = []string{"PS256", "ES256"}
	}
	for _, tt := range []struct {
		name     string
		key      crypto.Signer
		file     []byte
		cert     []byte
		kid      string // configured
		doc      func(map[string]any)
		alg, has string // of the header
	}{
		{"RSA, PKCS #8", rsaKey, pkcs8(t, rsaKey), nil, "", nil, "RS256", ""},
		{"RSA, PKCS #1", rsaKey, pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(rsaKey)}), nil, "", nil, "RS256", ""},
		{"RSA where PS256 is offered alone", rsaKey, pkcs8(t, rsaKey), nil, "", onlyPSS, "PS256", ""},
		{"P-256, SEC 1", p256, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: sec1}), nil, "configured", nil, "ES256", "configured"},
		{"P-384", p384, pkcs8(t, p384), nil, "", nil, "ES384", ""},
		{"Ed25519", ed, pkcs8(t, ed), nil, "", nil, "EdDSA", ""},
		{"behind a certificate in the same file", p256, append(certificate(t, p256, "client"), pkcs8(t, p256)...), nil, "", nil, "ES256", ""},
		{"JWK", p256, jwk(p256, ""), nil, "", nil, "ES256", "of the jwk"},
		{"JWK bound to an algorithm", rsaKey, jwk(rsaKey, "PS384"), nil, "", nil, "PS384", "of the jwk"},
		{"with a certificate, as Entra wants it", rsaKey, pkcs8(t, rsaKey), certificate(t, rsaKey, "client"), "", nil, "RS256", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			op := startOP(t)
			seen := &assertions{key: tt.key.Public()}
			op.Set(func(b *idptest.Behaviour) { b.Proven, b.PushedRequests, b.Discovery = seen.good, true, tt.doc })
			p := rp(t, op, func(c *Config) {
				c.ClientSecret, c.ClientAuth, c.ClientKeyID = "", AuthPrivateKey, tt.kid
				c.ClientKeyFile = write(t, filepath.Join(t.TempDir(), "key"), tt.file)
				if tt.cert != nil {
					c.ClientCertFile = write(t, filepath.Join(t.TempDir(), "cert"), tt.cert)
				}
			})
			if _, err := signIn(t, op, p); err != nil {
				t.Fatal(err)
			}
			if len(seen.seen) != 2 {
				t.Errorf("RFC 7523: %d assertions for a pushed request and a code", len(seen.seen))
			}
			kid, _ := seen.header["kid"].(string)
			if seen.header["alg"] != tt.alg || kid != tt.has || seen.claims["aud"] != op.Issuer() {
				t.Errorf("header %v, claims %v", seen.header, seen.claims)
			}
			if tt.cert != nil {
				block, _ := pem.Decode(tt.cert)
				sum := sha256.Sum256(block.Bytes)
				if seen.header["x5t#S256"] != base64.RawURLEncoding.EncodeToString(sum[:]) {
					t.Errorf("header %v", seen.header)
				}
			}
		})
	}
}

func TestClientKeysThatAreRefused(t *testing.T) {
	small, p224, p256 := newSmallRSAKey(t), newECKey(t, elliptic.P224()), newECKey(t, elliptic.P256())
	public, err := json.Marshal(jose.JSONWebKey{Key: p256.Public()})
	if err != nil {
		t.Fatal(err)
	}
	bound, err := json.Marshal(jose.JSONWebKey{Key: p256, Algorithm: "RS256"})
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"empty":                       {},
		"text":                        []byte("hunter2"),
		"a certificate":               certificate(t, p256, "client"),
		"RSA of 1024 bits":            small,
		"P-224":                       pkcs8(t, p224),
		"a public JWK":                public,
		"a JWK of another algorithm":  bound,
		"a JWK with a name twice":     []byte(`{"kty":"oct","kty":"oct","k":"aHVudGVyMg"}`),
		"a symmetric JWK":             []byte(`{"kty":"oct","k":"aHVudGVyMg"}`),
		"PEM of nothing":              []byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
		"LIM-2 a file of two million": []byte(strings.Repeat("x", 2<<20)),
	} {
		path := write(t, filepath.Join(t.TempDir(), "key"), content)
		_, err := New(Config{Name: "corp", IssuerURL: "https://id.example.com", ClientID: "c", Discovery: true, ClientAuth: AuthPrivateKey, ClientKeyFile: path})
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("CFG-1 %s: %v", name, err)
		}
	}
	path := write(t, filepath.Join(t.TempDir(), "key"), pkcs8(t, p256))
	other := write(t, filepath.Join(t.TempDir(), "cert"), certificate(t, p224, "other"))
	_, err = New(Config{Name: "corp", IssuerURL: "https://id.example.com", ClientID: "c", Discovery: true, ClientAuth: AuthPrivateKey, ClientKeyFile: path, ClientCertFile: other})
	if err == nil || !strings.Contains(err.Error(), "not that of the key") {
		t.Errorf("CFG-1 another key's certificate: %v", err)
	}
}

// newSmallRSAKey is a key that this Go would not make any more.
func newSmallRSAKey(t *testing.T) []byte {
	t.Helper()
	t.Setenv("GODEBUG", "rsa1024min=0")
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	return pkcs8(t, key)
}

func TestClientAuthThatLacksSomething(t *testing.T) {
	for method, want := range map[string]string{
		AuthBasic: "client secret is missing", AuthPost: "client secret is missing", AuthPrivateKey: "client key is missing",
		AuthTLS: "client certificate is missing", AuthFederated: "client token is missing", "tls": `no client authentication "tls"`,
	} {
		_, err := New(Config{Name: "corp", IssuerURL: "https://id.example.com", ClientID: "c", Discovery: true, ClientAuth: method})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("CFG-1 %s: %v", method, err)
		}
	}
}

func TestClientKeyIsReadAgain(t *testing.T) {
	op := startOP(t)
	first, second := newECKey(t, elliptic.P256()), newECKey(t, elliptic.P256())
	seen := &assertions{key: first.Public()}
	op.Set(func(b *idptest.Behaviour) { b.Proven = seen.good })
	path := write(t, filepath.Join(t.TempDir(), "key"), pkcs8(t, first))
	p := rp(t, op, func(c *Config) { c.ClientSecret, c.ClientAuth, c.ClientKeyFile = "", AuthPrivateKey, path })
	for _, step := range []struct {
		name string
		file []byte
		key  crypto.Signer
	}{
		{"as it is", pkcs8(t, first), first},
		{"replaced", pkcs8(t, second), second},
		{"half of it: the old one stays", pkcs8(t, first)[:50], second},
		{"whole again", pkcs8(t, first), first},
	} {
		write(t, path, step.file)
		op.Set(func(*idptest.Behaviour) { seen.key = step.key.Public() })
		if _, err := signIn(t, op, p); err != nil {
			t.Errorf("%s: %v", step.name, err)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := signIn(t, op, p); err != nil {
		t.Errorf("removed, the last one is used: %v", err)
	}
}

func TestFederatedToken(t *testing.T) {
	op := startOP(t)
	var got string
	op.Set(func(b *idptest.Behaviour) {
		b.Proven = func(form url.Values, _ *http.Request) bool {
			got = form.Get("client_assertion")
			return form.Get("client_assertion_type") == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" && got != ""
		}
	})
	path := write(t, filepath.Join(t.TempDir(), "token"), []byte("aaa.first.ccc\n"))
	p := rp(t, op, func(c *Config) { c.ClientSecret, c.ClientAuth, c.ClientTokenFile = "", AuthFederated, path })
	for _, want := range []string{"aaa.first.ccc", "aaa.second.ccc"} {
		write(t, path, []byte(want+"\n"))
		if _, err := signIn(t, op, p); err != nil || got != want {
			t.Errorf("%q: %v", got, err)
		}
	}
	for name, content := range map[string]string{"empty": "", "no JWT": "hunter2", "two lines": "a.b.c\nd.e.f", "a header line": "a.b.c\r\nX: y"} {
		write(t, path, []byte(content))
		f := newFlow()
		cb := callback(t, op, p, f)
		asked := op.Requests(idptest.Token)
		_, err := p.Login(t.Context(), f, cb, redirectURI)
		if reason(err) != "unavailable: "+partCredentials || strings.Contains(err.Error(), "hunter2") || op.Requests(idptest.Token) != asked {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// mutual is a TLS server before op that wants a certificate, and counts by the
// names in those that it saw.
func mutual(t *testing.T, op *idptest.Provider) (server *httptest.Server, seen *atomic.Value) {
	t.Helper()
	target, err := url.Parse(op.Issuer())
	if err != nil {
		t.Fatal(err)
	}
	seen = &atomic.Value{}
	transport := &http.Transport{}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }, Transport: transport}
	server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen.Store(r.TLS.PeerCertificates[0].Subject.CommonName)
		proxy.ServeHTTP(w, r)
	}))
	server.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert, MinVersion: tls.VersionTLS12}
	server.StartTLS()
	t.Cleanup(func() { server.Close(); transport.CloseIdleConnections() })
	return server, seen
}

func TestMutualTLS(t *testing.T) {
	op := startOP(t)
	server, seen := mutual(t, op)
	op.Set(func(b *idptest.Behaviour) {
		b.PushedRequests = true
		b.Proven = func(form url.Values, _ *http.Request) bool { return !form.Has("client_assertion") }
		b.Discovery = func(doc map[string]any) {
			doc["mtls_endpoint_aliases"] = map[string]any{
				"token_endpoint":                        server.URL + "/token",
				"pushed_authorization_request_endpoint": server.URL + "/push",
			}
		}
	})
	dir := t.TempDir()
	keyFile, certFile := filepath.Join(dir, "tls.key"), filepath.Join(dir, "tls.crt")
	rotate := func(name string) {
		key := newECKey(t, elliptic.P256())
		write(t, certFile, certificate(t, key, name))
		write(t, keyFile, pkcs8(t, key))
	}
	rotate("first")
	ca := write(t, filepath.Join(dir, "ca"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	p := rp(t, op, func(c *Config) {
		c.ClientSecret, c.ClientAuth, c.CAFile, c.ClientKeyFile, c.ClientCertFile = "", AuthTLS, ca, keyFile, certFile
	})
	for _, name := range []string{"first", "second", "third"} {
		rotate(name)
		if _, err := signIn(t, op, p); err != nil || seen.Load() != name {
			t.Errorf("RFC 8705: the certificate %v was shown instead of %q: %v", seen.Load(), name, err)
		}
	}
	plain := rp(t, op, func(c *Config) { c.ClientSecret = "" })
	if meta, err := plain.metadata(t.Context()); err != nil || strings.Contains(meta.tokenURL, server.URL) {
		t.Errorf("RFC 8705 5: the aliases are for clients with a certificate: %v", err)
	}
}

func TestMutualTLSAliases(t *testing.T) {
	dir := t.TempDir()
	key := newECKey(t, elliptic.P256())
	keyFile := write(t, filepath.Join(dir, "tls.key"), pkcs8(t, key))
	certFile := write(t, filepath.Join(dir, "tls.crt"), certificate(t, key, "client"))
	for name, value := range map[string]any{"a list": []string{}, "a number": map[string]any{"token_endpoint": 1}, "no URL": map[string]any{"token_endpoint": "/token"}} {
		op := startOP(t)
		op.Set(inDocument("mtls_endpoint_aliases", value))
		p := rp(t, op, func(c *Config) {
			c.ClientSecret, c.ClientAuth, c.ClientKeyFile, c.ClientCertFile = "", AuthTLS, keyFile, certFile
		})
		if _, err := p.AuthURL(t.Context(), newFlow(), redirectURI, nil); reason(err) != "unavailable: discovery" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTokenLifetime(t *testing.T) {
	at := time.Unix(1_700_000_000, 0)
	for value, want := range map[any]time.Duration{
		json.Number("300"): 5 * time.Minute, "3600": time.Hour, json.Number("0.5"): time.Second / 2,
		json.Number("0"): 0, json.Number("-1"): 0, json.Number("1e300"): 0, "soon": 0, "NaN": 0, true: 0, nil: 0,
	} {
		end := at.Add(want)
		if want == 0 {
			end = time.Time{}
		}
		if got := expiry(value, at); !got.Equal(end) {
			t.Errorf("%v: %v", fmt.Sprint(value), got)
		}
	}
}
