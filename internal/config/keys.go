package config

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"log/slog"
	"strings"
)

// keySize is the length of a cookie secret in bytes.
const keySize = 32

// Keys are cookie secrets of 32 bytes each, the sealing one first. They print as
// [redacted] in every verb of fmt, in JSON and in slog.
type Keys [][]byte

const redacted = "[redacted]"

func (k Keys) String() string               { return redacted }
func (k Keys) GoString() string             { return redacted }
func (k Keys) LogValue() slog.Value         { return slog.StringValue(redacted) }
func (k Keys) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Format serves every verb, so that %x and %q do not bypass String.
func (k Keys) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// cookieSecrets reads the key ring.
func (r *reader) cookieSecrets(s *spec) Keys {
	const name = "DOORWARD_COOKIE_SECRET"
	text, ok := r.secretText(name, s.CookieSecret, s.CookieSecretFile)
	if !ok {
		return nil
	}
	if strings.TrimSpace(text) == "" {
		r.mistake(name, "is missing; make one with `doorward secret`, and give every replica the same")
		return nil
	}
	var keys Keys
	for i, entry := range strings.Split(text, ",") {
		key, problem := parseKey(strings.TrimSpace(entry))
		for j, earlier := range keys {
			if problem == "" && bytes.Equal(key, earlier) {
				problem = fmt.Sprintf("repeats entry %d; remove it", j+1)
			}
		}
		if problem != "" {
			r.mistake(name, "entry %d %s", i+1, problem)
			key = nil // keeps the place, so that later entries are counted right
		}
		keys = append(keys, key)
	}
	return keys
}

// parseKey accepts base64 of exactly 32 bytes, in the standard and the URL
// alphabet, with and without padding, and nothing else: a text that is also
// readable as raw bytes or hexadecimal would be a weaker key than it looks like.
func parseKey(text string) (key []byte, problem string) {
	const remedy = "; make one with `doorward secret`"
	if text == "" {
		return nil, "is empty; remove a comma"
	}
	for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		if decoded, err := encoding.Strict().DecodeString(text); err == nil && len(decoded) == keySize {
			key = decoded
			break
		}
	}
	switch {
	case key == nil && isHex(text):
		return nil, "is hexadecimal and has to be base64 of 32 bytes" + remedy
	case key == nil && len(text) == keySize:
		return nil, "is 32 characters of text and has to be base64 of 32 bytes" + remedy
	case key == nil:
		return nil, "is not base64 of exactly 32 bytes" + remedy
	case bytes.Count(key, key[:1]) == keySize:
		return nil, "is one byte repeated, which anybody can guess" + remedy
	}
	return key, ""
}

func isHex(text string) bool {
	for _, c := range text {
		if !strings.ContainsRune("0123456789abcdefABCDEF", c) {
			return false
		}
	}
	return true
}
