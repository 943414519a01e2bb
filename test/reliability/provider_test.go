package reliability

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/idp/idptest"
)

// TestProviderAwayAtStart is L1 without a gateway; test/e2e has it with all parts.
func TestProviderAwayAtStart(t *testing.T) {
	h := newHouse(t, "", nil).start("/readyz")
	cookie := h.signIn()
	if err := h.doorward.Stop(); err != nil {
		t.Fatal(err)
	}
	h.provider.Close()

	began := time.Now()
	h.start("/healthz")
	t.Logf("L1: listens %v after its start (wanted: 2s)", time.Since(began).Round(time.Millisecond))
	if a, err := h.check(cookie); err != nil || a.status != http.StatusAccepted {
		t.Errorf("L1: the check of a session is %d, %v", a.status, err)
	}
	if status, body := h.admin("/readyz"); status != http.StatusServiceUnavailable {
		t.Errorf("L1: /readyz is %d %q before the first discovery", status, body)
	}
	if a := h.must("/start", navigation("")); a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
		t.Errorf("L1: /start is %d with Retry-After %q", a.status, a.header.Get("Retry-After"))
	}
	if err := h.provider.Listen(h.provider.Addr()); err != nil {
		t.Fatal(err)
	}
	back := time.Now()
	h.await("L1: ready", func() bool { status, _ := h.admin("/readyz"); return status == http.StatusOK })
	t.Logf("L1: ready %v after the provider appeared (wanted: 5s)", time.Since(back).Round(time.Millisecond))
	h.signIn()
}

// TestProviderGoesAway is L2, with minutes for the hour: nothing about a session
// that nobody renews asks the provider.
func TestProviderGoesAway(t *testing.T) {
	h := newHouse(t, "", nil).start("/readyz")
	cookie := h.signIn()
	const checks = 4000
	one := func(int) (answer, error) { return h.check(cookie) }
	atOnce(checks, 8, one) // as many connections as there will be
	before, goroutines := atOnce(checks, 8, one), h.metric("go_goroutines")
	h.provider.Close()
	after := atOnce(checks, 8, one)
	if !after.only(http.StatusAccepted) {
		t.Errorf("L2: without the provider: %v", after)
	}
	now := h.metric("go_goroutines")
	t.Logf("L2: %d checks with the provider: %v", checks, before)
	t.Logf("L2: %d checks without it:       %v; goroutines %v and %v", checks, after, goroutines, now)
	if now > goroutines+20 {
		t.Errorf("L2: %v goroutines, and %v before", now, goroutines)
	}
	if status, _ := h.admin("/readyz"); status != http.StatusOK {
		t.Errorf("L2: /readyz is %d, though sessions are served", status)
	}
}

// TestProviderAnswersNothing is L3: it takes connections and says nothing.
func TestProviderAnswersNothing(t *testing.T) {
	h := newHouse(t, "", nil).start("/readyz")
	cookie := h.signIn()
	type flow struct{ cookie, callback string }
	var flows []flow
	for range 100 {
		cookie, callback, err := h.begin()
		if err != nil {
			t.Fatal(err)
		}
		flows = append(flows, flow{cookie, callback})
	}
	held := &inFlight{}
	h.provider.Set(func(b *idptest.Behaviour) {
		for _, endpoint := range []idptest.Endpoint{idptest.Discovery, idptest.Token, idptest.Userinfo, idptest.JWKS} {
			b.Handle[endpoint] = held
		}
	})
	stop := steady(200, func() (answer, error) { return h.check(cookie) })
	var starts tally
	logins := make(chan *tally)
	go func() {
		logins <- atOnce(len(flows), len(flows), func(i int) (answer, error) {
			return h.ask(flows[i].callback, navigation(flows[i].cookie))
		})
	}()
	h.await("L3: logins wait for the provider", func() bool { return held.most() >= 32 })
	for range 20 {
		starts.add(h.ask("/start", navigation("")))
	}
	// Read before the first ones give up: the provider notices that only after
	// others have taken their places.
	most := held.most()
	ended, checks := <-logins, stop()
	t.Logf("L3: %d logins at once: %v; at most %d requests at the provider (wanted: 32)", len(flows), ended, most)
	t.Logf("L3: /start meanwhile: %v (wanted: 250ms)", &starts)
	t.Logf("L3: checks meanwhile: %v (wanted: p99 10ms)", checks)
	if !checks.only(http.StatusAccepted) || !starts.only(http.StatusFound) || !ended.only(http.StatusServiceUnavailable) {
		t.Error("L3: checks have to be 202, /start 302 and the logins 503")
	}
	if most > 32 {
		t.Errorf("L3: %d requests in flight", most)
	}
}

// inFlight holds every request until its client gives up, and counts.
type inFlight struct {
	mu       sync.Mutex
	now, max int
}

func (f *inFlight) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	f.add(1)
	defer f.add(-1)
	<-r.Context().Done()
}

func (f *inFlight) add(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now += n
	f.max = max(f.max, f.now)
}

func (f *inFlight) most() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.max
}

// forTokens admits API clients of the provider.
const forTokens = `
rules:
  - {name: all, allow: any}
tokens:
  - {issuer_url: ISSUER, audiences: [api]}
`

// TestKeyRotation is L4: one fetch for any number of tokens with a new key, and a
// bounded number whatever is made up.
func TestKeyRotation(t *testing.T) {
	h := newHouse(t, forTokens, nil).start("/readyz")
	token := func(header map[string]any, i int) string {
		return h.provider.AccessToken("ES256", header, map[string]any{"jti": fmt.Sprint(i)})
	}
	if a, err := h.bearer(token(nil, 0)); err != nil || a.status != http.StatusAccepted {
		t.Fatalf("L4: a good token is %d, %v", a.status, err)
	}
	before := h.provider.Requests(idptest.JWKS)
	h.provider.Rotate()
	var tokens []string
	for i := range 100 {
		tokens = append(tokens, token(nil, i))
	}
	rotated := time.Now()
	h.await("L4: a token with the new key is accepted", func() bool {
		a, err := h.bearer(tokens[0])
		return err == nil && a.status == http.StatusAccepted
	})
	took := time.Since(rotated)
	all := atOnce(len(tokens), 100, func(i int) (answer, error) { return h.bearer(tokens[i]) })
	fetched := h.provider.Requests(idptest.JWKS) - before
	t.Logf("L4: the new key is accepted after %v (wanted: 10s); %d tokens with it: %v; %d fetches", took.Round(time.Millisecond), len(tokens), all, fetched)
	if !all.only(http.StatusAccepted) || fetched != 1 {
		t.Errorf("L4: %v with %d fetches, want 202 with 1", all, fetched)
	}

	var unknown []string
	for i := range 10_000 {
		unknown = append(unknown, token(map[string]any{"kid": fmt.Sprintf("unknown-%d", i)}, i))
	}
	before, began := h.provider.Requests(idptest.JWKS), time.Now()
	stop := steady(100, func() (answer, error) { return h.bearer(tokens[0]) })
	refused := atOnce(len(unknown), 32, func(i int) (answer, error) { return h.bearer(unknown[i]) })
	good, elapsed := stop(), time.Since(began)
	fetched = h.provider.Requests(idptest.JWKS) - before
	t.Logf("L4: %d unknown kids in %v: %v; %d fetches", len(unknown), elapsed.Round(time.Millisecond), refused, fetched)
	t.Logf("L4: a good token meanwhile: %v", good)
	if limit := 1 + int(elapsed/(10*time.Second)); fetched > limit {
		t.Errorf("L4: %d fetches in %v, want at most %d", fetched, elapsed, limit)
	}
	if !refused.only(http.StatusUnauthorized) || !good.only(http.StatusAccepted) {
		t.Error("L4: unknown kids have to be 401, and the good token 202")
	}

	// A provider that is down does not take the keys away.
	h.provider.Close()
	if a, err := h.bearer(tokens[1]); err != nil || a.status != http.StatusAccepted {
		t.Errorf("L4: without the provider a good token is %d, %v", a.status, err)
	}
}

// TestClocks is L17: a provider whose clock differs.
func TestClocks(t *testing.T) {
	h := newHouse(t, "", nil).start("/readyz")
	for _, tt := range []struct {
		ahead  time.Duration
		status int
		logged string
	}{
		{0, http.StatusFound, ""},
		{55 * time.Second, http.StatusFound, ""},
		{-55 * time.Second, http.StatusFound, ""},
		{120 * time.Second, http.StatusForbidden, "in the future"},
		{-120 * time.Second, http.StatusForbidden, "ago, and a login has just begun"},
	} {
		h.provider.Set(func(b *idptest.Behaviour) {
			b.Claims = func(claims map[string]any) {
				for _, name := range []string{"iat", "exp", "auth_time"} {
					if at, ok := claims[name].(int64); ok {
						claims[name] = at + int64(tt.ahead/time.Second)
					}
				}
			}
		})
		_, end, err := h.login()
		if err != nil || end.status != tt.status {
			t.Errorf("L17: the provider's clock is %v ahead: %d %v, want %d", tt.ahead, end.status, err, tt.status)
		}
		if log := h.doorward.Process().Log(); !strings.Contains(log, tt.logged) {
			t.Errorf("L17: the provider's clock is %v ahead, and no line says %q", tt.ahead, tt.logged)
		}
	}
}
