package e2e

import (
	"net/http"
	"strings"
	"testing"

	"github.com/doorward/doorward/test/stack"
)

// forged are headers that a client may send. Foreign is for those that describe
// a request as other gateways do: ingress-nginx passes them on, and Doorward
// refuses to judge; deploy/nginx takes them away.
var forged = []struct {
	name    string
	header  http.Header
	foreign bool
}{
	{name: "nothing"},
	{name: "an identity", header: http.Header{
		"X-Auth-Request-User": {"root"}, "X-Auth-Request-Email": {stack.Bob}, "X-Auth-Request-Name": {"Root"},
		"X-Auth-Request-Groups": {"admins"}, "X-Auth-Request-Preferred-Username": {"root"},
	}},
	{name: "an identity, twice and in other spellings", header: http.Header{
		"x-auth-request-email": {stack.Bob, "root@example.com"}, "X_Auth_Request_Email": {stack.Bob},
		"X-AUTH-REQUEST-GROUPS": {"admins"}, "X-Auth_Request-User": {"root"},
	}},
	{name: "an identity of the other families", header: http.Header{
		"X-Forwarded-User": {"root"}, "X-Forwarded-Email": {stack.Bob}, "X-Forwarded-Groups": {"admins"}, "Remote-User": {"root"},
	}},
	{name: "another address", header: http.Header{
		"X-Original-Url": {"https://auth.doorward.localhost/start"}, "X-Original-Method": {"OPTIONS"}, "X-Original-Uri": {"/public"},
	}},
	{name: "another address, twice", header: http.Header{
		"X-Original-Url": {"https://auth.doorward.localhost/", "http://evil.example/"}, "X-Original-Method": {"OPTIONS", "HEAD"},
	}},
	{name: "another host, scheme and client", header: http.Header{
		"X-Forwarded-Host": {"evil.example"}, "X-Forwarded-Proto": {"http"}, "X-Forwarded-Port": {"80"}, "X-Forwarded-For": {"10.0.0.1"},
		"X-Forwarded-Prefix": {"/public"}, "Forwarded": {"host=evil.example;proto=http"}, "X-Real-Ip": {"10.0.0.1"},
	}},
	{name: "the forwarded family", foreign: true, header: http.Header{
		"X-Forwarded-Uri": {"/public"}, "X-Forwarded-Method": {"OPTIONS"}, "X-Forwarded-Host": {"evil.example"}, "X-Forwarded-Proto": {"https"},
	}},
	{name: "half the forwarded family", foreign: true, header: http.Header{"X-Forwarded-Uri": {"/public"}}},
	{name: "the other half", foreign: true, header: http.Header{"X-Forwarded-Method": {"GET"}}},
	{name: "both families", foreign: true, header: http.Header{
		"X-Forwarded-Uri": {"/public"}, "X-Original-Url": {"https://auth.doorward.localhost/"},
	}},
	{name: "the forwarded family in other spellings", header: http.Header{
		"X_Forwarded_Uri": {"/public"}, "X-Forwarded_Uri": {"/public"}, "X_Original_Url": {"https://auth.doorward.localhost/"},
	}},
	{name: "who asks", header: http.Header{
		"X-Sent-From": {"nginx-ingress-controller"}, "X-Auth-Request-Redirect": {"https://evil.example/"}, "Via": {"Caddy"},
		"User-Agent": {"kube-probe/1.34"}, "X-Http-Method-Override": {"OPTIONS"},
	}},
}

// testForgedSignedIn: Ada is Ada, whatever she says.
func (v *visit) testForgedSignedIn(t *testing.T) {
	ada := v.signedIn(t, v.s, stack.Ada, v.s.AppURL+"/")
	for _, tt := range forged {
		t.Run(tt.name, func(t *testing.T) {
			page := ada.fetch(t, v.s.AppURL+"/data?x=%26", tt.header)
			if tt.foreign && !v.plain {
				if page.Status != http.StatusForbidden {
					t.Errorf("status %d, want 403", page.Status)
				}
				return
			}
			if page.Status != http.StatusOK {
				t.Fatalf("status %d, want 200", page.Status)
			}
			request := seen(t, page)
			// Redirect is oauth2-proxy's, tells nobody who asks, and is no header of ours.
			request.Headers.Del("X-Auth-Request-Redirect")
			adaIdentity.check(t, request.Headers)
			if request.URI != "/data?x=%26" || request.Method != http.MethodGet {
				t.Errorf("the app was asked %s %s", request.Method, request.URI)
			}
		})
	}
}

// testForgedSignedOut: nobody gets past, and nobody is sent anywhere but to the
// sign-in, to come back to the address that was really asked for.
func (v *visit) testForgedSignedOut(t *testing.T) {
	for _, tt := range forged {
		t.Run(tt.name, func(t *testing.T) {
			navigation := http.Header{"Sec-Fetch-Mode": {"navigate"}, "Accept": {"text/html"}}
			script := http.Header{}
			for name, values := range tt.header {
				navigation[name], script[name] = values, values
			}
			for _, ask := range []struct {
				as       string
				header   http.Header
				redirect bool
			}{
				{"a page", navigation, true},
				{"a script", script, !v.plain},
			} {
				page := v.visitor(v.s).fetch(t, v.s.AppURL+deepLink, ask.header)
				v.heldBack(t, ask.as, page, ask.redirect, tt.foreign && !v.plain)
			}
		})
	}
}

// heldBack fails unless the answer is the one for nobody.
func (v *visit) heldBack(t *testing.T, as string, page stack.Page, redirect, refused bool) {
	t.Helper()
	want := http.StatusUnauthorized
	switch {
	case refused:
		want = http.StatusForbidden
	case redirect:
		want = http.StatusFound
	}
	if page.Status != want || strings.Contains(page.Body, `"headers"`) || strings.Contains(page.Body, appTitle) {
		t.Errorf("as %s: status %d, want %d", as, page.Status, want)
	}
	location := page.Header.Get("Location")
	if want != http.StatusFound {
		if location != "" {
			t.Errorf("as %s: sent to %s", as, where(location))
		}
		return
	}
	target, err := page.URL.Parse(location)
	if err != nil {
		t.Fatal(err)
	}
	if where(location) != v.s.AuthURL+"/start" || target.Query().Get("rd") != v.s.AppURL+deepLink {
		t.Errorf("as %s: sent to %s to come back to %q", as, where(location), target.Query().Get("rd"))
	}
}
