package doctor

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
)

// checkApp looks at what reaches the app. That takes a session and a path that
// shows the headers of a request.
func (e *examination) checkApp(ctx context.Context) {
	const check = "identity"
	if e.Cookie == "" || e.EchoPath == "" {
		e.unknown(check, "whether the app gets the identity headers, and only those, cannot be seen without a session; sign in, copy the session cookie, and add --cookie and --echo-path")
		return
	}
	echo, err := e.URL.Parse(e.EchoPath)
	if err != nil || echo.Host != e.URL.Host {
		e.unknown(check, "the echo path is not a path of the site")
		return
	}
	a := e.ask(ctx, question{url: echo, script: true, header: e.session()})
	if !a.passed() {
		e.unknown(check, "the session does not get in (%s answers %d), so that the app could not be looked at; it may have ended, or not be allowed here", echo.Path, a.status)
		return
	}
	seen := echoed(a.body)
	if len(seen) == 0 {
		e.unknown(check, "%s does not show the headers of the request, neither as JSON nor line by line", echo.Path)
		return
	}
	e.checkCopied(seen, e.account(ctx))
	e.checkAppScheme(seen)
	e.checkPassing(ctx, echo)
}

// session is the header that the session travels in.
func (e *examination) session() http.Header {
	return http.Header{"Cookie": {e.Cookie.Reveal()}}
}

// checkCopied wants each header that the account has a value for.
func (e *examination) checkCopied(seen http.Header, account map[string]bool) {
	const check = "identity"
	var missing []string
	size := 0
	for _, name := range e.identity() {
		value := seen.Get(name)
		if value == "" && account[name] {
			missing = append(missing, name)
		}
		if value != "" {
			size += len(name) + len(": ") + len(value) + len("\r\n")
		}
	}
	switch {
	case len(missing) > 0:
		e.wrong(check, "the app does not get %s, although the account has a value; the gateway has to copy %s from Doorward's answer", strings.Join(missing, ", "), those(missing))
	case size == 0:
		e.unknown(check, "the app gets no identity header, and whether the account has any value for one is not known")
	default:
		e.good(check, "the app gets the identity headers (%d bytes)", size)
	}
}

func those(names []string) string {
	if len(names) == 1 {
		return "it"
	}
	return "them"
}

// account says for which identity headers the account has a value, as /userinfo
// has it. The session goes only where the configuration says that Doorward is.
func (e *examination) account(ctx context.Context) map[string]bool {
	has := map[string]bool{"X-Auth-Request-User": true}
	site, ok := e.site()
	if !ok {
		return has
	}
	address, err := url.Parse(site.Origin() + e.Known.Prefix + "/userinfo")
	if err != nil {
		return has
	}
	a := e.ask(ctx, question{url: address, script: true, header: e.session()})
	var user struct {
		User              string   `json:"user"`
		Email             string   `json:"email"`
		PreferredUsername string   `json:"preferred_username"`
		Name              string   `json:"name"`
		Groups            []string `json:"groups"`
	}
	if a.status != http.StatusOK || json.Unmarshal([]byte(a.body), &user) != nil {
		return has
	}
	values := map[string]bool{
		"-Preferred-Username": user.PreferredUsername != "", "-User": user.User != "",
		"-Email": user.Email != "", "-Name": user.Name != "", "-Groups": len(user.Groups) > 0,
	}
	for _, name := range e.identity() {
		for suffix, value := range values {
			if strings.HasSuffix(name, suffix) {
				has[name] = value
			}
		}
	}
	return has
}

// checkAppScheme wants the app to know that it is behind TLS.
func (e *examination) checkAppScheme(seen http.Header) {
	const check = "app_scheme"
	switch proto := seen.Get("X-Forwarded-Proto"); {
	case strings.EqualFold(proto, e.URL.Scheme):
		e.good(check, "the app is told that the site is %s", e.URL.Scheme)
	case proto == "" && e.URL.Scheme == "https":
		e.wrong(check, "the app is not told that the site is https (X-Forwarded-Proto is missing); the gateway has to send it, or the app makes http links and insecure cookies")
	case proto != "":
		e.wrong(check, "the site is %s, but the app is told that it is %s (X-Forwarded-Proto)", e.URL.Scheme, proto)
	}
}

// alias is a name that many apps cannot tell from a header's own.
func alias(name string) string {
	return http.CanonicalHeaderKey(strings.ReplaceAll(name, "-", "_"))
}

// checkPassing sends identity headers of its own besides the session.
func (e *examination) checkPassing(ctx context.Context, echo *url.URL) {
	const check = "passing"
	header := e.session()
	for _, name := range e.identity() {
		if name != "Authorization" { // would be judged as a token
			header[name] = []string{mark}
			header[alias(name)] = []string{mark}
		}
	}
	a := e.ask(ctx, question{url: echo, script: true, header: header})
	if !a.passed() {
		e.good(check, "identity headers that a client sends do not reach the app: the request is answered %d", a.status)
		return
	}
	var passing []string
	seen := echoed(a.body)
	for _, name := range e.identity() {
		for _, spelling := range []string{name, alias(name)} {
			if strings.Contains(strings.Join(seen[spelling], ","), mark) {
				passing = append(passing, spelling)
			}
		}
	}
	if len(passing) > 0 {
		e.wrong(check, "what a client sends as %s reaches the app: anybody who may enter can pretend to be somebody else; the gateway has to replace %s, also when Doorward's is empty", strings.Join(passing, ", "), those(passing))
		return
	}
	e.good(check, "identity headers that a client sends do not reach the app")
}
