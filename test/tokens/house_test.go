package tokens

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/idp/idptest"
	"github.com/doorward/doorward/test/stack"
)

// patience is how long anything may take before the run gives up on it.
const patience = 5 * time.Minute

// realm is Keycloak's, and stranger another one of the same Keycloak.
const realm, stranger = "api", "stranger"

// house is Doorward, and all providers whose tokens it is shown.
type house struct {
	t        *testing.T
	dir      string
	keycloak *stack.Keycloak
	front    *counter // before Keycloak
	dex      *stack.Dex
	opaque   *stack.OIDCProvider
	forger   *idptest.Provider // whose tokens can be wrong in every way
	callback string            // origin of where a login ends
	doorward *stack.Doorward
	client   *http.Client
}

// counter passes requests on and counts those for signing keys.
type counter struct {
	*httptest.Server
	keys atomic.Int64
}

func newCounter(t *testing.T, to string) *counter {
	t.Helper()
	target, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	c := &counter{}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/protocol/openid-connect/certs") {
			c.keys.Add(1)
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(c.Close)
	return c
}

// newHouse starts everything, at once where one does not need the other.
func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, dir: t.TempDir(), forger: idptest.New(), client: &http.Client{Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
	t.Cleanup(h.client.CloseIdleConnections)
	t.Cleanup(h.forger.Close)
	addresses, err := stack.FreeAddresses(0, 0, 0, 0, 0)
	h.must(err)
	back := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "signed in") }))
	t.Cleanup(back.Close)
	h.callback = back.URL
	h.keycloak = &stack.Keycloak{Dir: h.dir, Listen: addresses[0]}
	h.front = newCounter(t, "http://"+addresses[0])
	h.dex = stack.NewDex(h.dir, addresses[1], h.callback+"/callback")
	h.opaque = stack.NewOIDCProvider(h.dir, addresses[2], h.callback)
	h.doorward = &stack.Doorward{Dir: h.dir, Listen: addresses[3], AdminListen: addresses[4], Env: map[string]string{
		"DOORWARD_PUBLIC_URL":         "https://auth.example.com",
		"DOORWARD_COOKIE_DOMAINS":     "example.com",
		"DOORWARD_COOKIE_SECRET":      stack.CookieSecret(),
		"DOORWARD_OIDC_ISSUER_URL":    h.dex.Issuer(),
		"DOORWARD_OIDC_CLIENT_ID":     stack.ClientID,
		"DOORWARD_OIDC_CLIENT_SECRET": h.dex.ClientSecret,
		"DOORWARD_ALLOW_ANY_USER":     "true",
		"DOORWARD_CONFIG_FILE":        filepath.Join(h.dir, "doorward.yaml"),
		"DOORWARD_REASON_HEADER":      "true",
		"DOORWARD_SHUTDOWN_DELAY":     "0s",
	}}
	h.start()
	return h
}

func (h *house) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// start starts the providers, and Doorward once all have what it needs of them.
func (h *house) start() {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), patience)
	defer cancel()
	h.t.Cleanup(func() { _, _, _ = h.keycloak.Stop(), h.dex.Stop(), h.opaque.Stop() })
	started := make(chan error, 1)
	began := time.Now()
	go func() { started <- h.keycloak.Start(ctx) }()
	binary, err := stack.BuildDoorward(ctx, h.dir, true)
	h.must(err)
	h.doorward.Binary = binary
	h.must(h.dex.Start(ctx))
	h.must(h.opaque.Start(ctx))
	h.must(<-started)
	h.t.Logf("Keycloak started within %v", time.Since(began).Round(time.Second))
	for _, name := range []string{realm, stranger} {
		h.must(h.keycloak.Import(ctx, stack.Realm{Name: name, Frontend: h.front.URL, AuthURL: "https://auth.example.com", ClientSecret: "unused"}))
	}
	h.must(h.keycloak.AddAudience(ctx, stranger, "robot", "my-api"))
	h.must(os.WriteFile(h.doorward.Env["DOORWARD_CONFIG_FILE"], []byte(h.file()), 0o600))
	h.t.Cleanup(func() { _ = h.doorward.Stop() })
	h.must(h.doorward.Start(ctx))
}

// file believes the tokens of every provider but one realm. Dex makes access tokens
// that nothing tells from ID tokens.
func (h *house) file() string {
	secret := filepath.Join(h.dir, "introspection-secret")
	h.must(os.WriteFile(secret, []byte(h.opaque.ClientSecret), 0o600))
	return fmt.Sprintf(`
tokens:
  - {issuer_url: %q, audiences: [my-api], user_claim: preferred_username}
  - {issuer_url: %q, audiences: [doorward], user_claim: name, legacy_id_tokens: true}
  - {issuer_url: %q, audiences: ["https://api.example.com"]}
  - {issuer_url: %q, audiences: [api]}
  - {introspection_url: %q, client_id: doorward, client_secret_file: %q, user_claim: client_id}
`, h.front.URL+"/realms/"+realm, h.dex.Issuer(), h.opaque.Issuer(), h.forger.Issuer(), h.opaque.Issuer()+"/token/introspection", secret)
}

// answer is what Doorward said about a request with a token.
type answer struct {
	status int
	header http.Header
	took   time.Duration
}

// ask asks as a gateway does, about a page that a person might open too.
func (h *house) ask(ctx context.Context, authorization string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+h.doorward.Listen+"/auth/forwarded", nil)
	if err != nil {
		return answer{}, err
	}
	for name, value := range map[string]string{
		"X-Forwarded-Method": "GET", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "api.example.com", "X-Forwarded-Uri": "/v1/things",
		"Accept": "text/html", "Sec-Fetch-Mode": "navigate", "Authorization": authorization,
	} {
		req.Header.Set(name, value)
	}
	began := time.Now()
	res, err := h.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	return answer{res.StatusCode, res.Header, time.Since(began)}, nil
}

func (h *house) asked(t *testing.T, token string) answer {
	t.Helper()
	got, err := h.ask(t.Context(), "Bearer "+token)
	if err != nil {
		t.Fatal(err)
	}
	return got
}
