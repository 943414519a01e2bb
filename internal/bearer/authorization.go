package bearer

import (
	"fmt"
	"strings"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/secret"
)

// maxToken is how long a token of any kind may be, in bytes.
const maxToken = 16 << 10

// Authorization reads the lines of the Authorization header (RFC 9110 11.6.2,
// RFC 6750 2.1). found is false when they carry no bearer token: there is no
// header, or it is one line of another scheme. A header that occurs more than
// once, and what is not exactly one token after the scheme, is found and an error
// that is auth.ErrInvalidToken.
func Authorization(lines []string) (token secret.Secret, found bool, err error) {
	if len(lines) == 0 {
		return "", false, nil
	}
	if len(lines) > 1 {
		return "", true, invalid("the Authorization header occurs %d times", len(lines))
	}
	line := strings.Trim(lines[0], " \t")
	scheme := line[:prefix(line, isSchemeByte)]
	if !strings.EqualFold(scheme, "Bearer") {
		return "", false, nil
	}
	rest := line[len(scheme):]
	text := strings.TrimLeft(rest, " ")
	switch {
	case text == "" || len(text) == len(rest):
		return "", true, invalid("no token follows the scheme")
	case len(text) > maxToken:
		return "", true, invalid("the token is longer than %d bytes", maxToken)
	}
	body := prefix(text, isTokenByte)
	if body == 0 || strings.Trim(text[body:], "=") != "" {
		return "", true, invalid("what follows the scheme is no token")
	}
	return secret.Secret(text), true, nil
}

// prefix is how many bytes at the beginning of text are good.
func prefix(text string, good func(byte) bool) int {
	for i := range len(text) {
		if !good(text[i]) {
			return i
		}
	}
	return len(text)
}

// isSchemeByte is tchar (RFC 9110 5.6.2).
func isSchemeByte(b byte) bool {
	return isAlphanumeric(b) || strings.IndexByte("!#$%&'*+-.^_`|~", b) >= 0
}

// isTokenByte is what b64token consists of before its padding (RFC 6750 2.1).
func isTokenByte(b byte) bool {
	return isAlphanumeric(b) || strings.IndexByte("-._~+/", b) >= 0
}

func isAlphanumeric(b byte) bool {
	return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9'
}

// invalid is the error for a token that is not good. The format never receives
// any of it.
func invalid(format string, args ...any) error {
	return fmt.Errorf("bearer: %w: %w", auth.ErrInvalidToken, fmt.Errorf(format, args...))
}
