package idptest

import (
	"net/http"
	"net/url"
)

// servePush takes an authorization request from the client itself (RFC 9126 2).
func (p *Provider) servePush(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := r.ParseForm(); err != nil || r.Method != http.MethodPost || r.URL.RawQuery != "" || !p.behaviour.PushedRequests {
		writeJSON(w, http.StatusBadRequest, map[string]any{"error": "invalid_request"})
		return
	}
	if !p.authenticated(r) {
		writeJSON(w, http.StatusUnauthorized, map[string]any{"error": "invalid_client"})
		return
	}
	request := r.PostForm
	for _, name := range []string{"client_secret", "client_assertion", "client_assertion_type"} {
		request.Del(name)
	}
	// The request is whole, however the client proved who it is (RFC 9126 2).
	if request.Get("client_id") != p.ClientID || request.Has("request_uri") || !p.registered(request.Get("redirect_uri")) {
		writeJSON(w, http.StatusBadRequest, map[string]any{"error": "invalid_request"})
		return
	}
	uri := "urn:ietf:params:oauth:request_uri:" + p.secret("pushed")
	p.pushed[uri] = request
	writeJSON(w, http.StatusCreated, map[string]any{"request_uri": uri, "expires_in": 60})
}

// authorizationRequest is the request that the browser brought, or the one that
// it stands for, which works once.
func (p *Provider) authorizationRequest(query url.Values) (url.Values, bool) {
	uri := query.Get("request_uri")
	if uri == "" {
		return query, !p.behaviour.RequirePushed
	}
	request, known := p.pushed[uri]
	delete(p.pushed, uri)
	return request, known && len(query) == 2 && query.Get("client_id") == p.ClientID
}
