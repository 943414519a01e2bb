package idp

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"slices"

	"github.com/doorward/doorward/internal/secret"
)

const partUserinfo = "userinfo"

// errUserinfoRefused says that the endpoint answers, and not to this access token.
var errUserinfoRefused = errors.New("idp: the userinfo endpoint refused")

// userinfo asks the provider for the claims about the user of an access token
// (OpenID Connect Core 5.3). A refusal with a 4xx status is errUserinfoRefused.
// The answer must be of the ID token's subject.
func (p *Provider) userinfo(ctx context.Context, meta *metadata, id idToken, access secret.Secret) (claims, error) {
	answer, err := get(ctx, p.client, meta.userinfoURL, access.Reveal())
	var status *statusError
	switch {
	case errors.As(err, &status) && !transient(status.status) && status.status >= 400:
		return nil, fmt.Errorf("%w: it %w", errUserinfoRefused, status)
	case errors.As(err, &status) && !transient(status.status):
		return nil, invalid(ReasonUserinfo, "the userinfo endpoint %w", err)
	case errors.Is(err, errBodyTooLarge):
		return nil, invalid(ReasonUserinfo, "the userinfo endpoint: %w", errBodyTooLarge)
	case err != nil:
		return nil, unavailable(partUserinfo, err)
	}
	if kind, _, _ := mime.ParseMediaType(answer.contentType); kind == "application/jwt" {
		return nil, invalid(ReasonUserinfo, "the userinfo answer is a JWT; register the client without userinfo_signed_response_alg")
	}
	info, err := parseClaims(answer.body)
	if err != nil {
		return nil, invalid(ReasonUserinfo, "the userinfo answer: %w", err)
	}
	if subject, err := info.text("sub"); err != nil || subject != id.subject {
		return nil, invalid(ReasonUserinfoSub, "the userinfo answer is not of the ID token's subject")
	}
	return info, nil
}

// lacks reports whether the sources leave open a claim that the configuration
// names.
func (p *Provider) lacks(sources []claims) bool {
	return lack(sources, func(c claims) bool { _, there := c.lookup(p.conf.UserClaim); return there }) ||
		lack(sources, func(c claims) bool { _, settled := p.email(c, p.conf.EmailClaim); return settled }) ||
		slices.ContainsFunc(p.conf.GroupsClaims, func(path string) bool {
			return lack(sources, func(c claims) bool { _, there := c.lookup(path); return there || overage(c, path) })
		}) ||
		slices.ContainsFunc(p.keeps(), func(path string) bool {
			return lack(sources, func(c claims) bool { _, there := c.lookup(path); return there })
		})
}

// lack reports whether no source has it.
func lack(sources []claims, has func(claims) bool) bool { return !slices.ContainsFunc(sources, has) }
