package doctor

import (
	"context"
	"net/http"
	"net/url"
	"strings"
)

// Sizes that a gateway has to let through. Doorward's answers to a check have at
// most 3,500 bytes of headers, its cookies 4,096.
const (
	bigSignIn = 3150 // bytes of a sign-in address, of at most 3,200
	bigTarget = 2000 // bytes of an address to come back to, of at most 2,048
	bigCookie = 3900
)

// checkSizes makes Doorward's answer as large as it gets, with a page whose
// address is long, and sends a cookie as large as a session's.
func (e *examination) checkSizes(ctx context.Context) {
	if e.signIn != nil {
		e.checkHeaderBlock(ctx)
	}
	const check = "cookie_size"
	a := e.ask(ctx, question{header: http.Header{"Cookie": {"doorward_doctor=" + strings.Repeat("x", bigCookie)}}})
	switch {
	case a.err != nil:
		e.unknown(check, "a request with a cookie as large as a session's was not answered: %s", a.trouble())
	case a.status == e.base.status:
		e.good(check, "a cookie as large as a session's gets through")
	default:
		e.wrong(check, "a request with a cookie as large as a session's (%d bytes) is answered %d; the gateway has to take larger request headers (nginx: large_client_header_buffers)", bigCookie, a.status)
	}
}

func (e *examination) checkHeaderBlock(ctx context.Context) {
	const check = "header_block"
	page := e.longPage()
	a := e.ask(ctx, question{url: page})
	signIn := a.signIn(page)
	switch {
	case a.err != nil:
		e.unknown(check, "a page with a long address was not answered: %s", a.trouble())
	case signIn != nil && len(signIn.String()) >= len(page.String()):
		e.good(check, "an answer of Doorward with %d bytes of headers gets through", len(signIn.String()))
	case signIn != nil:
		e.wrong(check, "a page with a long address loses it on the way to the sign-in, so that people do not come back to it")
	case a.status >= 500:
		e.wrong(check, "an answer of Doorward with about %d bytes of headers does not get through (%d); the gateway has to take 4 KB (nginx: proxy_buffer_size 4k)", bigSignIn, a.status)
	default:
		e.wrong(check, "a page with an address of %d bytes is answered %d; the gateway has to take longer addresses", len(page.String()), a.status)
	}
}

// longPage is the page with a query that makes the sign-in address about as long
// as it gets: each %20 takes three bytes of the address, and five when it is
// escaped in rd.
func (e *examination) longPage() *url.URL {
	page := *e.page
	if page.RawQuery != "" {
		page.RawQuery += "&"
	}
	page.RawQuery += mark + "="
	room := min((bigSignIn-len(e.signIn.String())-len(url.QueryEscape(mark+"=&")))/5, (bigTarget-len(page.String()))/3)
	page.RawQuery += strings.Repeat("%20", max(0, room))
	return &page
}
