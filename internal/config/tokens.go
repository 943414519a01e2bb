package config

import (
	"cmp"
	"maps"
	"slices"

	"github.com/doorward/doorward/internal/secret"
)

// Token is one kind of bearer token that API clients may show. Exactly one of
// IssuerURL, IntrospectionURL and KeysFile is set.
type Token struct {
	Line int // in the file

	// IssuerURL is the issuer of JWT access tokens, byte for byte as configured,
	// and Audiences are at least one, of which a token has to name one.
	IssuerURL      string
	Audiences      []string
	LegacyIDTokens bool // ID tokens of this issuer count as access tokens

	// IntrospectionURL is asked about each token (RFC 7662), with the client's
	// name and secret. Audiences restrict here too when there are any.
	IntrospectionURL string
	ClientID         string
	ClientSecret     secret.Secret

	KeysFile string // of API keys, as `doorward key new` writes them

	// For the first two. Claims are dotted paths; of GroupsClaims all that are
	// there count. CAFile holds certificates in PEM form, or is "".
	UserClaim    string
	EmailClaim   string
	GroupsClaims []string
	CAFile       string
}

// tokensOf checks the tokens of a file.
func (d *document) tokensOf(s *fileSpec) []Token {
	var tokens []Token
	issuers := map[string]int{}
	for _, spec := range s.Tokens.entries {
		t := d.token(&spec)
		if first := issuers[t.IssuerURL]; t.IssuerURL != "" && first > 0 {
			d.mistake(spec.IssuerURL.place, "is the issuer of the token on line %d too; write all audiences there", first)
		}
		issuers[t.IssuerURL] = spec.line
		tokens = append(tokens, t)
	}
	return tokens
}

func (d *document) token(s *tokenSpec) Token {
	d.kindOf(s)
	return Token{
		Line:             s.line,
		IssuerURL:        d.checked(s.IssuerURL, issuerProblem),
		Audiences:        d.each(s.Audiences, plainProblem),
		LegacyIDTokens:   s.LegacyIDTokens.value,
		IntrospectionURL: d.checked(s.IntrospectionURL, endpointProblem),
		ClientID:         d.checked(s.ClientID, plainProblem),
		ClientSecret:     d.secret(s.ClientSecret, s.ClientSecretFile),
		KeysFile:         d.checked(s.KeysFile, plainProblem),
		UserClaim:        cmp.Or(d.checked(s.UserClaim, claimProblem), "sub"),
		EmailClaim:       cmp.Or(d.checked(s.EmailClaim, claimProblem), "email"),
		GroupsClaims:     d.groupsClaims(s.GroupsClaim),
		CAFile:           d.checked(s.CAFile, caProblem),
	}
}

// kindOf wants exactly one kind of token, with what it needs and nothing else.
func (d *document) kindOf(s *tokenSpec) {
	client := []place{s.ClientID.place, s.ClientSecret.place, s.ClientSecretFile.place}
	claims := []place{s.UserClaim.place, s.EmailClaim.place, s.GroupsClaim.place, s.CAFile.place}
	kinds := 0
	for _, kind := range []struct {
		place
		needs map[string]bool
		idle  []place
	}{
		{s.IssuerURL.place, map[string]bool{"audiences": s.Audiences.given()}, client},
		{s.IntrospectionURL.place, map[string]bool{
			"client_id": s.ClientID.given(), "client_secret_file": s.ClientSecret.given() || s.ClientSecretFile.given(),
		}, []place{s.LegacyIDTokens.place}},
		{s.KeysFile.place, nil, slices.Concat(client, claims, []place{s.Audiences.place, s.LegacyIDTokens.place})},
	} {
		if !kind.given() {
			continue
		}
		if kinds++; kinds > 1 {
			d.mistake(kind.place, "is one too many; a token has exactly one of issuer_url, introspection_url and keys_file")
			return
		}
		for _, key := range slices.Sorted(maps.Keys(kind.needs)) {
			if !kind.needs[key] {
				d.note(kind.place, "needs `%s` beside it", key)
			}
		}
		for _, at := range kind.idle {
			if at.given() {
				d.mistake(at, "has no effect beside `%s`; remove it", kind.key)
			}
		}
	}
	if kinds == 0 && s.given() {
		d.mistake(s.place, "has none of issuer_url, introspection_url and keys_file; write the one that is meant")
	}
}
