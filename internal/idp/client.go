package idp

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"syscall"
	"time"
)

const (
	dialTimeout  = 3 * time.Second
	totalTimeout = 10 * time.Second
	maxBody      = 1 << 20 // bytes of an answer
	maxInFlight  = 32      // requests to one provider
)

var (
	errBodyTooLarge = fmt.Errorf("the answer is longer than %d bytes", maxBody)
	errLinkLocal    = errors.New("the address is link-local, which no provider is")
)

// statusError is an answer with a status that was not expected. Its body is not
// kept: it may repeat what was sent.
type statusError struct{ status int }

func (e *statusError) Error() string {
	return fmt.Sprintf("answered %d %s", e.status, http.StatusText(e.status))
}

// transient reports whether a status says "not now" rather than "no".
func transient(status int) bool {
	return status >= 500 || status == http.StatusTooManyRequests || status == http.StatusRequestTimeout
}

// newClient returns the client for all requests to one provider (NET-1): it
// follows no redirect, uses no proxy from the environment, connects to no
// link-local address, and bounds time, size and number of its requests.
func newClient(conf *tls.Config) *http.Client {
	dialer := &net.Dialer{Timeout: dialTimeout, Control: refuseLinkLocal}
	base := &http.Transport{
		DialContext:            dialer.DialContext,
		TLSClientConfig:        conf,
		TLSHandshakeTimeout:    dialTimeout,
		ForceAttemptHTTP2:      true,
		DisableCompression:     true,
		MaxIdleConnsPerHost:    maxInFlight,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
	}
	return &http.Client{
		Transport:     &boundedTransport{base: base, slots: make(chan struct{}, maxInFlight)},
		Timeout:       totalTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// refuseLinkLocal runs after name resolution, so that a name cannot hide the
// address of a cloud's metadata service.
func refuseLinkLocal(_, address string, _ syscall.RawConn) error {
	addr, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("reading the address to dial: %w", err)
	}
	if ip := addr.Addr(); ip.IsLinkLocalUnicast() || ip.IsLinkLocalMulticast() {
		return errLinkLocal
	}
	return nil
}

// boundedTransport holds at most a fixed number of requests in flight and reads
// each answer whole, up to maxBody bytes. A longer answer is an error and never
// a shortened one.
type boundedTransport struct {
	base  *http.Transport
	slots chan struct{}
}

func (t *boundedTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	select {
	case t.slots <- struct{}{}:
		defer func() { <-t.slots }()
	case <-req.Context().Done():
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return nil, fmt.Errorf("waiting for one of %d requests to end: %w", maxInFlight, req.Context().Err())
	}
	if err := req.Context().Err(); err != nil { // both came at once
		return nil, err
	}
	if len(req.Header["Accept"]) == 0 { // x/oauth2 does not say, and GitHub then answers with a form
		req = req.Clone(req.Context())
		req.Header.Set("Accept", "application/json")
	}
	resp, err := t.base.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	_ = resp.Body.Close()
	if err != nil {
		return nil, err
	}
	if len(body) > maxBody {
		return nil, errBodyTooLarge
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	resp.ContentLength = int64(len(body))
	return resp, nil
}

// CloseIdleConnections lets http.Client.CloseIdleConnections reach the base.
func (t *boundedTransport) CloseIdleConnections() { t.base.CloseIdleConnections() }

// answer is a whole answer with status 200.
type answer struct {
	contentType string
	body        []byte
}

// get asks url, with a bearer token unless that is empty. An answer with any
// status but 200 is a *statusError.
func get(ctx context.Context, client *http.Client, url, bearer string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Accept", "application/json")
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	resp, err := client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return answer{}, &statusError{resp.StatusCode}
	}
	body, err := io.ReadAll(resp.Body)
	return answer{contentType: resp.Header.Get("Content-Type"), body: body}, err
}

// tlsConfig trusts the system's roots and those of caFile, when one is named.
func tlsConfig(caFile string, insecureSkipVerify bool) (*tls.Config, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: insecureSkipVerify} //nolint:gosec // the operator's explicit choice, logged by New
	if caFile == "" {
		return conf, nil
	}
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return nil, err
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate in PEM form", caFile)
	}
	conf.RootCAs = roots
	return conf, nil
}
