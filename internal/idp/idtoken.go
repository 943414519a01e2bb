package idp

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"slices"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"github.com/doorward/doorward/internal/secret"
)

// skew is how far the clocks of the provider and of this server may differ.
const skew = 60 * time.Second

// maxDelivery is how long an ID token may be on its way: a provider makes it for
// the answer that it comes with, which has a time limit.
const maxDelivery = totalTimeout + 20*time.Second

// expected is what an ID token is compared with besides the configuration: at a
// login the nonce, and at a refresh, where a nonce is neither needed nor known any
// more, the subject of the login (OpenID Connect Core 12.2).
type expected struct {
	nonce       string
	refreshOf   string
	accessToken string
}

// idToken is an ID token that has passed every check.
type idToken struct {
	claims    claims
	subject   string
	sessionID string
	acr       string
	authTime  time.Time
	lifetime  time.Duration // from iat to exp
}

// verifyIDToken checks an ID token as OpenID Connect Core 3.1.3.7 asks, and
// more strictly: only the claims that were read by their exact names count.
func (p *Provider) verifyIDToken(ctx context.Context, meta *metadata, raw string, want expected) (idToken, error) {
	if raw == "" {
		return idToken{}, invalid(ReasonTokenResponse, "the answer holds no ID token")
	}
	head, err := parseHeader(raw)
	if err != nil {
		return idToken{}, err
	}
	if !slices.Contains(meta.algorithms, head.alg) {
		return idToken{}, invalid(ReasonAlgorithm, "the provider does not announce %s", head.alg)
	}
	if head.typ != "" && head.typ != "jwt" {
		return idToken{}, invalid(ReasonTokenType, "the token is of the type %q", cut(head.typ))
	}
	payload, err := p.keys.verify(ctx, raw, true)
	if err != nil {
		return idToken{}, err
	}
	c, err := parseClaims(payload)
	if err != nil {
		return idToken{}, invalid(ReasonClaims, "the ID token: %w", err)
	}
	for _, check := range []func(claims) error{
		p.checkIssuer, p.checkAudience, p.checkTimes, checkSubject,
		func(c claims) error { return want.checkOrigin(p, c) },
		func(c claims) error { return want.checkAccessHash(c, head.alg) },
		func(c claims) error { return p.kind.vouch(p, c) },
	} {
		if err := check(c); err != nil {
			return idToken{}, err
		}
	}
	if err := p.secondOpinion(ctx, raw, c, head.alg); err != nil {
		return idToken{}, err
	}
	id, err := readIDToken(c)
	if err == nil {
		id.subject, err = p.kind.subject(p, c)
	}
	return id, err
}

// secondOpinion lets go-oidc judge the same token. It catches nothing unless one
// of the two is wrong.
func (p *Provider) secondOpinion(ctx context.Context, raw string, c claims, alg jose.SignatureAlgorithm) error {
	issuer, err := p.kind.issuer(p, c)
	if err != nil {
		return err
	}
	verifier := oidc.NewVerifier(issuer, p.keys, &oidc.Config{
		ClientID:             p.conf.ClientID,
		SupportedSigningAlgs: []string{string(alg)},
		Now:                  func() time.Time { return p.conf.Now().Add(-skew) }, // it allows no skew for exp
	})
	if _, err := verifier.Verify(ctx, raw); err != nil {
		return invalid(ReasonClaims, "go-oidc refuses the token: %s", cut(err.Error()))
	}
	return nil
}

func (p *Provider) checkIssuer(c claims) error {
	want, err := p.kind.issuer(p, c)
	if err != nil {
		return err
	}
	issuer, err := c.text("iss")
	if err != nil || issuer != want {
		return invalid(ReasonIssuer, "iss is %q and not the issuer", cut(issuer))
	}
	return nil
}

// checkAudience also checks azp: a token for several audiences must have been
// issued to this client, and no token to another one.
func (p *Provider) checkAudience(c claims) error {
	audience, err := c.texts("aud")
	if err != nil {
		return invalid(ReasonAudience, "%w", err)
	}
	if !slices.Contains(audience, p.conf.ClientID) {
		return invalid(ReasonAudience, "aud does not hold the client id")
	}
	party, err := c.text("azp")
	_, there := c["azp"]
	if err != nil || (there || len(audience) > 1) && party != p.conf.ClientID {
		return invalid(ReasonAuthorized, "azp is not the client id")
	}
	return nil
}

// checkTimes requires exp and iat, and allows the skew on either side. The token
// has to be new.
func (p *Provider) checkTimes(c claims) error {
	now := p.conf.Now()
	expiry, err := c.date("exp")
	if err != nil || expiry.IsZero() {
		return invalid(ReasonExpired, "exp is missing or malformed")
	}
	if !now.Before(expiry.Add(skew)) {
		return invalid(ReasonExpired, "the token expired %v ago", now.Sub(expiry).Round(time.Second))
	}
	issued, err := c.date("iat")
	if err != nil || issued.IsZero() {
		return invalid(ReasonIssuedAt, "iat is missing or malformed")
	}
	if issued.After(now.Add(skew)) {
		return invalid(ReasonIssuedAt, "the token was issued %v in the future", issued.Sub(now).Round(time.Second))
	}
	if now.Sub(issued) > skew+maxDelivery {
		return invalid(ReasonIssuedAt, "the token was issued %v ago, and a login has just begun", now.Sub(issued).Round(time.Second))
	}
	notBefore, err := c.date("nbf")
	if err != nil {
		return invalid(ReasonNotYetValid, "%w", err)
	}
	if notBefore.After(now.Add(skew)) {
		return invalid(ReasonNotYetValid, "the token is valid in %v", notBefore.Sub(now).Round(time.Second))
	}
	return nil
}

// checkSubject follows OpenID Connect Core 2: at most 255 ASCII characters.
func checkSubject(c claims) error {
	subject, err := c.text("sub")
	if err != nil || subject == "" || len(subject) > 255 {
		return invalid(ReasonSubject, "sub is not a string of 1 to 255 characters")
	}
	for i := range len(subject) {
		if subject[i] > 0x7f {
			return invalid(ReasonSubject, "sub is not ASCII")
		}
	}
	return nil
}

// checkOrigin makes sure that the token belongs to the login.
func (w expected) checkOrigin(p *Provider, c claims) error {
	if w.refreshOf != "" {
		if subject, err := p.kind.subject(p, c); err != nil || subject != w.refreshOf {
			return invalid(ReasonSubject, "the refreshed ID token is not of the subject of the login")
		}
		return nil
	}
	nonce, err := c.text("nonce")
	if err != nil || !secret.Secret(w.nonce).Equal(secret.Secret(nonce)) {
		return invalid(ReasonNonce, "the nonce is not that of the flow")
	}
	return nil
}

// checkAccessHash compares at_hash, where it is present, with the access token
// (OpenID Connect Core 3.1.3.6). The hash is that of the signature algorithm.
func (w expected) checkAccessHash(c claims, alg jose.SignatureAlgorithm) error {
	if _, there := c["at_hash"]; !there {
		return nil
	}
	got, err := c.text("at_hash")
	if err != nil {
		return invalid(ReasonAccessHash, "%w", err)
	}
	var sum []byte
	switch token := []byte(w.accessToken); alg {
	case jose.RS256, jose.PS256, jose.ES256:
		hash := sha256.Sum256(token)
		sum = hash[:]
	case jose.RS384, jose.PS384, jose.ES384:
		hash := sha512.Sum384(token)
		sum = hash[:]
	default:
		hash := sha512.Sum512(token)
		sum = hash[:]
	}
	want := base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])
	if !secret.Secret(want).Equal(secret.Secret(got)) {
		return invalid(ReasonAccessHash, "at_hash is not that of the access token")
	}
	return nil
}

// readIDToken takes what a login needs besides the user's attributes.
func readIDToken(c claims) (idToken, error) {
	id := idToken{claims: c}
	var err error
	if id.subject, err = c.text("sub"); err != nil {
		return idToken{}, invalid(ReasonSubject, "%w", err)
	}
	if id.authTime, err = c.date("auth_time"); err != nil {
		return idToken{}, invalid(ReasonClaims, "%w", err)
	}
	if id.sessionID, err = c.text("sid"); err != nil {
		return idToken{}, invalid(ReasonClaims, "%w", err)
	}
	if id.acr, err = c.text("acr"); err != nil {
		return idToken{}, invalid(ReasonClaims, "%w", err)
	}
	expiry, _ := c.date("exp") // both were checked
	issued, _ := c.date("iat")
	id.lifetime = max(expiry.Sub(issued), 0)
	return id, nil
}
