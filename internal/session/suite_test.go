package session

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/doorward/doorward/internal/auth"
)

// The tests of this file are the conformance suite: what every store does.

func TestAttributes(t *testing.T) { eachStore(t, testAttributes) }

func testAttributes(t *testing.T, store maker) {
	for _, tt := range []struct {
		name     string
		site     auth.Site
		insecure bool
		persist  bool
		want     http.Cookie
	}{
		{"COOK-1 one host", alone, false, true, http.Cookie{Name: "__Host-doorward", Path: "/", MaxAge: 86400, Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode}},
		{"COOK-1 one host, not kept", alone, false, false, http.Cookie{Name: "__Host-doorward", Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode}},
		{"COOK-1 a domain", shared, false, true, http.Cookie{Name: "__Secure-doorward", Path: "/", Domain: "example.com", MaxAge: 86400, Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode}},
		{"COOK-1 a domain, not kept", shared, false, false, http.Cookie{Name: "__Secure-doorward", Path: "/", Domain: "example.com", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode}},
		{"COOK-1 plain http", alone, true, true, http.Cookie{Name: "doorward", Path: "/", MaxAge: 86400, HttpOnly: true, SameSite: http.SameSiteLaxMode}},
		{"COOK-1 plain http, a domain", shared, true, true, http.Cookie{Name: "doorward", Path: "/", Domain: "example.com", MaxAge: 86400, HttpOnly: true, SameSite: http.SameSiteLaxMode}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := config(t, newClock())
			cfg.Insecure, cfg.Persist = tt.insecure, tt.persist
			c := store(t, cfg)
			got := create(t, c, tt.site, user("ada"))
			if got.RawExpires != "" != tt.persist {
				t.Errorf("Expires = %q", got.RawExpires)
			}
			attributes := func(got *http.Cookie) http.Cookie {
				bare := *got
				bare.Value, bare.Raw, bare.RawExpires, bare.Expires = "", "", "", time.Time{}
				return bare
			}
			if diff := cmp.Diff(tt.want, attributes(got)); diff != "" {
				t.Errorf("created (-want +got)\n%s", diff)
			}

			w := httptest.NewRecorder()
			if _, err := c.End(w, httptest.NewRequest("POST", "/sign_out", nil), tt.site, Session{}); err != nil {
				t.Fatal(err)
			}
			gone, want := onlyCookie(t, w), tt.want
			want.MaxAge = -1
			if diff := cmp.Diff(want, attributes(gone)); diff != "" || gone.Value != "" {
				t.Errorf("SES-3 ended, value %q (-want +got)\n%s", gone.Value, diff)
			}
		})
	}
}

// TestKeeps what a session has, and nothing that the configuration does not ask for.
func TestKeeps(t *testing.T) { eachStore(t, testKeeps) }

func testKeeps(t *testing.T, store maker) {
	full := Session{
		User: auth.User{
			Provider: "oidc", Issuer: "https://id.test", Subject: "1", ID: "ada", Email: "ada@example.com", PreferredUsername: "countess",
			Name: "Ada Jörg", Groups: []string{"a,b", "c"}, AuthTime: time.Unix(1_700_000_000, 0),
		},
		Tokens:          auth.Tokens{Access: "at", ID: "it", Refresh: "rt"},
		ProviderSession: "sid-1",
	}
	for _, tt := range []struct {
		name                  string
		keepAccess, keepID    bool
		wantTokens            auth.Tokens
		user                  auth.User
		wantProviderSessionID string
	}{
		{"everything but tokens", false, false, auth.Tokens{}, full.User, "sid-1"},
		{"the access token", true, false, auth.Tokens{Access: "at"}, full.User, "sid-1"},
		{"the ID token", false, true, auth.Tokens{ID: "it"}, full.User, "sid-1"},
		{"both, never the refresh token", true, true, auth.Tokens{Access: "at", ID: "it"}, full.User, "sid-1"},
		{"little", false, false, auth.Tokens{}, auth.User{Subject: "1", ID: "1"}, "sid-1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cl := newClock()
			cfg := config(t, cl)
			cfg.KeepAccessToken, cfg.KeepIDToken = tt.keepAccess, tt.keepID
			c := store(t, cfg)
			s := full
			s.User = tt.user
			w := httptest.NewRecorder()
			made, err := c.Create(w, httptest.NewRequest("GET", "/callback", nil), alone, s)
			if err != nil {
				t.Fatal(err)
			}
			got := load(t, store(t, cfg), "alone.test", line(onlyCookie(t, w)))
			want := Session{
				ID: made.ID, User: tt.user, Tokens: tt.wantTokens, ProviderSession: tt.wantProviderSessionID,
				Created: cl.now(), Renewed: cl.now(), Expires: cl.now().Add(24 * time.Hour), Identity: cfg.Render(tt.user, tt.wantTokens),
			}
			if _, inCookie := c.(*CookieStore); !inCookie {
				want.Tokens.ID = "it" // for the sign-out
			}
			held := cmpopts.IgnoreFields(Session{}, "Held")
			if diff := cmp.Diff(want, got, held); diff != "" {
				t.Errorf("loaded (-want +got)\n%s", diff)
			}
			if diff := cmp.Diff(want, made, held); diff != "" {
				t.Errorf("made (-want +got)\n%s", diff)
			}
		})
	}
}

func TestNewID(t *testing.T) { eachStore(t, testNewID) }

func testNewID(t *testing.T, store maker) {
	cfg := config(t, newClock())
	c := store(t, cfg)
	first := load(t, c, "alone.test", line(create(t, c, alone, user("ada"))))
	given := user("ada")
	given.ID = first.ID
	second := load(t, c, "alone.test", line(create(t, c, alone, given)))
	if first.ID == second.ID || second.ID == (ID{}) {
		t.Errorf("SES-2: the second login has the id %v, the first %v", second.ID, first.ID)
	}
}

// TestScope: a cookie opens where it was made, and nowhere else.
func TestScope(t *testing.T) { eachStore(t, testScope) }

func testScope(t *testing.T, store maker) {
	c := store(t, config(t, newClock()))
	one := auth.Site{Scheme: "https", Host: "a.each.test"}
	cookies := map[string]*http.Cookie{
		"shared": create(t, c, shared, user("ada")), "alone": create(t, c, alone, user("ada")), "one": create(t, c, one, user("ada")),
	}
	for _, tt := range []struct {
		name   string
		cookie string
		as     string // the name it is sent under; "" for its own
		host   string
		want   string
	}{
		{"COOK-2 the domain's login host", "shared", "", "auth.example.com", "ada"},
		{"COOK-2 another host of the domain", "shared", "", "a.b.example.com", "ada"},
		{"COOK-2 the domain itself", "shared", "", "example.com", "ada"},
		{"COOK-2 no dot", "shared", "", "badexample.com", ""},
		{"COOK-2 another site", "shared", "__Host-doorward", "alone.test", ""},
		{"COOK-2 one host", "alone", "", "alone.test", "ada"},
		{"COOK-2 one host, another one", "alone", "", "other.test", ""},
		{"COOK-2 one host, the shared name", "alone", "__Secure-doorward", "auth.example.com", ""},
		{"COOK-2 below one host", "alone", "", "x.alone.test", ""},
		{"COOK-2 one of a wildcard", "one", "", "a.each.test", "ada"},
		{"COOK-2 another of the wildcard", "one", "", "b.each.test", ""},
		{"COOK-2 below one of the wildcard", "one", "", "a.a.each.test", ""},
		{"COOK-2 the wildcard's domain", "one", "", "each.test", ""},
		{"COOK-3 without the prefix", "alone", "doorward", "alone.test", ""},
		{"COOK-3 other case", "alone", "__host-doorward", "alone.test", ""},
		{"COOK-3 CVE of 2025: a space of Unicode before it", "alone", "\u2000__Host-doorward", "alone.test", ""},
		{"COOK-3 a name that ends like it", "alone", "x__Host-doorward", "alone.test", ""},
		{"COOK-3 a space after it", "alone", "__Host-doorward ", "alone.test", ""},
		{"COOK-3 the legacy syntax", "alone", "$Version=1; $__Host-doorward", "alone.test", ""},
		{"unknown host", "alone", "", "evil.test", ""},
		{"no host", "alone", "", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sent := *cookies[tt.cookie]
			if tt.as != "" {
				sent.Name = tt.as
			}
			for range 2 { // the second time as one that was here before
				if got := who(t, c, tt.host, line(&sent)); got != tt.want {
					t.Errorf("%q, want %q", got, tt.want)
				}
			}
		})
	}
}

// TestForged: every value that is not exactly ours opens nothing, quietly.
func TestForged(t *testing.T) { eachStore(t, testForged) }

func testForged(t *testing.T, store maker) {
	c := store(t, config(t, newClock()))
	cookie := create(t, c, alone, user("ada"))
	value := cookie.Value
	for _, tt := range []struct{ name, value string }{
		{"SES-1 empty", ""},
		{"SES-1 CVE-2026-25748 garbage", "garbage"},
		{"SES-1 quoted", `"` + value + `"`},
		{"SES-1 padded", value + "="},
		{"SES-1 twice", value + value},
		{"SES-1 a line break inside", value[:9] + "\n" + value[9:]},
		{"SES-1 a carriage return at the end", value + "\r"},
		{"SES-1 the version only", "AQ"},
		{"SES-1 zeros", strings.Repeat("A", len(value))},
		{"SES-1 URL-escaped", strings.ReplaceAll(value, string(value[9]), "%41")},
		{"SES-1 megabyte", strings.Repeat("B", 1<<20)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := who(t, c, "alone.test", cookie.Name+"="+tt.value); got != "" {
				t.Errorf("%q is signed in", got)
			}
		})
	}
	t.Run("SES-1 every character changed, every length", func(t *testing.T) {
		for i := range len(value) {
			for _, by := range []byte{1, 2, 32} {
				changed := []byte(value)
				changed[i] ^= by
				if got := who(t, c, "alone.test", cookie.Name+"="+string(changed)); got != "" {
					t.Fatalf("character %d: %q is signed in", i, got)
				}
			}
			if got := who(t, c, "alone.test", cookie.Name+"="+value[:i]); got != "" {
				t.Fatalf("cut to %d: %q is signed in", i, got)
			}
		}
		if who(t, c, "alone.test", line(cookie)) != "ada" {
			t.Error("the value itself no longer opens")
		}
	})
}

// TestDuplicates: who has a session is not locked out by what else the browser carries.
func TestDuplicates(t *testing.T) { eachStore(t, testDuplicates) }

func testDuplicates(t *testing.T, store maker) {
	c := store(t, config(t, newClock()))
	cookie := create(t, c, shared, user("ada"))
	good, junk, eve := line(cookie), cookie.Name+"=junk", line(create(t, c, shared, user("eve")))
	spoilt := good[:len(good)-8] + "AAAAAAAA" // sealed with our key, as far as one can see
	foreign := good[:len(cookie.Name)+4] + "AAAA" + good[len(cookie.Name)+8:]
	for _, tt := range []struct {
		name  string
		lines []string
		want  string
	}{
		{"COOK-4 alone", []string{good}, "ada"},
		{"COOK-4 junk before", []string{junk + "; " + good}, "ada"},
		{"COOK-4 junk behind", []string{good + "; " + junk}, "ada"},
		{"COOK-4 junk twice", []string{junk + "; " + junk + "; " + good}, "ada"},
		{"COOK-4 junk in lines of its own", []string{junk, junk, good}, "ada"},
		{"COOK-4 two that are spoilt", []string{spoilt + "; " + spoilt + "; " + good}, "ada"},
		{"COOK-4 at most three are tried", []string{spoilt + "; " + spoilt + "; " + spoilt + "; " + good}, ""},
		{"COOK-4 in lines of their own", []string{spoilt, spoilt, spoilt, good}, ""},
		{"COOK-4 what cannot be ours is no try", []string{strings.Repeat(junk+"; ", 100) + good}, "ada"},
		{"COOK-4 what another key sealed is no try", []string{strings.Repeat(foreign+"; ", 10) + good}, "ada"},
		{"COOK-4 each kind", []string{junk + "; " + spoilt + "; " + foreign + "; " + spoilt + "; " + junk + "; " + good}, "ada"},
		{"COOK-4 the first that opens wins", []string{good + "; " + eve}, "ada"},
		{"COOK-4 junk inside other cookies is not tried", []string{"x=a," + junk + "," + junk + "," + junk + "; " + good}, "ada"},
		{"COOK-2 a login inside another cookie does not come first", []string{"x=a," + eve + "; " + good}, "ada"},
		{"others around", []string{"a=1; " + good + "; b=2"}, "ada"},
		{"no spaces", []string{"a=1;" + good + ";b=2"}, "ada"},
		{"many spaces", []string{"a=1; \t " + good}, "ada"},
		{"COOK-2 nothing is taken out of another cookie's value", []string{"a=1," + good + ",b=2"}, ""},
		{"a name without a value", []string{cookie.Name + "; " + good}, "ada"},
		{"no cookies", nil, ""},
		{"an empty line", []string{""}, ""},
		{"3,001 others, more than net/http reads", []string{strings.Repeat("a=1; ", 3001) + good}, "ada"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := who(t, c, "app.example.com", tt.lines...); got != tt.want {
				t.Errorf("%q is signed in, want %q", got, tt.want)
			}
		})
	}
}

func TestLifetime(t *testing.T) { eachStore(t, testLifetime) }

func testLifetime(t *testing.T, store maker) {
	const h, m = time.Hour, time.Minute
	for _, tt := range []struct {
		name  string
		idle  time.Duration
		moves []time.Duration // the clock is moved, then the cookie is used
		want  string          // who is signed in after the last
	}{
		{"SES-7 at once", 0, []time.Duration{0}, "ada"},
		{"SES-7 just before its end", 0, []time.Duration{24*h - time.Second}, "ada"},
		{"SES-7 at its end", 0, []time.Duration{24 * h}, ""},
		{"SES-7 use does not slide the end", 0, []time.Duration{8 * h, 8 * h, 7 * h, h}, ""},
		{"SES-7 out of the cache it ends too", 0, []time.Duration{24*h - time.Second, time.Second}, ""},
		{"SES-7 idle, used in time", 30 * m, []time.Duration{20 * m, 20 * m, 30 * m}, "ada"},
		{"SES-7 idle, not used", 30 * m, []time.Duration{31 * m}, ""},
		{"SES-7 idle, used too late", 30 * m, []time.Duration{20 * m, 31 * m}, ""},
		{"SES-7 idle, use after the end does not wake it", 30 * m, []time.Duration{31 * m, m, m}, ""},
		{"SES-7 idle and absolute", 30 * m, append(repeat(20*m, 71), 20*m), ""},
		{"SES-7 idle, used until the end", 30 * m, repeat(20*m, 71), "ada"},
		{"SES-7 idle, forgotten is ended", 30 * m, []time.Duration{20 * m, 31 * m, 31 * m, 31 * m}, ""},
		{"L17 the clock steps back", 0, []time.Duration{0, -h}, "ada"},
		{"L17 the clock steps back, never used before", 0, []time.Duration{-h}, "ada"},
		{"L17 the clock steps back, idle", 30 * m, []time.Duration{20 * m, -h, 20 * m}, "ada"},
		{"L17 it does not move the end", 0, []time.Duration{12 * h, -h, 13 * h}, ""},
		{"L17 it does not move the end early", 0, []time.Duration{12 * h, -h, 13*h - time.Second}, "ada"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cl := newClock()
			cfg := config(t, cl)
			cfg.Idle = tt.idle
			c := store(t, cfg)
			sent, got := line(create(t, c, alone, user("ada"))), ""
			for _, d := range tt.moves {
				cl.move(d)
				got = who(t, c, "alone.test", sent)
			}
			if got != tt.want {
				t.Errorf("%q is signed in, want %q", got, tt.want)
			}
		})
	}
}

func repeat(d time.Duration, n int) []time.Duration {
	all := make([]time.Duration, n)
	for i := range all {
		all[i] = d
	}
	return all
}

// TestRotation opens cookies of one ring with another.
func TestRotation(t *testing.T) { eachStore(t, testRotation) }

func testRotation(t *testing.T, store maker) {
	a, b, c := secretOf('a'), secretOf('b'), secretOf('c')
	for _, tt := range []struct {
		name         string
		sealed, open [][]byte
		want         string
	}{
		{"KEY-1 the same", [][]byte{a}, [][]byte{a}, "ada"},
		{"KEY-1 a new one in front", [][]byte{a}, [][]byte{b, a}, "ada"},
		{"KEY-1 the first seals", [][]byte{b, a}, [][]byte{b}, "ada"},
		{"KEY-1 the second does not seal", [][]byte{b, a}, [][]byte{a}, ""},
		{"KEY-1 retired", [][]byte{a}, [][]byte{b, c}, ""},
		{"KEY-1 third in the ring", [][]byte{c}, [][]byte{a, b, c}, "ada"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := config(t, newClock())
			cfg.Keys = keyring(t, tt.sealed...)
			sent := line(create(t, store(t, cfg), alone, user("ada")))
			cfg.Keys = keyring(t, tt.open...)
			if got := who(t, store(t, cfg), "alone.test", sent); got != tt.want {
				t.Errorf("%q is signed in, want %q", got, tt.want)
			}
		})
	}
}

// TestParallel signs 200 users in and loads their sessions at once, through one
// store: no user ever sees another.
func TestParallel(t *testing.T) { eachStore(t, testParallel) }

func testParallel(t *testing.T, store maker) {
	cfg := config(t, newClock())
	cfg.Idle = time.Hour
	c := store(t, cfg)
	var wg sync.WaitGroup
	for i := range 200 {
		name := "user-" + strings.Repeat("x", i%7) + string(rune('A'+i%26)) + string(rune('0'+i/26))
		wg.Go(func() {
			w := httptest.NewRecorder()
			made, err := c.Create(w, httptest.NewRequest("GET", "/callback", nil), shared, user(name))
			if err != nil {
				t.Error(err)
				return
			}
			cookie, err := http.ParseSetCookie(w.Header().Get("Set-Cookie"))
			if err != nil {
				t.Error(err)
				return
			}
			for range 50 {
				got, err := c.Load(context.Background(), auth.Request{Host: "app.example.com", Cookies: []string{line(cookie)}})
				if err != nil || got.User.ID != name || got.ID != made.ID || got.Identity.Headers[0].Value[0] != name {
					t.Errorf("CON-1: %s loaded the session of %q, %v", name, got.User.ID, err)
					return
				}
			}
			if err := c.Revoke(t.Context(), made); err != nil {
				t.Error(err)
			}
			if got, _ := c.Load(context.Background(), auth.Request{Host: "app.example.com", Cookies: []string{line(cookie)}}); !got.User.Nobody() {
				t.Errorf("OUT-1: %s signed out and is %q", name, got.User.ID)
			}
		})
	}
	wg.Wait()
}

// TestOtherIssuer: a session of the provider before the one that is configured now
// is nobody's, and so is one that is older than a session may be by now.
func TestOtherIssuer(t *testing.T) { eachStore(t, testOtherIssuer) }

func testOtherIssuer(t *testing.T, store maker) {
	cl := &clock{at: time.Unix(1_700_000_000, 0)}
	keys := keyring(t, secretOf(9))
	sites := auth.Sites{{Scheme: "https", Host: "app.example.com"}}
	accepted := "1"
	at := func(issuer string, lifetime time.Duration) Store {
		return store(t, CookieConfig{
			Keys: keys, Sites: sites, Name: "doorward", Lifetime: lifetime, Issuers: map[string]string{"oidc": issuer},
			Accepts: map[string]func(string) bool{"oidc": func(subject string) bool { return subject == accepted }},
			Render:  func(auth.User, auth.Tokens) auth.Identity { return auth.Identity{} }, Now: cl.now,
		})
	}
	w := httptest.NewRecorder()
	user := auth.User{Provider: "oidc", Issuer: "https://staging.example.com", Subject: "1"}
	if _, err := at(user.Issuer, time.Hour).Create(w, httptest.NewRequest("GET", "/", nil), sites[0], Session{User: user}); err != nil {
		t.Fatal(err)
	}
	cookie := w.Result().Cookies()[0]
	cl.move(10 * time.Minute)
	for _, tt := range []struct {
		name     string
		issuer   string
		lifetime time.Duration
		accepted string
		want     bool
	}{
		{"its own issuer", "https://staging.example.com", time.Hour, "1", true},
		{"another issuer", "https://id.example.com", time.Hour, "1", false},
		{"AUTHZ-6 a subject that is not accepted any more", "https://staging.example.com", time.Hour, "2", false},
		{"SES-7 a lifetime that became shorter", "https://staging.example.com", 5 * time.Minute, "1", false},
	} {
		accepted = tt.accepted
		s, err := at(tt.issuer, tt.lifetime).Load(t.Context(), auth.Request{Host: "app.example.com", Cookies: []string{cookie.Name + "=" + cookie.Value}})
		if err != nil || s.User.Nobody() == tt.want {
			t.Errorf("%s: %q, %v", tt.name, s.User.Subject, err)
		}
	}
}
