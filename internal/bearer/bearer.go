// Package bearer knows which API client a request comes from: it reads bearer
// tokens out of the Authorization header, has each verified once, and remembers
// the verdict for a short time.
package bearer

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/secret"
)

// Verifier knows one kind of token.
type Verifier interface {
	// Verify returns the user of a token, and when the token expires; the zero time
	// when that is not known. The error is auth.ErrInvalidToken for a token that is
	// not good; any other says that this could not be found out.
	Verify(ctx context.Context, token secret.Secret) (auth.User, time.Time, error)
}

// Config is what Tokens are made of.
type Config struct {
	// Issuers verify JWTs, by the exact issuer that a token names.
	Issuers map[string]Verifier

	// Others verify all other tokens, JWTs of other issuers among them. They are
	// asked in this order until one knows the token.
	Others []Verifier

	// Keys are the API keys; nil: there are none, and what looks like one is a
	// token like any other.
	Keys *Keyring

	// Render makes the identity headers of a user.
	Render Render

	Now func() time.Time
}

// Render makes the identity headers of a user. The tokens hold the bearer token
// as the access token, but never an API key: it is for this server and not for
// the app behind.
type Render func(auth.User, auth.Tokens) auth.Identity

// Tokens are all bearer tokens of one configuration. They are safe for concurrent
// use. A token that was seen within the last minute costs a hash and a look-up.
type Tokens struct {
	issuers    map[string]*route
	others     *route // nil without verifiers
	keys       *Keyring
	identities map[string]auth.Identity // of the API keys, by id
	render     Render
	verdicts   *verdicts
}

// New returns tokens that nobody has been asked about yet.
func New(cfg Config) *Tokens {
	t := &Tokens{issuers: map[string]*route{}, render: cfg.Render, verdicts: newVerdicts(cfg.Now)}
	for issuer, verifier := range cfg.Issuers {
		t.issuers[issuer] = newRoute([]Verifier{verifier})
	}
	if len(cfg.Others) > 0 {
		t.others = newRoute(slices.Clone(cfg.Others))
	}
	return t.WithKeys(cfg.Keys)
}

// WithKeys returns the same tokens, and all that is known about them, with other
// API keys.
func (t *Tokens) WithKeys(keys *Keyring) *Tokens {
	with := *t
	with.keys, with.identities = keys, nil
	if keys != nil {
		with.identities = make(map[string]auth.Identity, len(keys.keys))
		for id, k := range keys.keys {
			with.identities[id] = t.render(k.User, auth.Tokens{})
		}
	}
	return &with
}

// Ask returns whom the Authorization header of a request names, and who that is as
// response headers. found is false when it carries no token, and then there is no
// error. With found, an error that is auth.ErrInvalidToken says that the token is
// not good, and any other that nobody could tell; the user is nobody in both
// cases. An error that is auth.ErrOtherHost says that an API key is good, but not
// for this host; then there is a user, and no identity. No error holds the token.
// Identity and claims belong to no one request: do not write to them.
func (t *Tokens) Ask(ctx context.Context, req auth.Request) (user auth.User, identity auth.Identity, found bool, err error) {
	token, found, err := Authorization(req.Authorization)
	if err != nil {
		return auth.User{}, auth.Identity{}, true, err
	}
	switch {
	case t.keys == nil:
	case found && isAPIKey(token):
		user, identity, err = t.askKey(ctx, req.Host, token)
		return user, identity, true, err
	case !found:
		key, basic := basicKey(req.Authorization)
		if !basic {
			break
		}
		user, identity, err = t.askKey(ctx, req.Host, key)
		if isInvalid(err) {
			err = fmt.Errorf("%w: %w", auth.ErrInvalidBasic, err)
		}
		return user, identity, true, err
	}
	if !found {
		return auth.User{}, auth.Identity{}, false, nil
	}
	v := t.verdict(ctx, token)
	return v.user, v.identity, true, v.err
}

// verdict returns what is known about a token, or finds it out.
func (t *Tokens) verdict(ctx context.Context, token secret.Secret) verdict {
	key := keyOf(token)
	if v, ok := t.verdicts.get(key); ok {
		return v
	}
	route := t.route(token)
	if route == nil {
		return verdict{err: invalid("no issuer of such tokens is configured")}
	}
	return route.flights.join(ctx, key, func() verdict {
		if v, ok := t.verdicts.get(key); ok {
			return v // found out between the look above and the start of this
		}
		v := route.verify(token)
		if v.err == nil {
			own := strings.Clone(token.Reveal()) // and not all of the request that it is part of
			v.identity = t.render(v.user, auth.Tokens{Access: secret.Secret(own)})
		}
		t.verdicts.put(key, v)
		return v
	})
}

// route returns who verifies a token; nil is nobody.
func (t *Tokens) route(token secret.Secret) *route {
	if issuer, ok := claimedIssuer(token); ok {
		if r := t.issuers[issuer]; r != nil {
			return r
		}
	}
	return t.others
}

// route is the verifiers of some tokens. Each route has its own verifications in
// flight, so that an issuer who does not answer does not hold up the others.
type route struct {
	verifiers []Verifier
	flights   *flights
}

func newRoute(verifiers []Verifier) *route {
	return &route{verifiers: verifiers, flights: newFlights()}
}

// verify asks one verifier after the other. A token is not good when all of them
// say so.
func (r *route) verify(token secret.Secret) verdict {
	var bad, unknown error
	for _, verifier := range r.verifiers {
		user, expiry, err := r.ask(verifier, token)
		switch {
		case err == nil && !user.Nobody():
			return verdict{user: user, expiry: expiry}
		case err == nil:
			bad = invalid("the token names nobody")
		case isInvalid(err):
			bad = fmt.Errorf("bearer: %w", err)
		default:
			unknown = fmt.Errorf("bearer: verify token: %w", err)
		}
	}
	if unknown != nil {
		return verdict{err: unknown}
	}
	return verdict{err: bad}
}

// maxVerifying is how long a verification may take, and with it a check.
const maxVerifying = 5 * time.Second

// ask gives a verifier its share of that time, so that one which does not answer
// leaves some to the next.
func (r *route) ask(verifier Verifier, token secret.Secret) (auth.User, time.Time, error) {
	ctx, cancel := context.WithTimeout(context.Background(), maxVerifying/time.Duration(len(r.verifiers)))
	defer cancel()
	return verifier.Verify(ctx, token)
}
