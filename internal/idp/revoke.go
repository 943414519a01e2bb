package idp

import (
	"context"
	"net/http"
	"net/url"

	"github.com/doorward/doorward/internal/auth"
)

const partRevocation = "revocation endpoint"

// Revocable reports whether Revoke would ask the provider for anything.
func (p *Provider) Revocable(t auth.Tokens) bool {
	meta := p.meta.Load()
	return meta != nil && meta.revocationURL != "" && (t.Refresh != "" || t.Access != "")
}

// Revoke ends tokens at a provider that has an endpoint for that (RFC 7009): the
// refresh token, with which its access tokens end, and without one the access
// token. It asks once. The error is as that of Login, and nobody has to know of it:
// without a revocation the tokens end by themselves.
func (p *Provider) Revoke(ctx context.Context, t auth.Tokens) error {
	if !p.Revocable(t) {
		return nil
	}
	meta := p.meta.Load()
	token, hint := t.Refresh, "refresh_token"
	if token == "" {
		token, hint = t.Access, "access_token"
	}
	resp, err := p.post(ctx, meta, meta.revocationURL, url.Values{"token": {token.Reveal()}, "token_type_hint": {hint}})
	if err != nil {
		return endpointError(partRevocation, err)
	}
	if resp.status == http.StatusOK {
		return nil // also for a token that was not valid any more
	}
	if _, err := resp.members("revocation", partRevocation); err != nil {
		return err
	}
	return invalid(ReasonTokenResponse, "the %s %w", partRevocation, &statusError{resp.status})
}
