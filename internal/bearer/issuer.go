package bearer

import (
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/doorward/doorward/internal/secret"
)

// claimedIssuer returns `iss` of a token that looks like a JWT. Nothing about it
// is verified: it only says who is to verify the token, and that verifier reads it
// again.
func claimedIssuer(token secret.Secret) (string, bool) {
	parts := strings.Split(token.Reveal(), ".")
	if len(parts) != 3 {
		return "", false
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return "", false
	}
	var claims map[string]json.RawMessage // a struct would also take "ISS"
	var issuer string
	if json.Unmarshal(payload, &claims) != nil || json.Unmarshal(claims["iss"], &issuer) != nil {
		return "", false
	}
	return issuer, true
}
