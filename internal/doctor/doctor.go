// Package doctor looks at a protected site from outside, as a browser and as a
// forger would, and says in plain words what is right and what is wrong with the
// gateway in front of it. Everything that it sends is harmless: GET, HEAD and
// OPTIONS, a bounded number of them, and never anything to the provider.
package doctor

import (
	"context"
	"net/http"
	"net/url"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/policy"
	"github.com/doorward/doorward/internal/secret"
)

// Doctor says what to examine. URL and Transport are required.
type Doctor struct {
	URL       *url.URL // of the site; absolute, http or https
	Transport http.RoundTripper

	// Known is the configuration of Doorward, as far as it is known here. Without
	// it less can be said.
	Known *Known

	// Cookie is a Cookie header with a session, and EchoPath a path of the site
	// whose answer shows the headers of the request, as JSON or as lines. With
	// both of them the doctor sees what reaches the app.
	Cookie   secret.Secret
	EchoPath string
}

// Known is what the configuration of Doorward says.
type Known struct {
	Sites      auth.Sites
	Rules      *policy.Set // nil: every page needs a login
	Prefix     string      // of every path, "" or "/oauth2"
	CookieName string      // base name
	Identity   []string    // the names of the identity headers
	Provider   string      // its name
}

// Examine asks the site and returns what it found. It never fails: what cannot
// be asked is a finding.
func (d *Doctor) Examine(ctx context.Context) Report {
	e := &examination{Doctor: d, report: Report{URL: d.URL.String()}, page: withQuery(d.URL)}
	e.checkCovered()
	if e.checkGated(ctx) {
		e.checkMethods(ctx)
		if e.signIn != nil {
			e.checkReturn()
			e.checkScheme(ctx)
		}
		e.checkForged(ctx)
		e.checkSizes(ctx)
		e.checkApp(ctx)
	}
	if e.signInAddress() != nil {
		e.checkStart(ctx)
	}
	e.report.Requests = e.asked
	return e.report
}

// examination is one visit of the doctor.
type examination struct {
	*Doctor
	report Report
	page   *url.URL // what is opened
	asked  int

	// base is the answer to somebody who opens the page and is not signed in, and
	// signIn where it sends them; nil when it does not.
	base   answer
	signIn *url.URL
}

// withQuery is the address with a query that is easily cut or unescaped on the
// way to the sign-in and back; one that has a query of its own is left alone.
func withQuery(u *url.URL) *url.URL {
	page := *u
	page.Fragment = ""
	if page.Path == "" {
		page.Path = "/"
	}
	if page.RawQuery == "" {
		page.RawQuery = mark + "=a%26b&c=%20d"
	}
	return &page
}

// site is the configured one that serves the host, if that is known.
func (e *examination) site() (auth.Site, bool) {
	if e.Known == nil {
		return auth.Site{}, false
	}
	return e.Known.Sites.For(hostOf(e.URL))
}

// rule is the one that governs the page; false when that is not known.
func (e *examination) rule() (policy.Governing, bool) {
	if e.Known == nil || e.Known.Rules == nil {
		return policy.Governing{}, false
	}
	return e.Known.Rules.Match(auth.Request{
		Method: http.MethodGet, Scheme: e.page.Scheme, Host: hostOf(e.page), Port: e.page.Port(),
		Path: e.page.EscapedPath(), Query: "?" + e.page.RawQuery,
	}), true
}

// signInAddress is where people are sent, or where the configuration says that
// they ought to be.
func (e *examination) signInAddress() *url.URL {
	if e.signIn != nil {
		return e.signIn
	}
	if site, ok := e.site(); ok {
		address, err := url.Parse(site.Origin() + e.Known.Prefix + "/start?rd=" + url.QueryEscape(e.page.String()))
		if err == nil {
			return address
		}
	}
	return nil
}

func (e *examination) good(check, text string, args ...any) {
	e.report.add(check, Good, text, args...)
}
func (e *examination) wrong(check, text string, args ...any) {
	e.report.add(check, Wrong, text, args...)
}
func (e *examination) unknown(check, text string, args ...any) {
	e.report.add(check, Unknown, text, args...)
}
