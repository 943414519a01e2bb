// Package idptest is an OpenID provider for tests of relying parties. It speaks
// real HTTP on the loopback interface, signs a preset user in at once, checks
// what a relying party sends as strictly as a good provider would (PKCE, client
// authentication, redirect URI, codes that work once), and misbehaves on
// command in every way that a relying party has to notice.
//
//	p := idptest.New()
//	defer p.Close()
//	p.Set(func(b *idptest.Behaviour) { b.User["email"] = "ada@example.com" })
//	// point the relying party at p.Issuer() with p.ClientID and p.ClientSecret
//	callback, err := p.SignIn(authorizationURL) // the browser's part
//
// It keeps all that it ever issued, so that a test can search its logs for
// secrets, and counts requests, so that a test can say how often it was asked.
// It is a test double: it has no users, no consent and no persistence, and must
// never be reachable by anybody but the test.
package idptest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// Endpoint names one of the provider's endpoints.
type Endpoint string

// The endpoints, by the names under which they are counted, delayed and broken.
const (
	Discovery  Endpoint = "discovery"
	Authorize  Endpoint = "authorize"
	Token      Endpoint = "token"
	Push       Endpoint = "push"
	Userinfo   Endpoint = "userinfo"
	Introspect Endpoint = "introspect"
	JWKS       Endpoint = "jwks"
	EndSession Endpoint = "end_session"
	Revocation Endpoint = "revocation"
)

var paths = map[Endpoint]string{
	Discovery:  "/.well-known/openid-configuration",
	Authorize:  "/authorize",
	Token:      "/token",
	Push:       "/push",
	Userinfo:   "/userinfo",
	Introspect: "/introspect",
	JWKS:       "/jwks",
	EndSession: "/end_session",
	Revocation: "/revoke",
}

// Provider is an OpenID provider. All methods are safe for concurrent use.
type Provider struct {
	ClientID     string
	ClientSecret string // constant; Behaviour.PublicClient turns its check off

	mu        sync.Mutex
	behaviour Behaviour
	keys      keyring
	codes     map[string]grant
	pushed    map[string]url.Values     // authorization requests by their request_uri
	access    map[string]map[string]any // access token to the user's claims
	secrets   []string
	requests  map[Endpoint]int
	now, most map[Endpoint]int // requests being answered, and the most at one time

	families           map[string]*family // by each of their refresh tokens
	refreshed, refused int

	signOuts []SignOutRequest
	revoked  []string

	addr     string
	server   *http.Server
	stopping chan struct{} // closed when the server stops, to end delays
	serving  sync.WaitGroup
}

// Unstarted returns a provider that does not listen yet. It has a client with
// the id "client", and a user with the subject "user-1".
func Unstarted() *Provider {
	return &Provider{
		ClientID:     "client",
		ClientSecret: "client secret: with/special+characters%",
		behaviour:    defaultBehaviour(),
		keys:         newKeyring(),
		codes:        map[string]grant{},
		pushed:       map[string]url.Values{},
		access:       map[string]map[string]any{},
		requests:     map[Endpoint]int{},
		now:          map[Endpoint]int{},
		most:         map[Endpoint]int{},
		families:     map[string]*family{},
	}
}

// New returns a provider that listens on a free port of the loopback interface.
// It panics when there is none, like httptest.NewServer.
func New() *Provider {
	p := Unstarted()
	if err := p.Listen("127.0.0.1:0"); err != nil {
		panic(err)
	}
	return p
}

// Listen starts serving on addr, such as 127.0.0.1:0. After Close it may be
// called again: the provider comes back with its keys, codes and counts. Give it
// Addr to come back at the same address.
func (p *Provider) Listen(addr string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.server != nil {
		return errors.New("idptest: already listening")
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("idptest: %w", err)
	}
	p.addr = listener.Addr().String()
	p.stopping = make(chan struct{})
	server := &http.Server{Handler: p.handler(p.stopping), ReadHeaderTimeout: time.Minute}
	p.server = server
	p.serving.Go(func() { _ = server.Serve(listener) })
	return nil
}

// Close stops the provider at once: its port refuses connections, and requests
// that it was answering are cut off. It may be called twice.
func (p *Provider) Close() {
	p.mu.Lock()
	server := p.server
	if server != nil {
		close(p.stopping)
	}
	p.server = nil
	p.mu.Unlock()
	if server != nil {
		_ = server.Close()
		p.serving.Wait()
	}
}

// Addr is the address it listens on, or last listened on.
func (p *Provider) Addr() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.addr
}

// Issuer is the issuer, an http URL without a final slash.
func (p *Provider) Issuer() string { return "http://" + p.Addr() }

// URL is the address of an endpoint.
func (p *Provider) URL(e Endpoint) string { return p.Issuer() + paths[e] }

// Set changes how the provider behaves, from the next request on. The function
// must not call the provider.
func (p *Provider) Set(change func(*Behaviour)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(&p.behaviour)
}

// Reset returns to the behaviour of a new provider. Keys, counts and secrets stay.
func (p *Provider) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.behaviour = defaultBehaviour()
}

// Requests is how often an endpoint has been asked, failures included.
func (p *Provider) Requests(e Endpoint) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.requests[e]
}

// Secrets are all codes and tokens that were ever issued, all states, nonces and
// verifiers that were received, and the client secret, as they were on the wire:
// none of them belongs into a log.
func (p *Provider) Secrets() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string{p.ClientSecret, url.QueryEscape(p.ClientSecret)}, p.secrets...)
}

// Rotate replaces the signing keys by new ones; the old ones are published no
// more.
func (p *Provider) Rotate() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys = p.keys.next()
}

// SignIn does what a browser does with an authorization URL, apart from
// following the redirect back: it returns the address with the code.
func (p *Provider) SignIn(authorizationURL string) (*url.URL, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, authorizationURL, nil)
	if err != nil {
		return nil, fmt.Errorf("idptest: %w", err)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return nil, fmt.Errorf("idptest: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusFound {
		return nil, fmt.Errorf("idptest: the authorization endpoint answered %s", resp.Status)
	}
	return resp.Location()
}
