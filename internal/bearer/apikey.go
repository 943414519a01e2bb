package bearer

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"strings"
	"time"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/secret"
)

// APIKey is one key of an API client, as a file of keys describes it.
type APIKey struct {
	// User is whom the key names. The subject is the id of the key.
	User auth.User

	Hosts   []string  // exact, or `*.` and a domain; none: every host
	Expires time.Time // the first moment at which it is not good; zero: never
	Hash    Hash      // of the whole key
}

// An API key reads dwk_ID_SECRET. The id is made from the secret: who does not know
// a secret cannot make up a key with an id that exists, and so costs no Argon2
// hash, without about 2^60 attempts. It tells nothing that would help to find the
// secret, which has 130 bits.
const (
	keyPrefix  = "dwk_"
	idLength   = 12
	secretSize = 26
	keyLength  = len(keyPrefix) + idLength + 1 + secretSize
)

var lowerBase32 = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// NewAPIKey makes a key and the id by which it is found.
func NewAPIKey() (id string, key secret.Secret) {
	text := strings.ToLower(rand.Text()) // 26 letters and digits of base32, 130 bits
	id = idOf(text)
	return id, secret.Secret(keyPrefix + id + "_" + text)
}

// ValidKeyID reports whether id can be that of a key.
func ValidKeyID(id string) bool {
	return len(id) == idLength && strings.Trim(id, "abcdefghijklmnopqrstuvwxyz234567") == ""
}

func idOf(text string) string {
	sum := sha256.Sum256([]byte("doorward api key\x00" + text))
	return lowerBase32.EncodeToString(sum[:])[:idLength]
}

// isAPIKey reports whether a token is meant to be an API key.
func isAPIKey(token secret.Secret) bool { return strings.HasPrefix(token.Reveal(), keyPrefix) }

// keyID returns the id of a key; false when it can be none that NewAPIKey made.
func keyID(key secret.Secret) (string, bool) {
	text := key.Reveal()
	if len(text) != keyLength || text[len(keyPrefix)+idLength] != '_' {
		return "", false
	}
	id := text[len(keyPrefix):][:idLength]
	return id, ValidKeyID(id) && idOf(text[keyLength-secretSize:]) == id
}

// basicKey returns the API key that is the password of HTTP Basic (RFC 7617 2).
// Other passwords are for the app behind, and so is what cannot be read.
func basicKey(lines []string) (secret.Secret, bool) {
	if len(lines) != 1 {
		return "", false
	}
	line := strings.Trim(lines[0], " \t")
	scheme := line[:prefix(line, isSchemeByte)]
	if !strings.EqualFold(scheme, "Basic") || len(line) > maxToken {
		return "", false
	}
	pair, err := base64.StdEncoding.DecodeString(strings.TrimLeft(line[len(scheme):], " "))
	if err != nil {
		return "", false
	}
	_, password, _ := strings.Cut(string(pair), ":")
	return secret.Secret(password), isAPIKey(secret.Secret(password))
}

// admits reports whether the key is good for a host.
func (k *APIKey) admits(host string) bool {
	if len(k.Hosts) == 0 {
		return true
	}
	for _, pattern := range k.Hosts {
		domain, wildcard := strings.CutPrefix(pattern, "*")
		if host == pattern || wildcard && len(host) > len(domain) && strings.HasSuffix(host, domain) {
			return true
		}
	}
	return false
}
