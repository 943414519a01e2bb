package idptest

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// SessionID is the provider's own session (`sid`) in every ID token that nothing
// else was asked of.
const SessionID = "provider-session"

// LogoutToken returns a logout token (OpenID Connect Back-Channel Logout 1.0
// section 2.4) about the user and SessionID, signed like Sign. header and claims
// are set beside and in place of its own; nil as a value takes one away.
func (p *Provider) LogoutToken(algorithm string, header, claims map[string]any) string {
	issuer := p.Issuer()
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now().Unix()
	head := map[string]any{"alg": algorithm, "typ": "logout+jwt", "kid": p.keys.kidFor(algorithm)}
	body := map[string]any{
		"iss": issuer, "aud": p.ClientID, "iat": now, "exp": now + 120, "jti": rand.Text(),
		"sub": p.behaviour.User["sub"], "sid": SessionID,
		"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
	}
	replace(head, header)
	replace(body, claims)
	return p.sign(algorithm, encodeJSON(head), encodeJSON(body))
}

// SignOutRequest is a request of a relying party to end the session, as it came.
type SignOutRequest struct {
	Query url.Values

	// Problem is why the browser was not sent back: what the relying party got
	// wrong, "" for nothing.
	Problem string
}

// SignOuts are the requests to the end-session endpoint so far.
func (p *Provider) SignOuts() []SignOutRequest {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.signOuts)
}

// Revoked are the tokens that were revoked so far, each with its hint after a
// space: "refresh-ABC refresh_token".
func (p *Provider) Revoked() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.revoked)
}

// serveEndSession ends nothing, since there is no session. It sends the browser
// back to where the relying party asks for, if the request is as it should be
// (OpenID Connect RP-Initiated Logout 1.0 section 2), and otherwise says that the
// person is signed out.
func (p *Provider) serveEndSession(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	request := r.URL.Query()
	p.secrets = appendNonEmpty(p.secrets, request.Get("state"))
	problem := p.endSessionProblem(request)
	p.signOuts = append(p.signOuts, SignOutRequest{request, problem})
	target, err := url.Parse(request.Get("post_logout_redirect_uri"))
	if err != nil || !target.IsAbs() || problem != "" {
		http.Error(w, "You are signed out. "+problem, http.StatusOK)
		return
	}
	answer := url.Values{}
	if state := request.Get("state"); state != "" {
		answer.Set("state", state)
	}
	if change := p.behaviour.EndSession; change != nil {
		change(answer, request)
	}
	query := target.Query()
	for name, values := range answer {
		query[name] = values
	}
	target.RawQuery = query.Encode()
	w.Header().Set("Location", target.String())
	w.WriteHeader(http.StatusFound)
}

func (p *Provider) endSessionProblem(request url.Values) string {
	for name, values := range request {
		if len(values) > 1 {
			return name + " is repeated"
		}
	}
	hint := request.Get("id_token_hint")
	back := request.Get("post_logout_redirect_uri")
	switch {
	case hint == "" && request.Get("client_id") == "" && back != "":
		return "neither client_id nor id_token_hint says who asks"
	case request.Has("client_id") && request.Get("client_id") != p.ClientID:
		return "client_id is not registered"
	case hint != "" && !slices.Contains(p.secrets, hint):
		return "id_token_hint is no token of this provider"
	case hint != "" && !isIDTokenOf(hint, p.ClientID):
		return "id_token_hint is not an ID token of the client"
	case len(p.behaviour.PostLogoutURIs) > 0 && back != "" && !slices.Contains(p.behaviour.PostLogoutURIs, back):
		return "post_logout_redirect_uri is not registered"
	}
	return ""
}

// isIDTokenOf looks at a token that is known to be one of the provider's own.
func isIDTokenOf(token, clientID string) bool {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return false
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	var claims struct {
		Aud string `json:"aud"`

		Events any `json:"events"`
	}
	return err == nil && json.Unmarshal(payload, &claims) == nil && claims.Aud == clientID && claims.Events == nil
}

// serveRevocation ends a token (RFC 7009). What it does not know is as good as
// ended, and the client has to prove itself.
func (p *Provider) serveRevocation(w http.ResponseWriter, r *http.Request) {
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
	token := r.PostForm.Get("token")
	delete(p.access, token)
	if f, known := p.families[token]; known {
		f.ended = true
	}
	p.revoked = append(p.revoked, token+" "+r.PostForm.Get("token_type_hint"))
	w.WriteHeader(http.StatusOK)
}
