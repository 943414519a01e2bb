package idp

import (
	"context"
	"errors"
	"fmt"

	"github.com/doorward/doorward/internal/secret"
)

// kind is what one sort of provider does in its own way. Kinds hold nothing but
// what they were configured with, and everything else about them is the same: one
// Provider, one login, one reading of users out of claims.
type kind interface {
	// prepare fills in what is known about this sort of provider, where nothing is
	// configured. It comes before the general defaults.
	prepare(c *Config)

	// check returns the mistakes that only this kind can tell.
	check(c *Config) error

	// openID reports whether logins bring an ID token. Without one the user is who
	// the provider's API says the access token is of.
	openID() bool

	// announced is the issuer that the discovery document has to name.
	announced(p *Provider) string

	// issuer is the issuer that an ID token with these claims has to name.
	issuer(p *Provider, c claims) (string, error)

	// answersAs reports whether iss of a callback (RFC 9207) is the provider's.
	answersAs(p *Provider, issuer string) bool

	// subject is the user's key among those of the provider: sub of the ID token,
	// unless that is not a key across all of its tenants.
	subject(p *Provider, c claims) (string, error)

	// vouch makes the checks of an ID token that are this kind's own.
	vouch(p *Provider, c claims) error

	// audience is whom an assertion by this client about itself is meant for.
	audience(p *Provider, meta *metadata) string

	// authParams are further parameters of the authorization request.
	authParams(p *Provider) map[string]string

	// gather finds out what is to be known about the user of an ID token and of an
	// access token, at a login and at a refresh alike. id is the zero idToken where
	// there is none; with a subject it says whose the answers must be.
	gather(ctx context.Context, p *Provider, meta *metadata, id idToken, access secret.Secret) (knowledge, error)
}

// knowledge is what was found out about a user.
type knowledge struct {
	subject string
	sources []claims // what one says is not overruled by those behind it

	// groupsUnknown is true when the provider could not be asked for the groups:
	// the user may be in any.
	groupsUnknown bool

	// refused is true when the provider does not tell what it was asked for, so
	// that claims are missing. A login goes on without them: what is not claimed
	// admits nobody.
	refused bool
}

// kindOf returns the kind of a configured type.
func kindOf(name string) (kind, error) {
	switch name {
	case "", "oidc":
		return general{}, nil
	case "github":
		return &github{}, nil
	case "google":
		return &google{}, nil
	case "entra":
		return &entra{}, nil
	}
	return general{}, fmt.Errorf("there are no providers of the type %q", name)
}

// general is OpenID Connect as it is specified, and what the other kinds of
// OpenID providers are made of.
type general struct{}

func (general) prepare(*Config) {}

func (general) check(*Config) error { return nil }

func (general) openID() bool { return true }

func (general) announced(p *Provider) string { return p.conf.IssuerURL }

func (general) issuer(p *Provider, _ claims) (string, error) { return p.conf.IssuerURL, nil }

func (general) answersAs(p *Provider, issuer string) bool { return issuer == p.conf.IssuerURL }

func (general) subject(_ *Provider, c claims) (string, error) { return c.text("sub") }

func (general) vouch(*Provider, claims) error { return nil }

// audience is the issuer and nothing else: an assertion for the address of an
// endpoint could be had, and used, by whoever makes this client believe in another
// address.
func (general) audience(p *Provider, _ *metadata) string { return p.conf.IssuerURL }

func (general) authParams(*Provider) map[string]string { return nil }

// gather asks userinfo where the ID token leaves something open, and then reads
// the access token, into which Keycloak puts roles that it keeps out of the others.
func (general) gather(ctx context.Context, p *Provider, meta *metadata, id idToken, access secret.Secret) (knowledge, error) {
	found := knowledge{subject: id.subject, sources: []claims{id.claims}}
	if err := p.askUserinfo(ctx, meta, id, access, &found); err != nil {
		return knowledge{}, err
	}
	if p.lacks(found.sources) {
		if c := p.accessClaims(ctx, id, access); c != nil {
			found.sources = append(found.sources, c)
		}
	}
	return found, nil
}

// askUserinfo adds what userinfo says to what was found, when that leaves
// something open and there is such an endpoint.
func (p *Provider) askUserinfo(ctx context.Context, meta *metadata, id idToken, access secret.Secret, found *knowledge) error {
	if meta.userinfoURL == "" || !p.lacks(found.sources) {
		return nil
	}
	info, err := p.userinfo(ctx, meta, id, access)
	switch {
	case errors.Is(err, errUserinfoRefused):
		p.log.Warn("the userinfo endpoint refused, and claims are missing", "cause", err, "subject", id.subject)
		found.refused = true
	case err != nil:
		return err
	default:
		found.sources = append(found.sources, info)
	}
	return nil
}

// gather is the kind's, within bounds of time.
func (p *Provider) gather(ctx context.Context, meta *metadata, id idToken, access secret.Secret) (knowledge, error) {
	ctx, cancel := context.WithTimeout(ctx, gatherTimeout)
	defer cancel()
	return p.kind.gather(ctx, p, meta, id, access)
}
