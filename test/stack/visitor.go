package stack

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/html"
)

// NewTransport dials loopback whatever the host is called, and trusts the
// authority; nil is for plain http.
func NewTransport(ca *CA) *http.Transport {
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			_, port, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			var dialer net.Dialer
			return dialer.DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
		},
	}
	if ca != nil {
		transport.TLSClientConfig = &tls.Config{RootCAs: ca.Pool, MinVersion: tls.VersionTLS12}
	}
	return transport
}

// Visitor is a person at a browser, as far as HTTP goes: it keeps cookies,
// follows redirects as navigations, and fills in forms.
type Visitor struct {
	// Watch, when set, sees every answer, redirects included.
	Watch func(*http.Request, *http.Response)

	client *http.Client
}

// NewVisitor is somebody with no cookies yet. See NewTransport for ca.
func NewVisitor(ca *CA) *Visitor {
	jar, _ := cookiejar.New(nil) // never fails
	return &Visitor{client: &http.Client{
		Transport:     NewTransport(ca),
		Jar:           jar,
		Timeout:       30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Page is where a navigation ended.
type Page struct {
	URL    *url.URL
	Status int
	Header http.Header
	Body   string
}

// Open goes to an address as if it were typed in.
func (v *Visitor) Open(ctx context.Context, address string) (Page, error) {
	return v.navigate(ctx, http.MethodGet, address, nil, "none")
}

// OpenLink follows a link from the page to an address of the same site.
func (v *Visitor) OpenLink(ctx context.Context, from Page, address string) (Page, error) {
	target, err := from.URL.Parse(address)
	if err != nil {
		return Page{}, err
	}
	site := "same-site"
	if target.Host == from.URL.Host {
		site = "same-origin"
	}
	return v.navigate(ctx, http.MethodGet, target.String(), nil, site)
}

// Submit sends the first form of the page with the fields filled in.
func (v *Visitor) Submit(ctx context.Context, page Page, fields url.Values) (Page, error) {
	form, err := firstForm(page)
	if err != nil {
		return Page{}, err
	}
	for name, values := range fields {
		form.fields[name] = values
	}
	if form.method == http.MethodPost {
		return v.navigate(ctx, form.method, form.action.String(), form.fields, "same-origin")
	}
	form.action.RawQuery = form.fields.Encode()
	return v.navigate(ctx, form.method, form.action.String(), nil, "same-origin")
}

// SignIn fills in Dex's page.
func (v *Visitor) SignIn(ctx context.Context, page Page, email string) (Page, error) {
	return v.Submit(ctx, page, url.Values{"login": {email}, "password": {Password}})
}

// Fetch asks as a script on a page does: no navigation, and no redirect is
// followed.
func (v *Visitor) Fetch(ctx context.Context, address string, header http.Header) (Page, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return Page{}, err
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Sec-Fetch-Mode", "cors")
	for name, values := range header {
		req.Header[name] = values
	}
	page, _, err := v.send(req)
	return page, err
}

// navigate follows redirects; site is the Sec-Fetch-Site of them all.
func (v *Visitor) navigate(ctx context.Context, method, address string, fields url.Values, site string) (Page, error) {
	for range 20 {
		req, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(fields.Encode()))
		if err != nil {
			return Page{}, err
		}
		req.Header.Set("Accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8")
		req.Header.Set("Sec-Fetch-Mode", "navigate")
		req.Header.Set("Sec-Fetch-Dest", "document")
		req.Header.Set("Sec-Fetch-Site", site)
		if method == http.MethodPost {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			req.Header.Set("Origin", req.URL.Scheme+"://"+req.URL.Host)
		}
		page, next, err := v.send(req)
		if err != nil || next == nil {
			return page, err
		}
		if page.Status != http.StatusTemporaryRedirect && page.Status != http.StatusPermanentRedirect {
			method, fields = http.MethodGet, nil
		}
		address = next.String()
	}
	return Page{}, fmt.Errorf("stack: more than 20 redirects, the last to %s", address)
}

// send returns the answer, and where it redirects to.
func (v *Visitor) send(req *http.Request) (Page, *url.URL, error) {
	res, err := v.client.Do(req)
	if err != nil {
		return Page{}, nil, err
	}
	defer res.Body.Close()
	if v.Watch != nil {
		v.Watch(req, res)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return Page{}, nil, err
	}
	page := Page{URL: req.URL, Status: res.StatusCode, Header: res.Header, Body: string(body)}
	next, err := res.Location()
	if errors.Is(err, http.ErrNoLocation) || res.StatusCode < 300 || res.StatusCode > 399 {
		return page, nil, nil
	}
	return page, next, err
}

type form struct {
	method string
	action *url.URL
	fields url.Values // as the page fills them in
}

func firstForm(page Page) (form, error) {
	document, err := html.Parse(strings.NewReader(page.Body))
	if err != nil {
		return form{}, err
	}
	for node := range document.Descendants() {
		if node.Type != html.ElementNode || node.Data != "form" {
			continue
		}
		action, err := page.URL.Parse(attribute(node, "action"))
		if err != nil {
			return form{}, err
		}
		found := form{method: http.MethodGet, action: action, fields: url.Values{}}
		if strings.EqualFold(attribute(node, "method"), "post") {
			found.method = http.MethodPost
		}
		for input := range node.Descendants() {
			if name := attribute(input, "name"); input.Data == "input" && name != "" {
				found.fields.Add(name, attribute(input, "value"))
			}
		}
		return found, nil
	}
	return form{}, fmt.Errorf("stack: no form on %s (%d): %.200s", page.URL.Redacted(), page.Status, page.Body)
}

func attribute(node *html.Node, name string) string {
	for _, attr := range node.Attr {
		if attr.Key == name {
			return attr.Val
		}
	}
	return ""
}
