package idp

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strconv"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

const (
	logoutEvent  = "http://schemas.openid.net/event/backchannel-logout"
	logoutMaxAge = 2 * time.Minute // from iat; a delivery that takes longer is a replay
	maxLogouts   = 1 << 14         // token ids remembered; one lives for three minutes
	maxSessionID = 255             // bytes of sid
)

// Logout is what a provider says has ended: one of its own sessions or, without
// SessionID, everything of a user.
type Logout struct {
	Provider  string // the configured name
	Issuer    string // that of the provider's users, also where a tenant has its own
	SessionID string // sid, "" when the provider did not say
	Subject   string // sub, "" when the provider did not say
}

// LogoutTokens verifies the logout tokens of providers (OpenID Connect
// Back-Channel Logout 1.0). It is safe for concurrent use.
type LogoutTokens struct {
	providers Providers
	seen      *lru.Cache[[sha256.Size]byte, struct{}] // issuer and jti
}

// NewLogoutTokens returns what verifies the logout tokens of providers. It shares
// their keys, and so the bounds on how often those are fetched.
func NewLogoutTokens(providers Providers) *LogoutTokens {
	seen, err := lru.New[[sha256.Size]byte, struct{}](maxLogouts)
	if err != nil {
		panic(err) // only for a size below one
	}
	return &LogoutTokens{providers: providers, seen: seen}
}

// Take verifies a logout token and has end do what it says, once: a token that was
// taken before fails. When end fails the token counts as not taken, and Take
// returns that error. Others are an *InvalidError, and an *UnavailableError when
// the keys could not be fetched; then end was not called.
func (l *LogoutTokens) Take(ctx context.Context, raw string, end func(Logout) error) (Logout, error) {
	p, err := l.issuedBy(raw)
	if err != nil {
		return Logout{}, err
	}
	logout, jti, err := p.verifyLogoutToken(ctx, raw)
	if err != nil {
		return Logout{}, err
	}
	key := sha256.Sum256([]byte(strconv.Itoa(len(logout.Issuer)) + " " + logout.Issuer + jti))
	if again, _ := l.seen.ContainsOrAdd(key, struct{}{}); again {
		return Logout{}, invalid(ReasonReplayed, "a logout token with this jti was taken before")
	}
	if err := end(logout); err != nil {
		l.seen.Remove(key)
		return Logout{}, err
	}
	return logout, nil
}

// issuedBy finds the provider that a token claims to be of. Where several have one
// issuer it is the one whose client the token is for. Nothing is verified yet.
func (l *LogoutTokens) issuedBy(raw string) (*Provider, error) {
	if _, err := parseHeader(raw); err != nil {
		return nil, err
	}
	payload, err := base64.RawURLEncoding.Strict().DecodeString(strings.Split(raw, ".")[1])
	if err != nil {
		return nil, invalid(ReasonTokenFormat, "the payload is not base64url")
	}
	c, err := parseClaims(payload)
	if err != nil {
		return nil, invalid(ReasonClaims, "the logout token: %w", err)
	}
	issuer, _ := c.text("iss")
	audience, _ := c.texts("aud")
	var found *Provider
	for _, p := range l.providers {
		if p.issues(issuer) && (found == nil || slices.Contains(audience, p.conf.ClientID)) {
			found = p
		}
	}
	if found == nil {
		return nil, invalid(ReasonIssuer, "iss is %q, and no provider of that issuer is configured", cut(issuer))
	}
	return found, nil
}

// verifyLogoutToken makes every check of Back-Channel Logout 1.0 section 2.6 but
// that of jti, which it returns. It is a validator of its own: what passes here is
// no ID token, and no ID token passes here (TOK-3).
func (p *Provider) verifyLogoutToken(ctx context.Context, raw string) (logout Logout, jti string, err error) {
	head, err := parseHeader(raw)
	if err != nil {
		return Logout{}, "", err
	}
	if err := p.checkLogoutType(head); err != nil {
		return Logout{}, "", err
	}
	meta, err := p.metadata(ctx)
	if err != nil {
		return Logout{}, "", err
	}
	if !slices.Contains(meta.algorithms, head.alg) {
		return Logout{}, "", invalid(ReasonAlgorithm, "the provider does not announce %s", head.alg)
	}
	payload, err := p.keys.verify(ctx, raw, false)
	if err != nil {
		return Logout{}, "", err
	}
	c, err := parseClaims(payload)
	if err != nil {
		return Logout{}, "", invalid(ReasonClaims, "the logout token: %w", err)
	}
	for _, check := range []func(claims) error{
		p.checkIssuer, audienceAmong([]string{p.conf.ClientID}), p.checkLogoutTimes,
		checkLogoutEvent, checkNoNonce, checkTokenID,
	} {
		if err := check(c); err != nil {
			return Logout{}, "", err
		}
	}
	jti, _ = c.text("jti")
	logout, err = p.logout(c)
	return logout, jti, err
}

// checkLogoutType wants the type logout+jwt, so that no other kind of token of the
// same issuer can be passed off as one (RFC 8725 3.11). Some providers say JWT, or
// nothing.
func (p *Provider) checkLogoutType(head header) error {
	untyped := head.typ == "" || head.typ == "jwt"
	switch {
	case head.typ == "logout+jwt", untyped && p.conf.UntypedLogoutTokens:
		return nil
	case untyped:
		return invalid(ReasonTokenType, "the token is of the type %q and not logout+jwt; see untyped_logout_tokens", head.typ)
	default:
		return invalid(ReasonTokenType, "the token is of the type %q", cut(head.typ))
	}
}

// checkLogoutTimes requires exp and iat. The age of a token bounds for how long it
// can be shown, and with that how many ids have to be remembered.
func (p *Provider) checkLogoutTimes(c claims) error {
	now := p.conf.Now()
	expiry, err := checkLifetime(c, now)
	if err != nil {
		return err
	}
	if expiry.IsZero() {
		return invalid(ReasonExpired, "exp is missing")
	}
	issued, err := c.date("iat")
	if err != nil || issued.IsZero() {
		return invalid(ReasonIssuedAt, "iat is missing or malformed")
	}
	if age := now.Sub(issued); age > logoutMaxAge {
		return invalid(ReasonIssuedAt, "the logout token was issued %v ago", age.Round(time.Second))
	}
	return nil
}

func checkLogoutEvent(c claims) error {
	events, _ := c["events"].(map[string]any)
	if _, ok := events[logoutEvent].(map[string]any); !ok {
		return invalid(ReasonEvents, "events does not hold the object %s", logoutEvent)
	}
	return nil
}

// checkNoNonce tells a logout token from an ID token, whatever else both hold.
func checkNoNonce(c claims) error {
	if _, there := c["nonce"]; there {
		return invalid(ReasonNonce, "the token has a nonce, which no logout token has")
	}
	return nil
}

func checkTokenID(c claims) error {
	if jti, err := c.text("jti"); err != nil || jti == "" {
		return invalid(ReasonTokenID, "jti is not a string that says something")
	}
	return nil
}

// logout reads what has ended.
func (p *Provider) logout(c claims) (Logout, error) {
	sid, err := c.text("sid")
	if err != nil || len(sid) > maxSessionID {
		return Logout{}, invalid(ReasonSubject, "sid is not a string of at most %d bytes", maxSessionID)
	}
	subject := ""
	if _, there := c["sub"]; there || sid == "" {
		if err := checkSubject(c); err != nil {
			return Logout{}, err
		}
		if subject, err = p.kind.subject(p, c); err != nil {
			return Logout{}, invalid(ReasonSubject, "%w", err)
		}
	}
	return Logout{Provider: p.Name(), Issuer: p.Issuer(), SessionID: sid, Subject: subject}, nil
}
