package idp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/secret"
)

const (
	partIntrospection = "introspection"
	maxIntrospection  = 64 << 10 // bytes of an answer; verdicts made of them are kept
)

// IntrospectionConfig is everything about tokens that their issuer is asked about.
type IntrospectionConfig struct {
	IntrospectionURL string

	// ClientID and ClientSecret are what this server shows to the endpoint, by
	// client_secret_basic (RFC 6749 2.3.1).
	ClientID     string
	ClientSecret secret.Secret

	// Audiences, when there are any, are those of which each token has to name one.
	Audiences []string

	Provider string // as in AccessTokenConfig, like the rest

	UserClaim    string
	EmailClaim   string
	GroupsClaims []string

	CAFile string

	Now func() time.Time
	Log *slog.Logger
}

// Introspection verifies tokens of any form by asking their issuer about each
// (RFC 7662). It is safe for concurrent use, and remembers nothing.
type Introspection struct {
	conf   IntrospectionConfig
	issuer *Provider // its client, and its reading of users out of claims
}

// NewIntrospection checks the configuration. It never touches the network. The
// error lists every mistake.
func NewIntrospection(cfg IntrospectionConfig) (*Introspection, error) {
	cfg.Audiences = slices.Clone(cfg.Audiences)
	issuer, err := newClaimant(Config{
		Name: cfg.Provider, IssuerURL: cfg.IntrospectionURL, CAFile: cfg.CAFile,
		UserClaim: cfg.UserClaim, EmailClaim: cfg.EmailClaim, GroupsClaims: cfg.GroupsClaims,
		Now: cfg.Now, Log: cfg.Log,
	})
	_, badURL := parseEndpoint(cfg.IntrospectionURL)
	errs := []error{wrap("introspection URL", badURL), err}
	if len(cfg.Audiences) > 0 {
		errs = append(errs, checkAudiences(cfg.Audiences))
	}
	if cfg.ClientID == "" || cfg.ClientSecret == "" {
		errs = append(errs, errors.New("client id or client secret is missing"))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("idp: introspection of tokens: %w", err)
	}
	issuer.warnPlain()
	return &Introspection{conf: cfg, issuer: issuer}, nil
}

// Keep says which further claims, by dotted paths, the users of coming tokens
// are to carry.
func (i *Introspection) Keep(paths []string) { i.issuer.Keep(paths) }

// CloseIdleConnections lets go of connections that nobody uses at the moment.
func (i *Introspection) CloseIdleConnections() { i.issuer.client.CloseIdleConnections() }

// Verify returns the user of a token, and when the token expires, which is the
// zero time when the endpoint does not say. A token that the endpoint does not
// call active, or that fails a check, is an error that is auth.ErrInvalidToken;
// any other means that the endpoint gave no usable answer. No error holds any part
// of the token.
//
// The user's issuer is `iss` of the answer, or the endpoint's address without
// one. The subject of a token that a client has for itself, without `sub`, is
// "client:" and the `client_id`; the user claim must then name another claim.
func (i *Introspection) Verify(ctx context.Context, token secret.Secret) (auth.User, time.Time, error) {
	if token == "" || len(token) > maxToken {
		return auth.User{}, time.Time{}, verdict(invalid(ReasonTokenFormat, "the token is empty or longer than %d bytes", maxToken))
	}
	body, err := i.ask(ctx, token)
	if err != nil {
		return auth.User{}, time.Time{}, unavailable(partIntrospection, err)
	}
	c, expiry, err := i.read(body)
	if err != nil {
		return auth.User{}, time.Time{}, verdict(err)
	}
	user, err := i.user(ctx, c)
	if err != nil {
		return auth.User{}, time.Time{}, verdict(err)
	}
	return user, expiry, nil
}

// ask sends one request (RFC 7662 2.1) and returns the body of the answer. Its
// errors are about the endpoint and never about the token.
func (i *Introspection) ask(ctx context.Context, token secret.Secret) ([]byte, error) {
	form := url.Values{"token": {token.Reveal()}, "token_type_hint": {"access_token"}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, i.conf.IntrospectionURL, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	req.SetBasicAuth(url.QueryEscape(i.conf.ClientID), url.QueryEscape(i.conf.ClientSecret.Reveal()))
	resp, err := i.issuer.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if resp.StatusCode == http.StatusBadRequest && err == nil && unsupported(body) {
		return []byte(`{"active":false}`), nil
	}
	if resp.StatusCode != http.StatusOK {
		return nil, &statusError{resp.StatusCode} // 401: the client's secret is wrong, not the token
	}
	if err == nil && len(body) > maxIntrospection {
		err = fmt.Errorf("the answer is longer than %d bytes", maxIntrospection)
	}
	return body, err
}

// unsupported reports whether an endpoint refuses to look at a token of this kind,
// with the code of RFC 7009 2.2.1: oidc-provider does so with whatever looks like a
// JWT. It is a word about the token: the endpoint never issued it to be asked about.
func unsupported(body []byte) bool {
	c, err := parseClaims(body)
	return err == nil && c["error"] == "unsupported_token_type"
}

// read checks an answer (RFC 7662 2.2). One that is not even one JSON object is
// no word about the token.
func (i *Introspection) read(body []byte) (claims, time.Time, error) {
	c, err := parseClaims(body)
	if err != nil {
		return nil, time.Time{}, unavailable(partIntrospection, fmt.Errorf("the answer: %w", err))
	}
	if c["active"] != true {
		return nil, time.Time{}, invalid(ReasonInactive, "the endpoint does not call the token active")
	}
	checks := []func(claims) error{checkIntrospectedType, checkUnbound}
	if len(i.conf.Audiences) > 0 {
		checks = append(checks, audienceAmong(i.conf.Audiences))
	}
	for _, check := range checks {
		if err := check(c); err != nil {
			return nil, time.Time{}, err
		}
	}
	expiry, err := checkLifetime(c, i.issuer.conf.Now())
	return c, expiry, err
}

// checkIntrospectedType refuses refresh tokens and ID tokens, where the answer
// says that it is about one.
func checkIntrospectedType(c claims) error {
	kind, err := c.text("token_type")
	if err != nil {
		return invalid(ReasonTokenType, "%w", err)
	}
	switch strings.ToLower(kind) {
	case "", "bearer", "access_token":
	default:
		return invalid(ReasonTokenType, "token_type says that this is no bearer token")
	}
	_, err = statedKind(c)
	return err
}

func (i *Introspection) user(ctx context.Context, c claims) (auth.User, error) {
	named := maps.Clone(c)
	if _, there := c["sub"]; !there {
		client, err := c.text("client_id")
		if err != nil || client == "" {
			return auth.User{}, invalid(ReasonSubject, "the answer has neither sub nor client_id")
		}
		named["sub"] = "client:" + client
	}
	if err := checkSubject(named); err != nil {
		return auth.User{}, err
	}
	id, err := readIDToken(named)
	if err != nil {
		return auth.User{}, err
	}
	id.claims = c
	user, err := i.issuer.user(ctx, &metadata{}, id, "")
	if err != nil {
		return auth.User{}, err
	}
	issuer, err := c.text("iss")
	if err != nil {
		return auth.User{}, invalid(ReasonIssuer, "%w", err)
	}
	if issuer != "" {
		user.Issuer = issuer
	}
	return user, nil
}
