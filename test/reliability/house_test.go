// Package reliability puts Doorward into the situations of the reliability table:
// a provider that is away, slow or changes its keys, clocks that differ. Each test
// prints what it measured and fails for statuses, never for a figure that a slow
// machine could miss.
package reliability

import (
	"context"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/idp/idptest"
	"github.com/doorward/doorward/test/stack"
)

// patience is how long anything may take before the run gives up on it.
const patience = 90 * time.Second

// binary is Doorward as it is shipped: a figure of the race detector tells nothing.
var binary string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "reliability-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	if binary, err = stack.BuildDoorward(context.Background(), dir, false); err != nil {
		panic(err)
	}
	return m.Run()
}

// house is a provider and one Doorward, asked as a gateway asks.
type house struct {
	t        *testing.T
	provider *idptest.Provider
	doorward *stack.Doorward
	client   *http.Client
}

// newHouse lays out a house whose provider listens, and starts nothing else. File
// is the text of a configuration file, "" for none.
func newHouse(t *testing.T, file string, env map[string]string) *house {
	t.Helper()
	h := &house{t: t, provider: idptest.New(), client: &http.Client{
		Timeout:       patience,
		Transport:     &http.Transport{MaxIdleConnsPerHost: 256},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	t.Cleanup(h.client.CloseIdleConnections)
	t.Cleanup(h.provider.Close)
	dir := t.TempDir()
	addresses, err := stack.FreeAddresses(0, 0)
	if err != nil {
		t.Fatal(err)
	}
	h.doorward = &stack.Doorward{Binary: binary, Dir: dir, Listen: addresses[0], AdminListen: addresses[1], Env: map[string]string{
		"DOORWARD_PUBLIC_URL":         "https://auth.example.com",
		"DOORWARD_COOKIE_DOMAINS":     "example.com",
		"DOORWARD_COOKIE_SECRET":      stack.CookieSecret(),
		"DOORWARD_OIDC_ISSUER_URL":    h.provider.Issuer(),
		"DOORWARD_OIDC_CLIENT_ID":     h.provider.ClientID,
		"DOORWARD_OIDC_CLIENT_SECRET": h.provider.ClientSecret,
		"DOORWARD_SHUTDOWN_DELAY":     "0s",
	}}
	if file == "" {
		h.doorward.Env["DOORWARD_ALLOW_ANY_USER"] = "true"
	} else {
		h.doorward.Env["DOORWARD_CONFIG_FILE"] = h.write("doorward.yaml", strings.ReplaceAll(file, "ISSUER", h.provider.Issuer()))
	}
	maps.Copy(h.doorward.Env, env)
	return h
}

// replica lays out another Doorward with the same configuration.
func (h *house) replica() *house {
	h.t.Helper()
	addresses, err := stack.FreeAddresses(0, 0)
	if err != nil {
		h.t.Fatal(err)
	}
	other := *h
	other.doorward = &stack.Doorward{
		Binary: binary, Dir: h.t.TempDir(), Listen: addresses[0], AdminListen: addresses[1], Env: maps.Clone(h.doorward.Env),
	}
	return &other
}

func (h *house) write(name, text string) string {
	h.t.Helper()
	path := filepath.Join(h.doorward.Dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		h.t.Fatal(err)
	}
	return path
}

// start starts Doorward and waits until a path of its admin listener answers 200.
func (h *house) start(until string) *house {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), patience)
	defer cancel()
	h.t.Cleanup(func() { _ = h.doorward.Stop() })
	if err := h.doorward.StartUntil(ctx, until); err != nil {
		h.t.Fatal(err)
	}
	return h
}

// answer is what Doorward said, and how long that took.
type answer struct {
	status int
	header http.Header
	body   string
	took   time.Duration
}

// ask sends a request to the main listener as a gateway passes it on.
func (h *house) ask(path string, header http.Header) (answer, error) {
	req, err := http.NewRequestWithContext(h.t.Context(), http.MethodGet, "http://"+h.doorward.Listen+path, nil)
	if err != nil {
		return answer{}, err
	}
	req.Host = "auth.example.com"
	maps.Copy(req.Header, header)
	began := time.Now()
	res, err := h.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, string(body), time.Since(began)}, err
}

// must is ask where no answer at all is a failure.
func (h *house) must(path string, header http.Header) answer {
	h.t.Helper()
	a, err := h.ask(path, header)
	if err != nil {
		h.t.Fatal(err)
	}
	return a
}

// navigation is what a browser that opens a page sends.
func navigation(cookie string) http.Header {
	header := http.Header{"Sec-Fetch-Mode": {"navigate"}, "Accept": {"text/html"}}
	if cookie != "" {
		header.Set("Cookie", cookie)
	}
	return header
}

// question is what nginx asks about a page of the app.
func question(header http.Header) http.Header {
	asked := header.Clone()
	if asked == nil {
		asked = http.Header{}
	}
	asked.Set("X-Original-Url", "https://app.example.com/page?x=1")
	asked.Set("X-Original-Method", http.MethodGet)
	return asked
}

// check asks about a page as whoever holds the cookie.
func (h *house) check(cookie string) (answer, error) {
	return h.ask("/auth/nginx", question(navigation(cookie)))
}

// bearer asks about a page as an API client.
func (h *house) bearer(token string) (answer, error) {
	return h.ask("/auth/nginx", question(http.Header{"Authorization": {"Bearer " + token}}))
}

// begin begins a login: the flow cookie, and the callback that ends it.
func (h *house) begin() (flow, callback string, err error) {
	started, err := h.ask("/start?rd=%2F", navigation(""))
	if err != nil {
		return "", "", err
	}
	back, err := h.provider.SignIn(started.header.Get("Location"))
	if err != nil {
		return "", "", err
	}
	return cookieOf(started), back.RequestURI(), nil
}

// login signs somebody in and returns the session cookie and the answer.
func (h *house) login() (cookie string, end answer, err error) {
	flow, callback, err := h.begin()
	if err != nil {
		return "", answer{}, err
	}
	end, err = h.ask(callback, navigation(flow))
	return cookieOf(end), end, err
}

// signIn logs somebody in.
func (h *house) signIn() string {
	h.t.Helper()
	cookie := ""
	h.awaitStatus("a login", http.StatusFound, func() (end answer, err error) {
		cookie, end, err = h.login()
		return end, err
	})
	return cookie
}

// awaitStatus asks until the answer has a status. Only 503 is worth another try,
// and 202 where a 401 is to come: a machine that is busy with other things may
// keep Redis waiting for longer than a check does.
func (h *house) awaitStatus(what string, status int, ask func() (answer, error)) {
	h.t.Helper()
	h.await(what, func() bool {
		a, err := ask()
		again := a.status == http.StatusServiceUnavailable || status == http.StatusUnauthorized && a.status == http.StatusAccepted
		if err != nil || a.status != status && !again {
			h.t.Fatalf("%s: %d %v\n%s", what, a.status, err, a.body)
		}
		return a.status == status
	})
}

// cookieOf is the last cookie that an answer sets and does not take away, as a
// browser sends it back.
func cookieOf(a answer) string {
	found := ""
	for _, line := range a.header["Set-Cookie"] {
		if cookie, err := http.ParseSetCookie(line); err == nil && cookie.MaxAge >= 0 {
			found = cookie.Name + "=" + cookie.Value
		}
	}
	return found
}

// admin asks the listener for probes and metrics.
func (h *house) admin(path string) (int, string) {
	h.t.Helper()
	page, err := stack.NewVisitor(nil).Fetch(h.t.Context(), "http://"+h.doorward.AdminListen+path, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	return page.Status, page.Body
}

// metric is the value of a metric without labels.
func (h *house) metric(name string) float64 {
	h.t.Helper()
	_, body := h.admin("/metrics")
	found := regexp.MustCompile(`(?m)^` + name + ` ([0-9.e+]+)$`).FindStringSubmatch(body)
	if found == nil {
		h.t.Fatalf("there is no metric %s", name)
	}
	value, err := strconv.ParseFloat(found[1], 64)
	if err != nil {
		h.t.Fatal(err)
	}
	return value
}

// await waits until a condition holds.
func (h *house) await(what string, holds func() bool) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), patience)
	defer cancel()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for !holds() {
		select {
		case <-ctx.Done():
			h.t.Fatalf("%s: not within %v\n%s", what, patience, h.doorward.Process().Log())
		case <-ticker.C:
		}
	}
}
