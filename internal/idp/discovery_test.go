package idp

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/idp/idptest"
)

func inDocument(name string, value any) func(*idptest.Behaviour) {
	return func(b *idptest.Behaviour) {
		b.Discovery = func(doc map[string]any) {
			if doc[name] = value; value == nil {
				delete(doc, name)
			}
		}
	}
}

func document(handler http.Handler) func(*idptest.Behaviour) {
	return func(b *idptest.Behaviour) { b.Handle[idptest.Discovery] = handler }
}

func TestDiscoveryRefuses(t *testing.T) {
	const json = "application/json"
	for _, tt := range []struct {
		name   string
		change func(*idptest.Behaviour)
		says   string
	}{
		{"OIDC-9 another issuer", inDocument("issuer", "https://evil.example.com"), "evil.example.com"},
		{"OIDC-9 issuer missing", inDocument("issuer", nil), "document is that of"},
		{"OIDC-9 issuer is no string", inDocument("issuer", 1), "issuer is not a string"},
		{"no authorization endpoint", inDocument("authorization_endpoint", nil), "lacks authorization_endpoint"},
		{"no token endpoint", inDocument("token_endpoint", nil), "lacks token_endpoint"},
		{"no keys", inDocument("jwks_uri", nil), "lacks jwks_uri"},
		{"endpoint is relative", inDocument("token_endpoint", "/token"), "token_endpoint: not an http"},
		{"endpoint has another scheme", inDocument("jwks_uri", "file:///etc/passwd"), "jwks_uri: not an http"},
		{"endpoint with a fragment", inDocument("authorization_endpoint", "https://id.example.com/#x"), "fragment"},
		{"TOK-1 HMAC and none only", inDocument("id_token_signing_alg_values_supported", []string{"HS256", "none"}), "no signature algorithm"},
		{"algorithms are no list", inDocument("id_token_signing_alg_values_supported", 1), "neither a string"},
		{"404", document(answering(404, json, "{}")), "answered 404"},
		{"500", document(answering(500, json, "{}")), "answered 500"},
		{"NET-1 redirect", document(http.RedirectHandler("/jwks", http.StatusFound)), "answered 302"},
		{"not JSON", document(answering(200, json, "<html>")), "malformed"},
		{"name twice", document(answering(200, json, `{"issuer":"a","issuer":"b"}`)), "twice"},
		{"NET-1 more than 1 MiB", document(answering(200, json, strings.Repeat(" ", maxBody)+"{}")), "longer than"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			op := startOP(t)
			op.Set(tt.change)
			p := rp(t, op)
			_, err := p.AuthURL(t.Context(), newFlow(), redirectURI, nil)
			if reason(err) != "unavailable: discovery" || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v", err)
			}
			if ready := p.Ready(); ready == nil || !strings.Contains(ready.Error(), tt.says) {
				t.Errorf("ready: %v", ready)
			}
			if op.Requests(idptest.JWKS) != 0 {
				t.Error("a redirect was followed")
			}
		})
	}
}

func TestEndpointsAreHTTPS(t *testing.T) {
	doc := func(change, to string) claims {
		c := claims{
			"authorization_endpoint": "https://id.example.com/a", "token_endpoint": "https://id.example.com/t",
			"jwks_uri": "https://id.example.com/j", "userinfo_endpoint": "https://id.example.com/u",
			"end_session_endpoint": "https://id.example.com/e",
		}
		if change != "" {
			c[change] = to
		}
		return c
	}
	https, plain := Config{IssuerURL: "https://id.example.com"}, Config{IssuerURL: "http://id.example.com"}
	if _, err := https.discovered(doc("", "")); err != nil {
		t.Error(err)
	}
	for name := range doc("", "") {
		if _, err := https.discovered(doc(name, "http://id.example.com/x")); err == nil {
			t.Errorf("OIDC-9: %s may be http", name)
		}
		if _, err := plain.discovered(doc(name, "http://id.example.com/x")); err != nil {
			t.Errorf("the issuer is http, and %v", err)
		}
	}
	https.TokenURL = "http://provider.internal/token"
	meta, err := https.discovered(doc("token_endpoint", "http://id.example.com/x"))
	if err != nil || meta.tokenURL != https.TokenURL {
		t.Errorf("a configured address is taken as it is: %v", err)
	}
}

func TestConfiguredAddressesReplaceDiscoveredOnes(t *testing.T) {
	op := startOP(t)
	op.Set(func(b *idptest.Behaviour) {
		b.UserinfoOnly = []string{"groups"}
		b.Discovery = func(doc map[string]any) {
			for _, name := range []string{"token_endpoint", "jwks_uri", "userinfo_endpoint", "authorization_endpoint"} {
				doc[name] = "http://127.0.0.1:1/out-of-reach"
			}
		}
	})
	p := rp(t, op, func(c *Config) {
		c.AuthURL, c.TokenURL = op.URL(idptest.Authorize), op.URL(idptest.Token)
		c.JWKSURL, c.UserinfoURL = op.URL(idptest.JWKS), op.URL(idptest.Userinfo)
	})
	login, err := signIn(t, op, p)
	if err != nil || len(login.User.Groups) != 2 {
		t.Errorf("%v, %v", login.User, err)
	}
}

func TestWithoutDiscovery(t *testing.T) {
	op := startOP(t)
	p := rp(t, op, func(c *Config) {
		c.Discovery = false
		c.AuthURL, c.TokenURL, c.JWKSURL = op.URL(idptest.Authorize), op.URL(idptest.Token), op.URL(idptest.JWKS)
	})
	if err := p.Ready(); err != nil {
		t.Errorf("not ready: %v", err)
	}
	if _, err := signIn(t, op, p); err != nil {
		t.Error(err)
	}
	op.Set(claim("iss", "https://evil.example.com"))
	if _, err := signIn(t, op, p); reason(err) != ReasonIssuer {
		t.Errorf("the issuer is not checked: %v", err)
	}
	if n := op.Requests(idptest.Discovery); n != 0 {
		t.Errorf("%d discoveries", n)
	}
}

// freeAddr is an address on which nothing listens.
func freeAddr(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// down returns a provider that is not there yet, and a relying party of it.
func down(t *testing.T) (*idptest.Provider, string, *Provider) {
	t.Helper()
	op, addr := idptest.Unstarted(), freeAddr(t)
	t.Cleanup(op.Close)
	p := rp(t, op, func(c *Config) { c.IssuerURL = "http://" + addr })
	return op, addr, p
}

func TestProviderDownAtStart(t *testing.T) {
	op, addr, p := down(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); p.Run(ctx) }()
	eventually(t, "the first attempt fails", func() bool {
		err := p.Ready()
		return err != nil && strings.Contains(err.Error(), "refused")
	})
	begin := time.Now()
	if _, err := p.AuthURL(t.Context(), newFlow(), redirectURI, nil); reason(err) != "unavailable: discovery" {
		t.Errorf("L1: %v", err)
	}
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("L1: the answer took %v", took)
	}
	begin = time.Now()
	if err := op.Listen(addr); err != nil {
		t.Fatal(err)
	}
	eventually(t, "ready", func() bool { return p.Ready() == nil })
	if took := time.Since(begin); took > 15*time.Second { // 5 s, and a noisy machine
		t.Errorf("L1: ready after %v", took)
	}
	eventually(t, "the keys are fetched too", func() bool { return op.Requests(idptest.JWKS) == 1 })
	if _, err := signIn(t, op, p); err != nil {
		t.Error(err)
	}
	cancel()
	<-ended
}

func TestProviderDownWithoutRun(t *testing.T) {
	op, addr, p := down(t)
	if _, err := p.AuthURL(t.Context(), newFlow(), redirectURI, nil); reason(err) != "unavailable: discovery" {
		t.Errorf("%v", err)
	}
	if err := op.Listen(addr); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a login begins", func() bool {
		_, err := p.AuthURL(t.Context(), newFlow(), redirectURI, nil)
		return err == nil
	})
}

func TestProviderDownLater(t *testing.T) {
	op := startOP(t)
	p := rp(t, op)
	if _, err := signIn(t, op, p); err != nil {
		t.Fatal(err)
	}
	f := newFlow()
	cb := callback(t, op, p, f)
	op.Close()
	if err := p.Ready(); err != nil {
		t.Errorf("L2: not ready any more: %v", err)
	}
	if _, err := p.Login(t.Context(), f, cb, redirectURI); reason(err) != "unavailable: token endpoint" {
		t.Errorf("L2: %v", err)
	}
	if err := op.Listen(op.Addr()); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Login(t.Context(), f, cb, redirectURI); err != nil {
		t.Errorf("after its return: %v", err)
	}
}

func TestDiscoveryOnDemandIsRateLimited(t *testing.T) {
	op := startOP(t)
	op.Set(func(b *idptest.Behaviour) { b.Fail[idptest.Discovery] = http.StatusBadGateway })
	now := newClock()
	p := rp(t, op, func(c *Config) { c.Now = now.Now })
	for range 100 {
		if _, err := p.AuthURL(t.Context(), newFlow(), redirectURI, nil); reason(err) != "unavailable: discovery" {
			t.Fatal(err)
		}
	}
	if n := op.Requests(idptest.Discovery); n != 1 {
		t.Errorf("%d requests within no time", n)
	}
	op.Reset()
	now.Advance(time.Second)
	if _, err := p.AuthURL(t.Context(), newFlow(), redirectURI, nil); err != nil {
		t.Errorf("a second later: %v", err)
	}
}

// TestDiscoveredMeanwhile: a login that found nothing discovered, and then came too
// late to join the attempt, asks no second time.
func TestDiscoveredMeanwhile(t *testing.T) {
	op := startOP(t)
	p := rp(t, op)
	if _, err := p.metadata(t.Context()); err != nil {
		t.Fatal(err)
	}
	if p.attempt(time.Second) != nil {
		t.Error("L1: another attempt began")
	}
	if meta, err := p.settled(); meta == nil || err != nil {
		t.Errorf("settled: %v, %v", meta, err)
	}
}

func TestStalledDiscovery(t *testing.T) {
	op := startOP(t)
	op.Set(func(b *idptest.Behaviour) { b.Delay[idptest.Discovery] = time.Hour })
	p := rp(t, op)
	p.discovery.failed = errors.New("an attempt before this one")
	begin := time.Now()
	_, err := p.AuthURL(t.Context(), newFlow(), redirectURI, nil)
	if took := time.Since(begin); reason(err) != "unavailable: discovery" || took > patience/2 {
		t.Errorf("L3: %v after %v", err, took)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p.Run(ctx) // returns although the attempt stalls
}
