package idptest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"sync"
)

// keyring is one generation of signing keys.
type keyring struct {
	generation int
	rsa        *rsa.PrivateKey
	ecdsa      *ecdsa.PrivateKey
	ed25519    ed25519.PrivateKey
}

// firstRSA is shared by all providers of a test binary: making an RSA key takes
// longer than most tests.
var firstRSA = sync.OnceValue(makeRSA)

// foreign signs what is not the provider's own.
var foreign = sync.OnceValue(func() keyring { return makeKeyring(0, makeRSA()) })

func newKeyring() keyring { return makeKeyring(1, firstRSA()) }

func (k keyring) next() keyring { return makeKeyring(k.generation+1, makeRSA()) }

func makeRSA() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	must(err)
	return key
}

func makeKeyring(generation int, rsaKey *rsa.PrivateKey) keyring {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	must(err)
	return keyring{generation: generation, rsa: rsaKey, ecdsa: ec, ed25519: ed}
}

func (k keyring) kid(kty string) string { return fmt.Sprintf("%s-%d", kty, k.generation) }

// kidFor is the key id that goes with an algorithm.
func (k keyring) kidFor(algorithm string) string {
	switch algorithm {
	case "ES256":
		return k.kid("ec")
	case "EdDSA":
		return k.kid("ed")
	default:
		return k.kid("rsa")
	}
}

// public is the JWK set.
func (k keyring) public() []map[string]any {
	point, err := k.ecdsa.PublicKey.Bytes()
	must(err)
	return []map[string]any{
		{"kty": "RSA", "use": "sig", "kid": k.kid("rsa"), "n": encode(k.rsa.N.Bytes()), "e": "AQAB"},
		{"kty": "EC", "use": "sig", "alg": "ES256", "crv": "P-256", "kid": k.kid("ec"), "x": encode(point[1:33]), "y": encode(point[33:])},
		{"kty": "OKP", "use": "sig", "alg": "EdDSA", "crv": "Ed25519", "kid": k.kid("ed"), "x": encode(k.ed25519.Public().(ed25519.PublicKey))},
	}
}

// Sign returns a JWT in compact form, signed with the provider's current key for
// the algorithm, or with a foreign one when Behaviour.WrongKey is set. header and
// payload are taken as they are.
func (p *Provider) Sign(algorithm string, header, payload []byte) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sign(algorithm, header, payload)
}

func (p *Provider) sign(algorithm string, header, payload []byte) string {
	keys := p.keys
	if p.behaviour.WrongKey {
		keys = foreign()
	}
	input := encode(header) + "." + encode(payload)
	token := input + "." + encode(keys.signature(algorithm, []byte(input), p.ClientSecret))
	p.secrets = append(p.secrets, token)
	return token
}

func (k keyring) signature(algorithm string, input []byte, clientSecret string) []byte {
	digest := sha256.Sum256(input)
	switch algorithm {
	case "none":
		return nil
	case "HS256":
		mac := hmac.New(sha256.New, []byte(clientSecret))
		mac.Write(input)
		return mac.Sum(nil)
	case "ES256":
		r, s, err := ecdsa.Sign(rand.Reader, k.ecdsa, digest[:])
		must(err)
		return append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	case "EdDSA":
		return ed25519.Sign(k.ed25519, input)
	case "PS256":
		signature, err := rsa.SignPSS(rand.Reader, k.rsa, crypto.SHA256, digest[:], nil)
		must(err)
		return signature
	default:
		signature, err := rsa.SignPKCS1v15(rand.Reader, k.rsa, crypto.SHA256, digest[:])
		must(err)
		return signature
	}
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func encodeJSON(v any) []byte {
	b, err := json.Marshal(v)
	must(err)
	return b
}

// must reports a mistake of the test that uses the provider, or a broken source
// of randomness.
func must(err error) {
	if err != nil {
		panic(fmt.Sprintf("idptest: %v", err))
	}
}

// PublicKeys are the JWKs of the current keys as they are published: RSA, P-256
// and Ed25519, in this order.
func (p *Provider) PublicKeys() []map[string]any {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.keys.public()
}
