package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/doorward/doorward/internal/idp/idptest"
	"github.com/doorward/doorward/test/stack"
)

// house is everything that the measurements share.
type house struct {
	options
	dir      string
	root     string
	self     string // this program
	secret   string
	provider *idptest.Provider

	running []*stack.Process
	started int
}

func newHouse(ctx context.Context, opts options) (*house, error) {
	h := &house{options: opts, secret: stack.CookieSecret(), provider: idptest.New()}
	err := h.furnish(ctx)
	if err != nil {
		err = errors.Join(err, h.close())
	}
	return h, err
}

func (h *house) furnish(ctx context.Context) (err error) {
	if h.root, err = stack.Root(); err != nil {
		return err
	}
	if h.self, err = os.Executable(); err != nil {
		return err
	}
	if h.dir, err = os.MkdirTemp("", "doorward-bench-"); err != nil {
		return err
	}
	for _, tool := range []string{"wrk", "taskset"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("%w; run: cd test && go run ./tools bench", err)
		}
	}
	if h.binary != "" {
		return nil
	}
	h.binary = filepath.Join(h.dir, "doorward")
	build := exec.CommandContext(ctx, "make", "-C", h.root, "build", "BINARY="+h.binary)
	if output, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build doorward: %w\n%s", err, output)
	}
	return nil
}

// close ends what is still running and removes all files.
func (h *house) close() error {
	h.provider.Close()
	h.stopAll()
	if h.dir == "" {
		return nil
	}
	return os.RemoveAll(h.dir)
}

// stopAll ends every server. Some are asked for their memory until the last
// moment, so none has anything to finish.
func (h *house) stopAll() {
	for _, process := range h.running {
		process.Kill()
	}
	h.running = nil
}

func (h *house) say(format string, args ...any) {
	if !h.smoke {
		fmt.Fprintf(os.Stderr, "bench: "+format+"\n", args...)
	}
}

// The rules that most subjects run with.
const houseRules = `rules:
  - name: health checks and styles
    hosts: ["*.bench.test"]
    paths: [/healthz, /static/**]
    methods: [GET, HEAD]
    public: true
  - name: the board's papers
    hosts: [closed.bench.test]
    allow: {groups: [board]}
  - name: wiki
    hosts: [wiki.bench.test]
    allow: any
  - name: api
    hosts: [api.bench.test]
    allow: {claims: {department: [engineering]}}
    redirect: false
  - name: grafana
    hosts: [app.bench.test]
    allow: {groups: [sre, platform]}
`

// bareServer starts the bare handler.
func (h *house) bareServer(ctx context.Context, pinned bool) (*server, error) {
	addresses, err := stack.FreeAddresses(0)
	if err != nil {
		return nil, err
	}
	s, err := h.start(ctx, launch{name: "bare", command: []string{h.self, "bare", addresses[0]}, address: addresses[0], pinned: pinned})
	if err != nil {
		return nil, err
	}
	s.mallocs = counter("http://" + addresses[0] + mallocsPath)
	return s, nil
}

// doorward starts the product with everything on that a production has on, and
// waits until it can sign people in. env adds to its configuration.
func (h *house) doorward(ctx context.Context, rules string, env map[string]string, pinned bool) (*server, error) {
	l, admin, err := h.product(rules, env)
	if err != nil {
		return nil, err
	}
	l.pinned = pinned
	s, err := h.start(ctx, l)
	if err != nil {
		return nil, err
	}
	s.metrics = "http://" + admin + "/metrics"
	s.mallocs = counter(s.metrics)
	return s, s.process.Await(ctx, func(ctx context.Context) error {
		_, err := get(ctx, "http://"+admin+"/readyz", nil, http.StatusOK)
		return err
	})
}

// product is how the product is started, and where its admin listener will be.
func (h *house) product(rules string, env map[string]string) (launch, string, error) {
	addresses, err := stack.FreeAddresses(0, 0)
	if err != nil {
		return launch{}, "", err
	}
	h.started++
	file := filepath.Join(h.dir, fmt.Sprintf("rules-%d.yaml", h.started))
	if err := os.WriteFile(file, []byte(rules), 0o600); err != nil {
		return launch{}, "", err
	}
	all := map[string]string{
		"DOORWARD_LISTEN":             addresses[0],
		"DOORWARD_ADMIN_LISTEN":       addresses[1],
		"DOORWARD_PUBLIC_URL":         "https://auth.bench.test",
		"DOORWARD_COOKIE_DOMAINS":     "bench.test",
		"DOORWARD_COOKIE_SECRET":      h.secret,
		"DOORWARD_OIDC_ISSUER_URL":    h.provider.Issuer(),
		"DOORWARD_OIDC_CLIENT_ID":     h.provider.ClientID,
		"DOORWARD_OIDC_CLIENT_SECRET": h.provider.ClientSecret,
		"DOORWARD_CONFIG_FILE":        file,
	}
	maps.Copy(all, env)
	return launch{name: "doorward", command: []string{h.binary}, env: all, address: addresses[0]}, addresses[1], nil
}

// tokens are the lines that let the provider's access tokens in.
func (h *house) tokens() string {
	return "tokens:\n  - issuer_url: " + h.provider.Issuer() + "\n    audiences: [api]\n"
}

// signIn signs the provider's user in, as a browser does, and returns the session
// cookie as the browser sends it.
func (h *house) signIn(ctx context.Context, s *server) (string, error) {
	begin, err := get(ctx, "http://"+s.address+"/start?rd=%2F", nil, http.StatusFound)
	if err != nil {
		return "", err
	}
	callback, err := h.provider.SignIn(begin.Header.Get("Location"))
	if err != nil {
		return "", err
	}
	end, err := get(ctx, "http://"+s.address+callback.RequestURI(), begin.Cookies(), http.StatusFound)
	if err != nil {
		return "", err
	}
	for _, cookie := range end.Cookies() {
		if strings.HasSuffix(cookie.Name, "doorward") && cookie.Value != "" {
			return cookie.Name + "=" + cookie.Value, nil
		}
	}
	return "", errors.New("the login ended without a session cookie")
}

// get navigates to one of Doorward's own pages, and demands the status.
func get(ctx context.Context, address string, cookies []*http.Cookie, status int) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	req.Host = "auth.bench.test"
	req.Header.Set("Sec-Fetch-Mode", "navigate")
	for _, cookie := range cookies {
		req.AddCookie(cookie)
	}
	answer, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != status {
		body, _ := io.ReadAll(io.LimitReader(answer.Body, 300))
		return nil, fmt.Errorf("%.60s answers %s, want %d: %s", address, answer.Status, status, body)
	}
	return answer, nil
}

// counter asks a server how many objects it has allocated.
func counter(address string) func(context.Context) (float64, error) {
	s := &server{metrics: address}
	return func(ctx context.Context) (float64, error) { return s.total(ctx, "go_memstats_mallocs_total ") }
}

// total is the sum of a server's metrics whose lines begin so.
func (s *server) total(ctx context.Context, name string) (float64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.metrics, nil)
	if err != nil {
		return 0, err
	}
	answer, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return 0, err
	}
	total := 0.0
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, name) {
			continue
		}
		value, err := strconv.ParseFloat(strings.TrimSpace(line[strings.LastIndexByte(line, ' '):]), 64)
		if err != nil {
			return 0, err
		}
		total += value
	}
	return total, nil
}
