package idp

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"

	"github.com/go-jose/go-jose/v4"
)

const (
	maxKeys    = 100  // keys in a set
	maxTried   = 8    // keys that one token is tried with
	minRSABits = 2048 // shorter ones can be broken
	maxRSABits = 8192 // longer ones only cost time
)

// curveParams are the members of a JWK that make a public key on a curve (RFC
// 7518 6.2, RFC 8037 2). Others, certificates among them, are dropped before the
// key is read.
var curveParams = []string{"kty", "crv", "x", "y"}

// publicKey is one usable key of a set.
type publicKey struct {
	kid string
	alg string // "" when the set does not bind the key to an algorithm
	key any    // *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey
}

// parseKeys reads a JWK set. Keys that are no public signature keys of an
// accepted kind and size are skipped and counted, since sets may hold keys for
// other purposes (RFC 7517 5); the rest stays usable.
func parseKeys(body []byte) (keys []publicKey, skipped int, err error) {
	set, err := parseClaims(body)
	if err != nil {
		return nil, 0, err
	}
	list, ok := set["keys"].([]any)
	if !ok {
		return nil, 0, fmt.Errorf("keys is not an array")
	}
	if len(list) > maxKeys {
		return nil, 0, fmt.Errorf("the set holds more than %d keys", maxKeys)
	}
	for _, element := range list {
		key, ok := parseKey(element)
		if !ok {
			skipped++
			continue
		}
		keys = append(keys, key)
	}
	return keys, skipped, nil
}

func parseKey(element any) (publicKey, bool) {
	object, ok := element.(map[string]any)
	members := claims(object)
	if !ok || !forVerifying(members) {
		return publicKey{}, false
	}
	kid, kidErr := members.text("kid")
	alg, algErr := members.text("alg")
	if kidErr != nil || algErr != nil || len(kid) > maxKid {
		return publicKey{}, false
	}
	key, ok := curveKey(members)
	if members["kty"] == "RSA" {
		key, ok = rsaKey(members)
	}
	return publicKey{kid: kid, alg: alg, key: key}, ok
}

// rsaKey reads an RSA key (RFC 7518 6.3.1). go-jose would refuse those of more
// than 4096 bits.
func rsaKey(members claims) (any, bool) {
	n, errN := members.text("n")
	e, errE := members.text("e")
	modulus, errModulus := base64.RawURLEncoding.DecodeString(n)
	exponent, errExponent := base64.RawURLEncoding.DecodeString(e)
	if errors.Join(errN, errE, errModulus, errExponent) != nil || len(exponent) > 4 {
		return nil, false
	}
	key := &rsa.PublicKey{N: new(big.Int).SetBytes(modulus), E: int(new(big.Int).SetBytes(exponent).Int64())}
	bits := key.N.BitLen()
	odd := key.N.Bit(0) == 1 && key.E%2 == 1
	return key, odd && bits >= minRSABits && bits <= maxRSABits && key.E > 1 && key.E <= math.MaxInt32
}

// curveKey reads a key on a NIST curve or on Ed25519, and makes sure that its
// point is on the curve.
func curveKey(members claims) (any, bool) {
	wanted := map[string]any{}
	for _, name := range curveParams {
		wanted[name] = members[name]
	}
	raw, err := json.Marshal(wanted)
	if err != nil {
		return nil, false
	}
	var jwk jose.JSONWebKey
	if jwk.UnmarshalJSON(raw) != nil {
		return nil, false
	}
	switch jwk.Key.(type) {
	case *ecdsa.PublicKey, ed25519.PublicKey:
		return jwk.Key, jwk.Valid()
	}
	return nil, false
}

// forVerifying reports whether use and key_ops, where present, allow signatures
// to be verified. A key whose private part is published proves nothing.
func forVerifying(members claims) bool {
	if _, private := members["d"]; private {
		return false
	}
	if use, there := members["use"]; there && use != "sig" {
		return false
	}
	ops, there := members["key_ops"]
	if !there {
		return true
	}
	list, _ := ops.([]any)
	for _, op := range list {
		if op == "verify" {
			return true
		}
	}
	return false
}

// fits reports whether a signature of this algorithm can be verified with the
// key. The curve belongs to the algorithm (RFC 7518 3.4).
func (k publicKey) fits(alg jose.SignatureAlgorithm) bool {
	if k.alg != "" && k.alg != string(alg) {
		return false
	}
	switch key := k.key.(type) {
	case *rsa.PublicKey:
		return alg[0] == 'R' || alg[0] == 'P'
	case *ecdsa.PublicKey:
		bits := map[jose.SignatureAlgorithm]int{jose.ES256: 256, jose.ES384: 384, jose.ES512: 521}[alg]
		return key.Curve.Params().BitSize == bits
	case ed25519.PublicKey:
		return alg == jose.EdDSA
	}
	return false
}
