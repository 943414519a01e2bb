package doctor

import (
	"context"
	"net/http"
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/doorward/doorward/internal/auth"
)

// checkCovered compares the address with the configuration, without asking
// anybody.
func (e *examination) checkCovered() {
	const check = "cookie_domain"
	host := hostOf(e.URL)
	if e.Known == nil {
		e.unknown("configuration", "no configuration of Doorward here (no DOORWARD_* variables), so nothing is compared with it")
		return
	}
	site, ok := e.site()
	switch {
	case !ok:
		e.wrong(check, "%s is in none of the cookie domains and public URLs (%s), so Doorward refuses every request for it; correct DOORWARD_COOKIE_DOMAINS, or add a public URL",
			host, strings.Join(scopes(e.Known.Sites), ", "))
	case site.Scheme != e.URL.Scheme:
		e.wrong(check, "the public URL %s is %s and this address is %s: the browser keeps the session cookie for the one only", site.Origin(), site.Scheme, e.URL.Scheme)
	case site.CookieDomain == "":
		e.good(check, "the session cookie belongs to %s alone, where people also sign in", host)
	default:
		e.good(check, "%s is in the cookie domain %s, as is %s, where people sign in", host, site.CookieDomain, site.Host)
	}
}

// scopes are the hosts that each site has a session for.
func scopes(sites auth.Sites) []string {
	var all []string
	for _, site := range sites {
		if site.CookieDomain != "" {
			all = append(all, site.CookieDomain)
		} else {
			all = append(all, site.Host)
		}
	}
	return all
}

// checkGated opens the page. It reports whether the gateway holds it back.
func (e *examination) checkGated(ctx context.Context) bool {
	const check = "gated"
	e.base = e.ask(ctx, question{})
	e.signIn = e.base.signIn(e.page)
	to := e.base.redirect(e.page)
	rule, known := e.rule()
	switch a := e.base; {
	case a.err != nil:
		e.wrong("reachable", "%s cannot be opened: %s", originOf(e.URL), a.trouble())
	case e.signIn != nil:
		e.good(check, "somebody who is not signed in does not get in: %d to %s", a.status, originOf(e.signIn)+e.signIn.Path)
		return true
	case a.status == http.StatusUnauthorized && known && !rule.Redirects():
		e.good(check, "somebody who is not signed in does not get in: 401, without a way to the sign-in, as rule %q says", rule.Name())
		return true
	case a.passed() && known && rule.Public():
		e.unknown(check, "the page is public by rule %q, so nothing can be said about the gate; examine a page that is not", rule.Name())
	case a.status == http.StatusUnauthorized:
		e.good(check, "somebody who is not signed in does not get in: 401")
		e.wrong("sign_in", "a person who opens the page gets 401 and is not sent to the sign-in; with nginx the gateway makes the redirect, see error_page 401 in `doorward snippet nginx`")
		return true
	case a.passed():
		e.wrong(check, "the page is open to everybody: somebody who is not signed in gets %d; the gateway does not ask Doorward about this address", a.status)
	case to != nil && to.Scheme != e.URL.Scheme && hostOf(to) == hostOf(e.URL):
		e.wrong(check, "%s only redirects to %s; examine that one", originOf(e.URL), originOf(to))
	case to != nil:
		e.wrong(check, "the page redirects to %s, which is no sign-in of Doorward: the app answers by itself and the gateway does not ask, or it asks somebody else", originOf(to)+to.Path)
	case a.status == http.StatusForbidden:
		e.wrong(check, "%s", refusal(a.reason()))
	case a.status == http.StatusNotFound:
		e.wrong(check, "the answer is 404: the gateway does not know this host, or the app answers and the gateway does not ask Doorward")
	case a.status >= 500:
		e.wrong(check, "%s", failure(a))
	default:
		e.wrong(check, "the answer is %d, which is none of Doorward's", a.status)
	}
	return false
}

// refusal says what a 403 to somebody who is not signed in means.
func refusal(reason string) string {
	const begin = "everybody gets 403, also who has yet to sign in: "
	switch reason {
	case auth.UnknownHost.Code:
		return begin + "Doorward says that the host belongs to none of its cookie domains and public URLs; correct DOORWARD_COOKIE_DOMAINS, or have the gateway pass the host on"
	case auth.MissingHeaders.Code:
		return begin + "the gateway does not say what is asked for; it has to send X-Forwarded-Method, -Proto, -Host and -Uri, or X-Original-URL and X-Original-Method (behind TLS X-Forwarded-Proto is the one that is missing most often)"
	case auth.MalformedHeaders.Code:
		return begin + "a header in which the gateway describes the request is repeated or malformed (X-Forwarded-Proto has to be http or https)"
	case auth.AmbiguousHeaders.Code:
		return begin + "the gateway describes the request in the headers of two kinds of gateways, or asks at the endpoint of another kind: /auth/nginx is for X-Original-URL, /auth/forwarded for X-Forwarded-*, and /auth takes either"
	case auth.UntrustedPeer.Code:
		return begin + "Doorward does not trust the gateway; add its address to DOORWARD_TRUSTED_PROXIES"
	case "":
		return begin + "the gateway asks at the wrong endpoint or without the headers that it needs, or the host is not configured; the log of Doorward has the reason"
	}
	return begin + "the reason is " + reason
}

// failure says what a 5xx from a gateway means.
func failure(a answer) string {
	if a.reason() == auth.StoreUnavailable.Code {
		return "the answer is 503: Doorward cannot ask its session store"
	}
	return "the answer is " + http.StatusText(a.status) + ": the gateway does not reach Doorward, or gets an answer that it does not understand (nginx takes 2xx, 401 and 403 only); nobody gets in"
}

// checkMethods asks in other ways than a browser that opens a page.
func (e *examination) checkMethods(ctx context.Context) {
	const check = "methods"
	var open []string
	for _, ask := range []struct {
		name string
		question
	}{
		{"HEAD", question{method: http.MethodHead}},
		{"a script", question{script: true}},
		{"a WebSocket handshake", question{script: true, header: http.Header{
			"Sec-Websocket-Key": {"ZG9vcndhcmQtZG9jdG9yIQ=="}, "Sec-Websocket-Version": {"13"}, "Upgrade": {"websocket"}, "Connection": {"Upgrade"},
		}}},
	} {
		if a := e.ask(ctx, ask.question); a.passed() || a.status == http.StatusSwitchingProtocols {
			open = append(open, ask.name)
		}
	}
	if len(open) > 0 {
		e.wrong(check, "somebody who is not signed in gets in with %s; the gateway does not ask Doorward about that", strings.Join(open, " and "))
		return
	}
	e.good(check, "HEAD, scripts and WebSocket handshakes do not get in either")
	if a := e.ask(ctx, question{method: http.MethodOptions, script: true}); a.passed() {
		e.unknown("preflight", "OPTIONS is answered %d without a login: right when the gateway answers preflights itself, wrong when the app does", a.status)
	}
}

// sameSite reports whether one cookie can serve both hosts. It is true where the
// registrable domain of a host is not known.
func sameSite(a, b string) bool {
	if a == b {
		return true
	}
	first, errA := publicsuffix.EffectiveTLDPlusOne(a)
	second, errB := publicsuffix.EffectiveTLDPlusOne(b)
	return errA != nil || errB != nil || first == second
}
