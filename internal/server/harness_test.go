package server_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/gate"
	"github.com/doorward/doorward/internal/gateway"
	"github.com/doorward/doorward/internal/headers"
	"github.com/doorward/doorward/internal/http1"
	"github.com/doorward/doorward/internal/idp"
	"github.com/doorward/doorward/internal/idp/idptest"
	"github.com/doorward/doorward/internal/policy"
	"github.com/doorward/doorward/internal/redirect"
	"github.com/doorward/doorward/internal/redis"
	"github.com/doorward/doorward/internal/redis/redistest"
	"github.com/doorward/doorward/internal/secret"
	"github.com/doorward/doorward/internal/server"
	"github.com/doorward/doorward/internal/server/pages"
	"github.com/doorward/doorward/internal/session"
	"github.com/doorward/doorward/internal/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// house is a whole Doorward over TLS with a provider, for one test.
type house struct {
	t        *testing.T
	provider *idptest.Provider
	other    *idptest.Provider // with options.several
	server   *server.Server
	url      string // https://auth.example.com
	addr     string
	clock    *clock
	log      *buffer
	opt      options
}

// options change the house before it is built.
type options struct {
	allow       policy.Allow
	rules       []policy.Rule // instead of allow
	sites       auth.Sites
	prefix      string
	signInPage  bool
	lifetime    time.Duration
	idle        time.Duration
	down        bool // the provider does not listen
	keepID      bool
	keepRefresh bool
	several     bool              // a second provider, named "other"
	redis       *redistest.Server // keeps the sessions; nil: cookies do
}

func newHouse(t *testing.T, opt options) *house {
	t.Helper()
	h := &house{t: t, provider: idptest.Unstarted(), clock: &clock{now: time.Now()}, log: &buffer{}}
	if err := h.provider.Listen("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.provider.Close)
	if opt.several {
		h.other = idptest.New()
		t.Cleanup(h.other.Close)
	}
	if len(opt.sites) == 0 {
		opt.sites = auth.Sites{{Scheme: "https", Host: "auth.example.com", CookieDomain: "example.com"}}
	}
	if opt.lifetime == 0 {
		opt.lifetime = time.Hour
	}
	if len(opt.allow.Emails)+len(opt.allow.EmailDomains)+len(opt.allow.Groups) == 0 {
		opt.allow.Any = true
	}
	log := telemetry.NewLog(h.log, slog.LevelDebug, "json")
	h.opt = opt
	h.server = h.assemble(opt, log)
	if opt.down {
		h.provider.Close()
	}
	h.listen()
	h.url = "https://auth.example.com"
	return h
}

// listen serves as Doorward does, but over TLS.
func (h *house) listen() {
	certified := httptest.NewTLSServer(nil)
	certified.Close()
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: certified.TLS.Certificates})
	h.must(err)
	h.addr = l.Addr().String()
	s := &http1.Server{HTTP: server.NewHTTP(h.server.Handler(), h.server.Log)}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	h.t.Cleanup(func() {
		h.must(s.Close())
		<-served
	})
}

func (h *house) assemble(opt options, log *slog.Logger) *server.Server {
	flows, err := session.NewFlows(h.keys(), "doorward", false, h.clock.Now)
	h.must(err)
	render := opt.headers()
	sessions := h.newStore(opt)
	listing, _ := sessions.(session.Listing)
	providers := idp.Providers{h.relyOn(h.provider, "oidc", "Company login", log)}
	if opt.several {
		providers = append(providers, h.relyOn(h.other, "other", "Other login", log))
	}
	look, err := pages.New()
	h.must(err)
	metrics := telemetry.NewMetrics("test")
	g := &gate.Gate{
		Sessions: sessions, Sites: opt.sites, Log: log, Metrics: metrics, StartPath: opt.prefix + "/start",
	}
	redirects := &redirect.Rules{Prefix: opt.prefix}
	var hosts []string
	for _, site := range opt.sites {
		redirects.Sites = append(redirects.Sites, redirect.Site(site))
		hosts = append(hosts, site.Host)
		if site.CookieDomain != "" {
			hosts = append(hosts, site.CookieDomain, "*."+site.CookieDomain)
		}
	}
	rules := opt.rules
	if rules == nil {
		rules = []policy.Rule{{Name: "all", Allow: &opt.allow}}
	}
	g.Govern(&gate.Rules{
		Nobody: render.Render(auth.User{}, auth.Tokens{}),
		Set:    policy.New(rules, hosts, h.clock.Now),
	})
	return &server.Server{
		Gate: g, Sessions: sessions, Flows: flows, Providers: providers, Sites: opt.sites,
		Logouts:   idp.NewLogoutTokens(providers),
		Gateway:   gateway.Settings{Proxies: gateway.Proxies{netip.MustParsePrefix("127.0.0.0/8")}},
		Redirects: redirects, Pages: look, Log: log, Metrics: metrics,
		Prefix: opt.prefix, SignInPage: opt.signInPage, Now: h.clock.Now, Listing: listing,
	}
}

func (h *house) keys() *session.Keyring {
	keys, err := session.NewKeyring([][]byte{bytes.Repeat([]byte{7}, 32)})
	h.must(err)
	return keys
}

func (opt options) headers() *headers.Renderer {
	return headers.New(headers.Config{Families: []string{"x-auth-request"}, PassIDToken: opt.keepID})
}

// newStore returns a store that knows nothing yet but opens every cookie.
func (h *house) newStore(opt options) session.Store {
	cfg := session.CookieConfig{
		Keys: h.keys(), Sites: opt.sites, Name: "doorward", Persist: true, Lifetime: opt.lifetime, Idle: opt.idle,
		KeepIDToken: opt.keepID, KeepRefreshToken: opt.keepRefresh, Render: opt.headers().Render, Now: h.clock.Now,
	}
	if opt.redis != nil {
		return h.inRedis(opt.redis, cfg)
	}
	sessions, err := session.NewCookieStore(cfg)
	h.must(err)
	return sessions
}

// inRedis is a store that runs until the test ends.
func (h *house) inRedis(server *redistest.Server, cfg session.CookieConfig) session.Store {
	sessions, err := session.NewRedisStore(session.RedisConfig{
		CookieConfig: cfg, Prefix: "test:",
		Redis: redis.Config{Unix: true, Addresses: []string{server.Socket}, Log: slog.New(slog.DiscardHandler)},
	})
	h.must(err)
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { sessions.Run(ctx) })
	h.t.Cleanup(func() { stop(); running.Wait() })
	return sessions
}

// relyOn makes a provider of what plays one.
func (h *house) relyOn(op *idptest.Provider, name, label string, log *slog.Logger) *idp.Provider {
	provider, err := idp.New(idp.Config{
		Name: name, Label: label, IssuerURL: op.Issuer(), Discovery: true,
		ClientID: op.ClientID, ClientSecret: secret.Secret(op.ClientSecret), Log: log,
	})
	h.must(err)
	return provider
}

// await waits until a condition holds, for what happens beside an answer.
func (h *house) await(what string, holds func() bool) {
	h.t.Helper()
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(time.Minute); !holds(); <-ticker.C {
		if time.Now().After(deadline) {
			h.t.Fatalf("%s: not within a minute", what)
		}
	}
}

func (h *house) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// browser is one person's browser: it keeps cookies and marks its requests as
// navigations. It reaches every host of the test at the house.
type browser struct {
	h      *house
	jar    http.CookieJar
	client *http.Client
}

func (h *house) browser() *browser {
	jar, err := cookiejar.New(nil)
	h.must(err)
	dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, h.addr)
	}
	transport := &http.Transport{
		DialContext:     dial,
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
	}
	h.t.Cleanup(transport.CloseIdleConnections)
	return &browser{h: h, jar: jar, client: &http.Client{
		Jar: jar, Transport: transport, Timeout: time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// cookieHeader is the Cookie header that the browser would send to address.
func (b *browser) cookieHeader(address string) string {
	b.h.t.Helper()
	host, _, _ := strings.Cut(strings.TrimPrefix(address, "https://"), "/")
	var cookies []string
	for _, c := range b.jar.Cookies(&url.URL{Scheme: "https", Host: host, Path: "/"}) {
		cookies = append(cookies, c.Name+"="+c.Value)
	}
	return strings.Join(cookies, "; ")
}

// answer is what a browser got.
type answer struct {
	status int
	header http.Header
	body   string
}

// send makes a request. Headers are pairs of name and value; a value of "-"
// leaves the header out.
func (b *browser) send(method, address string, pairs ...string) answer {
	b.h.t.Helper()
	return b.sendBody(method, address, "", pairs...)
}

// sendBody is send with a body.
func (b *browser) sendBody(method, address, body string, pairs ...string) answer {
	b.h.t.Helper()
	if strings.HasPrefix(address, "/") {
		address = b.h.url + address
	}
	req, err := http.NewRequestWithContext(b.h.t.Context(), method, address, strings.NewReader(body))
	b.h.must(err)
	req.Header.Set("Accept", "text/html,application/xhtml+xml")
	req.Header.Set("Sec-Fetch-Mode", "navigate")
	for i := 0; i+1 < len(pairs); i += 2 {
		req.Header.Del(pairs[i])
		if pairs[i+1] != "-" {
			req.Header[http.CanonicalHeaderKey(pairs[i])] = []string{pairs[i+1]}
		}
	}
	resp, err := b.client.Do(req)
	b.h.must(err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	b.h.must(err)
	return answer{resp.StatusCode, resp.Header, string(text)}
}

func (b *browser) get(address string, pairs ...string) answer {
	b.h.t.Helper()
	return b.send(http.MethodGet, address, pairs...)
}

// atProvider lets the provider sign the user in and returns the callback that it
// sends the browser to.
func (b *browser) atProvider(start answer) string {
	b.h.t.Helper()
	if start.status != http.StatusFound {
		b.h.t.Fatalf("the start of a login answered %d: %s", start.status, start.body)
	}
	callback, err := b.h.provider.SignIn(start.header.Get("Location"))
	b.h.must(err)
	return callback.String()
}

// signIn signs in on the way to rd and returns the answer of the callback.
func (b *browser) signIn(rd string) answer {
	b.h.t.Helper()
	path := b.h.server.Prefix + "/start"
	if rd != "" {
		path += "?rd=" + url.QueryEscape(rd)
	}
	return b.get(b.atProvider(b.get(path)))
}

// check asks as nginx does, with the cookies that the browser would send to the
// address.
func (b *browser) check(address string, pairs ...string) answer {
	b.h.t.Helper()
	headers := []string{"X-Original-URL", address, "X-Original-Method", "GET"}
	if cookies := b.cookieHeader(address); cookies != "" {
		headers = append(headers, "Cookie", cookies)
	}
	narrow := ""
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i] == "Narrow" { // the check's own query
			narrow = pairs[i+1]
			continue
		}
		headers = append(headers, pairs[i], pairs[i+1])
	}
	asker := *b
	asker.client = &http.Client{Transport: b.client.Transport, CheckRedirect: b.client.CheckRedirect}
	return asker.send(http.MethodGet, "https://doorward.internal"+b.h.server.Prefix+"/auth"+narrow, headers...)
}

// cookies are the names of the cookies that an answer sets, with what it does.
func (a answer) cookies() map[string]string {
	set := map[string]string{}
	for _, c := range (&http.Response{Header: a.header}).Cookies() {
		set[c.Name] = "set"
		if c.MaxAge < 0 {
			set[c.Name] = "taken"
		}
	}
	return set
}

func (a answer) json(t *testing.T) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(a.body), &m); err != nil {
		t.Fatalf("not JSON: %v: %q", err, a.body)
	}
	return m
}

// clock is a time that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// buffer is a log that goroutines write to.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
