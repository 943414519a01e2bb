// Package bearer knows which API client a request comes from: it reads bearer
// tokens out of the Authorization header, has each verified once, and remembers
// the verdict for a short time.
package bearer

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
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

	// Render makes the identity headers of a user. SetRender replaces it.
	Render Render

	Now func() time.Time
}

// Render makes the identity headers of a user. The tokens hold the bearer token
// as the access token.
type Render func(auth.User, auth.Tokens) auth.Identity

// Tokens are all bearer tokens of one configuration. They are safe for concurrent
// use. A token that was seen within the last minute costs a hash and a look-up.
type Tokens struct {
	issuers  map[string]*route
	others   *route // nil without verifiers
	render   atomic.Pointer[rendering]
	verdicts *verdicts
}

// rendering is a Render and how many there were before it.
type rendering struct {
	Render
	generation uint64
}

// New returns tokens that nobody has been asked about yet.
func New(cfg Config) *Tokens {
	t := &Tokens{issuers: map[string]*route{}, verdicts: newVerdicts(cfg.Now)}
	for issuer, verifier := range cfg.Issuers {
		t.issuers[issuer] = newRoute([]Verifier{verifier})
	}
	if len(cfg.Others) > 0 {
		t.others = newRoute(slices.Clone(cfg.Others))
	}
	t.render.Store(&rendering{Render: cfg.Render})
	return t
}

// SetRender replaces how identity headers are made, and forgets all verdicts.
// What verifiers keep of tokens is to be changed before, so that no verdict of
// the new generation lacks it.
func (t *Tokens) SetRender(render Render) {
	t.render.Store(&rendering{render, t.render.Load().generation + 1})
	t.verdicts.forget()
}

// Ask returns who the lines of an Authorization header name, and who that is as
// response headers. found is false when they carry no bearer token, and then there
// is no error. With found, an error that is auth.ErrInvalidToken says that the
// token is not good, and any other that nobody could tell; the user is nobody in
// both cases. No error holds the token. Identity and claims belong to no one
// request: do not write to them.
func (t *Tokens) Ask(ctx context.Context, authorization []string) (user auth.User, identity auth.Identity, found bool, err error) {
	token, found, err := Authorization(authorization)
	if err != nil || !found {
		return auth.User{}, auth.Identity{}, found, err
	}
	v := t.verdict(ctx, token)
	return v.user, v.identity, true, v.err
}

// verdict returns what is known about a token, or finds it out.
func (t *Tokens) verdict(ctx context.Context, token secret.Secret) verdict {
	render := t.render.Load()
	key := keyOf(render.generation, token)
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
			v.identity = render.Render(v.user, auth.Tokens{Access: token})
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
