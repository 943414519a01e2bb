// Package tokens shows Doorward the tokens of real issuers, Keycloak, Dex and
// oidc-provider, and what an attacker makes of them.
package tokens

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/doorward/doorward/test/stack"
)

const challenge = `Bearer error="invalid_token"`

// TestTokens is one test, so that Keycloak is started once.
func TestTokens(t *testing.T) {
	h := newHouse(t)
	bare := h.direct(realm, "ada") // before its client has an audience mapper
	h.must(h.keycloak.AddAudience(t.Context(), realm, "robot", "my-api"))
	good := h.direct(realm, "ada")
	t.Run("good", func(t *testing.T) { h.good(t, good) })
	t.Run("bad", func(t *testing.T) { h.bad(t, good, bare) })
	t.Run("a flood of unknown keys", func(t *testing.T) { h.flood(t, good) })
}

// good demands that tokens of every issuer are let in as whom they name.
func (h *house) good(t *testing.T, ada issued) {
	robot := h.itself(h.front.URL + "/realms/" + realm + "/protocol/openid-connect/token")
	dex := h.login(h.dex.Issuer(), h.dex.ClientSecret)
	person := h.login(h.opaque.Issuer(), h.opaque.ClientSecret)
	if strings.Contains(person.Access, ".") {
		t.Errorf("the access token of oidc-provider is not opaque")
	}
	for _, tt := range []struct {
		name, token, user, email string
	}{
		{"Keycloak, direct grant", ada.Access, "ada", "ada@example.com"},
		{"Keycloak, again", ada.Access, "ada", "ada@example.com"},
		{"Keycloak, client credentials", robot.Access, "service-account-robot", ""},
		{"Dex", dex.Access, "Ada", "ada@example.com"},
		{"oidc-provider, opaque, of a person", person.Access, "doorward", ""},
		{"oidc-provider, opaque, of a client", h.itself(h.opaque.Issuer() + "/token").Access, "robot", ""},
		{"oidc-provider, JWT, of a client", h.itself(h.opaque.Issuer()+"/token", "resource", stack.APIResource, "scope", "read").Access, "robot", ""},
		{"RFC 9068 of the forger", h.forger.AccessToken("ES256", nil, nil), "user-1", "ada@example.com"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := h.asked(t, tt.token)
			if got.status != http.StatusAccepted || got.header.Get("X-Auth-Request-User") != tt.user || got.header.Get("X-Auth-Request-Email") != tt.email {
				t.Errorf("%d %s as %q, %q", got.status, got.header.Get("X-Doorward-Reason"), got.header.Get("X-Auth-Request-User"), got.header.Get("X-Auth-Request-Email"))
			}
		})
	}
}

// bad demands that every other token is refused, and never with a login.
func (h *house) bad(t *testing.T, good, bare issued) {
	now := time.Now().Unix()
	revoked := h.itself(h.opaque.Issuer() + "/token").Access
	h.revoke(revoked)
	forged := func(header, claims map[string]any) string { return h.forger.AccessToken("RS256", header, claims) }
	for _, tt := range []struct{ name, token string }{
		{"BEAR-1 Keycloak without an audience mapper", bare.Access},
		{"BEAR-1 Keycloak, another realm", h.direct(stranger, "ada").Access},
		{"BEAR-2 Keycloak, an ID token", good.ID},
		{"Dex, of another key", withHeader(h.login(h.dex.Issuer(), h.dex.ClientSecret).Access, map[string]any{"kid": "x"}, nil)},
		{"BEAR-2 oidc-provider, an ID token", h.login(h.opaque.Issuer(), h.opaque.ClientSecret).ID},
		{"TOK-1 Keycloak, none", withHeader(good.Access, map[string]any{"alg": "none"}, func(string) []byte { return nil })},
		{"TOK-1 Keycloak, none, and the signature", withHeader(good.Access, map[string]any{"alg": "None"}, nil)},
		{"TOK-1 Keycloak, HS256 with the public key", withHeader(good.Access, map[string]any{"alg": "HS256"}, hs256(h.publicKey(t.Context())))},
		{"TOK-2 Keycloak, a key of its own", withHeader(good.Access, map[string]any{"jwk": map[string]any{"kty": "oct", "k": "AA"}, "kid": nil}, nil)},
		{"Keycloak, a claim added", withClaim(good.Access, "preferred_username", "admin")},
		{"Keycloak, another end", withClaim(good.Access, "exp", now+1e6)},
		{"Keycloak, cut", good.Access[:len(good.Access)-4]},
		{"Keycloak, unknown kid", withHeader(good.Access, map[string]any{"kid": rand.Text()}, nil)},
		{"oidc-provider, revoked", revoked},
		{"oidc-provider, made up", rand.Text()},
		{"oidc-provider, a JWT for another resource", withClaim(h.itself(h.opaque.Issuer()+"/token", "resource", stack.APIResource, "scope", "read").Access, "aud", "https://other.example.com")},

		{"BEAR-1 wrong audience", forged(nil, map[string]any{"aud": "other"})},
		{"BEAR-1 no audience", forged(nil, map[string]any{"aud": nil})},
		{"BEAR-1 wrong issuer", forged(nil, map[string]any{"iss": h.forger.Issuer() + "/"})},
		{"BEAR-1 the issuer of another one's keys", forged(nil, map[string]any{"iss": h.front.URL + "/realms/" + realm, "aud": "my-api"})},
		{"TOK-5 expired", forged(nil, map[string]any{"exp": now - 61})},
		{"BEAR-1 without an end", forged(nil, map[string]any{"exp": nil})},
		{"TOK-5 not yet valid", forged(nil, map[string]any{"nbf": now + 120})},
		{"TOK-5 issued in the future", forged(nil, map[string]any{"iat": now + 120})},
		{"TOK-1 none", h.forger.AccessToken("none", nil, nil)},
		{"TOK-1 HS256 with the client's secret", h.forger.AccessToken("HS256", nil, nil)},
		{"TOK-2 unknown kid", forged(map[string]any{"kid": "nobody"}, nil)},
		{"TOK-1 unknown crit", forged(map[string]any{"crit": []string{"x"}}, nil)},
		{"TOK-3 of another type", forged(map[string]any{"typ": "logout+jwt"}, nil)},
		{"TOK-4 a claim twice", h.twice()},
		{"TOK-6 longer than 16 KiB", forged(nil, map[string]any{"x": strings.Repeat("x", 16<<10)})},
		{"BEAR-3 two tokens", good.Access + " " + good.Access},
		{"BEAR-3 no token", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := h.asked(t, tt.token)
			if got.status != http.StatusUnauthorized || got.header.Get("Www-Authenticate") != challenge || got.header.Get("X-Doorward-Reason") != "invalid_token" {
				t.Errorf("%d %q %s", got.status, got.header.Get("Www-Authenticate"), got.header.Get("X-Doorward-Reason"))
			}
			if got.header.Get("Location") != "" || got.header.Get("X-Auth-Request-User") != "" {
				t.Errorf("AUTHZ-1: led to %q, named %q", got.header.Get("Location"), got.header.Get("X-Auth-Request-User"))
			}
		})
	}
	t.Run("TOK-6 1 MB", func(t *testing.T) {
		got := h.asked(t, strings.Repeat("x", 1<<20))
		if got.status != http.StatusRequestHeaderFieldsTooLarge && got.status != http.StatusUnauthorized {
			t.Errorf("%d", got.status)
		}
	})
	t.Run("the good one is good as ever", func(t *testing.T) {
		if got := h.asked(t, good.Access); got.status != http.StatusAccepted {
			t.Errorf("%d %s", got.status, got.header.Get("X-Doorward-Reason"))
		}
	})
}

// twice is a token whose audience is there twice, well signed.
func (h *house) twice() string {
	header, _ := json.Marshal(map[string]any{"alg": "RS256", "typ": "at+jwt", "kid": "rsa-1"})
	now := time.Now().Unix()
	claims := fmt.Sprintf(`{"iss":%q,"sub":"user-1","client_id":"x","aud":"other","iat":%d,"exp":%d,"aud":"api"}`, h.forger.Issuer(), now, now+300)
	return h.forger.Sign("RS256", header, []byte(claims))
}

// revoke takes an opaque token back before anybody has seen it.
func (h *house) revoke(token string) {
	h.t.Helper()
	req, err := http.NewRequestWithContext(h.t.Context(), http.MethodPost, h.opaque.Issuer()+"/token/revocation", strings.NewReader("token="+token))
	h.must(err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth("robot", "robot-secret")
	res, err := h.client.Do(req)
	h.must(err)
	if err := res.Body.Close(); err != nil || res.StatusCode != http.StatusOK {
		h.t.Fatalf("%s: %v", res.Status, err)
	}
}

// Bounds of the flood.
const (
	floodSize    = 10_000
	floodWorkers = 32
)

// flood shows ten thousand tokens whose keys nobody knows, while a good client goes
// on: Keycloak is hardly asked, and the good client is answered.
func (h *house) flood(t *testing.T, good issued) {
	alone := h.latencies(t.Context(), t, good.Access, 500)
	before := h.front.keys.Load()
	began := time.Now()
	done, stop := context.WithCancel(t.Context())
	defer stop()
	measured := make(chan []time.Duration, 1)
	go func() { measured <- h.latencies(done, t, good.Access, 1<<30) }()
	var workers sync.WaitGroup
	for range floodWorkers {
		workers.Go(func() {
			for range floodSize / floodWorkers {
				token := withHeader(good.Access, map[string]any{"kid": rand.Text()}, nil)
				got, err := h.ask(t.Context(), "Bearer "+token)
				if err != nil || got.status != http.StatusUnauthorized || got.header.Get("Www-Authenticate") != challenge {
					t.Errorf("TOK-2: %d, %v", got.status, err)
					return
				}
			}
		})
	}
	workers.Wait()
	took := time.Since(began)
	stop()
	meanwhile := <-measured
	fetches := h.front.keys.Load() - before
	// One fetch each ten seconds, whatever arrives, and one at the beginning (JWK-2).
	if most := int64(took/(10*time.Second)) + 1; fetches > most {
		t.Errorf("JWK-2: %d tokens of unknown keys within %v made Doorward fetch the keys %d times, want at most %d", floodSize, took, fetches, most)
	}
	t.Logf("%d unknown keys within %v, %d fetches; a good token alone: p50 %v, p99 %v; meanwhile, of %d checks: p50 %v, p99 %v",
		floodSize, took.Round(time.Millisecond), fetches, percentile(alone, 50), percentile(alone, 99),
		len(meanwhile), percentile(meanwhile, 50), percentile(meanwhile, 99))
	if p := percentile(meanwhile, 99); p > 2*time.Second {
		t.Errorf("LIM-2: a good token waits %v while others are refused", p)
	}
}

// latencies are those of n checks with a good token, or of as many as there is time
// for.
func (h *house) latencies(ctx context.Context, t *testing.T, token string, n int) []time.Duration {
	var all []time.Duration
	for len(all) < n {
		got, err := h.ask(ctx, "Bearer "+token)
		if ctx.Err() != nil {
			break
		}
		if err != nil || got.status != http.StatusAccepted {
			t.Errorf("a good token: %d, %v", got.status, err)
			break
		}
		all = append(all, got.took)
	}
	slices.Sort(all)
	return all
}

func percentile(sorted []time.Duration, p int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[len(sorted)*p/100].Round(10 * time.Microsecond)
}
