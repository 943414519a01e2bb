package idp

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
)

// The ways in which this client proves to the provider that it is the client
// (OpenID Connect Core 9, RFC 8705 2.1, RFC 7523 2.2).
const (
	AuthBasic      = "client_secret_basic"
	AuthPost       = "client_secret_post"
	AuthNone       = "none"            // a public client, which PKCE alone protects
	AuthPrivateKey = "private_key_jwt" // an assertion signed with the key of a file
	AuthTLS        = "tls_client_auth" // a certificate, self-signed ones too
	AuthFederated  = "federated_token" // a file holds an assertion that somebody else signs
)

// prove adds to a form and its header what proves the client, in the one way that
// configuration or metadata have settled.
func (p *Provider) prove(meta *metadata, form url.Values, header http.Header) error {
	form.Del("client_secret")
	switch meta.authMethod {
	case AuthBasic: // both parts are form-encoded first (RFC 6749 2.3.1)
		id, word := url.QueryEscape(p.conf.ClientID), url.QueryEscape(p.conf.ClientSecret.Reveal())
		header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(id+":"+word)))
		return nil
	case AuthPost:
		form.Set("client_secret", p.conf.ClientSecret.Reveal())
	}
	form.Set("client_id", p.conf.ClientID)
	return nil
}

// authMethod settles how the client proves itself, once and without probing: a
// probe would send a one-time code twice (OIDC-10).
func (c Config) authMethod(doc claims) (string, error) {
	methods, err := doc.texts("token_endpoint_auth_methods_supported")
	switch {
	case err != nil:
		return "", err
	case c.ClientSecret == "":
		return AuthNone, nil
	case slices.Contains(methods, AuthPost) && !slices.Contains(methods, AuthBasic):
		return AuthPost, nil
	default:
		return AuthBasic, nil
	}
}
