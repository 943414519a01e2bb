package idp

import (
	"encoding/base64"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

const (
	maxToken = 16 << 10 // bytes of a JWT
	maxKid   = 256      // bytes of a key id
)

// algorithms are the signature algorithms that are ever accepted. There is no
// "none" and no HMAC: with a published key neither proves anything (TOK-1).
var algorithms = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512,
	jose.PS256, jose.PS384, jose.PS512,
	jose.ES256, jose.ES384, jose.ES512,
	jose.EdDSA,
}

// header is what is used of a JOSE header. jku, x5u, jwk and x5c are not: a
// token does not choose the key that it is verified with (TOK-2).
type header struct {
	alg jose.SignatureAlgorithm
	kid string // "" when absent; an opaque name
	typ string // lower case, without "application/"; "" when absent
}

// parseHeader reads the header of a token in compact form before anything else
// touches the token: at most 16 KiB, exactly three parts (so never an encrypted
// token), base64url without padding, each name once.
func parseHeader(token string) (header, error) {
	if len(token) > maxToken {
		return header{}, invalid(ReasonTokenFormat, "the token is longer than %d bytes", maxToken)
	}
	if n := strings.Count(token, "."); n != 2 {
		return header{}, invalid(ReasonTokenFormat, "the token has %d dots instead of 2", n)
	}
	for i := range len(token) {
		if !isTokenByte(token[i]) {
			return header{}, invalid(ReasonTokenFormat, "the token is not base64url")
		}
	}
	first, _, _ := strings.Cut(token, ".")
	raw, err := base64.RawURLEncoding.Strict().DecodeString(first)
	if err != nil {
		return header{}, invalid(ReasonTokenFormat, "the header is not base64url")
	}
	members, err := parseClaims(raw)
	if err != nil {
		return header{}, invalid(ReasonTokenFormat, "the header is malformed: %w", err)
	}
	return readHeader(members)
}

func isTokenByte(b byte) bool {
	return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || b == '-' || b == '_' || b == '.'
}

func readHeader(members claims) (header, error) {
	for _, name := range []string{"crit", "b64"} {
		if _, there := members[name]; there {
			return header{}, invalid(ReasonCritical, "the header names an extension (%s), and none is understood", name)
		}
	}
	alg, err := members.text("alg")
	if err != nil || !slices.Contains(algorithms, jose.SignatureAlgorithm(alg)) {
		return header{}, invalid(ReasonAlgorithm, "the algorithm %q is not accepted", cut(alg))
	}
	kid, err := members.text("kid")
	if err != nil || len(kid) > maxKid {
		return header{}, invalid(ReasonTokenFormat, "kid is not a string of at most %d bytes", maxKid)
	}
	typ, err := members.text("typ")
	if err != nil {
		return header{}, invalid(ReasonTokenFormat, "typ is not a string")
	}
	typ = strings.TrimPrefix(strings.ToLower(typ), "application/")
	return header{alg: jose.SignatureAlgorithm(alg), kid: kid, typ: typ}, nil
}
