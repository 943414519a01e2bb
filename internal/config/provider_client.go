package config

import (
	"crypto/tls"
	"slices"
	"strings"
)

// clientAuth settles how the client proves itself, and wants what that needs and
// nothing else.
func (d *document) clientAuth(s *providerSpec, p *Provider) {
	p.ClientKeyFile = d.checked(s.ClientKeyFile, privateKeyProblem)
	p.ClientKeyID = d.checked(s.ClientKeyID, plainProblem)
	p.ClientCertFile = d.checked(s.ClientCertFile, caProblem)
	p.ClientTokenFile = d.checked(s.ClientTokenFile, tokenFileProblem)
	p.ClientAudience = d.checked(s.ClientAudience, plainProblem)
	p.ClientAuth = d.checked(s.ClientAuth, clientAuthProblem)
	if !s.ClientAuth.given() {
		p.ClientAuth = s.impliedAuth()
	}
	secret := s.ClientSecret.place
	if !secret.given() {
		secret = s.ClientSecretFile.place
	}
	all := []place{secret, s.ClientKeyFile.place, s.ClientCertFile.place, s.ClientTokenFile.place, s.ClientKeyID.place, s.ClientAudience.place}
	uses := map[string][]place{
		"client_secret_basic": {secret}, "client_secret_post": {secret}, "": {secret}, "none": nil,
		"private_key_jwt": {s.ClientKeyFile.place, s.ClientCertFile.place, s.ClientKeyID.place, s.ClientAudience.place},
		"tls_client_auth": {s.ClientCertFile.place, s.ClientKeyFile.place}, "federated_token": {s.ClientTokenFile.place},
	}[p.ClientAuth]
	for _, at := range all {
		if at.given() && !slices.Contains(uses, at) {
			d.mistake(at, "has no effect for a client that proves itself by %s; remove it, or see `client_auth`", shownAuth(p.ClientAuth))
		}
	}
	d.needsOfAuth(s, p, secret)
}

// impliedAuth is the way for which files are there, and "" when the provider's
// metadata decide.
func (s *providerSpec) impliedAuth() string {
	switch {
	case s.ClientTokenFile.given():
		return "federated_token"
	case s.ClientKeyFile.given() && s.ClientCertFile.given():
		return "tls_client_auth"
	case s.ClientKeyFile.given():
		return "private_key_jwt"
	}
	return ""
}

func shownAuth(method string) string {
	if method == "" {
		return "a secret, or as a public client"
	}
	return method
}

// needsOfAuth wants the files and secrets of a way that is written down.
func (d *document) needsOfAuth(s *providerSpec, p *Provider, secret place) {
	for _, need := range []struct {
		method, key string
		there       bool
	}{
		{"client_secret_basic", "client_secret_file", secret.given()},
		{"client_secret_post", "client_secret_file", secret.given()},
		{"private_key_jwt", "client_key_file", s.ClientKeyFile.given()},
		{"tls_client_auth", "client_key_file", s.ClientKeyFile.given()},
		{"tls_client_auth", "client_cert_file", s.ClientCertFile.given()},
		{"federated_token", "client_token_file", s.ClientTokenFile.given()},
	} {
		if need.method == p.ClientAuth && !need.there {
			d.note(s.ClientAuth.place, "is %s, which needs `%s` beside it", need.method, need.key)
		}
	}
	if p.ClientAuth != "tls_client_auth" || p.ClientCertFile == "" || p.ClientKeyFile == "" {
		return
	}
	if _, err := tls.LoadX509KeyPair(p.ClientCertFile, p.ClientKeyFile); err != nil {
		d.mistake(s.ClientCertFile.place, "is not the certificate of the key in `client_key_file`")
	}
}

func clientAuthProblem(text string) string {
	switch text {
	case "client_secret_basic", "client_secret_post", "none", "private_key_jwt", "tls_client_auth", "federated_token":
		return ""
	}
	return "has to be client_secret_basic, client_secret_post, none, private_key_jwt, tls_client_auth or federated_token"
}

func privateKeyProblem(path string) string {
	content, problem := secretFile(path)
	if problem == "" && !strings.Contains(content, "PRIVATE KEY-----") && !strings.HasPrefix(strings.TrimSpace(content), "{") {
		return shownPath(path) + " holds no private key, neither in PEM form nor as a JWK"
	}
	return problem
}

func tokenFileProblem(path string) string {
	content, problem := secretFile(path)
	if problem == "" && strings.Count(content, ".") != 2 {
		return shownPath(path) + " holds no JWT"
	}
	return problem
}
