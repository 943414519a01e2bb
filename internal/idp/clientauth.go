package idp

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync/atomic"
	"time"

	"github.com/doorward/doorward/internal/secret"
)

// The ways in which this client proves to the provider that it is the client
// (OpenID Connect Core 9, RFC 8705 2, RFC 7523 2.2).
const (
	AuthBasic      = "client_secret_basic"
	AuthPost       = "client_secret_post"
	AuthNone       = "none"            // a public client, which PKCE alone protects
	AuthPrivateKey = "private_key_jwt" // an assertion signed with the key of a file
	AuthTLS        = "tls_client_auth" // a certificate, also one that is self-signed
	AuthFederated  = "federated_token" // a file holds an assertion that somebody else signs
)

const (
	partCredentials = "client credentials"
	assertionType   = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	assertionLife   = 2 * time.Minute
)

// credentials are what this client proves itself with besides a secret.
type credentials struct {
	key         *watched[privateKey]      // nil unless AuthPrivateKey
	certificate *watched[tls.Certificate] // nil unless AuthTLS
	tokenFile   string                    // "" unless AuthFederated

	shown atomic.Int64 // which certificate the open connections were made with
}

// newCredentials reads the files that the way of proving needs, once.
func newCredentials(c Config) (*credentials, error) {
	cred := &credentials{}
	switch c.ClientAuth {
	case AuthPrivateKey:
		cred.key = watchKey(c)
		_, _, err := cred.key.get()
		return cred, wrap("client key", err)
	case AuthTLS:
		cred.certificate = &watched[tls.Certificate]{
			paths: []string{c.ClientCertFile, c.ClientKeyFile}, log: c.Log,
			parse: func(contents [][]byte) (tls.Certificate, error) { return tls.X509KeyPair(contents[0], contents[1]) },
		}
		_, _, err := cred.certificate.get()
		return cred, wrap("client certificate", err)
	case AuthFederated:
		cred.tokenFile = c.ClientTokenFile
		_, err := cred.federated()
		return cred, wrap("client token", err)
	}
	return cred, nil
}

func watchKey(c Config) *watched[privateKey] {
	paths := []string{c.ClientKeyFile}
	if c.ClientCertFile != "" {
		paths = append(paths, c.ClientCertFile)
	}
	return &watched[privateKey]{paths: paths, log: c.Log, parse: func(contents [][]byte) (privateKey, error) {
		key, err := parsePrivateKey(contents[0])
		if err == nil && c.ClientKeyID != "" {
			key.kid = c.ClientKeyID
		}
		if err == nil && len(contents) > 1 {
			key, err = key.withCertificate(contents[1])
		}
		return key, err
	}}
}

// checkClientAuth wants what the configured way of proving needs.
func (c Config) checkClientAuth() error {
	needs := map[string][]string{
		AuthBasic: {"client secret"}, AuthPost: {"client secret"}, AuthNone: {}, AuthPrivateKey: {"client key"},
		AuthTLS: {"client certificate", "client key"}, AuthFederated: {"client token"}, "": {},
	}
	wanted, known := needs[c.ClientAuth]
	if !known {
		return fmt.Errorf("there is no client authentication %q", c.ClientAuth)
	}
	there := map[string]bool{
		"client secret": c.ClientSecret != "", "client key": c.ClientKeyFile != "",
		"client certificate": c.ClientCertFile != "", "client token": c.ClientTokenFile != "",
	}
	var errs []error
	for _, what := range wanted {
		if !there[what] {
			errs = append(errs, fmt.Errorf("%s is missing, which %s needs", what, c.ClientAuth))
		}
	}
	return errors.Join(errs...)
}

// authMethod settles how the client proves itself, once and without probing: a
// probe would send a one-time code twice (OIDC-10).
func (c Config) authMethod(doc claims) (string, error) {
	methods, err := doc.texts("token_endpoint_auth_methods_supported")
	switch {
	case err != nil:
		return "", err
	case c.ClientAuth != "":
		return c.ClientAuth, nil
	case c.ClientSecret == "":
		return AuthNone, nil
	case slices.Contains(methods, AuthPost) && !slices.Contains(methods, AuthBasic):
		return AuthPost, nil
	default:
		return AuthBasic, nil
	}
}

// prove adds to a form and its header what proves the client, in the one way that
// is settled. The error is that a file cannot be read, and an *UnavailableError:
// it is nobody's fault who signs in.
func (p *Provider) prove(meta *metadata, form url.Values, header http.Header) error {
	if meta.authMethod != AuthBasic {
		form.Set("client_id", p.conf.ClientID)
	}
	var assertion secret.Secret
	var err error
	switch meta.authMethod {
	case AuthBasic: // both parts are form-encoded first (RFC 6749 2.3.1)
		id, word := url.QueryEscape(p.conf.ClientID), url.QueryEscape(p.conf.ClientSecret.Reveal())
		header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(id+":"+word)))
	case AuthPost:
		form.Set("client_secret", p.conf.ClientSecret.Reveal())
	case AuthTLS:
		err = p.showCertificate()
	case AuthPrivateKey:
		assertion, err = p.assertion(meta)
	case AuthFederated:
		assertion, err = p.cred.federated()
	}
	if err != nil {
		return unavailable(partCredentials, err)
	}
	if assertion != "" {
		form.Set("client_assertion_type", assertionType)
		form.Set("client_assertion", assertion.Reveal())
	}
	return nil
}

// assertion is a fresh one by this client about itself (RFC 7523 3).
func (p *Provider) assertion(meta *metadata) (secret.Secret, error) {
	key, _, err := p.cred.key.get()
	if err != nil {
		return "", err
	}
	audience := p.conf.AssertionAudience
	if audience == "" {
		audience = p.kind.audience(p, meta)
	}
	now := p.conf.Now()
	return key.among(meta.assertionAlgs).sign(map[string]any{
		"iss": p.conf.ClientID, "sub": p.conf.ClientID, "aud": audience, "jti": rand.Text(),
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(assertionLife).Unix(),
	})
}

// federated reads the assertion that somebody else writes, such as the token of a
// Kubernetes service account. It is read for each call, since it is replaced long
// before it ends.
func (c *credentials) federated() (secret.Secret, error) {
	content, err := readFile(c.tokenFile)
	if err != nil {
		return "", err
	}
	content = bytes.TrimSpace(content)
	if len(content) > maxToken || bytes.Count(content, []byte(".")) != 2 ||
		bytes.ContainsFunc(content, func(r rune) bool { return r > '~' || !isTokenByte(byte(r)) }) {
		return "", fmt.Errorf("%s holds no JWT", c.tokenFile)
	}
	return secret.Secret(content), nil
}

// showCertificate closes connections that were made with another certificate than
// the one that is valid now.
func (p *Provider) showCertificate() error {
	_, change, err := p.cred.certificate.get()
	if err == nil && p.cred.shown.Swap(int64(change)) != int64(change) {
		p.client.CloseIdleConnections()
	}
	return err
}

// present makes connections show the certificate, where the provider asks for one.
func (c *credentials) present(conf *tls.Config) {
	if c.certificate == nil {
		return
	}
	conf.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		certificate, _, err := c.certificate.get()
		return &certificate, err
	}
}
