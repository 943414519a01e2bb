package idp

import (
	"context"
	"strings"

	"github.com/doorward/doorward/internal/secret"
)

// accessClaims returns the claims of an access token that came with a login, nil
// when it is no JWT, or when it does not verify as one of the issuer about the
// user. To be opaque is an access token's right, so none of that is an error, and
// nothing that does not verify is read.
func (p *Provider) accessClaims(ctx context.Context, id idToken, access secret.Secret) claims {
	raw := access.Reveal()
	if strings.Count(raw, ".") != 2 {
		return nil
	}
	c, err := p.verifyAccess(ctx, id, raw)
	if err != nil {
		p.log.Debug("the access token is not read for claims", "cause", err)
		return nil
	}
	return c
}

func (p *Provider) verifyAccess(ctx context.Context, id idToken, raw string) (claims, error) {
	head, err := parseHeader(raw)
	if err != nil {
		return nil, err
	}
	if !accessTokenType(head.typ) {
		return nil, invalid(ReasonTokenType, "the token is of the type %q", cut(head.typ))
	}
	payload, err := p.keys.verify(ctx, raw, false)
	if err != nil {
		return nil, err
	}
	c, err := parseClaims(payload)
	if err != nil {
		return nil, invalid(ReasonClaims, "the access token: %w", err)
	}
	if err := p.checkIssuer(c); err != nil {
		return nil, err
	}
	if subject, err := c.text("sub"); err != nil || subject == "" || subject != id.subject {
		return nil, invalid(ReasonSubject, "the access token is not of the ID token's subject")
	}
	_, err = checkLifetime(c, p.conf.Now())
	return c, err
}
