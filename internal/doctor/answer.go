package doctor

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/gateway"
)

// Bounds of an examination.
const (
	maxRequests    = 40
	requestTimeout = 10 * time.Second
	maxBody        = 256 << 10
)

// question is one request. The zero question opens the page as somebody who is
// not signed in.
type question struct {
	method string      // "" is GET
	url    *url.URL    // nil is the page
	host   string      // of the Host header; "" is that of the address
	header http.Header // besides what every question has
	script bool        // asks as a script does; otherwise as a person's browser
}

// answer is what came back. With an error nothing did.
type answer struct {
	status int
	header http.Header
	body   string
	err    error
}

var errEnough = errors.New("the doctor has asked often enough")

// ask sends one request and follows no redirect.
func (e *examination) ask(ctx context.Context, q question) answer {
	if e.asked++; e.asked > maxRequests {
		return answer{err: errEnough}
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	address := q.url
	if address == nil {
		address = e.page
	}
	method := q.method
	if method == "" {
		method = http.MethodGet
	}
	req, err := http.NewRequestWithContext(ctx, method, address.String(), nil)
	if err != nil {
		return answer{err: err}
	}
	if q.host != "" {
		req.Host = q.host
	}
	q.describe(req.Header)
	res, err := e.Transport.RoundTrip(req)
	if err != nil {
		return answer{err: err}
	}
	defer res.Body.Close()
	if res.StatusCode == http.StatusSwitchingProtocols {
		return answer{status: res.StatusCode, header: res.Header} // the body would never end
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxBody))
	if err != nil {
		return answer{err: err}
	}
	return answer{status: res.StatusCode, header: res.Header, body: string(body)}
}

// describe sets the headers by which a gateway and Doorward tell a person's
// browser from a script.
func (q question) describe(h http.Header) {
	h.Set("User-Agent", "doorward-doctor")
	if q.script {
		h.Set("Accept", "application/json")
		h.Set("Sec-Fetch-Mode", "cors")
		h.Set("Sec-Fetch-Dest", "empty")
	} else {
		h.Set("Accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8")
		h.Set("Sec-Fetch-Mode", "navigate")
		h.Set("Sec-Fetch-Dest", "document")
		h.Set("Sec-Fetch-Site", "none")
	}
	for name, values := range q.header {
		h[name] = values
	}
}

func (a answer) passed() bool { return a.err == nil && a.status >= 200 && a.status < 300 }

// redirect is where the answer sends a browser that asked for from; nil when it
// sends it nowhere.
func (a answer) redirect(from *url.URL) *url.URL {
	if a.err != nil || a.status < 300 || a.status > 399 || a.header.Get("Location") == "" {
		return nil
	}
	to, err := from.Parse(a.header.Get("Location"))
	if err != nil {
		return nil
	}
	return to
}

// signIn is the sign-in address that the answer sends a browser to; nil when it
// does not.
func (a answer) signIn(from *url.URL) *url.URL {
	to := a.redirect(from)
	if to == nil || !strings.HasSuffix(to.Path, "/start") {
		return nil
	}
	return to
}

// reason is the one that Doorward gives in a page or in JSON; "" when none is
// there, as in a page of the gateway's own.
func (a answer) reason() string {
	for _, r := range []auth.Reason{
		auth.UnknownHost, auth.UntrustedPeer, auth.AmbiguousHeaders, auth.MissingHeaders, auth.MalformedHeaders,
		auth.NoRule, auth.RuleDenies, auth.PathUnreadable, auth.PathNotCanonical, auth.StoreUnavailable,
	} {
		if strings.Contains(a.body, r.Code) {
			return r.Code
		}
	}
	return ""
}

// trouble says in a few words why there is no answer.
func (a answer) trouble() string {
	if errors.Is(a.err, context.DeadlineExceeded) {
		return "no answer within " + requestTimeout.String()
	}
	return a.err.Error()
}

// hostOf is the host of an address as Doorward compares it.
func hostOf(u *url.URL) string {
	if host, ok := gateway.CanonicalHost(u.Hostname()); ok {
		return host
	}
	return strings.ToLower(u.Hostname())
}

// portOf is the port that a browser writes, "" for the default one.
func portOf(u *url.URL) string {
	if port := u.Port(); port != defaultPort(u.Scheme) {
		return port
	}
	return ""
}

func defaultPort(scheme string) string {
	if scheme == "https" {
		return "443"
	}
	return "80"
}

// originOf is scheme, host and port as a browser writes them.
func originOf(u *url.URL) string {
	if port := portOf(u); port != "" {
		return u.Scheme + "://" + hostOf(u) + ":" + port
	}
	return u.Scheme + "://" + hostOf(u)
}
