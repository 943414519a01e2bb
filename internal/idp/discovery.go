package idp

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	backOffFirst = time.Second
	backOffLast  = 5 * time.Second
	lookAgain    = time.Minute

	// patience is how long a login waits for the first attempt to discover the
	// provider, and patienceDown once an attempt has failed: a sign-in page that
	// hangs helps nobody when the provider is known to be down.
	patience     = 3 * time.Second
	patienceDown = 200 * time.Millisecond
)

// metadata is what is known about the provider's endpoints. It is never changed.
type metadata struct {
	authURL, tokenURL, jwksURL string
	userinfoURL                string // "" when there is none
	endSessionURL              string // "" when there is none
	revocationURL              string // "" when there is none
	algorithms                 []jose.SignatureAlgorithm
	pushURL                    string // "" when requests are not pushed (RFC 9126)
	authMethod                 string // one of the Auth constants
	assertionAlgs              []string
	requireIss                 bool // every callback carries iss (RFC 9207 3)
}

// discovery is the state of finding out.
type discovery struct {
	mu      sync.Mutex
	running *attempt
	failed  error // of the last attempt; nil before the first
	ended   time.Time
}

// attempt is one request for the metadata. Its fields are set before done is
// closed.
type attempt struct {
	done chan struct{}
	err  error
}

// Run discovers the provider and fetches its keys, trying again after one to
// five seconds until both have worked once, and then looks again every minute,
// because endpoints move and Trouble wants to know. It returns when the context
// ends. Nothing depends on Run; it only spares the first login the wait.
func (p *Provider) Run(ctx context.Context) {
	defer p.client.CloseIdleConnections()
	for wait := backOffFirst; p.warm(ctx) != nil; wait = min(2*wait, backOffLast) {
		if sleep(ctx, wait/2+rand.N(wait/2)) != nil {
			return
		}
	}
	for p.conf.Discovery && sleep(ctx, lookAgain) == nil {
		select {
		case <-p.attempt(0).done:
		case <-ctx.Done():
		}
	}
	<-ctx.Done()
}

func (p *Provider) warm(ctx context.Context) error {
	if p.meta.Load() == nil {
		a := p.attempt(0)
		select {
		case <-a.done:
		case <-ctx.Done():
			return ctx.Err()
		}
		if a.err != nil {
			return a.err
		}
	}
	if !p.kind.openID() {
		return nil
	}
	return p.keys.renew(ctx, 0, false)
}

// Ready returns nil once the provider has been discovered, and before that an
// error that says why it has not.
func (p *Provider) Ready() error {
	if p.meta.Load() != nil {
		return nil
	}
	p.discovery.mu.Lock()
	defer p.discovery.mu.Unlock()
	if p.discovery.failed == nil {
		return unavailable(partDiscovery, errors.New("not finished yet"))
	}
	return unavailable(partDiscovery, p.discovery.failed)
}

// Trouble returns why the provider, which was reached before, could not be
// reached the last time, and nil when it could. Who is signed in does not need it.
func (p *Provider) Trouble() error {
	p.discovery.mu.Lock()
	defer p.discovery.mu.Unlock()
	if p.meta.Load() == nil || p.discovery.failed == nil {
		return nil
	}
	return unavailable(partDiscovery, p.discovery.failed)
}

// metadata returns what was discovered. Before the first success it tries, at
// most once a second, and waits for a short time only; the error is an
// *UnavailableError.
func (p *Provider) metadata(ctx context.Context) (*metadata, error) {
	if meta := p.meta.Load(); meta != nil {
		return meta, nil
	}
	a := p.attempt(time.Second)
	if a == nil {
		return p.settled()
	}
	timer := time.NewTimer(p.patience())
	defer timer.Stop()
	select {
	case <-a.done:
	case <-timer.C:
	case <-ctx.Done():
		return nil, unavailable(partDiscovery, ctx.Err())
	}
	return p.settled()
}

// settled is what was discovered by now, or else why nothing was.
func (p *Provider) settled() (*metadata, error) {
	err := p.Ready() // before the look: what was discovered stays
	if meta := p.meta.Load(); meta != nil {
		return meta, nil
	}
	return nil, err
}

func (p *Provider) patience() time.Duration {
	p.discovery.mu.Lock()
	defer p.discovery.mu.Unlock()
	if p.discovery.failed != nil {
		return patienceDown
	}
	return patience
}

// attempt joins the attempt in flight or begins one. It returns nil when the
// last one failed less than gap ago and, with a gap, when one has succeeded.
func (p *Provider) attempt(gap time.Duration) *attempt {
	d := &p.discovery
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.running != nil {
		return d.running
	}
	if gap > 0 && p.meta.Load() != nil {
		return nil // while the caller came here
	}
	if since := p.conf.Now().Sub(d.ended); d.failed != nil && since >= 0 && since < gap {
		return nil
	}
	a := &attempt{done: make(chan struct{})}
	d.running = a
	go p.discover(a)
	return a
}

// discover is detached from the login that caused it: others wait for it too,
// and the next one finds its result.
func (p *Provider) discover(a *attempt) {
	ctx, cancel := context.WithTimeout(context.Background(), totalTimeout)
	defer cancel()
	meta, err := p.fetchMetadata(ctx)
	d := &p.discovery
	d.mu.Lock()
	defer d.mu.Unlock()
	if err == nil {
		if known := p.meta.Swap(meta) != nil; !known || d.failed != nil {
			p.log.Info("the provider was discovered", "issuer", p.conf.IssuerURL)
		}
	} else if d.failed == nil || d.failed.Error() != err.Error() {
		p.log.Warn("the provider could not be discovered; trying on", "issuer", p.conf.IssuerURL, "cause", err)
	}
	d.failed, d.ended, d.running = err, p.conf.Now(), nil
	a.err = err
	close(a.done)
}

func (p *Provider) fetchMetadata(ctx context.Context) (*metadata, error) {
	url := p.conf.DiscoveryURL
	if url == "" {
		url = strings.TrimSuffix(p.conf.IssuerURL, "/") + "/.well-known/openid-configuration"
	}
	answer, err := get(ctx, p.client, url, "")
	if err != nil {
		return nil, err
	}
	doc, err := parseClaims(answer.body)
	if err != nil {
		return nil, fmt.Errorf("the discovery document is malformed: %w", err)
	}
	issuer, err := doc.text("issuer")
	if err != nil {
		return nil, err
	}
	if want := p.kind.announced(p); issuer != want {
		return nil, fmt.Errorf("the discovery document is that of %q, and the issuer is configured as %q", cut(issuer), want)
	}
	return p.conf.discovered(doc)
}

// undiscovered is the metadata without discovery.
func (c Config) undiscovered() *metadata {
	meta, err := c.discovered(claims{})
	if err != nil {
		panic(err) // check has made sure of the endpoints
	}
	return meta
}

// discovered joins a discovery document with the configured addresses.
func (c Config) discovered(doc claims) (*metadata, error) {
	meta := &metadata{requireIss: doc.flag("authorization_response_iss_parameter_supported")}
	aliases, err := c.aliases(doc)
	if err != nil {
		return nil, err
	}
	for _, e := range []struct {
		name, configured string
		into             *string
		required         bool
	}{
		{"authorization_endpoint", c.AuthURL, &meta.authURL, true},
		{"token_endpoint", c.TokenURL, &meta.tokenURL, true},
		{"jwks_uri", c.JWKSURL, &meta.jwksURL, c.Discovery},
		{"userinfo_endpoint", c.UserinfoURL, &meta.userinfoURL, false},
		{"end_session_endpoint", c.EndSessionURL, &meta.endSessionURL, false},
		{"revocation_endpoint", "", &meta.revocationURL, false},
		{"pushed_authorization_request_endpoint", "", &meta.pushURL, doc.flag("require_pushed_authorization_requests")},
	} {
		if *e.into = e.configured; e.configured != "" {
			continue
		}
		from := doc
		if _, there := aliases[e.name]; there {
			from = aliases
		}
		url, err := c.endpoint(from, e.name)
		if err != nil {
			return nil, err
		}
		if *e.into = url; url == "" && e.required {
			return nil, fmt.Errorf("the discovery document lacks %s", e.name)
		}
	}
	if meta.algorithms, err = accepted(doc); err != nil {
		return nil, err
	}
	if meta.assertionAlgs, err = doc.texts("token_endpoint_auth_signing_alg_values_supported"); err != nil {
		return nil, err
	}
	meta.authMethod, err = c.authMethod(doc)
	return meta, errors.Join(err, c.settlePush(meta, doc))
}

// aliases are the addresses at which a client shows its certificate (RFC 8705 5).
func (c Config) aliases(doc claims) (claims, error) {
	if c.ClientAuth != AuthTLS || doc["mtls_endpoint_aliases"] == nil {
		return nil, nil
	}
	aliases, ok := doc["mtls_endpoint_aliases"].(map[string]any)
	if !ok {
		return nil, errors.New("mtls_endpoint_aliases is no object")
	}
	return aliases, nil
}

// settlePush decides whether requests are pushed: where the provider offers it,
// unless that is switched off.
func (c Config) settlePush(meta *metadata, doc claims) error {
	if !c.NoPushedRequests {
		return nil
	}
	meta.pushURL = ""
	if doc.flag("require_pushed_authorization_requests") {
		return errors.New("the provider requires pushed authorization requests, and they are switched off")
	}
	return nil
}

// endpoint reads a discovered address, which is https unless the operator chose
// an http issuer, or http for where the document is, inside a cluster: then that
// server's own addresses may be http, but for those that browsers go to (OIDC-9).
func (c Config) endpoint(doc claims, name string) (string, error) {
	raw, err := doc.text(name)
	if err != nil || raw == "" {
		return "", err
	}
	u, err := parseEndpoint(raw)
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	inside := name != "authorization_endpoint" && name != "end_session_endpoint" && c.besideDocument(u)
	if u.Scheme != "https" && !c.plainIssuer() && !inside {
		return "", fmt.Errorf("%s is not https", name)
	}
	return raw, nil
}

// besideDocument reports whether an address is of the server that was configured
// as the one that has the discovery document.
func (c Config) besideDocument(u *url.URL) bool {
	at, err := url.Parse(c.DiscoveryURL)
	return err == nil && c.DiscoveryURL != "" && at.Scheme == u.Scheme && at.Host == u.Host
}

// accepted is the intersection of the algorithms accepted here and those that
// the provider signs with. One that names none may sign with any of them.
func accepted(doc claims) ([]jose.SignatureAlgorithm, error) {
	offered, err := doc.texts("id_token_signing_alg_values_supported")
	if err != nil {
		return nil, err
	}
	if offered == nil {
		return algorithms, nil
	}
	var both []jose.SignatureAlgorithm
	for _, alg := range algorithms {
		if slices.Contains(offered, string(alg)) {
			both = append(both, alg)
		}
	}
	if both == nil {
		return nil, errors.New("the provider offers no signature algorithm that is accepted here")
	}
	return both, nil
}
