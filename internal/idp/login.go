package idp

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/secret"
)

// Flow is what a login must remember between its start and its callback, bound
// to the browser by the caller. State and Nonce have at least 128 random bits,
// Verifier is a PKCE verifier of 43 to 128 characters (RFC 7636 4.1).
type Flow struct {
	State    string
	Nonce    string
	Verifier secret.Secret
}

func (f Flow) check() error {
	if f.State == "" || f.Nonce == "" || len(f.Verifier) < 43 || len(f.Verifier) > 128 {
		return errors.New("idp: the flow lacks a state, a nonce or a verifier")
	}
	return nil
}

// Login is what a successful login brought. The caller decides what of it is
// kept.
type Login struct {
	User      auth.User
	Tokens    auth.Tokens
	SessionID string // sid, the provider's name of its session; "" when it gave none

	// Stale is set by Refresh alone: some of User is as it was before.
	Stale bool
}

// AuthURL returns where to send the browser: the authorization request of f
// (OpenID Connect Core 3.1.2.1) with PKCE S256 always. extra holds further
// parameters, such as prompt or login_hint; one that is this package's own is an
// error. A provider that takes pushed requests is given it beforehand. Before the
// provider has been discovered it waits a little for that. The error is as that of
// Login, and mostly an *UnavailableError.
func (p *Provider) AuthURL(ctx context.Context, f Flow, redirectURI string, extra url.Values) (string, error) {
	if err := f.check(); err != nil {
		return "", err
	}
	options := []oauth2.AuthCodeOption{oauth2.S256ChallengeOption(f.Verifier.Reveal())}
	if p.kind.openID() {
		options = append(options, oidc.Nonce(f.Nonce))
	}
	for _, params := range []map[string]string{p.kind.authParams(p), p.conf.AuthParams} {
		for name, value := range params {
			options = append(options, oauth2.SetAuthURLParam(name, value))
		}
	}
	for name := range extra {
		if slices.Contains(reserved, name) {
			return "", fmt.Errorf("idp: authorization parameter %s cannot be set", name)
		}
		options = append(options, oauth2.SetAuthURLParam(name, extra.Get(name)))
	}
	meta, err := p.metadata(ctx)
	if err != nil {
		return "", err
	}
	address := p.oauth(meta, redirectURI).AuthCodeURL(f.State, options...)
	if meta.pushURL != "" {
		return p.push(ctx, meta, address)
	}
	return address, nil
}

// oauth is this client as x/oauth2 wants it, with a style that is settled: a probe
// would send the code twice (OIDC-10).
func (p *Provider) oauth(meta *metadata, redirectURI string) *oauth2.Config {
	conf := &oauth2.Config{
		ClientID: p.conf.ClientID, RedirectURL: redirectURI, Scopes: p.conf.Scopes,
		Endpoint: oauth2.Endpoint{AuthURL: meta.authURL, TokenURL: meta.tokenURL, AuthStyle: oauth2.AuthStyleInParams},
	}
	switch meta.authMethod {
	case AuthBasic:
		conf.ClientSecret, conf.Endpoint.AuthStyle = p.conf.ClientSecret.Reveal(), oauth2.AuthStyleInHeader
	case AuthPost:
		conf.ClientSecret = p.conf.ClientSecret.Reveal()
	}
	return conf
}

// Login ends a login: it checks that the callback belongs to the flow and came
// from this provider, exchanges the code, checks the ID token, asks userinfo when
// a claim that is needed is missing, and returns who signed in. redirectURI is
// the one given to AuthURL. It may take up to ten seconds for each thing that it
// asks the provider for, and as long for a key that was rotated just now.
//
// The error is an *InvalidError, a *RejectedError or an *UnavailableError. After
// each of them the code must be taken as used.
func (p *Provider) Login(ctx context.Context, f Flow, cb Callback, redirectURI string) (Login, error) {
	if err := f.check(); err != nil {
		return Login{}, err
	}
	if !secret.Secret(f.State).Equal(secret.Secret(cb.State)) {
		return Login{}, invalid(ReasonState, "the state is not that of the flow")
	}
	meta, err := p.metadata(ctx)
	if err != nil {
		return Login{}, err
	}
	if err := p.checkCallback(meta, cb); err != nil {
		return Login{}, err
	}
	tokens, err := p.exchange(ctx, meta, f, cb.Code, redirectURI)
	if err != nil {
		return Login{}, err
	}
	var id idToken
	if p.kind.openID() {
		id, err = p.verifyIDToken(ctx, meta, tokens.ID.Reveal(), expected{nonce: f.Nonce, accessToken: tokens.Access.Reveal()})
	}
	if err != nil {
		return Login{}, err
	}
	user, err := p.user(ctx, meta, id, tokens.Access)
	if err != nil {
		return Login{}, err
	}
	tokens.IDExpiry = p.ends(id)
	return Login{User: user, Tokens: tokens, SessionID: id.sessionID}, nil
}

// checkCallback makes sure that it is this provider that answered (RFC 9207
// 2.4), also with an error, before anything in the answer is believed.
func (p *Provider) checkCallback(meta *metadata, cb Callback) error {
	switch {
	case cb.Issuer == "" && meta.requireIss:
		return invalid(ReasonMixUp, "the callback lacks iss, which the provider announces")
	case cb.Issuer != "" && !p.kind.answersAs(p, cb.Issuer):
		return invalid(ReasonMixUp, "the callback is of the issuer %q", cut(cb.Issuer))
	case cb.Error != "":
		return &RejectedError{Code: errorCode(cb.Error), Endpoint: "authorization"}
	case cb.Code == "":
		return invalid(ReasonCallback, "the callback holds neither a code nor an error")
	}
	return nil
}
