package idp

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"fmt"

	"github.com/go-jose/go-jose/v4"
)

const (
	maxKeys    = 100  // keys in a set
	maxTried   = 8    // keys that one token is tried with
	minRSABits = 2048 // shorter ones can be broken
	maxRSABits = 8192 // longer ones only cost time
)

// keyParams are the members of a JWK that make a public signature key (RFC 7517
// 4, RFC 7518 6, RFC 8037 2). Others, certificates and private parts among them,
// are dropped before the key is read.
var keyParams = []string{"kty", "kid", "use", "alg", "n", "e", "crv", "x", "y"}

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
	members, ok := element.(map[string]any)
	if !ok || !forVerifying(members) {
		return publicKey{}, false
	}
	wanted := map[string]any{}
	for _, name := range keyParams {
		if value, there := members[name]; there {
			wanted[name] = value
		}
	}
	raw, err := json.Marshal(wanted)
	if err != nil {
		return publicKey{}, false
	}
	var jwk jose.JSONWebKey
	if jwk.UnmarshalJSON(raw) != nil || !jwk.Valid() || !jwk.IsPublic() || len(jwk.KeyID) > maxKid {
		return publicKey{}, false
	}
	if key, ok := jwk.Key.(*rsa.PublicKey); ok {
		if bits := key.N.BitLen(); bits < minRSABits || bits > maxRSABits {
			return publicKey{}, false
		}
	}
	return publicKey{kid: jwk.KeyID, alg: jwk.Algorithm, key: jwk.Key}, true
}

// forVerifying reports whether use and key_ops, where present, allow signatures
// to be verified. A key whose private part is published proves nothing.
func forVerifying(members map[string]any) bool {
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
