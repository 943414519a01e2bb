package idptest

import (
	"maps"
	"net/http"
	"time"
)

// AccessToken returns a JWT access token (RFC 9068) of the user for the audience
// "api", signed like Sign. header and claims are set beside and in place of its
// own; nil as a value takes one away.
func (p *Provider) AccessToken(algorithm string, header, claims map[string]any) string {
	issuer := p.Issuer()
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now().Unix()
	head := map[string]any{"alg": algorithm, "typ": "at+jwt", "kid": p.keys.kidFor(algorithm)}
	body := maps.Clone(p.behaviour.User)
	maps.Copy(body, map[string]any{
		"iss": issuer, "aud": "api", "iat": now, "exp": now + 300, "client_id": "robot", "scope": "read", "jti": "1",
	})
	replace(head, header)
	replace(body, claims)
	return p.sign(algorithm, encodeJSON(head), encodeJSON(body))
}

// OpaqueToken returns a token that only the introspection endpoint can read. Its
// answer has claims beside and in place of those about the user; nil as a value
// takes one away.
func (p *Provider) OpaqueToken(claims map[string]any) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	token := p.secret("opaque")
	p.access[token] = maps.Clone(p.behaviour.User)
	maps.Copy(p.access[token], claims)
	return token
}

// replace sets members, and takes away those that are nil.
func replace(object, members map[string]any) {
	maps.Copy(object, members)
	maps.DeleteFunc(object, func(_ string, value any) bool { return value == nil })
}

// serveIntrospection says what a token is (RFC 7662). A client that does not prove
// itself learns nothing.
func (p *Provider) serveIntrospection(w http.ResponseWriter, r *http.Request) {
	issuer := p.Issuer()
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := r.ParseForm(); err != nil || r.Method != http.MethodPost || r.URL.RawQuery != "" || len(r.PostForm["token"]) != 1 {
		writeJSON(w, http.StatusBadRequest, map[string]any{"error": "invalid_request"})
		return
	}
	if !p.authenticated(r) {
		writeJSON(w, http.StatusUnauthorized, map[string]any{"error": "invalid_client"})
		return
	}
	answer := map[string]any{"active": false}
	if claims, known := p.access[r.PostForm.Get("token")]; known {
		now := time.Now().Unix()
		answer = map[string]any{
			"active": true, "iss": issuer, "aud": "api", "iat": now, "exp": now + 300,
			"client_id": "robot", "scope": "read", "token_type": "Bearer",
		}
		replace(answer, claims)
	}
	if change := p.behaviour.Introspection; change != nil {
		change(answer)
	}
	writeJSON(w, http.StatusOK, answer)
}
