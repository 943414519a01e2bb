package idp

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/go-jose/go-jose/v4"

	"github.com/doorward/doorward/internal/secret"
)

// privateKey is what this client, or an account of it, signs assertions with.
type privateKey struct {
	key        crypto.Signer
	kid        string // "" when the provider knows only one key
	alg        jose.SignatureAlgorithm
	thumbprint string // of a certificate of the key (RFC 7515 4.1.8); "" without one
}

// parsePrivateKey reads a key as a JWK, or in PEM form as PKCS #8, PKCS #1 or SEC
// 1. The error repeats nothing of it.
func parsePrivateKey(content []byte) (privateKey, error) {
	if content = bytes.TrimSpace(content); bytes.HasPrefix(content, []byte("{")) {
		return parsePrivateJWK(content)
	}
	for block, rest := pem.Decode(content); block != nil; block, rest = pem.Decode(rest) {
		if key, ok := parsePrivateDER(block); ok {
			return signingWith(key, "", "")
		}
	}
	return privateKey{}, errors.New("holds no private key, neither in PEM form without a password nor as a JWK")
}

func parsePrivateDER(block *pem.Block) (crypto.Signer, bool) {
	var key any
	var err error
	switch block.Type {
	case "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	}
	signer, ok := key.(crypto.Signer)
	return signer, ok && err == nil
}

func parsePrivateJWK(content []byte) (privateKey, error) {
	var jwk jose.JSONWebKey
	if _, err := parseClaims(content); err != nil || json.Unmarshal(content, &jwk) != nil {
		return privateKey{}, errors.New("is no JWK")
	}
	signer, ok := jwk.Key.(crypto.Signer)
	if !ok || !jwk.Valid() {
		return privateKey{}, errors.New("is no JWK of a private key")
	}
	return signingWith(signer, jwk.KeyID, jose.SignatureAlgorithm(jwk.Algorithm))
}

// signingWith settles the algorithm: the one that the key is bound to, or what
// every provider knows for keys of its sort.
func signingWith(key crypto.Signer, kid string, alg jose.SignatureAlgorithm) (privateKey, error) {
	usual := jose.SignatureAlgorithm("")
	switch public := key.Public().(type) {
	case *rsa.PublicKey:
		if bits := public.N.BitLen(); bits < minRSABits {
			return privateKey{}, fmt.Errorf("the key has %d bits, and %d are the least", bits, minRSABits)
		}
		usual = jose.RS256
	case *ecdsa.PublicKey:
		usual = map[int]jose.SignatureAlgorithm{256: jose.ES256, 384: jose.ES384, 521: jose.ES512}[public.Curve.Params().BitSize]
	case ed25519.PublicKey:
		usual = jose.EdDSA
	}
	k := privateKey{key: key, kid: kid, alg: alg}
	if k.alg == "" {
		k.alg = usual
	}
	if usual == "" || !(publicKey{key: key.Public()}).fits(k.alg) {
		return privateKey{}, errors.New("the key is not of a sort that can sign assertions")
	}
	return k, nil
}

// among returns the key with an algorithm that the provider offers. Only for RSA
// keys there are two.
func (k privateKey) among(offered []string) privateKey {
	for _, alg := range []jose.SignatureAlgorithm{k.alg, jose.PS256} {
		for _, o := range offered {
			if o == string(alg) && (publicKey{key: k.key.Public()}).fits(alg) {
				k.alg = alg
				return k
			}
		}
	}
	return k
}

// withCertificate returns the key with the thumbprint of its certificate, the
// first in PEM form.
func (k privateKey) withCertificate(content []byte) (privateKey, error) {
	block, _ := pem.Decode(content)
	if block == nil || block.Type != "CERTIFICATE" {
		return privateKey{}, errors.New("holds no certificate in PEM form")
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return privateKey{}, errors.New("holds no certificate that can be read")
	}
	public, ok := certificate.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !public.Equal(k.key.Public()) {
		return privateKey{}, errors.New("the certificate is not that of the key")
	}
	sum := sha256.Sum256(certificate.Raw)
	k.thumbprint = base64.RawURLEncoding.EncodeToString(sum[:])
	return k, nil
}

// sign returns a JWT with these claims.
func (k privateKey) sign(claims map[string]any) (secret.Secret, error) {
	options := (&jose.SignerOptions{}).WithType("JWT")
	if k.thumbprint != "" {
		options = options.WithHeader("x5t#S256", k.thumbprint)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: k.alg, Key: jose.JSONWebKey{Key: k.key, KeyID: k.kid}}, options)
	if err != nil {
		return "", fmt.Errorf("signing an assertion: %w", err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("signing an assertion: %w", err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("signing an assertion: %w", err)
	}
	token, err := signed.CompactSerialize()
	return secret.Secret(token), err
}
