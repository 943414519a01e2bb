package idp

import (
	"slices"
	"time"
)

// accessTokenType reports whether typ of a header may be that of an access token.
// at+jwt is the type's own (RFC 9068 2.1); many issuers say jwt, or nothing.
func accessTokenType(typ string) bool {
	return typ == "at+jwt" || typ == "jwt" || typ == ""
}

// identifying are claims that an ID token or a logout token has, and an access
// token has not (OpenID Connect Core 2, 3.3.2.11; Back-Channel Logout 2.4).
var identifying = []string{"nonce", "at_hash", "c_hash", "s_hash", "events"}

// authorizing are claims that an access token has, and an ID token has not: those
// of RFC 9068 and RFC 8693, then what Okta, Auth0 and Entra call them.
var authorizing = []string{"client_id", "scope", "scp", "cid", "gty", "appid", "azpacr"}

// checkKind refuses ID tokens: they tell a client who signed in, and whoever
// holds one was not meant to call anybody with it (BEAR-2, RFC 8725 3.11). The
// type at+jwt settles it, then the kind that the issuer states as a claim. A token
// that states none must look like an access token and not like an ID token.
func checkKind(head header, c claims) error {
	stated, err := statedKind(c)
	if err != nil || stated || head.typ == "at+jwt" {
		return err
	}
	if name, found := anyOf(c, identifying); found {
		return invalid(ReasonTokenType, "the token has the claim %s, as ID tokens do; see legacy_id_tokens", name)
	}
	if _, found := anyOf(c, authorizing); !found {
		return invalid(ReasonTokenType, "nothing tells the token from an ID token; see legacy_id_tokens")
	}
	return nil
}

// statedKind reads the claims in which issuers state the kind of a token: typ
// (Keycloak) and token_use (Cognito, Hydra, Dex). It reports whether one is there,
// and refuses all kinds but access tokens.
func statedKind(c claims) (stated bool, err error) {
	for name, kinds := range map[string][]string{
		"typ":       {"Bearer", "at+jwt"},
		"token_use": {"access", "access_token"},
	} {
		if _, there := c[name]; !there {
			continue
		}
		kind, err := c.text(name)
		if err != nil || !slices.Contains(kinds, kind) {
			return true, invalid(ReasonTokenType, "the claim %s says that this is no access token", name)
		}
		stated = true
	}
	return stated, nil
}

func anyOf(c claims, names []string) (string, bool) {
	for _, name := range names {
		if _, there := c[name]; there {
			return name, true
		}
	}
	return "", false
}

// checkUnbound refuses a token that only counts together with a key of its holder
// (RFC 7800 3; RFC 8705, RFC 9449). No proof of that key reaches this server, and
// without it a stolen token would be as good as the holder's.
func checkUnbound(c claims) error {
	if _, bound := c["cnf"]; bound {
		return invalid(ReasonTokenType, "the token is bound to a key of its holder (cnf), which is not proven here")
	}
	return nil
}

// audienceAmong returns the check that aud names one of the audiences.
func audienceAmong(audiences []string) func(claims) error {
	return func(c claims) error {
		named, err := c.texts("aud")
		if err != nil {
			return invalid(ReasonAudience, "%w", err)
		}
		for _, audience := range named {
			if slices.Contains(audiences, audience) {
				return nil
			}
		}
		return invalid(ReasonAudience, "aud names no configured audience")
	}
}

// checkLifetime returns exp, zero when it is absent, and allows the skew on either
// side of it, of nbf and of iat.
func checkLifetime(c claims, now time.Time) (time.Time, error) {
	expiry, err := c.date("exp")
	if err != nil {
		return time.Time{}, invalid(ReasonExpired, "%w", err)
	}
	if !expiry.IsZero() && !now.Before(expiry.Add(skew)) {
		return time.Time{}, invalid(ReasonExpired, "the token expired %v ago", now.Sub(expiry).Round(time.Second))
	}
	for _, begin := range []struct{ name, reason string }{{"nbf", ReasonNotYetValid}, {"iat", ReasonIssuedAt}} {
		date, err := c.date(begin.name)
		if err != nil {
			return time.Time{}, invalid(begin.reason, "%w", err)
		}
		if date.After(now.Add(skew)) {
			return time.Time{}, invalid(begin.reason, "%s is %v in the future", begin.name, date.Sub(now).Round(time.Second))
		}
	}
	return expiry, nil
}
