// Package secret holds the one type that secrets have on their way through the
// program, so that none of them ends up in a log line, a page or an error.
package secret

import (
	"crypto/subtle"
	"fmt"
	"log/slog"
)

// Secret is a text that must never be shown: a client secret, a token, a key.
// It prints as [redacted] in every verb of fmt, in JSON, in text encodings and
// in slog. Use Reveal where the text itself has to leave the process. Two places
// are beyond its reach: the key of a map in JSON, and an unexported field in fmt.
type Secret string

const redacted = "[redacted]"

// Reveal returns the text itself, for the one place that sends or hashes it.
func (s Secret) Reveal() string { return string(s) }

// Equal reports in constant time whether both are the same text.
func (s Secret) Equal(other Secret) bool {
	return subtle.ConstantTimeCompare([]byte(s), []byte(other)) == 1
}

func (s Secret) String() string               { return redacted }
func (s Secret) GoString() string             { return redacted }
func (s Secret) LogValue() slog.Value         { return slog.StringValue(redacted) }
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Format serves every verb, so that %x and %q do not bypass String.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }
