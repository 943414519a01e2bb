package idp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/secret"
)

// AccessTokenConfig is everything about the JWT access tokens of one issuer.
type AccessTokenConfig struct {
	// IssuerURL is the issuer byte for byte: what discovery and each token must
	// say. It need not be one where people sign in.
	IssuerURL string

	// Audiences are at least one, of which each token has to name one.
	Audiences []string

	// LegacyIDTokens takes ID tokens, and whatever looks like one, for access
	// tokens. Some issuers know no difference.
	LegacyIDTokens bool

	// Provider is the name of the login provider of the same issuer, which users
	// then carry and rules may ask for. Empty: there is none.
	Provider string

	// Keys are those of a login provider of the same issuer, so that both together
	// stay within the bounds of one. Nil: found by discovery, when they are needed.
	Keys *Keys

	// Claims are as in Config, and so are their defaults. An e-mail address counts
	// only when the token itself says that it is verified (BEAR-5).
	UserClaim    string
	EmailClaim   string
	GroupsClaims []string

	CAFile string // PEM, trusted besides the system's roots

	Now func() time.Time // nil: time.Now
	Log *slog.Logger     // nil: no log
}

// AccessTokens verifies the JWT access tokens of one issuer (RFC 9068, RFC 8725).
// It is safe for concurrent use.
type AccessTokens struct {
	conf AccessTokenConfig

	// issuer is the provider that nobody signs in at: its discovery and keys, and
	// its reading of users out of claims.
	issuer *Provider
}

// NewAccessTokens checks the configuration. It never touches the network. The
// error lists every mistake.
func NewAccessTokens(cfg AccessTokenConfig) (*AccessTokens, error) {
	cfg.Audiences = slices.Clone(cfg.Audiences)
	issuer, err := newClaimant(Config{
		Name: cfg.Provider, IssuerURL: cfg.IssuerURL, CAFile: cfg.CAFile,
		UserClaim: cfg.UserClaim, EmailClaim: cfg.EmailClaim, GroupsClaims: cfg.GroupsClaims,
		Discovery: true, Now: cfg.Now, Log: cfg.Log,
		// An issuer of access tokens need not have the endpoints of a login.
		AuthURL: cfg.IssuerURL, TokenURL: cfg.IssuerURL,
	})
	err = errors.Join(wrap("issuer URL", checkIssuer(cfg.IssuerURL)), checkAudiences(cfg.Audiences), err)
	if err != nil {
		return nil, fmt.Errorf("idp: access tokens of %s: %w", cfg.IssuerURL, err)
	}
	if issuer.keys = cfg.Keys; issuer.keys == nil {
		issuer.keys = NewKeys(issuer.jwksURL, issuer.client, issuer.conf.Now, issuer.log)
	}
	issuer.warnPlain()
	return &AccessTokens{conf: cfg, issuer: issuer}, nil
}

// newClaimant returns a provider that signs nobody in: it has a client and reads
// users out of claims.
func newClaimant(cfg Config) (*Provider, error) {
	cfg = cfg.withDefaults()
	cfg.GroupsClaims = slices.Clone(cfg.GroupsClaims)
	tlsConf, err := tlsConfig(cfg.CAFile, false)
	if err != nil {
		return nil, wrap("CA file", err)
	}
	return &Provider{conf: cfg, kind: general{}, client: newClient(tlsConf), log: cfg.Log.With("tokens_of", cfg.IssuerURL)}, nil
}

// checkAudiences refuses an empty list: without an audience any token of the
// issuer would do, whoever it was meant for (BEAR-1).
func checkAudiences(audiences []string) error {
	if len(audiences) == 0 || slices.Contains(audiences, "") {
		return errors.New("audiences are missing, or one is empty")
	}
	return nil
}

// Issuer is the configured issuer, which is `iss` of every good token.
func (a *AccessTokens) Issuer() string { return a.conf.IssuerURL }

// Keep says which further claims, by dotted paths, the users of coming tokens
// are to carry.
func (a *AccessTokens) Keep(paths []string) { a.issuer.Keep(paths) }

// Run keeps what was discovered up to date until the context ends, and then lets
// go of idle connections. Nothing depends on it, as for Provider.Run.
func (a *AccessTokens) Run(ctx context.Context) {
	if a.conf.Keys != nil {
		<-ctx.Done() // the login provider looks after them
		return
	}
	a.issuer.Run(ctx)
}

// Verify returns the user of an access token, and when the token expires. A token
// that fails a check is an error that is auth.ErrInvalidToken; any other means
// that the keys could not be fetched. No error holds any part of the token but
// single values of its header and claims.
func (a *AccessTokens) Verify(ctx context.Context, token secret.Secret) (auth.User, time.Time, error) {
	c, expiry, err := a.verify(ctx, token.Reveal())
	if err != nil {
		return auth.User{}, time.Time{}, verdict(err)
	}
	user, err := a.issuer.bearer(ctx, c)
	if err != nil {
		return auth.User{}, time.Time{}, verdict(err)
	}
	return user, expiry, nil
}

// verify makes every check of RFC 9068 4 and returns the claims.
func (a *AccessTokens) verify(ctx context.Context, raw string) (claims, time.Time, error) {
	head, err := parseHeader(raw)
	if err != nil {
		return nil, time.Time{}, err
	}
	if !accessTokenType(head.typ) {
		return nil, time.Time{}, invalid(ReasonTokenType, "the token is of the type %q", cut(head.typ))
	}
	payload, err := a.issuer.keys.verify(ctx, raw, false)
	if err != nil {
		return nil, time.Time{}, err
	}
	c, err := parseClaims(payload)
	if err != nil {
		return nil, time.Time{}, invalid(ReasonClaims, "the access token: %w", err)
	}
	checks := []func(claims) error{
		a.issuer.checkIssuer, audienceAmong(a.conf.Audiences), checkSubject, checkUnbound,
	}
	if !a.conf.LegacyIDTokens {
		checks = append(checks, func(c claims) error { return checkKind(head, c) })
	}
	for _, check := range checks {
		if err := check(c); err != nil {
			return nil, time.Time{}, err
		}
	}
	expiry, err := checkLifetime(c, a.issuer.conf.Now())
	if err == nil && expiry.IsZero() {
		err = invalid(ReasonExpired, "exp is missing")
	}
	return c, expiry, err
}

// bearer makes the user out of the claims of an access token alone: nobody else
// is asked about them.
func (p *Provider) bearer(ctx context.Context, c claims) (auth.User, error) {
	id, err := readIDToken(c)
	if err != nil {
		return auth.User{}, err
	}
	return p.user(ctx, &metadata{}, id, "")
}

// verdict marks failed checks as what a caller can tell apart.
func verdict(err error) error {
	if _, failed := errors.AsType[*InvalidError](err); failed {
		return fmt.Errorf("%w: %w", auth.ErrInvalidToken, err)
	}
	return err
}
