package idp

import (
	"net/url"
)

const (
	maxCallback    = 16 << 10 // bytes of a callback's query
	maxDescription = 200      // characters of an error's description that a page may show
)

// Callback is the provider's answer as it came to the redirect URI (RFC 6749
// 4.1.2, RFC 9207 2). All of it was chosen by whoever sent the browser here.
type Callback struct {
	Code   string
	State  string
	Issuer string
	Error  string

	// ErrorDescription is the provider's own text, cut at 200 characters. It is
	// not escaped, and never belongs into a header.
	ErrorDescription string
}

// ParseCallback reads the raw query of a callback. A query that is malformed,
// longer than 16 KiB, repeats one of the parameters or holds both a code and an
// error is refused (OIDC-6); other parameters are ignored. A query without any
// of them, such as a bookmark's, is the zero Callback. The error holds nothing
// of the query.
func ParseCallback(rawQuery string) (Callback, error) {
	if len(rawQuery) > maxCallback {
		return Callback{}, invalid(ReasonCallback, "the query is longer than %d bytes", maxCallback)
	}
	values, err := url.ParseQuery(rawQuery)
	if err != nil {
		return Callback{}, invalid(ReasonCallback, "the query is malformed")
	}
	var cb Callback
	for _, param := range []struct {
		name string
		into *string
	}{
		{"code", &cb.Code},
		{"state", &cb.State},
		{"iss", &cb.Issuer},
		{"error", &cb.Error},
		{"error_description", &cb.ErrorDescription},
	} {
		if len(values[param.name]) > 1 {
			return Callback{}, invalid(ReasonCallback, "the parameter %s is repeated", param.name)
		}
		*param.into = values.Get(param.name)
	}
	if cb.Code != "" && cb.Error != "" {
		return Callback{}, invalid(ReasonCallback, "the query holds both a code and an error")
	}
	if text := []rune(cb.ErrorDescription); len(text) > maxDescription {
		cb.ErrorDescription = string(text[:maxDescription])
	}
	return cb, nil
}
