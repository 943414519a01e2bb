package server_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/idp"
	"github.com/doorward/doorward/internal/idp/idptest"
	"github.com/doorward/doorward/internal/session"
)

// The modules of the OpenID Foundation's relying-party plans for logout, by their
// names, played with the provider double. Session Management 1.0 is left out: its
// frames poll with cookies of another site, which browsers no longer send.
func TestBackchannelRP(t *testing.T) {
	const prefix = "oidcc-client-test-rp-backchannel-rpinitlogout"
	logoutToken := func(algorithm string, claims members) func(*idptest.Provider) string {
		return func(op *idptest.Provider) string { return op.LogoutToken(algorithm, nil, claims) }
	}
	modules := map[string]struct {
		tokens []func(*idptest.Provider) string
		ends   bool
	}{
		prefix: {[]func(*idptest.Provider) string{logoutToken("RS256", nil)}, true},
		prefix + "-alg-none": {[]func(*idptest.Provider) string{func(op *idptest.Provider) string {
			return op.LogoutToken("none", members{"alg": "none", "kid": nil}, nil)
		}}, false},
		prefix + "-no-event":   {[]func(*idptest.Provider) string{logoutToken("RS256", members{"events": nil})}, false},
		prefix + "-with-nonce": {[]func(*idptest.Provider) string{logoutToken("RS256", members{"nonce": "x"})}, false},
		// The provider announces RS256 alone.
		prefix + "-wrong-alg":   {[]func(*idptest.Provider) string{logoutToken("ES256", nil), logoutToken("HS256", nil)}, false},
		prefix + "-wrong-aud":   {[]func(*idptest.Provider) string{logoutToken("RS256", members{"aud": "another-client"})}, false},
		prefix + "-wrong-event": {[]func(*idptest.Provider) string{logoutToken("RS256", members{"events": members{"http://schemas.openid.net/event/other": members{}}})}, false},
		prefix + "-wrong-iss":   {[]func(*idptest.Provider) string{logoutToken("RS256", members{"iss": "https://example.com/other"})}, false},
	}
	for name, module := range modules {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, options{})
			h.provider.Set(func(b *idptest.Behaviour) {
				b.Discovery = func(doc map[string]any) { doc["id_token_signing_alg_values_supported"] = []string{"RS256"} }
			})
			first, second := h.browser(), h.browser() // of one session at the provider
			first.signIn("/")
			second.signIn("/")
			out := first.get("/sign_out", "Sec-Fetch-Site", "same-origin")
			if !strings.HasPrefix(out.header.Get("Location"), h.provider.URL(idptest.EndSession)) {
				t.Fatalf("the sign-out leads to %d %q", out.status, out.header.Get("Location"))
			}
			for _, token := range module.tokens {
				status := http.StatusBadRequest
				if module.ends {
					status = http.StatusOK
				}
				if got := h.logOut(form(token(h.provider))); got.status != status {
					t.Errorf("the logout token: %d %s", got.status, got.body)
				}
			}
			if ended := second.check(deepLink).status == http.StatusUnauthorized; ended != module.ends {
				t.Errorf("the other session of the provider's ended: %v", ended)
			}
		})
	}
}

func TestFrontchannelRP(t *testing.T) {
	for name, byUser := range map[string]bool{
		"oidcc-client-test-rp-frontchannel-rpinitlogout": true,
		"oidcc-client-test-rp-frontchannel-opinitlogout": false,
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, options{})
			first, second := h.browser(), h.browser()
			first.signIn("/")
			second.signIn("/")
			if byUser {
				first.get("/sign_out", "Sec-Fetch-Site", "same-origin")
			}
			frame := h.browser().get("/frontchannel_logout?"+url.Values{"iss": {h.provider.Issuer()}, "sid": {idptest.SessionID}}.Encode(),
				"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Dest", "iframe") // without the cookies of ours
			if frame.status != http.StatusOK || frame.header.Get("Cache-Control") != "no-store" {
				t.Errorf("%d %v", frame.status, frame.header)
			}
			for _, b := range []*browser{first, second} {
				if b.check(deepLink).status != http.StatusUnauthorized {
					t.Error("a session goes on")
				}
			}
		})
	}
}

func TestInitiatedLogoutRP(t *testing.T) {
	const state = "of the provider's own"
	for name, module := range map[string]struct {
		change func(answer, request url.Values)
		want   string // where the sign-out ends; "" on our own page
	}{
		"oidcc-client-test-rp-init-logout":             {nil, "https://app.example.com/bye"},
		"oidcc-client-test-rp-init-logout-other-state": {func(answer, _ url.Values) { answer.Set("state", state) }, ""},
		"oidcc-client-test-rp-init-logout-no-state":    {func(answer, _ url.Values) { answer.Del("state") }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, options{})
			h.provider.Set(func(b *idptest.Behaviour) {
				b.EndSession, b.PostLogoutURIs = module.change, []string{"https://auth.example.com/sign_out"}
			})
			b := h.browser()
			b.signIn("/")
			out := b.get("/sign_out?rd="+url.QueryEscape("https://app.example.com/bye"), "Sec-Fetch-Site", "same-origin")
			back, err := h.provider.SignIn(out.header.Get("Location"))
			h.must(err)
			asked := h.provider.SignOuts()
			if len(asked) != 1 || asked[0].Problem != "" || asked[0].Query.Get("id_token_hint") == "" || asked[0].Query.Get("state") == "" {
				t.Errorf("OUT-6: the provider was asked %+v", asked)
			}
			end := b.get(back.String(), "Sec-Fetch-Site", "cross-site")
			if end.header.Get("Location") != module.want || module.want == "" && (end.status != http.StatusOK || !strings.Contains(end.body, "You are signed out")) {
				t.Errorf("ended at %d %q", end.status, end.header.Get("Location"))
			}
			if b.check(deepLink).status != http.StatusUnauthorized {
				t.Error("the session goes on")
			}
		})
	}
}

func TestThirdPartyInitiatedLogin(t *testing.T) {
	t.Run("oidcc-client-test-3rd-party-init-login", func(t *testing.T) {
		h := newHouse(t, options{several: true})
		b := h.browser()
		start := b.get("/start?"+url.Values{
			"iss": {h.other.Issuer()}, "login_hint": {"ada@example.com"}, "target_link_uri": {deepLink},
		}.Encode(), "Sec-Fetch-Site", "cross-site")
		address, err := url.Parse(start.header.Get("Location"))
		h.must(err)
		if !strings.HasPrefix(address.String(), h.other.URL(idptest.Authorize)) || address.Query().Get("login_hint") != "ada@example.com" {
			t.Fatalf("the login begins at %d %s", start.status, address)
		}
		if end := b.get(b.atProvider(start)); end.header.Get("Location") != deepLink {
			t.Errorf("ends at %d %q", end.status, end.header.Get("Location"))
		}
		for _, tt := range []struct{ name, query, want string }{
			{"RED-7 a target that is not ours", "iss=" + url.QueryEscape(h.other.Issuer()) + "&target_link_uri=https%3A%2F%2Fevil.example%2F", "/"},
			{"OIDC-6 two targets", "iss=" + url.QueryEscape(h.other.Issuer()) + "&target_link_uri=/a&target_link_uri=/b", "/"},
			{"rd goes first", "iss=" + url.QueryEscape(h.other.Issuer()) + "&rd=/a&target_link_uri=/b", "/a"},
		} {
			b := h.browser()
			if script := b.get("/start?"+tt.query, "Sec-Fetch-Mode", "cors"); script.json(t)["sign_in_url"] != "https://auth.example.com/start?rd="+url.QueryEscape(tt.want) {
				t.Errorf("RED-7 %s: %s", tt.name, script.body)
			}
			if end := b.get(b.atProvider(b.get("/start?" + tt.query))); end.header.Get("Location") != tt.want {
				t.Errorf("%s: ends at %d %q", tt.name, end.status, end.header.Get("Location"))
			}
		}
		if got := b.get("/start?iss=https%3A%2F%2Fevil.example"); got.status != http.StatusBadRequest || len(got.cookies()) != 0 {
			t.Errorf("OIDC-9 an issuer that is not ours: %d", got.status)
		}
	})
}

func TestFrontchannelLogout(t *testing.T) {
	h := newHouse(t, options{several: true})
	mine, theirs := h.browser(), h.browser()
	mine.get(mine.atProvider(mine.get("/start?provider=oidc")))
	theirs.get(theirs.atProvider(theirs.get("/start?provider=other"))) // with the same sid
	iss, other := url.QueryEscape(h.provider.Issuer()), url.QueryEscape(h.other.Issuer())
	const sid = "sid=" + idptest.SessionID
	for _, tt := range []struct {
		name, query string
		status      int
		ends        *browser
	}{
		{"OUT-5 no sid", "iss=" + iss, 400, nil},
		{"OUT-5 no iss", sid, 400, nil},
		{"OUT-5 neither", "", 400, nil},
		{"OUT-5 an empty sid", "iss=" + iss + "&sid=", 400, nil},
		{"OUT-5 another issuer", "iss=https%3A%2F%2Fevil.example&" + sid, 400, nil},
		{"OUT-5 an empty issuer", "iss=&" + sid, 400, nil},
		{"OIDC-6 sid twice", "iss=" + iss + "&" + sid + "&" + sid, 400, nil},
		{"OIDC-6 iss twice", "iss=" + iss + "&iss=" + iss + "&" + sid, 400, nil},
		{"OUT-5 malformed", "iss=" + iss + "&" + sid + "&%zz", 400, nil},
		{"LIM-2 a long sid", "iss=" + iss + "&sid=" + strings.Repeat("s", 256), 400, nil},
		{"OUT-5 another session", "iss=" + iss + "&sid=another", 200, nil},
		{"OUT-5 a subject is no session", "iss=" + iss + "&sid=user-1", 200, nil},
		{"OUT-5 the session of the other provider", "iss=" + other + "&" + sid, 200, theirs},
		{"OUT-5 the session", "iss=" + iss + "&" + sid, 200, mine},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := []int{mine.check(deepLink).status, theirs.check(deepLink).status}
			got := h.browser().get("/frontchannel_logout?" + tt.query)
			if got.status != tt.status {
				t.Errorf("%d, want %d", got.status, tt.status)
			}
			after := []int{mine.check(deepLink).status, theirs.check(deepLink).status}
			switch {
			case tt.ends == nil && !slices.Equal(before, after):
				t.Errorf("%v became %v", before, after)
			case tt.ends != nil && tt.ends.check(deepLink).status != http.StatusUnauthorized:
				t.Error("the session goes on")
			case tt.ends == theirs && after[0] != before[0]:
				t.Error("a session of the other provider ended as well")
			}
			policy, frames := got.header.Get("Content-Security-Policy"), got.header.Get("X-Frame-Options")
			if tt.status == http.StatusBadRequest && (frames != "DENY" || !strings.Contains(policy, "frame-ancestors 'none'")) {
				t.Errorf("HTTP-2: %q %q", policy, frames)
			}
			if tt.status == http.StatusOK && tt.ends != theirs &&
				(frames != "" || policy != "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors "+h.provider.Issuer()) {
				t.Errorf("OUT-5 HTTP-2: %q %q", policy, frames)
			}
		})
	}
	if strings.Contains(h.log.String(), idptest.SessionID) {
		t.Error("LOG-2: the provider's session is in the log")
	}
	for _, want := range []string{
		`doorward_sign_outs_total{kind="front_channel",provider="oidc"} 3`,
		`doorward_sign_outs_total{kind="front_channel",provider="other"} 1`,
		`doorward_logouts_refused_total{kind="front_channel",reason="malformed"} 10`,
	} {
		if name, _, _ := strings.Cut(want, "} "); h.metric(name) != want {
			t.Errorf("LOG-3: counted as %q, want %q", h.metric(name), want)
		}
	}
}

// TestFrontchannelLogoutOfTenants: the issuer in the address is that of the tenant,
// and the sessions have that of the provider.
func TestFrontchannelLogoutOfTenants(t *testing.T) {
	h := newHouse(t, options{})
	const tenant, second = "11111111-2222-3333-4444-555555555555", "66666666-2222-3333-4444-555555555555"
	entra, err := idp.New(idp.Config{
		Name: "entra", Type: "entra", Tenants: []string{tenant, second}, Discovery: true, ClientID: "client", ClientSecret: "secret",
	})
	h.must(err)
	h.server.Providers = idp.Providers{entra}
	w := httptest.NewRecorder()
	_, err = h.server.Sessions.Create(w, httptest.NewRequest("GET", "/callback", nil), h.server.Sites[0], session.Session{
		User:            auth.User{Provider: "entra", Issuer: entra.Issuer(), Subject: tenant + "/ada", ID: "ada"},
		ProviderSession: "sid-1",
	})
	h.must(err)
	asked := auth.Request{Host: "auth.example.com", Cookies: []string{strings.Split(w.Header().Get("Set-Cookie"), ";")[0]}}
	if who, err := h.server.Sessions.Load(t.Context(), asked); err != nil || who.User.ID != "ada" {
		t.Fatalf("%+v, %v", who, err)
	}
	got := h.browser().get("/frontchannel_logout?sid=sid-1&iss=" + url.QueryEscape("https://login.microsoftonline.com/"+tenant+"/v2.0"))
	if who, _ := h.server.Sessions.Load(t.Context(), asked); got.status != http.StatusOK || !who.User.Nobody() {
		t.Errorf("OUT-5: %d, and %q is signed in", got.status, who.User.ID)
	}
}
