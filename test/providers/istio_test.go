package providers

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/doorward/doorward/test/stack"
)

// istio is what Istio makes of deploy/istio/oauth2-proxy.yaml: the extension
// provider becomes the filter (prefix and headers as listed there), the rule
// without /oauth2 a route without it, the denied questions an answer, and the
// virtual service two routes. What it leaves alone is deploy/envoy's.
func istio(app string) [][2]string {
	const indent = "                      "
	route := func(match, action string) string {
		return indent + "  - match: { " + match + " }\n" +
			indent + "    " + action + "\n" +
			indent + "    typed_per_filter_config:\n" +
			indent + "      envoy.filters.http.ext_authz:\n" +
			indent + "        \"@type\": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute\n" +
			indent + "        disabled: true\n"
	}
	const denied, doorward = "direct_response: { status: 403 }", "route: { cluster: doorward }"
	return [][2]string{
		{"path_prefix: /auth/envoy", "path_prefix: /oauth2/auth/envoy"},
		{indent + "        - exact: x-auth-request-user\n", indent + "        - exact: authorization\n" + indent + "        - exact: x-auth-request-user\n"},
		// There is no host for Doorward alone.
		{"route: { cluster: doorward }", "direct_response: { status: 200 }"},
		{"domains: [app.example.com]\n" + indent + "routes:\n", "domains: [" + app + "]\n" + indent + "routes:\n" +
			route("path: /oauth2/auth", denied) + route("prefix: /oauth2/auth/", denied) + route("path: /oauth2/denied", denied) +
			route("prefix: /oauth2/", doorward)},
	}
}

// testIstio: the set-up that people have with oauth2-proxy, Keycloak and Istio's
// CUSTOM authorization works with Doorward in oauth2-proxy's place: its paths stay
// below /oauth2 on the app's own host, and the app gets a bearer token.
func (h *house) testIstio(t *testing.T) {
	s := h.layOutAt(t, stack.EnvoyHTTP)
	s.Front.Replace = istio(s.Front.AppHost)
	h.atRealm(t, s, stack.Realm{Name: stack.TestRealm, AuthURL: s.AppURL, Prefix: "/oauth2"})
	maps.Copy(s.Doorward.Env, map[string]string{
		"DOORWARD_PATH_PREFIX":   "/oauth2",
		"DOORWARD_PUBLIC_URL":    "https://*.doorward.localhost" + s.AppURL[strings.LastIndex(s.AppURL, ":"):],
		"DOORWARD_PASS_ID_TOKEN": "true",
	})
	delete(s.Doorward.Env, "DOORWARD_COOKIE_DOMAINS")
	start(t, s)

	issuer := h.keycloak.Issuer(stack.TestRealm)
	b := h.person(t)
	b.open(s.AppURL + "/headers?show=all")
	if !strings.HasPrefix(b.at(), issuer) {
		t.Fatalf("nobody is signed in: at %s, want Keycloak", b.at())
	}
	if query := b.eval("new URL(location.href).searchParams.get('redirect_uri') ?? ''"); query != "" && query != s.AppURL+"/oauth2/callback" {
		t.Errorf("the callback is %s", query)
	}
	byPassword("username", "#kc-login")(b, stack.Ada)
	if address := b.eval("location.href"); address != s.AppURL+"/headers?show=all" {
		t.Fatalf("after the login: at %s", b.at())
	}
	headers := b.seen().Headers
	claims := idToken(t, headers.Values("Authorization"))
	if claims["iss"] != issuer || claims["aud"] != stack.ClientID || claims["email"] != stack.Ada {
		t.Errorf("the app gets a token of %v for %v about %v", claims["iss"], claims["aud"], claims["email"])
	}
	if email := headers.Get("X-Auth-Request-Email"); email != stack.Ada {
		t.Errorf("the app sees the e-mail %q", email)
	}

	page, err := stack.NewVisitor(s.CA).Fetch(t.Context(), s.AppURL+"/headers", http.Header{"Authorization": {"Bearer forged"}})
	if err != nil || page.Status != http.StatusUnauthorized {
		t.Errorf("a script without a session: %d (%v), want 401", page.Status, err)
	}
	if page, err = stack.NewVisitor(s.CA).Fetch(t.Context(), s.AppURL+"/oauth2/userinfo", nil); err != nil || page.Status != http.StatusUnauthorized {
		t.Errorf("/oauth2/userinfo without a session: %d (%v), want 401", page.Status, err)
	}
	if page, err = stack.NewVisitor(s.CA).Fetch(t.Context(), s.AppURL+"/oauth2/auth/envoy/", nil); err != nil || page.Status != http.StatusForbidden {
		t.Errorf("a question from outside: %d (%v), want 403", page.Status, err)
	}
	b.open(s.AppURL + "/oauth2/sign_out")
	if b.has("#kc-logout") {
		b.click("#kc-logout")
	}
	b.open(s.AppURL + "/headers")
	if !b.has("input[name=password]") {
		t.Errorf("after the sign-out: at %s, want a password", b.at())
	}
}

// idToken is the payload of the one bearer token. Whether its signature is good is
// the app's business.
func idToken(t *testing.T, authorization []string) map[string]any {
	t.Helper()
	if len(authorization) != 1 {
		t.Fatalf("the app gets %d Authorization headers, want one", len(authorization))
	}
	parts := strings.Split(strings.TrimPrefix(authorization[0], "Bearer "), ".")
	if len(parts) != 3 {
		t.Fatalf("the app gets no JWT: %d parts", len(parts))
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}
