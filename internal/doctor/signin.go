package doctor

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/doorward/doorward/internal/redirect"
)

// checkReturn compares the address to come back to with the one that was asked
// for, and the sign-in address with the configured one.
func (e *examination) checkReturn() {
	const check = "return"
	if site, ok := e.site(); ok {
		want := site.Origin() + e.Known.Prefix + "/start"
		if got := originOf(e.signIn) + e.signIn.Path; got != want {
			e.wrong("public_url", "people are sent to %s to sign in, but the configuration here says %s; one of DOORWARD_PUBLIC_URL, DOORWARD_PATH_PREFIX and the gateway's sign-in address is wrong", got, want)
		} else {
			e.good("public_url", "people are sent to %s to sign in, as configured", got)
		}
	}
	if !sameSite(hostOf(e.URL), hostOf(e.signIn)) {
		e.wrong("cookie_domain", "%s, where people sign in, and %s have no domain in common, so that no cookie can serve both", hostOf(e.signIn), hostOf(e.URL))
	}
	target, ok := returnAddress(e.signIn, e.page)
	switch {
	case !ok:
		e.wrong(check, "the sign-in address does not say where to come back to (rd)")
	case target.Host == "" || target.Scheme != e.URL.Scheme:
		// The scheme has a finding of its own.
	case originOf(target) != originOf(e.URL):
		e.wrong(check, "a login comes back to %s and not to %s: the gateway does not pass on the host and port that the browser wrote", originOf(target), originOf(e.URL))
	case target.RequestURI() != e.page.RequestURI():
		e.wrong(check, "a login comes back to %s and not to %s: the gateway changes the path before it asks, or does not escape the address", target.RequestURI(), e.page.RequestURI())
	default:
		e.good(check, "after the login people come back to the page that they asked for")
	}
}

// returnAddress is where the login comes back to. A path alone is on the host of
// the sign-in.
func returnAddress(signIn, page *url.URL) (*url.URL, bool) {
	text, found, err := redirect.Param(signIn.RawQuery)
	if err != nil || !found || text == "" {
		return nil, false
	}
	base := &url.URL{Scheme: page.Scheme, Host: signIn.Host, Path: "/"}
	target, err := base.Parse(text)
	return target, err == nil
}

// checkScheme finds a gateway that takes the site for plain http: in the address
// to come back to, or else by a port in the Host header. Doorward leaves a port
// out that is the default one of the scheme that it was told, and keeps any other.
func (e *examination) checkScheme(ctx context.Context) {
	const check = "scheme"
	const fix = "; TLS ends in front of the gateway: have it believe X-Forwarded-Proto of what stands there, or set DOORWARD_FORCE_SCHEME=%s"
	scheme := e.URL.Scheme
	if e.signIn.Scheme != scheme {
		e.wrong(check, "the site is %s, but the sign-in address is %s; correct DOORWARD_PUBLIC_URL", scheme, e.signIn.Scheme)
		return
	}
	if target, ok := returnAddress(e.signIn, e.page); ok && target.Scheme != scheme {
		e.wrong(check, "the site is %s, but a login comes back to %s"+fix, scheme, target.Scheme, scheme)
		return
	}
	other := defaultPort(otherScheme(scheme))
	const any = "8" // nobody's default
	switch kept, told := e.keepsPort(ctx, any, nil), e.keepsPort(ctx, other, nil); {
	case kept != portKept || told == portUnknown:
		e.unknown(check, "the sign-in address is %s, as is the site; which scheme the gateway tells Doorward cannot be seen from outside", scheme)
	case told == portDropped:
		e.wrong(check, "the site is %s, but the gateway tells Doorward that it is not (X-Forwarded-Proto is missing or wrong)"+fix, scheme, scheme)
	case e.keepsPort(ctx, other, http.Header{"X-Forwarded-Proto": {otherScheme(scheme)}}) == portDropped:
		e.wrong(check, "what a client sends as X-Forwarded-Proto is believed; the gateway has to overwrite it")
	default:
		e.good(check, "the gateway tells Doorward that the site is %s, and the sign-in address is, too", scheme)
	}
}

func otherScheme(scheme string) string {
	if scheme == "https" {
		return "http"
	}
	return "https"
}

type portFate int

const (
	portUnknown portFate = iota
	portKept
	portDropped
)

// keepsPort asks with a port in the Host header and looks for it in the address
// to come back to.
func (e *examination) keepsPort(ctx context.Context, port string, header http.Header) portFate {
	a := e.ask(ctx, question{host: e.URL.Hostname() + ":" + port, header: header})
	signIn := a.signIn(e.page)
	if signIn == nil {
		return portUnknown
	}
	target, ok := returnAddress(signIn, e.page)
	switch {
	case !ok || hostOf(target) != hostOf(e.URL):
		return portUnknown
	case target.Port() == port:
		return portKept
	case target.Port() == "":
		return portDropped
	}
	return portUnknown
}

// checkStart goes to the sign-in address, and no further.
func (e *examination) checkStart(ctx context.Context) {
	const check = "start"
	address := e.signInAddress()
	at := originOf(address) + address.Path
	if !e.checkOurs(ctx, address) {
		return
	}
	a := e.ask(ctx, question{url: address})
	if a.status == http.StatusOK && e.Known != nil {
		a = e.ask(ctx, question{url: with(address, "provider", e.Known.Provider)}) // there was a page to choose on
	}
	to := a.redirect(address)
	switch {
	case a.err != nil:
		e.wrong(check, "%s, where people are sent to sign in, cannot be opened: %s", at, a.trouble())
	case a.status == http.StatusOK:
		e.unknown(check, "%s shows a page on which people choose how to sign in; the way on from there was not looked at", at)
	case a.status == http.StatusServiceUnavailable:
		e.wrong(check, "%s answers 503: Doorward does not reach the provider", at)
	case to == nil:
		e.wrong(check, "%s does not lead to the provider; it answers %d", at, a.status)
	case to.Query().Get("client_id") == "" || to.Query().Get("state") == "":
		e.wrong(check, "%s does not lead to the provider but to %s", at, originOf(to)+to.Path)
	default:
		e.good(check, "%s leads to the provider at %s", at, originOf(to))
		e.checkCallback(address, to)
		e.checkFlowCookie(a)
	}
}

// checkOurs asks the sign-in address as a script does. Doorward then answers 401
// with the address that it thinks it has.
func (e *examination) checkOurs(ctx context.Context, address *url.URL) bool {
	const check = "public_url"
	at := originOf(address) + address.Path
	a := e.ask(ctx, question{url: address, script: true})
	var said struct {
		Error     string `json:"error"`
		SignInURL string `json:"sign_in_url"`
	}
	if a.err != nil {
		e.wrong(check, "%s, where people are sent to sign in, cannot be opened (%s); correct DOORWARD_PUBLIC_URL, or make the gateway serve Doorward there", at, a.trouble())
		return false
	}
	err := json.Unmarshal([]byte(a.body), &said)
	own, parseErr := url.Parse(said.SignInURL)
	switch {
	case a.signIn(address) != nil || err != nil && a.status == http.StatusUnauthorized,
		err == nil && said.Error == "unauthenticated" && hasReturn(own, address):
		e.wrong(check, "%s, where people are sent to sign in, needs a login itself: nobody can sign in; take the gate away from Doorward's own pages, or correct DOORWARD_PUBLIC_URL", at)
	case err != nil || parseErr != nil || a.status != http.StatusUnauthorized || said.SignInURL == "":
		e.wrong(check, "%s, where people are sent to sign in, is not Doorward's (it answers %d); correct DOORWARD_PUBLIC_URL or DOORWARD_PATH_PREFIX, or make the gateway pass this on to Doorward", at, a.status)
	case originOf(own)+own.Path != at:
		e.wrong(check, "people are sent to %s to sign in, but Doorward's own address is %s; correct DOORWARD_PUBLIC_URL or the gateway's sign-in address", at, originOf(own)+own.Path)
	default:
		return true
	}
	return false
}

// hasReturn reports whether a sign-in address comes back to the page at address:
// then it is the answer of a gate in front of that page.
func hasReturn(signIn, address *url.URL) bool {
	if signIn == nil {
		return false
	}
	target, ok := returnAddress(signIn, address)
	return ok && target.Path == address.Path && strings.HasSuffix(target.Path, "/start")
}

// with is the address with one more parameter.
func with(address *url.URL, name, value string) *url.URL {
	more := *address
	if more.RawQuery != "" {
		more.RawQuery += "&"
	}
	more.RawQuery += name + "=" + url.QueryEscape(value)
	return &more
}

// checkCallback compares where the provider sends people back to with where they
// come from: the cookie of the login is on that host alone.
func (e *examination) checkCallback(start, provider *url.URL) {
	const check = "callback"
	text := provider.Query().Get("redirect_uri")
	back, err := url.Parse(text)
	want := originOf(start) + strings.TrimSuffix(start.Path, "/start") + "/callback"
	if err != nil || originOf(back)+back.Path != want {
		e.wrong(check, "the provider sends people back to %s, but they sign in at %s; correct DOORWARD_PUBLIC_URL", text, originOf(start)+start.Path)
		return
	}
	e.good(check, "the provider sends people back to %s", want)
}

// checkFlowCookie wants the one cookie of a login under way, as Doorward made it:
// a browser drops a __Host- cookie to which a gateway has added a domain.
func (e *examination) checkFlowCookie(a answer) {
	const check = "set_cookie"
	var flow []*http.Cookie
	for _, cookie := range (&http.Response{Header: a.header}).Cookies() {
		if strings.Contains(cookie.Name, "_flow_") {
			flow = append(flow, cookie)
		}
	}
	switch {
	case len(flow) == 0:
		e.wrong(check, "the cookie of the login does not reach the browser: the gateway takes Set-Cookie away from Doorward's pages, and no login can end")
	case len(flow) > 1:
		e.wrong(check, "the cookie of the login arrives %d times; the gateway repeats Set-Cookie", len(flow))
	case flow[0].Path != "/" || flow[0].Domain != "" || !flow[0].HttpOnly || flow[0].SameSite != http.SameSiteLaxMode:
		e.wrong(check, "the gateway changes the cookie of the login (path, domain or attributes), so that a browser may drop it; take out proxy_cookie_path, proxy_cookie_domain and the like")
	case e.signInAddress().Scheme == "https" && (!flow[0].Secure || !strings.HasPrefix(flow[0].Name, "__Host-")):
		e.wrong(check, "the site is https, but the cookie of the login is not for https alone; unset DOORWARD_COOKIE_INSECURE")
	default:
		e.good(check, "the cookie of the login reaches the browser as Doorward made it")
	}
}
