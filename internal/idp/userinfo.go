package idp

import (
	"context"
	"errors"
	"mime"

	"github.com/doorward/doorward/internal/secret"
)

const partUserinfo = "userinfo"

// userinfo asks the provider for the claims about the user of an access token
// (OpenID Connect Core 5.3). A provider that refuses with a 4xx status gives
// none: nothing is claimed, so nothing is admitted by it. The answer must be of
// the ID token's subject.
func (p *Provider) userinfo(ctx context.Context, meta *metadata, id idToken, access secret.Secret) (claims, error) {
	answer, err := get(ctx, p.client, meta.userinfoURL, access.Reveal())
	var status *statusError
	switch {
	case errors.As(err, &status) && !transient(status.status) && status.status >= 400:
		p.log.Warn("the userinfo endpoint refused, and claims are missing", "cause", err, "subject", id.subject)
		return claims{}, nil
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

// lacks reports whether the ID token leaves open a claim that the configuration
// names.
func (p *Provider) lacks(id claims) bool {
	if _, there := id.lookup(p.conf.UserClaim); !there {
		return true
	}
	if _, settled := p.email(id, p.conf.EmailClaim); !settled {
		return true
	}
	for _, path := range p.conf.GroupsClaims {
		if _, there := id.lookup(path); !there && !overage(id, path) {
			return true
		}
	}
	for _, path := range p.keeps() {
		if _, there := id.lookup(path); !there {
			return true
		}
	}
	return false
}
