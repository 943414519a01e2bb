package idptest

import (
	"net/http"
	"net/url"
)

// family is all refresh tokens that came from one login. Each is used once; when
// a used one comes back, somebody has stolen one, and all of them end (RFC 9700
// 4.14.2).
type family struct {
	grant   grant
	current string
	ended   bool
}

// RefreshToken returns the refresh token of a login that nobody saw, for tests
// that need many.
func (p *Provider) RefreshToken() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.newFamily(grant{scope: "openid"})
}

// EndSessions ends what every login so far has brought: their refresh tokens are
// refused with invalid_grant from now on.
func (p *Provider) EndSessions() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range p.families {
		f.ended = true
	}
}

// Refreshes is how often a refresh token was redeemed, and how often one was
// refused or the answer was an error on command.
func (p *Provider) Refreshes() (granted, refused int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.refreshed, p.refused
}

// Parallel is the highest number of requests that an endpoint had at one time.
func (p *Provider) Parallel(e Endpoint) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.most[e]
}

func (p *Provider) newFamily(g grant) string {
	token := p.secret("refresh")
	p.families[token] = &family{grant: g, current: token}
	return token
}

// refresh answers a refresh grant (RFC 6749 6). The ID token of the answer has no
// nonce and the auth_time of the login (OpenID Connect Core 12.2).
func (p *Provider) refresh(w http.ResponseWriter, form url.Values, issuer string) {
	token, code := form.Get("refresh_token"), p.behaviour.RefreshError
	f, known := p.families[token]
	if code == "" && (!known || f.ended || f.current != token) {
		code = "invalid_grant"
		if known {
			f.ended = true
		}
	}
	if code != "" {
		p.refused++
		writeJSON(w, http.StatusBadRequest, map[string]any{"error": code, "error_description": "the token was " + token})
		return
	}
	p.refreshed++
	answer := p.answer(f.grant, issuer)
	if !p.behaviour.SteadyRefreshToken {
		f.current = p.secret("refresh")
		p.families[f.current] = f
		answer["refresh_token"] = f.current
	}
	p.change(answer)
	writeJSON(w, http.StatusOK, answer)
}
