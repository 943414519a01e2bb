package tokens

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/doorward/doorward/test/stack"
)

// issued are the tokens of one answer of a token endpoint.
type issued struct {
	Access string `json:"access_token"`
	ID     string `json:"id_token"`
}

// grant asks a token endpoint for tokens.
func (h *house) grant(endpoint, client, secret string, form url.Values) issued {
	h.t.Helper()
	req, err := http.NewRequestWithContext(h.t.Context(), http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	h.must(err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(client, secret)
	res, err := h.client.Do(req)
	h.must(err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	h.must(err)
	var got issued
	if err := json.Unmarshal(body, &got); err != nil || got.Access == "" {
		h.t.Fatalf("%s: %s %s", endpoint, res.Status, body)
	}
	return got
}

// direct are tokens that Keycloak gives a person's client for their password.
func (h *house) direct(realm, name string) issued {
	h.t.Helper()
	return h.grant(h.front.URL+"/realms/"+realm+"/protocol/openid-connect/token", "robot", "robot-secret",
		url.Values{"grant_type": {"password"}, "username": {name}, "password": {stack.Password}, "scope": {"openid"}})
}

// itself are tokens that a client has for itself.
func (h *house) itself(endpoint string, more ...string) issued {
	h.t.Helper()
	form := url.Values{"grant_type": {"client_credentials"}}
	for i := 0; i < len(more); i += 2 {
		form.Set(more[i], more[i+1])
	}
	return h.grant(endpoint, "robot", "robot-secret", form)
}

// login are the tokens of a person who signs in at a page.
func (h *house) login(issuer, secret string) issued {
	h.t.Helper()
	var metadata struct {
		Authorization string `json:"authorization_endpoint"`
		Token         string `json:"token_endpoint"`
	}
	h.read(h.t.Context(), issuer+"/.well-known/openid-configuration", &metadata)
	verifier := rand.Text() + rand.Text()
	digest := sha256.Sum256([]byte(verifier))
	back := h.callback + "/callback"
	query := url.Values{
		"response_type": {"code"}, "client_id": {stack.ClientID}, "redirect_uri": {back}, "scope": {"openid email profile"},
		"state": {"state"}, "nonce": {"nonce"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(digest[:])}, "code_challenge_method": {"S256"},
	}
	visitor := stack.NewVisitor(nil)
	page, err := visitor.Open(h.t.Context(), metadata.Authorization+"?"+query.Encode())
	h.must(err)
	page, err = visitor.SignIn(h.t.Context(), page, stack.Ada)
	h.must(err)
	return h.grant(metadata.Token, stack.ClientID, secret, url.Values{
		"grant_type": {"authorization_code"}, "code": {page.URL.Query().Get("code")}, "redirect_uri": {back}, "code_verifier": {verifier},
	})
}

// read decodes a document.
func (h *house) read(ctx context.Context, address string, into any) {
	h.t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	h.must(err)
	res, err := h.client.Do(req)
	h.must(err)
	defer res.Body.Close()
	h.must(json.NewDecoder(res.Body).Decode(into))
}

// publicKey is the RSA key by which Keycloak signs, as PEM.
func (h *house) publicKey(ctx context.Context) []byte {
	h.t.Helper()
	var about struct {
		PublicKey string `json:"public_key"`
	}
	h.read(ctx, h.front.URL+"/realms/"+realm, &about)
	der, err := base64.StdEncoding.DecodeString(about.PublicKey)
	h.must(err)
	_, err = x509.ParsePKIXPublicKey(der)
	h.must(err)
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

// withHeader is a JWT with members of its header changed; the signature is that of
// sign, or the one that it has.
func withHeader(token string, change map[string]any, sign func(signed string) []byte) string {
	parts := strings.Split(token, ".")
	var header map[string]any
	decode(parts[0], &header)
	for name, value := range change {
		header[name] = value
	}
	text, err := json.Marshal(header)
	if err != nil {
		panic(err)
	}
	parts[0] = base64.RawURLEncoding.EncodeToString(text)
	if sign != nil {
		parts[2] = base64.RawURLEncoding.EncodeToString(sign(parts[0] + "." + parts[1]))
	}
	return strings.Join(parts, ".")
}

// withClaim is a JWT with a claim added, under the signature that it has.
func withClaim(token, name string, value any) string {
	parts := strings.Split(token, ".")
	var claims map[string]any
	decode(parts[1], &claims)
	claims[name] = value
	text, err := json.Marshal(claims)
	if err != nil {
		panic(err)
	}
	parts[1] = base64.RawURLEncoding.EncodeToString(text)
	return strings.Join(parts, ".")
}

func decode(part string, into any) {
	text, err := base64.RawURLEncoding.DecodeString(part)
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		panic(fmt.Sprintf("no part of a JWT: %v", err))
	}
}

func hs256(key []byte) func(string) []byte {
	return func(signed string) []byte {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(signed))
		return mac.Sum(nil)
	}
}
