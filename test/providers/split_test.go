package providers

import (
	"crypto/tls"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/doorward/doorward/test/stack"
)

// frontend is the address by which browsers know Keycloak, as an ingress makes it
// of the one inside the cluster.
type frontend struct {
	server *httptest.Server
	ca     *stack.CA

	mu    sync.Mutex
	asked []string // paths that somebody asked for who is no browser
}

// testSplit: browsers reach Keycloak by another address than Doorward does, and
// tokens carry the browsers' one.
func (h *house) testSplit(t *testing.T) {
	h.needKeycloak(t)
	front := newFrontend(t, h.keycloak.URL())
	realm := stack.Realm{Name: "Split", Frontend: front.server.URL}
	issuer := front.server.URL + "/realms/Split"
	browser, inside := issuer+"/protocol/openid-connect", h.keycloak.Issuer("Split")+"/protocol/openid-connect"
	endpoints := map[string]string{
		"DOORWARD_OIDC_TOKEN_URL":    inside + "/token",
		"DOORWARD_OIDC_JWKS_URL":     inside + "/certs",
		"DOORWARD_OIDC_USERINFO_URL": inside + "/userinfo",
	}
	for _, mode := range []struct {
		name  string
		env   map[string]string
		asked string // what Doorward may ask the browsers' address for
	}{
		// Requests are pushed to where discovery says, and that is known to answer.
		{"with discovery", map[string]string{"DOORWARD_OIDC_CA_FILE": front.ca.File}, "/.well-known/openid-configuration /ext/par/request"},
		// The document says where Keycloak is inside; nothing else needs to be known.
		{"with discovery inside", nil, ""},
		{"every address by hand", map[string]string{
			"DOORWARD_OIDC_DISCOVERY":       "false",
			"DOORWARD_OIDC_AUTH_URL":        browser + "/auth",
			"DOORWARD_OIDC_END_SESSION_URL": browser + "/logout",
		}, ""},
	} {
		t.Run(mode.name, func(t *testing.T) {
			s := h.layOut(t)
			realm.AuthURL = s.AuthURL
			h.atRealm(t, s, realm)
			maps.Copy(s.Doorward.Env, endpoints)
			maps.Copy(s.Doorward.Env, mode.env)
			if mode.env == nil {
				discoverInside(t, s, issuer, h.keycloak.Issuer("Split")+"/.well-known/openid-configuration")
			}
			front.take() // what the test before left
			start(t, s)
			h.visit(t, s, site{origin: issuer, signIn: byPassword("username", "#kc-login"), leave: "#kc-logout", groups: "ops,staff"})
			for _, path := range front.take() {
				_, path, _ = strings.Cut(path, "/realms/Split")
				if !slices.Contains(strings.Fields(mode.asked), strings.TrimPrefix(path, "/protocol/openid-connect")) {
					t.Errorf("Doorward asked the browsers' address for %s", path)
				}
			}
		})
	}
}

// discoverInside configures the provider of the environment by a file, with the
// place of its discovery document.
func discoverInside(t *testing.T, s *stack.Stack, issuer, document string) {
	t.Helper()
	text, err := json.Marshal(map[string]any{"providers": []map[string]any{{
		"name": "keycloak", "issuer_url": issuer, "discovery_url": document,
		"client_id": stack.ClientID, "client_secret_file": filepath.Join(s.Doorward.Dir, "secret"),
	}}}) // JSON is YAML, too
	if err == nil {
		err = os.WriteFile(filepath.Join(s.Doorward.Dir, "doorward.yaml"), text, 0o600)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(s.Doorward.Dir, "secret"), []byte(s.Doorward.Env["DOORWARD_OIDC_CLIENT_SECRET"]), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	maps.DeleteFunc(s.Doorward.Env, func(name, _ string) bool { return strings.HasPrefix(name, "DOORWARD_OIDC_") })
	s.Doorward.Env["DOORWARD_CONFIG_FILE"] = filepath.Join(s.Doorward.Dir, "doorward.yaml")
}

// take returns what somebody who is no browser asked for since the last time.
func (f *frontend) take() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	asked := f.asked
	f.asked = nil
	return asked
}

// newFrontend passes on what comes to https://localhost, with the headers that a
// proxy adds.
func newFrontend(t *testing.T, inside string) *frontend {
	t.Helper()
	ca, err := stack.NewCA(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile, err := ca.Issue("localhost")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	target, err := url.Parse(inside)
	if err != nil {
		t.Fatal(err)
	}
	f := &frontend{ca: ca}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.SetXForwarded()
		_, port, _ := strings.Cut(r.In.Host, ":")
		r.Out.Header.Set("X-Forwarded-Port", port)
	}}
	f.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.UserAgent(), "Mozilla") {
			f.mu.Lock()
			f.asked = append(f.asked, r.URL.Path)
			f.mu.Unlock()
		}
		proxy.ServeHTTP(w, r)
	}))
	f.server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	f.server.StartTLS()
	t.Cleanup(f.server.Close)
	f.server.URL = strings.Replace(f.server.URL, "127.0.0.1", "localhost", 1)
	return f
}
