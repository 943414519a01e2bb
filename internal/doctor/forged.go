package doctor

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/headers"
)

// mark is what the doctor writes where a forger would write a name.
const mark = "doorward-doctor"

// identity are the names of the identity headers that the app gets; the default
// ones where that is not known.
func (e *examination) identity() []string {
	if e.Known == nil {
		return namesIn("x-auth-request")
	}
	return e.Known.Identity
}

// namesIn are the identity headers of families; see DOORWARD_IDENTITY_HEADERS.
func namesIn(families ...string) []string {
	var names []string
	for _, header := range headers.New(headers.Config{Families: families}).Render(auth.User{}, auth.Tokens{}).Headers {
		names = append(names, header.Name)
	}
	return names
}

// checkForged sends what a client may send, and looks for any effect of it. A
// refusal is as good as none: all that a forger gets is a 403 of their own.
func (e *examination) checkForged(ctx context.Context) {
	identity := http.Header{}
	for _, name := range append(namesIn("x-auth-request", "x-forwarded", "remote"), e.identity()...) {
		if name != "Authorization" { // a header of the client's own, which Doorward reads
			identity[name] = []string{mark}
		}
	}
	for _, group := range []struct {
		check, what string
		sent        []http.Header
	}{
		{"forged_identity", "the identity headers that a client sends", []http.Header{identity}},
		{"forged_forwarded", "the X-Forwarded-* headers that a client sends", e.forgedForwarded()},
		{"forged_original", "the X-Original-* headers that a client sends", e.forgedOriginal()},
	} {
		e.checkForgedGroup(ctx, group.check, group.what, group.sent)
	}
}

// elsewhere is a host other than the page's that Doorward may well know: a forged
// description that names it is not refused for the host alone.
func (e *examination) elsewhere() string {
	if address := e.signInAddress(); address != nil && address.Host != e.URL.Host {
		return address.Host
	}
	return "doctor." + e.URL.Host
}

func (e *examination) forgedForwarded() []http.Header {
	return []http.Header{
		{"X-Forwarded-Host": {e.elsewhere()}},
		{"X-Forwarded-Uri": {"/" + mark}},
		{"X-Forwarded-Method": {http.MethodOptions}},
		{"X-Forwarded-Prefix": {"/" + mark}, "X-Forwarded-Port": {"8"}, "Forwarded": {"host=" + e.elsewhere()}},
		{
			"X-Forwarded-Uri": {"/" + mark}, "X-Forwarded-Method": {http.MethodOptions},
			"X-Forwarded-Host": {e.elsewhere()}, "X-Forwarded-Proto": {e.URL.Scheme},
		},
	}
}

func (e *examination) forgedOriginal() []http.Header {
	address := (&url.URL{Scheme: e.URL.Scheme, Host: e.elsewhere(), Path: "/" + mark}).String()
	return []http.Header{
		{"X-Original-Url": {address}, "X-Original-Method": {http.MethodGet}},
		{"X-Original-Method": {http.MethodOptions}},
		{"X-Original-Uri": {"/" + mark}, "X-Auth-Request-Redirect": {address}, "X-Sent-From": {"nginx-ingress-controller"}},
	}
}

// checkForgedGroup makes one finding of all headers of a kind.
func (e *examination) checkForgedGroup(ctx context.Context, check, what string, sent []http.Header) {
	var refused, unclear bool
	var believed, open []string
	for _, header := range sent {
		switch a := e.ask(ctx, question{header: header}); e.compare(a) {
		case same:
		case isRefused:
			refused = true
		case isOpen:
			open = append(open, namesOf(header))
		case isChanged:
			if len(believed) == 0 || len(header) == 1 { // of several together only when none is believed alone
				believed = append(believed, namesOf(header))
			}
		default:
			unclear = true
		}
	}
	const fix = "; the gateway has to overwrite them or take them away before it asks Doorward"
	switch {
	case len(open) > 0:
		e.wrong(check, "whoever sends %s gets in without a login"+fix, strings.Join(open, " or "))
	case len(believed) > 0:
		e.wrong(check, "what a client sends as %s is believed"+fix, strings.Join(believed, " or "))
	case unclear:
		e.unknown(check, "%s lead to an answer that says nothing about them", what)
	case refused:
		e.good(check, "%s gain nothing: a request with them is refused", what)
	default:
		e.good(check, "%s change nothing", what)
	}
}

func namesOf(h http.Header) string {
	var names []string
	for name := range h {
		names = append(names, name)
	}
	slices.Sort(names)
	if len(names) > 4 {
		return names[0] + " and the like"
	}
	return strings.Join(names, ", ")
}

type effect int

const (
	unclear effect = iota
	same
	isRefused
	isOpen
	isChanged
)

// compare says what a forged header made of the answer.
func (e *examination) compare(a answer) effect {
	switch signIn := a.signIn(e.page); {
	case a.err != nil:
		return unclear
	case a.passed():
		return isOpen
	case signIn != nil && e.signIn != nil && sameSignIn(signIn, e.signIn):
		return same
	case signIn != nil && e.signIn != nil:
		return isChanged
	case a.status == http.StatusForbidden:
		if reason := a.reason(); reason == auth.UnknownHost.Code || reason == auth.NoRule.Code {
			return isChanged // it was judged by what the client said
		}
		return isRefused
	case a.status == http.StatusBadRequest:
		return isRefused // by the gateway itself
	case a.status == e.base.status:
		return same
	case a.status == http.StatusUnauthorized:
		return isChanged // not taken for a page any more
	}
	return unclear
}

func sameSignIn(a, b *url.URL) bool {
	return originOf(a)+a.Path == originOf(b)+b.Path && a.Query().Get("rd") == b.Query().Get("rd")
}
