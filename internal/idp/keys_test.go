package idp

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/idp/idptest"
)

// clock is a time that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Now()} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// keysOf returns the keys of a relying party of op on a clock of its own.
func keysOf(t *testing.T, op *idptest.Provider) (*Keys, *clock) {
	t.Helper()
	c := newClock()
	return rp(t, op, func(conf *Config) { conf.Now = c.Now }).Keys(), c
}

// signed is a token of op with any key id; "-" leaves it out.
func signed(op *idptest.Provider, alg, kid string) string {
	head := fmt.Sprintf(`{"alg":%q,"kid":%q}`, alg, kid)
	if kid == "-" {
		head = fmt.Sprintf(`{"alg":%q}`, alg)
	}
	return op.Sign(alg, []byte(head), []byte(`{}`))
}

func verify(k *Keys, token string) string {
	_, err := k.VerifySignature(context.Background(), token)
	return reason(err)
}

// eventually waits for what another goroutine does.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
		_ = sleep(context.Background(), 5*time.Millisecond)
	}
}

func TestRandomKeyIDsCauseFewFetches(t *testing.T) {
	op := startOP(t)
	k, now := keysOf(t, op)
	flood := func() {
		var group sync.WaitGroup
		for range 8 {
			group.Go(func() {
				for range 1250 {
					if got := verify(k, signed(op, "EdDSA", rand.Text())); got != ReasonUnknownKey {
						t.Errorf("got %s", got)
						return
					}
				}
			})
		}
		group.Wait()
	}
	flood()
	if n := op.Requests(idptest.JWKS); n != 1 {
		t.Errorf("JWK-2: %d fetches for 10,000 unknown key ids", n)
	}
	now.Advance(keysCoolDown)
	flood()
	if n := op.Requests(idptest.JWKS); n != 2 {
		t.Errorf("JWK-2: %d fetches for 20,000 unknown key ids in eleven seconds", n)
	}
}

func TestBadSignaturesCauseFewFetches(t *testing.T) {
	op := startOP(t)
	k, _ := keysOf(t, op)
	op.Set(func(b *idptest.Behaviour) { b.WrongKey = true })
	for range 100 {
		for _, kid := range []string{"ed-1", "-"} {
			if got := verify(k, signed(op, "EdDSA", kid)); got != ReasonSignature {
				t.Fatalf("got %s", got)
			}
		}
	}
	if n := op.Requests(idptest.JWKS); n != 1 {
		t.Errorf("JWK-2: %d fetches for 200 bad signatures", n)
	}
}

func TestFailingFetchesAreFew(t *testing.T) {
	op := startOP(t)
	k, now := keysOf(t, op)
	op.Set(func(b *idptest.Behaviour) { b.Fail[idptest.JWKS] = http.StatusBadGateway })
	token := signed(op, "RS256", "rsa-1")
	for range 100 {
		if got := verify(k, token); got != "unavailable: keys" {
			t.Fatalf("got %s", got)
		}
	}
	if n := op.Requests(idptest.JWKS); n != 1 {
		t.Errorf("JWK-2: %d fetches although they fail", n)
	}
	op.Reset()
	now.Advance(keysCoolDown)
	if got := verify(k, token); got != "" {
		t.Errorf("after the failure: %s", got)
	}
}

func TestRotationIsOneFetchForAll(t *testing.T) {
	op := startOP(t)
	k, now := keysOf(t, op)
	if got := verify(k, signed(op, "RS256", "rsa-1")); got != "" {
		t.Fatal(got)
	}
	op.Rotate()
	token := signed(op, "RS256", "rsa-2")
	if got := verify(k, token); got != ReasonUnknownKey {
		t.Errorf("within the cool-down: %s", got)
	}
	now.Advance(keysCoolDown)
	var group sync.WaitGroup
	for range 100 {
		group.Go(func() {
			if got := verify(k, token); got != "" {
				t.Errorf("JWK-2 rotation: %s", got)
			}
		})
	}
	group.Wait()
	if n := op.Requests(idptest.JWKS); n != 2 {
		t.Errorf("JWK-2: %d fetches for one rotation", n)
	}
	if got := verify(k, signed(op, "RS256", "rsa-1")); got != ReasonUnknownKey {
		t.Errorf("a retired key: %s", got)
	}
}

func TestLoginWaitsOutTheCoolDown(t *testing.T) {
	for name, change := range map[string]func(*idptest.Behaviour){
		"with a key id":    func(*idptest.Behaviour) {},
		"without a key id": joseHeader("kid", nil),
	} {
		op := startOP(t)
		op.Set(change)
		p := rp(t, op)
		p.keys.coolDown = 400 * time.Millisecond
		if _, err := signIn(t, op, p); err != nil {
			t.Fatal(err)
		}
		op.Rotate()
		if _, err := signIn(t, op, p); err != nil {
			t.Errorf("JWK-2: a login right after a rotation, %s: %v", name, err)
		}
		if n := op.Requests(idptest.JWKS); n != 2 {
			t.Errorf("%d fetches", n)
		}
	}
}

// A fetch that began before the keys were rotated proves nothing about a token
// that was signed after it.
func TestFetchInFlightDuringARotation(t *testing.T) {
	op := startOP(t)
	p := rp(t, op)
	p.keys.coolDown = 10 * time.Millisecond
	if err := p.warm(t.Context()); err != nil {
		t.Fatal(err)
	}
	release := make(chan struct{})
	op.Set(func(b *idptest.Behaviour) {
		b.Handle[idptest.JWKS] = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			<-release // the answer of before the rotation
			_, _ = w.Write([]byte(`{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"old","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`))
		})
	})
	eventually(t, "a slow fetch", func() bool {
		p.keys.mu.Lock()
		defer p.keys.mu.Unlock()
		if p.keys.rest() == 0 && p.keys.running == nil {
			p.keys.begin()
		}
		return p.keys.running != nil
	})
	eventually(t, "a request", func() bool { return op.Requests(idptest.JWKS) == 2 })
	op.Rotate()
	op.Set(func(b *idptest.Behaviour) { delete(b.Handle, idptest.JWKS) })
	result := make(chan error)
	go func() {
		_, err := p.keys.verify(t.Context(), signed(op, "RS256", "rsa-2"), true)
		result <- err
	}()
	close(release)
	if err := <-result; err != nil {
		t.Errorf("JWK-2: %v", err)
	}
}

func TestKeyAskedForBeforeItIsPublished(t *testing.T) {
	op := startOP(t)
	k, now := keysOf(t, op)
	token := signed(op, "RS256", "rsa-2")
	for second := range 15 {
		if got := verify(k, token); got != ReasonUnknownKey {
			t.Fatalf("second %d: %q", second, got)
		}
		now.Advance(time.Second)
	}
	if n := op.Requests(idptest.JWKS); n != 2 {
		t.Errorf("JWK-2: %d fetches in 15 s for one absent key id", n)
	}
	op.Rotate() // publishes rsa-2; the last fetch was five seconds ago
	token = signed(op, "RS256", "rsa-2")
	now.Advance(4 * time.Second)
	if got := verify(k, token); got != ReasonUnknownKey || op.Requests(idptest.JWKS) != 2 {
		t.Errorf("JWK-2: %q after %d fetches, 9 s after the last one", got, op.Requests(idptest.JWKS))
	}
	now.Advance(time.Second)
	if got := verify(k, token); got != "" || op.Requests(idptest.JWKS) != 3 {
		t.Errorf("JWK-2: %q after %d fetches, 10 s after the last one", got, op.Requests(idptest.JWKS))
	}
}

func TestOldKeysAreKeptForADay(t *testing.T) {
	op := startOP(t)
	k, now := keysOf(t, op)
	token := signed(op, "RS256", "rsa-1")
	if got := verify(k, token); got != "" {
		t.Fatal(got)
	}
	op.Set(func(b *idptest.Behaviour) { b.Fail[idptest.JWKS] = http.StatusInternalServerError })
	now.Advance(23 * time.Hour)
	if got := verify(k, token); got != "" {
		t.Errorf("JWK-2 after 23 hours: %s", got)
	}
	eventually(t, "the failed renewal ends", func() bool {
		k.mu.Lock()
		defer k.mu.Unlock()
		return k.failed != nil && k.running == nil
	})
	now.Advance(2 * time.Hour)
	if got := verify(k, token); got != "unavailable: keys" {
		t.Errorf("JWK-2 after 25 hours: %s", got)
	}
	op.Reset()
	now.Advance(keysCoolDown)
	if got := verify(k, token); got != "" {
		t.Errorf("JWK-2 after the provider's return: %s", got)
	}
}

func TestKeysAreRenewedBesideTheirUse(t *testing.T) {
	op := startOP(t)
	k, now := keysOf(t, op)
	token := signed(op, "RS256", "rsa-1")
	_ = verify(k, token)
	op.Rotate()
	now.Advance(keysFresh + time.Second)
	if got := verify(k, token); got != "" {
		t.Errorf("the hour is over: %s", got)
	}
	eventually(t, "the retired key is refused", func() bool { return verify(k, token) == ReasonUnknownKey })
}

func TestRenewalsDoNotPileUp(t *testing.T) {
	op := startOP(t)
	k, now := keysOf(t, op)
	token := signed(op, "RS256", "rsa-1")
	_ = verify(k, token)
	op.Set(func(b *idptest.Behaviour) { b.Delay[idptest.JWKS] = time.Hour })
	now.Advance(keysFresh)
	for range 5 {
		now.Advance(keysCoolDown)
		if got := verify(k, token); got != "" {
			t.Fatal(got)
		}
		eventually(t, "a slow fetch", func() bool { return op.Requests(idptest.JWKS) > 1 })
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.starts != 2 {
		t.Errorf("JWK-2: %d fetches in flight", k.starts-1)
	}
}

func TestClockSetBackDoesNotStopFetches(t *testing.T) {
	op := startOP(t)
	k, now := keysOf(t, op)
	_ = verify(k, signed(op, "RS256", "rsa-1"))
	op.Rotate()
	now.Advance(-time.Hour)
	if got := verify(k, signed(op, "RS256", "rsa-2")); got != "" {
		t.Errorf("L17: %s", got)
	}
}

func TestMissingKeyIDTriesEightKeys(t *testing.T) {
	op := startOP(t)
	decoys := make([]*idptest.Provider, maxTried)
	for i := range decoys {
		decoys[i] = idptest.Unstarted()
	}
	for _, tt := range []struct {
		name   string
		before int
		want   string
	}{
		{"TOK-2 the only key", 0, ""},
		{"TOK-2 the eighth key", maxTried - 1, ""},
		{"TOK-2 the ninth key", maxTried, ReasonSignature},
	} {
		t.Run(tt.name, func(t *testing.T) {
			op.Set(func(b *idptest.Behaviour) {
				b.JWKS = func(keys []map[string]any) []map[string]any {
					var set []map[string]any
					for _, decoy := range decoys[:tt.before] {
						set = append(set, decoy.PublicKeys()[2])
					}
					return append(set, keys...)
				}
			})
			k, _ := keysOf(t, op)
			if got := verify(k, signed(op, "EdDSA", "-")); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestParseKeys(t *testing.T) {
	good := idptest.Unstarted().PublicKeys()[0]
	with := func(changes ...any) map[string]any {
		key := map[string]any{}
		for name, value := range good {
			key[name] = value
		}
		for i := 0; i < len(changes); i += 2 {
			key[changes[i].(string)] = changes[i+1]
		}
		return key
	}
	for _, tt := range []struct {
		name string
		key  any
		used bool
	}{
		{"as it should be", good, true},
		{"JWK-1 for encryption", with("use", "enc"), false},
		{"JWK-1 use is no string", with("use", 1), false},
		{"JWK-1 key_ops verify", with("key_ops", []string{"verify"}), true},
		{"JWK-1 key_ops encrypt", with("key_ops", []string{"encrypt"}), false},
		{"JWK-1 symmetric", map[string]any{"kty": "oct", "k": "c2VjcmV0", "kid": "k"}, false},
		{"JWK-1 unknown kind", with("kty", "XYZ"), false},
		{"JWK-1 kind missing", map[string]any{"kid": "k"}, false},
		{"JWK-1 RSA of 2048 bits", with("n", modulus(2048)), true},
		{"JWK-1 RSA of 2040 bits", with("n", modulus(2040)), false},
		{"JWK-1 RSA of 8192 bits", with("n", modulus(8192)), true},
		{"JWK-1 RSA of 8200 bits", with("n", modulus(8200)), false},
		{"JWK-1 RSA with an even modulus", with("n", base64.RawURLEncoding.EncodeToString(bytes.Repeat([]byte{0xfe}, 256))), false},
		{"JWK-1 RSA exponent of 1", with("e", "AQ"), false},
		{"JWK-1 RSA exponent of 2", with("e", "Ag"), false},
		{"JWK-1 RSA exponent of 3", with("e", "Aw"), true},
		{"JWK-1 RSA exponent too long", with("e", "AQAAAAE"), false},
		{"JWK-1 RSA exponent of nine bytes", with("e", "AQAAAAAAAQAB"), false},
		{"JWK-1 RSA without an exponent", with("e", nil), false},
		{"JWK-1 modulus is no base64url", with("n", "!!!"), false},
		{"JWK-1 point off its curve", map[string]any{"kty": "EC", "crv": "P-256", "x": strings.Repeat("A", 43), "y": strings.Repeat("A", 43)}, false},
		{"JWK-1 private part published", with("d", "AQAB"), false},
		{"JWK-1 not an object", "key", false},
		{"JWK-1 Ed25519 key too short", map[string]any{"kty": "OKP", "crv": "Ed25519", "x": "AAAA"}, false},
		{"JWK-1 X25519", map[string]any{"kty": "OKP", "crv": "X25519", "x": strings.Repeat("A", 43)}, false},
		{"kid is no string", with("kid", 5), false},
		{"alg is no string", with("alg", 5), false},
		{"TOK-2 kid of 256 bytes", with("kid", strings.Repeat("k", 256)), true},
		{"TOK-2 kid of 257 bytes", with("kid", strings.Repeat("k", 257)), false},
		{"TOK-2 x5c is ignored", with("x5c", []string{"rubbish"}, "x5t", "rubbish", "x5u", "rubbish"), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			body, err := json.Marshal(map[string]any{"keys": []any{tt.key, good}})
			if err != nil {
				t.Fatal(err)
			}
			want := 1
			if tt.used {
				want = 2
			}
			keys, skipped, err := parseKeys(body)
			if err != nil || len(keys) != want || skipped != 2-want {
				t.Errorf("JWK-1: %d keys, %d skipped, %v", len(keys), skipped, err)
			}
		})
	}
}

// modulus is an odd number of a length, as a JWK writes it.
func modulus(bits int) string {
	return base64.RawURLEncoding.EncodeToString(bytes.Repeat([]byte{0xff}, bits/8))
}

func TestSetsThatAreRefused(t *testing.T) {
	key := idptest.Unstarted().PublicKeys()[1]
	many, err := json.Marshal(map[string]any{"keys": slices.Repeat([]map[string]any{key}, maxKeys+1)})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, body string }{
		{"JWK-1 more than 100 keys", string(many)},
		{"JWK-1 body of more than 1 MiB", `{"keys":[]}` + strings.Repeat(" ", maxBody)},
		{"JWK-1 no usable key", `{"keys":[{"kty":"oct"}]}`},
		{"not JSON", `<html>`},
		{"no keys", `{}`},
		{"keys is an object", `{"keys":{}}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			op := startOP(t)
			k, now := keysOf(t, op)
			_ = verify(k, signed(op, "RS256", "rsa-1"))
			op.Set(func(b *idptest.Behaviour) {
				b.Handle[idptest.JWKS] = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					_, _ = w.Write([]byte(tt.body))
				})
			})
			now.Advance(keysCoolDown)
			if got := verify(k, signed(op, "RS256", "other")); got != "unavailable: keys" {
				t.Errorf("got %s", got)
			}
			if got := verify(k, signed(op, "RS256", "rsa-1")); got != "" {
				t.Errorf("the set from before is lost: %s", got)
			}
		})
	}
}

func TestKeyIsBoundToItsAlgorithm(t *testing.T) {
	op := startOP(t)
	op.Set(func(b *idptest.Behaviour) {
		b.JWKS = func(keys []map[string]any) []map[string]any {
			keys[0]["alg"] = "RS256"
			return keys
		}
	})
	k, _ := keysOf(t, op)
	for _, tt := range []struct{ alg, kid, want string }{
		{"RS256", "rsa-1", ""},
		{"PS256", "rsa-1", ReasonAlgorithm},
		{"EdDSA", "ec-1", ReasonAlgorithm},
		{"ES256", "ed-1", ReasonAlgorithm},
		{"HS256", "rsa-1", ReasonAlgorithm},
		{"none", "rsa-1", ReasonAlgorithm},
	} {
		if got := verify(k, signed(op, tt.alg, tt.kid)); got != tt.want {
			t.Errorf("TOK-1 %s with %s: got %q, want %q", tt.alg, tt.kid, got, tt.want)
		}
	}
}

func TestWaitingForKeysEndsWithTheContext(t *testing.T) {
	op := startOP(t)
	p := rp(t, op)
	if err := p.warm(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := p.keys.verify(ctx, signed(op, "RS256", "other"), true)
	if reason(err) != "unavailable: keys" || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
