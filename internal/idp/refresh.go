package idp

import (
	"context"
	"errors"
	"maps"
	"net/url"
	"slices"
	"time"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/secret"
)

// InvalidGrant is the Code of the RejectedError that says that a refresh token is
// good no more: it ran out, was used before, or the provider has ended its session
// (RFC 6749 5.2). No other error says so.
const InvalidGrant = "invalid_grant"

// Refresh redeems a refresh token (OpenID Connect Core 12) and returns the user as
// the provider sees them now, by the same means as at the login, and the tokens.
// previous is the user of the session; an answer about another one is refused.
// Tokens.ID is empty when the answer held no ID token, and Tokens.Refresh is the
// token to use next time, which may be the same.
//
// The error is a *RejectedError, an *InvalidError or an *UnavailableError; with
// the first two the refresh token may have been used up. Once the provider has
// granted tokens, that it does not say who the user is, or what groups they are
// in, is no error any more, because the old refresh token may be worthless by
// then: Login.Stale is set, and what could not be fetched is as before.
func (p *Provider) Refresh(ctx context.Context, token secret.Secret, previous auth.User) (Login, error) {
	meta, err := p.metadata(ctx)
	if err != nil {
		return Login{}, err
	}
	tokens, err := p.redeem(ctx, meta, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token.Reveal()}})
	if err != nil {
		return Login{}, err
	}
	if tokens.Refresh == "" {
		tokens.Refresh = token // it stays as it was (RFC 6749 6)
	}
	login := Login{User: previous, Tokens: tokens}
	id := idToken{subject: previous.Subject}
	if tokens.ID != "" && p.kind.openID() {
		id, err = p.verifyIDToken(ctx, meta, tokens.ID.Reveal(), expected{refreshOf: previous.Subject, accessToken: tokens.Access.Reveal()})
	}
	if err == nil {
		login.SessionID = id.sessionID
		login.User, login.Stale, err = p.userAgain(ctx, meta, id, tokens.Access, previous)
	}
	if passing(err) {
		p.log.Warn("a session was refreshed, but its claims could not be fetched and are as before", "cause", err, "subject", previous.Subject)
		login.User, login.Stale, err = previous, true, nil
	}
	if err != nil {
		return Login{}, err
	}
	if login.Tokens.IDExpiry = p.ends(id); id.claims == nil {
		login.Tokens.ID = "" // there was none, or nobody could verify it
	}
	return login, nil
}

// passing reports whether err says that the provider did not tell, and not that it
// told something wrong.
func passing(err error) bool {
	if invalid, ok := errors.AsType[*InvalidError](err); ok {
		return invalid.Reason == ReasonUserinfo
	}
	return err != nil
}

// ends is when an ID token that was issued just now ends, by the clock here: its
// lifetime counts, since the clock of the provider may be another (L17).
func (p *Provider) ends(id idToken) time.Time {
	if id.claims == nil {
		return time.Time{}
	}
	return p.conf.Now().Add(id.lifetime)
}

// userAgain is the user at a refresh. Stale says that some of it is as before,
// because the provider did not say it this time.
func (p *Provider) userAgain(ctx context.Context, meta *metadata, id idToken, access secret.Secret, previous auth.User) (user auth.User, stale bool, err error) {
	known, err := p.gather(ctx, meta, id, access)
	if err != nil {
		return auth.User{}, false, err
	}
	if known.refused {
		return previous, true, nil
	}
	if p.kind.openID() && id.claims == nil {
		user, stale, err = p.userWithout(id, known, previous)
	} else {
		user, err = p.userOf(id, known)
	}
	switch {
	case err != nil:
		return auth.User{}, false, err
	case user.Issuer != previous.Issuer || user.Subject != previous.Subject:
		return auth.User{}, false, invalid(ReasonSubject, "the refresh is not of the user of the login")
	case user.GroupsUnknown && !previous.GroupsUnknown:
		user.Groups, user.GroupsUnknown, stale = previous.Groups, false, true
	}
	if !previous.AuthTime.IsZero() {
		user.AuthTime = previous.AuthTime // a refresh is no login (OpenID Connect Core 12.2)
	}
	if user.ACR == "" {
		user.ACR = previous.ACR
	}
	return user, stale, nil
}

// userWithout is the user when the answer held no ID token: as the other sources
// have it and, where these say nothing, as before.
func (p *Provider) userWithout(id idToken, known knowledge, previous auth.User) (user auth.User, stale bool, err error) {
	said := func(path string) bool {
		return !lack(known.sources, func(c claims) bool { _, there := c.lookup(path); return there })
	}
	grouped := slices.ContainsFunc(p.conf.GroupsClaims, said)
	before := p.claimsOf(previous)
	for name := range before {
		stale = stale || !said(name)
	}
	known.sources = append(known.sources, before)
	if user, err = p.userOf(id, known); err != nil {
		return auth.User{}, false, err
	}
	user.ClaimsAsked = slices.DeleteFunc(slices.Clone(user.ClaimsAsked), func(path string) bool {
		return !said(path) && !slices.Contains(previous.ClaimsAsked, path) // the ID token alone may know
	})
	user.GroupsUnknown = user.GroupsUnknown || !grouped && previous.GroupsUnknown
	return user, stale, nil
}

// claimsOf are claims that make the user that they were made of.
func (p *Provider) claimsOf(user auth.User) claims {
	c := maps.Clone(claims(user.Claims))
	if c == nil {
		c = claims{}
	}
	c[p.conf.UserClaim] = user.ID
	if user.Email != "" {
		c[p.conf.EmailClaim], c[p.conf.EmailClaim+"_verified"] = user.Email, true
	}
	for name, text := range map[string]string{"preferred_username": user.PreferredUsername, "name": user.Name} {
		if text != "" {
			c[name] = text
		}
	}
	if len(user.Groups) > 0 && len(p.conf.GroupsClaims) > 0 {
		groups := make([]any, len(user.Groups))
		for i, group := range user.Groups {
			groups[i] = group
		}
		c[p.conf.GroupsClaims[0]] = groups
	}
	return c
}
