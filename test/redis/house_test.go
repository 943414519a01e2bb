// Package redis puts two Doorwards with one Redis into what befalls Redis: failover,
// slots that move, networks that are slow, cut or silent. Each test prints requests,
// statuses and the time to recover, and fails for statuses and lost sessions.
package redis

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/idp/idptest"
	"github.com/doorward/doorward/test/stack"
)

// patience is how long anything may take before the run gives up on it.
const patience = 90 * time.Second

// binary is Doorward as it is shipped.
var binary string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "redis-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	if binary, err = stack.BuildDoorward(context.Background(), dir, false); err != nil {
		panic(err)
	}
	return m.Run()
}

// house is a provider and replicas of Doorward, asked as a gateway asks.
type house struct {
	t        *testing.T
	provider *idptest.Provider
	replicas []*stack.Doorward
	client   *http.Client
}

// newHouse starts a replica for each environment. All have those variables too that
// are in common.
func newHouse(t *testing.T, common map[string]string, replicas ...map[string]string) *house {
	t.Helper()
	h := &house{t: t, provider: idptest.New(), client: &http.Client{
		Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: 64},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	t.Cleanup(h.provider.Close)
	t.Cleanup(h.client.CloseIdleConnections)
	secret := stack.CookieSecret()
	for _, own := range replicas {
		addresses, err := stack.FreeAddresses(0, 0)
		if err != nil {
			t.Fatal(err)
		}
		d := &stack.Doorward{Binary: binary, Dir: t.TempDir(), Listen: addresses[0], AdminListen: addresses[1], Env: map[string]string{
			"DOORWARD_PUBLIC_URL":         "https://auth.example.com",
			"DOORWARD_COOKIE_DOMAINS":     "example.com",
			"DOORWARD_COOKIE_SECRET":      secret,
			"DOORWARD_OIDC_ISSUER_URL":    h.provider.Issuer(),
			"DOORWARD_OIDC_CLIENT_ID":     h.provider.ClientID,
			"DOORWARD_OIDC_CLIENT_SECRET": h.provider.ClientSecret,
			"DOORWARD_ALLOW_ANY_USER":     "true",
			"DOORWARD_SHUTDOWN_DELAY":     "0s",
			"DOORWARD_SESSION_STORE":      "redis",
		}}
		maps.Copy(d.Env, common)
		maps.Copy(d.Env, own)
		h.replicas = append(h.replicas, d)
		h.start(d)
	}
	return h
}

func (h *house) start(d *stack.Doorward) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), patience)
	defer cancel()
	h.t.Cleanup(func() { _ = d.Stop() })
	if err := d.Start(ctx); err != nil {
		h.t.Fatal(err)
	}
}

// answer is what a replica said, and how long that took.
type answer struct {
	status int
	header http.Header
	body   string
	took   time.Duration
}

// ask sends a request to a replica as a gateway passes it on. A status of 0 is no
// answer at all.
func (h *house) ask(replica int, method, path string, header http.Header, body string) answer {
	req, err := http.NewRequest(method, "http://"+h.replicas[replica].Listen+path, strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	req.Host = "auth.example.com"
	maps.Copy(req.Header, header)
	began := time.Now()
	res, err := h.client.Do(req)
	if err != nil {
		return answer{took: time.Since(began)}
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, string(text), time.Since(began)}
}

// check asks a replica about a page as whoever holds the cookie.
func (h *house) check(replica int, cookie string) answer {
	header := navigation(cookie)
	header.Set("X-Original-Url", "https://app.example.com/page")
	header.Set("X-Original-Method", http.MethodGet)
	return h.ask(replica, http.MethodGet, "/auth/nginx", header, "")
}

// navigation is what a browser that opens a page sends.
func navigation(cookie string) http.Header {
	header := http.Header{"Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Site": {"same-origin"}, "Accept": {"text/html"}}
	if cookie != "" {
		header.Set("Cookie", cookie)
	}
	return header
}

// login signs somebody in at a replica and returns the session cookie and the answer
// that set it.
func (h *house) login(replica int) (cookie string, end answer) {
	started := h.ask(replica, http.MethodGet, "/start?rd=%2F", navigation(""), "")
	if started.status != http.StatusFound {
		return "", started
	}
	back, err := h.provider.SignIn(started.header.Get("Location"))
	if err != nil {
		return "", answer{body: err.Error()}
	}
	end = h.ask(replica, http.MethodGet, back.RequestURI(), navigation(cookieOf(started)), "")
	return cookieOf(end), end
}

// signIn is login where anything else is a failure, but for what a machine that is
// busy elsewhere brings about: a 503, after which a person tries again.
func (h *house) signIn(replica int) (cookie string) {
	h.t.Helper()
	h.await("a login", func() bool {
		var end answer
		cookie, end = h.login(replica)
		if end.status != http.StatusFound && end.status != http.StatusServiceUnavailable {
			h.t.Fatalf("the login ended with %d: %s", end.status, end.body)
		}
		return cookie != ""
	})
	return cookie
}

// signInMany signs people in at the first replica.
func (h *house) signInMany(n int) []string {
	h.t.Helper()
	var all []string
	for range n {
		all = append(all, h.signIn(0))
	}
	return all
}

// cookieOf is the last cookie that an answer sets and does not take away.
func cookieOf(a answer) string {
	found := ""
	for _, line := range a.header["Set-Cookie"] {
		if cookie, err := http.ParseSetCookie(line); err == nil && cookie.MaxAge >= 0 {
			found = cookie.Name + "=" + cookie.Value
		}
	}
	return found
}

// ready is what a replica says of itself.
func (h *house) ready(replica int) (int, string) {
	res, err := h.client.Get("http://" + h.replicas[replica].AdminListen + "/readyz")
	if err != nil {
		return 0, err.Error()
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(res.Body)
	return res.StatusCode, string(text)
}

// await waits until a condition holds.
func (h *house) await(what string, holds func() bool) {
	h.t.Helper()
	for deadline := time.Now().Add(patience); !holds(); pause() {
		if time.Now().After(deadline) {
			h.t.Fatalf("%s: not within %v\n%s", what, patience, h.replicas[0].Process().Log())
		}
	}
}

// pause gives the processor away.
func pause() {
	timer := time.NewTimer(5 * time.Millisecond)
	<-timer.C
}

// tally counts statuses, and the longest that an answer took.
type tally struct {
	mu       sync.Mutex
	statuses map[int]int
	longest  time.Duration
	cookies  int // that were set or taken away
	unsaid   int // 503 without Retry-After
}

func (c *tally) add(a answer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.statuses == nil {
		c.statuses = map[int]int{}
	}
	c.statuses[a.status]++
	c.longest = max(c.longest, a.took)
	c.cookies += len(a.header["Set-Cookie"])
	if a.status == http.StatusServiceUnavailable && a.header.Get("Retry-After") == "" {
		c.unsaid++
	}
}

func (c *tally) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	sum, parts := 0, []string{}
	for _, status := range slices.Sorted(maps.Keys(c.statuses)) {
		sum += c.statuses[status]
		parts = append(parts, fmt.Sprintf("%d × %d", c.statuses[status], status))
	}
	return fmt.Sprintf("%d checks: %s; the longest took %s", sum, strings.Join(parts, ", "), c.longest.Round(time.Millisecond))
}

// only fails for statuses that were not expected, and for cookies that were touched.
func (c *tally) only(t *testing.T, statuses ...int) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for status, n := range c.statuses {
		if !slices.Contains(statuses, status) {
			t.Errorf("L9: %d checks were answered with %d", n, status)
		}
	}
	if c.cookies > 0 || c.unsaid > 0 {
		t.Errorf("L9: %d cookies were touched, %d answers lack Retry-After", c.cookies, c.unsaid)
	}
}

// load checks sessions at all replicas until stop is called, and counts by replica.
func (h *house) load(cookies []string) (stop func() []*tally) {
	ctx, cancel := context.WithCancel(context.Background())
	var asking sync.WaitGroup
	var tallies []*tally
	for replica := range h.replicas {
		counted := &tally{}
		tallies = append(tallies, counted)
		for n := range 2 {
			asking.Go(func() {
				for i := n; ctx.Err() == nil; i++ {
					counted.add(h.check(replica, cookies[i%len(cookies)]))
					pause()
				}
			})
		}
	}
	return func() []*tally { cancel(); asking.Wait(); return tallies }
}

// lost is how many sessions are no longer good at a replica.
func (h *house) lost(replica int, cookies []string) int {
	n := 0
	for _, cookie := range cookies {
		if h.check(replica, cookie).status != http.StatusAccepted {
			n++
		}
	}
	return n
}
