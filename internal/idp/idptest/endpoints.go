package idptest

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// grant is what a code stands for.
type grant struct {
	redirectURI string
	challenge   string
	nonce       string
	scope       string
	loggedIn    int64 // Unix seconds
}

func (p *Provider) handler(stopping <-chan struct{}) http.Handler {
	mux := http.NewServeMux()
	for endpoint, serve := range map[Endpoint]http.HandlerFunc{
		Discovery:  p.serveDiscovery,
		Authorize:  p.serveAuthorize,
		Token:      p.serveToken,
		Push:       p.servePush,
		Userinfo:   p.serveUserinfo,
		Introspect: p.serveIntrospection,
		JWKS:       p.serveJWKS,
		EndSession: p.serveEndSession,
		Revocation: p.serveRevocation,
	} {
		mux.Handle(paths[endpoint], p.misbehave(endpoint, stopping, serve))
	}
	return mux
}

// misbehave counts, delays, fails or replaces an endpoint.
func (p *Provider) misbehave(endpoint Endpoint, stopping <-chan struct{}, serve http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		p.requests[endpoint]++
		p.now[endpoint]++
		p.most[endpoint] = max(p.most[endpoint], p.now[endpoint])
		delay, status, handler := p.behaviour.Delay[endpoint], p.behaviour.Fail[endpoint], p.behaviour.Handle[endpoint]
		p.mu.Unlock()
		defer func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.now[endpoint]--
		}()
		if delay > 0 {
			timer := time.NewTimer(delay)
			defer timer.Stop()
			select {
			case <-timer.C:
			case <-r.Context().Done():
			case <-stopping:
				panic(http.ErrAbortHandler) // closes the connection without an answer
			}
		}
		switch {
		case status != 0:
			http.Error(w, "out of order", status)
		case handler != nil:
			handler.ServeHTTP(w, r)
		default:
			serve.ServeHTTP(w, r)
		}
	})
}

func (p *Provider) serveDiscovery(w http.ResponseWriter, _ *http.Request) {
	issuer := p.Issuer()
	p.mu.Lock()
	defer p.mu.Unlock()
	method := "client_secret_basic"
	if p.behaviour.SecretPost {
		method = "client_secret_post"
	}
	doc := map[string]any{
		"issuer":                                         issuer,
		"authorization_endpoint":                         issuer + paths[Authorize],
		"token_endpoint":                                 issuer + paths[Token],
		"userinfo_endpoint":                              issuer + paths[Userinfo],
		"introspection_endpoint":                         issuer + paths[Introspect],
		"jwks_uri":                                       issuer + paths[JWKS],
		"end_session_endpoint":                           issuer + paths[EndSession],
		"revocation_endpoint":                            issuer + paths[Revocation],
		"backchannel_logout_supported":                   true,
		"backchannel_logout_session_supported":           true,
		"frontchannel_logout_supported":                  true,
		"frontchannel_logout_session_supported":          true,
		"response_types_supported":                       []string{"code"},
		"subject_types_supported":                        []string{"public"},
		"id_token_signing_alg_values_supported":          []string{"RS256", "PS256", "ES256", "EdDSA"},
		"token_endpoint_auth_methods_supported":          []string{method},
		"code_challenge_methods_supported":               []string{"S256"},
		"authorization_response_iss_parameter_supported": !p.behaviour.OmitIss,
	}
	if p.behaviour.PushedRequests {
		doc["pushed_authorization_request_endpoint"] = issuer + paths[Push]
		doc["require_pushed_authorization_requests"] = p.behaviour.RequirePushed
	}
	if change := p.behaviour.Discovery; change != nil {
		change(doc)
	}
	writeJSON(w, http.StatusOK, doc)
}

func (p *Provider) serveJWKS(w http.ResponseWriter, _ *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	keys := p.keys.public()
	if change := p.behaviour.JWKS; change != nil {
		keys = change(keys)
	}
	writeJSON(w, http.StatusOK, map[string]any{"keys": keys})
}

// serveAuthorize signs the user in without asking. What the relying party got
// wrong about itself is shown, as a provider must not redirect then.
func (p *Provider) serveAuthorize(w http.ResponseWriter, r *http.Request) {
	issuer := p.Issuer()
	p.mu.Lock()
	defer p.mu.Unlock()
	request, known := p.authorizationRequest(r.URL.Query())
	if !known {
		http.Error(w, "request_uri is unknown, or a request was not pushed", http.StatusBadRequest)
		return
	}
	p.secrets = appendNonEmpty(p.secrets, request.Get("state"), request.Get("nonce"))
	target, err := url.Parse(request.Get("redirect_uri"))
	if err != nil || !target.IsAbs() || !p.registered(target.String()) || request.Get("client_id") != p.ClientID {
		http.Error(w, "client_id or redirect_uri is not registered", http.StatusBadRequest)
		return
	}
	answer := url.Values{}
	if state := request.Get("state"); state != "" {
		answer.Set("state", state)
	}
	if !p.behaviour.OmitIss {
		answer.Set("iss", issuer)
	}
	if problem := requestProblem(request); problem != "" {
		answer.Set("error", "invalid_request")
		answer.Set("error_description", problem)
	} else {
		answer.Set("code", p.newCode(request))
	}
	if change := p.behaviour.Authorize; change != nil {
		change(answer, request)
	}
	query := target.Query()
	maps.Copy(query, answer)
	target.RawQuery = query.Encode()
	w.Header().Set("Location", target.String())
	w.WriteHeader(http.StatusFound)
}

func (p *Provider) registered(uri string) bool {
	return len(p.behaviour.RedirectURIs) == 0 || slices.Contains(p.behaviour.RedirectURIs, uri)
}

func requestProblem(request url.Values) string {
	for _, values := range request {
		if len(values) > 1 {
			return "a parameter is repeated"
		}
	}
	switch {
	case request.Get("response_type") != "code":
		return "response_type is not code"
	case !slices.Contains(strings.Fields(request.Get("scope")), "openid"):
		return "scope lacks openid"
	case request.Get("code_challenge_method") != "S256" || len(request.Get("code_challenge")) != 43:
		return "PKCE with S256 is required"
	}
	return ""
}

func (p *Provider) newCode(request url.Values) string {
	code := p.secret("code")
	p.codes[code] = grant{
		redirectURI: request.Get("redirect_uri"),
		challenge:   request.Get("code_challenge"),
		nonce:       request.Get("nonce"),
		scope:       request.Get("scope"),
	}
	return code
}

// serveToken redeems a refresh token, or a code, once and also when the rest of
// the request is wrong.
func (p *Provider) serveToken(w http.ResponseWriter, r *http.Request) {
	issuer := p.Issuer()
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := r.ParseForm(); err != nil || r.Method != http.MethodPost || r.URL.RawQuery != "" {
		writeJSON(w, http.StatusBadRequest, map[string]any{"error": "invalid_request"})
		return
	}
	form := r.PostForm
	p.secrets = appendNonEmpty(p.secrets, form.Get("code_verifier"))
	if !p.authenticated(r) {
		writeJSON(w, http.StatusUnauthorized, map[string]any{"error": "invalid_client"})
		return
	}
	if form.Get("grant_type") == "refresh_token" {
		p.refresh(w, form, issuer)
		return
	}
	if form.Get("grant_type") != "authorization_code" {
		writeJSON(w, http.StatusBadRequest, map[string]any{"error": "unsupported_grant_type"})
		return
	}
	grant, known := p.codes[form.Get("code")]
	delete(p.codes, form.Get("code"))
	if !known || form.Get("redirect_uri") != grant.redirectURI || challenge(form.Get("code_verifier")) != grant.challenge {
		writeJSON(w, http.StatusBadRequest, map[string]any{"error": "invalid_grant", "error_description": form.Get("code")})
		return
	}
	writeJSON(w, http.StatusOK, p.tokens(grant, issuer))
}

// challenge is the S256 challenge of a verifier (RFC 7636 4.2).
func challenge(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return encode(sum[:])
}

// authenticated checks the client the one way that it is registered for.
func (p *Provider) authenticated(r *http.Request) bool {
	id, secret, basic := r.BasicAuth()
	formID, formSecret := r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	switch {
	case p.behaviour.Proven != nil:
		return !basic && formID == p.ClientID && formSecret == "" && p.behaviour.Proven(r.PostForm, r)
	case p.behaviour.PublicClient:
		return !basic && formID == p.ClientID && formSecret == ""
	case p.behaviour.SecretPost:
		return !basic && formID == p.ClientID && formSecret == p.ClientSecret
	default: // RFC 6749 2.3.1: both parts are form-encoded first
		return basic && formSecret == "" && id == url.QueryEscape(p.ClientID) && secret == url.QueryEscape(p.ClientSecret)
	}
}

// tokens are the answer of the token endpoint to a code.
func (p *Provider) tokens(g grant, issuer string) map[string]any {
	g.loggedIn = time.Now().Unix()
	answer := p.answer(g, issuer)
	g.nonce = ""
	answer["refresh_token"] = p.newFamily(g)
	p.change(answer)
	return answer
}

// answer holds an access token and an ID token.
func (p *Provider) answer(g grant, issuer string) map[string]any {
	access := p.secret("access")
	p.access[access] = maps.Clone(p.behaviour.User)
	return map[string]any{
		"access_token": access,
		"token_type":   "Bearer",
		"expires_in":   int(p.lifetime().Seconds()),
		"scope":        g.scope,
		"id_token":     p.idToken(g, issuer, access),
	}
}

func (p *Provider) change(answer map[string]any) {
	if change := p.behaviour.TokenAnswer; change != nil {
		change(answer)
	}
}

// lifetime is that of access and ID tokens.
func (p *Provider) lifetime() time.Duration {
	return cmp.Or(p.behaviour.TokenLifetime, 5*time.Minute)
}

func (p *Provider) idToken(g grant, issuer, access string) string {
	now := time.Now().Unix()
	hash := sha256.Sum256([]byte(access))
	claims := maps.Clone(p.behaviour.User)
	for _, name := range p.behaviour.UserinfoOnly {
		delete(claims, name)
	}
	maps.Copy(claims, map[string]any{
		"iss": issuer, "aud": p.ClientID, "iat": now, "exp": now + int64(p.lifetime().Seconds()),
		"auth_time": g.loggedIn, "nonce": g.nonce, "sid": SessionID, "at_hash": encode(hash[:16]),
	})
	if g.nonce == "" {
		delete(claims, "nonce")
	}
	algorithm := p.behaviour.Algorithm
	if algorithm == "" {
		algorithm = "RS256"
	}
	if algorithm == "EdDSA" {
		delete(claims, "at_hash") // another hash; a test that wants it sets it
	}
	header := map[string]any{"alg": algorithm, "typ": "JWT", "kid": p.keys.kidFor(algorithm)}
	if change := p.behaviour.Header; change != nil {
		change(header)
	}
	if change := p.behaviour.Claims; change != nil {
		change(claims)
	}
	return p.finish(algorithm, encodeJSON(header), encodeJSON(claims))
}

// finish signs an ID token after the hooks that work on bytes.
func (p *Provider) finish(algorithm string, header, payload []byte) string {
	if replace := p.behaviour.RawHeader; replace != nil {
		header = replace(header)
	}
	if replace := p.behaviour.Payload; replace != nil {
		payload = replace(payload)
	}
	token := p.sign(algorithm, header, payload)
	if replace := p.behaviour.IDToken; replace != nil {
		token = replace(token)
		p.secrets = appendNonEmpty(p.secrets, token)
	}
	return token
}

func (p *Provider) serveUserinfo(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	user, known := p.access[token]
	if !known {
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		writeJSON(w, http.StatusUnauthorized, map[string]any{"error": "invalid_token"})
		return
	}
	claims := maps.Clone(user)
	if change := p.behaviour.Userinfo; change != nil {
		change(claims)
	}
	writeJSON(w, http.StatusOK, claims)
}

// secret makes a random text and remembers it.
func (p *Provider) secret(kind string) string {
	text := kind + "-" + rand.Text()
	p.secrets = append(p.secrets, text)
	return text
}

func appendNonEmpty(list []string, texts ...string) []string {
	for _, text := range texts {
		if text != "" {
			list = append(list, text)
		}
	}
	return list
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(encodeJSON(v))
}
