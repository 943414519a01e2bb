package idp

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/secret"
)

const partToken = "token endpoint"

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
}

// AuthURL returns where to send the browser: the authorization request of f
// (OpenID Connect Core 3.1.2.1) with PKCE S256 always. extra holds further
// parameters, such as prompt or login_hint; one that is this package's own is an
// error. Before the provider has been discovered it waits a little for that, and
// the error is an *UnavailableError.
func (p *Provider) AuthURL(ctx context.Context, f Flow, redirectURI string, extra url.Values) (string, error) {
	if err := f.check(); err != nil {
		return "", err
	}
	options := []oauth2.AuthCodeOption{oidc.Nonce(f.Nonce), oauth2.S256ChallengeOption(f.Verifier.Reveal())}
	for name, value := range p.conf.AuthParams {
		options = append(options, oauth2.SetAuthURLParam(name, value))
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
	return p.oauth(meta, redirectURI).AuthCodeURL(f.State, options...), nil
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
	token, err := p.exchange(ctx, meta, f, cb.Code, redirectURI)
	if err != nil {
		return Login{}, err
	}
	raw, _ := token.Extra("id_token").(string)
	if raw == "" {
		return Login{}, invalid(ReasonTokenResponse, "the answer holds no ID token")
	}
	id, err := p.verifyIDToken(ctx, meta, raw, expected{nonce: f.Nonce, accessToken: token.AccessToken})
	if err != nil {
		return Login{}, err
	}
	user, err := p.user(ctx, meta, id, secret.Secret(token.AccessToken))
	if err != nil {
		return Login{}, err
	}
	return Login{
		User:      user,
		Tokens:    auth.Tokens{Access: secret.Secret(token.AccessToken), ID: secret.Secret(raw), Refresh: secret.Secret(token.RefreshToken)},
		SessionID: id.sessionID,
	}, nil
}

// checkCallback makes sure that it is this provider that answered (RFC 9207
// 2.4), also with an error, before anything in the answer is believed.
func (p *Provider) checkCallback(meta *metadata, cb Callback) error {
	switch {
	case cb.Issuer == "" && meta.requireIss:
		return invalid(ReasonMixUp, "the callback lacks iss, which the provider announces")
	case cb.Issuer != "" && cb.Issuer != p.conf.IssuerURL:
		return invalid(ReasonMixUp, "the callback is of the issuer %q", cut(cb.Issuer))
	case cb.Error != "":
		return &RejectedError{Code: errorCode(cb.Error), Endpoint: "authorization"}
	case cb.Code == "":
		return invalid(ReasonCallback, "the callback holds neither a code nor an error")
	}
	return nil
}

func (p *Provider) oauth(meta *metadata, redirectURI string) *oauth2.Config {
	return &oauth2.Config{
		ClientID:     p.conf.ClientID,
		ClientSecret: p.conf.ClientSecret.Reveal(),
		Endpoint:     oauth2.Endpoint{AuthURL: meta.authURL, TokenURL: meta.tokenURL, AuthStyle: meta.authStyle},
		RedirectURL:  redirectURI,
		Scopes:       p.conf.Scopes,
	}
}

// exchange redeems the code, once.
func (p *Provider) exchange(ctx context.Context, meta *metadata, f Flow, code, redirectURI string) (*oauth2.Token, error) {
	ctx = oidc.ClientContext(ctx, p.client)
	token, err := p.oauth(meta, redirectURI).Exchange(ctx, code, oauth2.VerifierOption(f.Verifier.Reveal()))
	if err != nil {
		return nil, tokenError(err)
	}
	if token.TokenType != "" && !strings.EqualFold(token.TokenType, "Bearer") {
		return nil, invalid(ReasonTokenResponse, "the access token is not a bearer token")
	}
	return token, nil
}

// tokenError sorts an error of the token endpoint. Errors of x/oauth2 hold the
// answer's body, so none of them is kept.
func tokenError(err error) error {
	var retrieve *oauth2.RetrieveError
	var request *url.Error
	switch {
	case errors.As(err, &retrieve) && transient(retrieve.Response.StatusCode):
		return unavailable(partToken, &statusError{retrieve.Response.StatusCode})
	case errors.As(err, &retrieve) && retrieve.ErrorCode != "":
		return &RejectedError{Code: errorCode(retrieve.ErrorCode), Endpoint: "token"}
	case errors.As(err, &retrieve):
		return invalid(ReasonTokenResponse, "the token endpoint %w", &statusError{retrieve.Response.StatusCode})
	case errors.Is(err, errBodyTooLarge):
		return invalid(ReasonTokenResponse, "the token endpoint: %w", errBodyTooLarge)
	case errors.As(err, &request):
		return unavailable(partToken, request)
	default:
		return invalid(ReasonTokenResponse, "the answer of the token endpoint cannot be read")
	}
}

// errorCode returns an error code as it may be logged and shown: the characters
// of RFC 6749 4.1.2.1 without the space, and a bounded length.
func errorCode(code string) string {
	unfit := func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }
	if len(code) > 64 || strings.ContainsFunc(code, unfit) {
		return "unreadable"
	}
	return code
}

// EndSessionURL returns where to send the browser so that the session at the
// provider ends as well (OpenID Connect RP-Initiated Logout 1.0, 2), and "" when
// the provider has no such place or has not been discovered. postLogout must be
// registered there; it and state are left out when empty.
func (p *Provider) EndSessionURL(postLogout, state string) string {
	endpoint := p.conf.EndSessionURL
	if meta := p.meta.Load(); meta != nil {
		endpoint = meta.endSessionURL
	}
	u, err := url.Parse(endpoint)
	if endpoint == "" || err != nil {
		return ""
	}
	query := u.Query()
	query.Set("client_id", p.conf.ClientID)
	if postLogout != "" {
		query.Set("post_logout_redirect_uri", postLogout)
	}
	if state != "" {
		query.Set("state", state)
	}
	u.RawQuery = query.Encode()
	return u.String()
}
