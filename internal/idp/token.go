package idp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/secret"
)

const partToken = "token endpoint"

// exchange redeems the code of a login, once (RFC 6749 4.1.3, RFC 7636 4.5). An ID
// token among what it brings is not verified.
func (p *Provider) exchange(ctx context.Context, meta *metadata, f Flow, code, redirectURI string) (auth.Tokens, error) {
	options := []oauth2.AuthCodeOption{oauth2.VerifierOption(f.Verifier.Reveal())}
	proof := url.Values{}
	if err := p.prove(meta, proof, http.Header{}); err != nil {
		return auth.Tokens{}, err
	}
	for name := range proof {
		options = append(options, oauth2.SetAuthURLParam(name, proof.Get(name)))
	}
	asked := p.conf.Now()
	token, err := p.oauth(meta, redirectURI).Exchange(oidc.ClientContext(ctx, p.client), code, options...)
	if err != nil {
		return auth.Tokens{}, exchangeError(err)
	}
	if !strings.EqualFold(token.Type(), "Bearer") {
		return auth.Tokens{}, invalid(ReasonTokenResponse, "the access token is not a bearer token")
	}
	id, _ := token.Extra("id_token").(string)
	return auth.Tokens{
		Access: secret.Secret(token.AccessToken), ID: secret.Secret(id), Refresh: secret.Secret(token.RefreshToken),
		Expiry: ending(float64(token.ExpiresIn), asked),
	}, nil
}

// exchangeError sorts an error of x/oauth2. They hold the answer's body, so none
// of them is kept.
func exchangeError(err error) error {
	var refused *oauth2.RetrieveError
	var request *url.Error
	switch {
	case errors.As(err, &refused) && transient(refused.Response.StatusCode):
		return unavailable(partToken, &statusError{refused.Response.StatusCode})
	case errors.As(err, &refused) && refused.ErrorCode != "":
		return &RejectedError{Code: errorCode(refused.ErrorCode), Endpoint: "token"}
	case errors.As(err, &refused):
		return invalid(ReasonTokenResponse, "the %s %w", partToken, &statusError{refused.Response.StatusCode})
	case errors.As(err, &request):
		return endpointError(partToken, request)
	default:
		return invalid(ReasonTokenResponse, "the answer of the %s cannot be read", partToken)
	}
}

// redeem sends a grant for which x/oauth2 has no way with every kind of client to
// the token endpoint, once, and returns what it brought: at least an access token.
// An ID token among it is not verified. The error is as that of Login.
func (p *Provider) redeem(ctx context.Context, meta *metadata, grant url.Values) (auth.Tokens, error) {
	asked := p.conf.Now()
	resp, err := p.post(ctx, meta, meta.tokenURL, grant)
	if err != nil {
		return auth.Tokens{}, endpointError(partToken, err)
	}
	members, err := resp.members("token", partToken)
	if err != nil {
		return auth.Tokens{}, err
	}
	return issued(members, asked)
}

// issued reads a good answer of the token endpoint (RFC 6749 5.1, OpenID Connect
// Core 3.1.3.3).
func issued(members claims, asked time.Time) (auth.Tokens, error) {
	var texts [4]string
	for i, name := range []string{"access_token", "id_token", "refresh_token", "token_type"} {
		var err error
		if texts[i], err = members.text(name); err != nil {
			return auth.Tokens{}, invalid(ReasonTokenResponse, "the token endpoint's answer: %w", err)
		}
	}
	if texts[0] == "" {
		return auth.Tokens{}, invalid(ReasonTokenResponse, "the answer holds no access token")
	}
	if kind := texts[3]; kind != "" && !strings.EqualFold(kind, "Bearer") {
		return auth.Tokens{}, invalid(ReasonTokenResponse, "the access token is not a bearer token")
	}
	return auth.Tokens{
		Access: secret.Secret(texts[0]), ID: secret.Secret(texts[1]), Refresh: secret.Secret(texts[2]),
		Expiry: expiry(members["expires_in"], asked),
	}, nil
}

// expiry is the end of an access token's life, zero where the provider did not
// say it in a way that can be believed. Some write the seconds as a text.
func expiry(value any, asked time.Time) time.Time {
	text, _ := value.(string)
	if number, ok := value.(json.Number); ok {
		text = number.String()
	}
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return time.Time{}
	}
	return ending(seconds, asked)
}

// ending is when a life of some seconds ends, zero for one that cannot be.
func ending(seconds float64, asked time.Time) time.Time {
	if !(seconds > 0 && seconds < math.MaxInt32) {
		return time.Time{}
	}
	return asked.Add(time.Duration(seconds * float64(time.Second)))
}

// reply is a whole answer, whatever its status.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// post sends a form to an endpoint at which this client has to prove itself, once
// and without following redirects. The error is that no answer came.
func (p *Provider) post(ctx context.Context, meta *metadata, endpoint string, form url.Values) (reply, error) {
	header := http.Header{"Accept": {"application/json"}, "Content-Type": {"application/x-www-form-urlencoded"}}
	if err := p.prove(meta, form, header); err != nil {
		return reply{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return reply{}, err
	}
	req.Header = header
	return do(p.client, req)
}

func do(client *http.Client, req *http.Request) (reply, error) {
	resp, err := client.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return reply{status: resp.StatusCode, header: resp.Header, body: body}, err
}

// endpointError is the error for an endpoint that gave no answer.
func endpointError(part string, err error) error {
	if errors.Is(err, errBodyTooLarge) {
		return invalid(ReasonTokenResponse, "the %s: %w", part, errBodyTooLarge)
	}
	if own, ok := errors.AsType[*UnavailableError](err); ok {
		return own // it was never asked
	}
	return unavailable(part, err)
}

// members reads a good answer of an OAuth endpoint, and sorts all others: what is
// transient is an *UnavailableError, an error code a *RejectedError (RFC 6749
// 5.2), anything else an *InvalidError. None of them repeats the body.
func (r reply) members(endpoint, part string) (claims, error) {
	if transient(r.status) {
		return nil, unavailable(part, &statusError{r.status})
	}
	members, err := parseClaims(bytes.TrimSpace(r.body))
	good := r.status == http.StatusOK || r.status == http.StatusCreated
	if code, _ := members["error"].(string); code != "" {
		return nil, &RejectedError{Code: errorCode(code), Endpoint: endpoint}
	}
	switch {
	case !good:
		return nil, invalid(ReasonTokenResponse, "the %s %w", part, &statusError{r.status})
	case err != nil:
		return nil, invalid(ReasonTokenResponse, "the answer of the %s cannot be read", part)
	}
	return members, nil
}

// errorCode returns an error code as it may be logged and shown: the characters
// of RFC 6749 4.1.2.1 without the space, and a bounded length.
func errorCode(code string) string {
	unfit := func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }
	if usual, own := map[string]string{ // GitHub's own words
		"bad_verification_code": "invalid_grant", "bad_refresh_token": "invalid_grant", "incorrect_client_credentials": "invalid_client",
	}[code]; own {
		return usual
	}
	if len(code) > 64 || strings.ContainsFunc(code, unfit) {
		return "unreadable"
	}
	return code
}
