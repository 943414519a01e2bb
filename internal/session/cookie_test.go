package session

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/doorward/doorward/internal/auth"
)

// TestOneSite: a cookie opens at its own site and at no other, not even one with the
// same name or the same scope, and also when it was opened at its own before.
func TestOneSite(t *testing.T) {
	domain := auth.Site{Scheme: "https", Host: "auth.x.test", CookieDomain: "x.test"}
	host := auth.Site{Scheme: "https", Host: "x.test"} // the same scope, another name
	cfg := config(t, newClock())
	cfg.Sites = auth.Sites{host, domain, alone, other}
	c := store(t, cfg)
	for _, tt := range []struct {
		name     string
		site     auth.Site
		host     string // where it belongs
		as       string // the name it is sent under to elsewhere
		elseHost string
	}{
		{"CON-2 the same name, another scope", alone, "alone.test", "__Host-doorward", "other.test"},
		{"CON-2 the same scope, another name", host, "x.test", "__Secure-doorward", "sub.x.test"},
		{"CON-2 the same scope, the other way round", domain, "sub.x.test", "__Host-doorward", "x.test"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cookie := create(t, c, tt.site, user("ada"))
			for range 2 {
				if who(t, c, tt.host, line(cookie)) != "ada" {
					t.Fatal("not signed in")
				}
			}
			if got := who(t, c, tt.elseHost, tt.as+"="+cookie.Value); got != "" {
				t.Errorf("%q is signed in at %s", got, tt.elseHost)
			}
			if who(t, c, tt.host, line(cookie)) != "ada" {
				t.Error("no longer signed in where it belongs")
			}
		})
	}
}

// TestOpened: what came out of a cookie stays as it is when others are opened in the
// same room.
func TestOpened(t *testing.T) {
	c := store(t, config(t, newClock()))
	ada := user("ada")
	ada.User.Name, ada.User.Groups = "Ada", []string{"ops", "staff"}
	ada.User.Claims = map[string]any{"team": "core", "photo": []byte("abc"), "roles": []any{"a", "b"}}
	cookie, eve := line(create(t, c, alone, ada)), line(create(t, c, alone, user("eve")))
	opened := load(t, c, "alone.test", cookie)
	for range 10 {
		if who(t, c, "alone.test", eve) != "eve" {
			t.Fatal("not signed in")
		}
	}
	if diff := cmp.Diff(ada.User, opened.User); diff != "" {
		t.Errorf("SES-1: (-was +is)\n%s", diff)
	}
}

func TestTooLarge(t *testing.T) {
	for _, tt := range []struct {
		name  string
		bytes int // of one claim
		fits  bool
	}{
		{"COOK-5 usual", 100, true},
		{"COOK-5 large", 2400, true},
		{"COOK-5 too large", 2700, false},
		{"COOK-5 a megabyte", 1 << 20, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := config(t, newClock())
			domain := strings.Repeat(strings.Repeat("y", 60)+".", 3) + "test"
			site := auth.Site{Scheme: "https", Host: "x." + domain, CookieDomain: domain}
			cfg.Sites = auth.Sites{site}
			c := store(t, cfg)
			s := user("ada")
			s.User.Name = strings.Repeat("n", tt.bytes)
			w := httptest.NewRecorder()
			_, err := c.Create(w, httptest.NewRequest("GET", "/callback", nil), site, s)
			lines := w.Header()["Set-Cookie"]
			if tt.fits {
				if err != nil || len(lines) != 1 || len(lines[0]) > 4096 {
					t.Errorf("%v, %d cookies", err, len(lines))
				}
				return
			}
			if !errors.Is(err, ErrTooLarge) || len(lines) != 0 {
				t.Errorf("%v, %d cookies; want ErrTooLarge and none", err, len(lines))
			}
		})
	}
}

// TestLargest walks the sizes around the limit: what is accepted always opens.
func TestLargest(t *testing.T) {
	c := store(t, config(t, newClock()))
	accepted, refused := 0, 0
	for n := 2450; n < 2700; n++ {
		s := user("ada")
		s.User.Name = strings.Repeat("n", n)
		w := httptest.NewRecorder()
		if _, err := c.Create(w, httptest.NewRequest("GET", "/callback", nil), alone, s); err != nil {
			refused++
			continue
		}
		accepted++
		cookie := onlyCookie(t, w)
		if refused > 0 || len(cookie.Value) > 3500 || load(t, c, "alone.test", line(cookie)).User.Name != s.User.Name {
			t.Fatalf("COOK-5: %d bytes, a value of %d", n, len(cookie.Value))
		}
	}
	if accepted == 0 || refused == 0 {
		t.Errorf("%d accepted, %d refused: the limit is elsewhere", accepted, refused)
	}
}

// TestUsualSize keeps the cookie of a usual user small: it is sent with every request.
func TestUsualSize(t *testing.T) {
	c := store(t, config(t, newClock()))
	cookie := create(t, c, shared, Session{
		User: auth.User{
			Provider: "keycloak", Issuer: "https://id.example.com/realms/main", Subject: "f1b4f4c0-8f7e-4b6e-9d3a-2f1f5a9f7c11", ID: "f1b4f4c0-8f7e-4b6e-9d3a-2f1f5a9f7c11",
			Email: "ada.lovelace@example.com", PreferredUsername: "ada.lovelace", Name: "Ada Lovelace",
			Groups: []string{"engineering", "platform", "sre", "grafana-editors"}, AuthTime: time.Unix(1_700_000_000, 0),
		},
		ProviderSession: "0c9a1b52-9d1c-4b0e-b0d7-0f2f0d9e7a10",
	})
	size := len(line(cookie))
	t.Logf("a usual session is a cookie of %d bytes", size)
	if size >= 600 {
		t.Errorf("a usual session is a cookie of %d bytes, want less than 600", size)
	}
}

// TestRestart: a new process gives everybody one more idle period, and does not
// move the end of a session.
func TestRestart(t *testing.T) {
	cl := newClock()
	cfg := config(t, cl)
	cfg.Idle = 30 * time.Minute
	sent := line(create(t, store(t, cfg), alone, user("ada")))
	cl.move(10 * time.Hour)
	c := store(t, cfg)
	cl.move(29 * time.Minute)
	if who(t, c, "alone.test", sent) != "ada" {
		t.Error("SES-7: a restart has ended the session")
	}
	cl.move(31 * time.Minute)
	if who(t, c, "alone.test", sent) != "" {
		t.Error("SES-7: it no longer idles")
	}
	cl.move(24 * time.Hour)
	if who(t, store(t, cfg), "alone.test", sent) != "" {
		t.Error("SES-7: a restart has moved the end")
	}
	untouched := line(create(t, c, alone, user("ada")))
	c = store(t, cfg)
	cl.move(31 * time.Minute)
	if who(t, c, "alone.test", untouched) != "" {
		t.Error("SES-7: nobody came within the idle period after the restart, and it lives")
	}
}

func TestRevoke(t *testing.T) {
	cl := newClock()
	c := store(t, config(t, cl))
	mine, second, eve := line(create(t, c, alone, user("ada"))), line(create(t, c, alone, user("ada"))), line(create(t, c, alone, user("eve")))
	s := load(t, c, "alone.test", mine)
	if s.User.Subject != "ada" || who(t, c, "alone.test", second) != "ada" {
		t.Fatal("not signed in")
	}
	w := httptest.NewRecorder()
	if _, err := c.End(w, httptest.NewRequest("POST", "/sign_out", nil), alone, s); err != nil {
		t.Fatal(err)
	}
	onlyCookie(t, w)
	c.revoke(Session{}) // nobody's: nothing happens
	if len(c.revoked.until) != 1 {
		t.Errorf("%d sign-outs are remembered", len(c.revoked.until))
	}
	for range 2 {
		if got := who(t, c, "alone.test", mine); got != "" {
			t.Errorf("OUT-1: replayed after the sign-out, %q is signed in", got)
		}
	}
	if who(t, c, "alone.test", second) != "ada" || who(t, c, "alone.test", eve) != "eve" {
		t.Error("OUT-1: other sessions ended too")
	}
	if got := who(t, c, "alone.test", mine+"; "+second); got != "ada" {
		t.Errorf("COOK-4: a signed-out cookie hides a good one: %q", got)
	}

	// Other sign-outs much later sweep the list. It must not forget a sign-out
	// whose session could still be shown, also when the clock is then set back.
	for range 23 {
		cl.move(time.Hour)
		c.revoke(load(t, c, "alone.test", line(create(t, c, alone, user("bob")))))
		if who(t, c, "alone.test", mine) != "" {
			t.Fatal("OUT-1: the sign-out was forgotten")
		}
	}
	cl.move(time.Hour)
	c.revoke(load(t, c, "alone.test", line(create(t, c, alone, user("bob")))))
	cl.move(-time.Hour)
	if who(t, c, "alone.test", mine) != "" {
		t.Error("L17: the clock stepped back, and a sign-out was forgotten")
	}
}

// TestBounded: what the store remembers about ended sessions goes away with them.
func TestBounded(t *testing.T) {
	cl := newClock()
	cfg := config(t, cl)
	cfg.Idle = time.Hour
	c := store(t, cfg)
	for range 100 {
		c.revoke(load(t, c, "alone.test", line(create(t, c, alone, user("ada")))))
	}
	if len(c.revoked.until) != 100 || len(c.used.last) != 100 {
		t.Fatalf("%d sign-outs and %d uses are remembered", len(c.revoked.until), len(c.used.last))
	}
	cl.move(26 * time.Hour)
	c.revoke(load(t, c, "alone.test", line(create(t, c, alone, user("ada")))))
	if len(c.revoked.until) != 1 || len(c.used.last) != 1 {
		t.Errorf("LIM-2: %d sign-outs and %d uses are remembered, want 1 of each", len(c.revoked.until), len(c.used.last))
	}
}

// TestRevokedBound fills the list of sign-outs: it stays bounded, and what would
// end next goes first.
func TestRevokedBound(t *testing.T) {
	now := newClock().now()
	r := newRevocations()
	r.until, r.swept = map[ID]time.Time{}, now
	var next ID
	for i := range maxRevoked {
		id := ID{1, byte(i), byte(i >> 8), byte(i >> 16)}
		r.until[id] = now.Add(time.Hour + time.Duration(i)*time.Second)
		if i == 0 {
			next = id
		}
	}
	added := ID{2}
	r.add(added, now.Add(time.Minute), now)
	if len(r.until) != maxRevoked || !r.has(&Session{ID: added}) || r.has(&Session{ID: next}) {
		t.Errorf("LIM-2: %d are remembered, the new one %v, the one that ends next %v", len(r.until), r.has(&Session{ID: added}), r.has(&Session{ID: next}))
	}
}

// BenchmarkLoad opens the session of one cookie, and those of many in turn, whose
// bytes no cache of the processor holds.
func BenchmarkLoad(b *testing.B) {
	cfg := config(b, newClock())
	cfg.Render = fiveHeaders
	c := store(b, cfg)
	lines := make([]string, 10_000)
	for i := range lines {
		cookie := create(b, c, shared, Session{User: auth.User{
			Provider: "oidc", Issuer: "https://id.example.com", Subject: fmt.Sprintf("f1b4f4c0-8f7e-4b6e-9d3a-2f1f5a%06d", i), ID: "ada",
			Email: "ada@example.com", PreferredUsername: "ada", Name: "Ada Lovelace", Groups: []string{"ops", "staff"},
		}})
		lines[i] = "theme=dark; lang=en; " + line(cookie)
	}
	for _, bb := range []struct {
		name  string
		lines []string
		want  bool
	}{
		{"one", lines[:1], true},
		{"distinct", lines, true},
		{"nobody", []string{"theme=dark; lang=en; __Secure-doorward=junk"}, false},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				req := auth.Request{Host: "app.example.com", Cookies: bb.lines[i%len(bb.lines):][:1]}
				if s, err := c.Load(context.Background(), req); err != nil || s.User.Nobody() == bb.want {
					b.Fatalf("%q, %v", s.User.Subject, err)
				}
			}
		})
	}
}

// fiveHeaders are as many as there are by default.
func fiveHeaders(u auth.User, _ auth.Tokens) auth.Identity {
	values := []string{u.ID, u.Email, u.PreferredUsername, u.Name, strings.Join(u.Groups, ",")}
	id := auth.Identity{Headers: make([]auth.Header, len(values))}
	for i := range values {
		id.Headers[i] = auth.Header{Name: "X-Header", Value: values[i : i+1 : i+1]}
	}
	return id
}

// FuzzSessionCookie: no line of cookies panics, fails or signs anybody in, unless
// it holds the one value that was sealed.
func FuzzSessionCookie(f *testing.F) {
	cl := newClock()
	c := store(f, config(f, cl))
	ada := user("ada")
	ada.Created, ada.Expires = cl.now(), cl.now().Add(time.Hour)
	cookie := &http.Cookie{Name: "__Host-doorward", Value: sealFixed(f, c.sealer, newRecord(ada), "__Host-doorward alone.test")}
	if who(f, c, "alone.test", line(cookie)) != "ada" {
		f.Fatal("the genuine cookie does not open")
	}
	f.Add(line(cookie))
	f.Add(cookie.Value)
	f.Add(cookie.Value[:9] + "\r" + cookie.Value[9:])
	f.Add("__Host-doorward=AQ; __Host-doorward=,__Host-doorward")
	f.Add("__Host-doorward=" + cookie.Value[:len(cookie.Value)-1] + "A")
	f.Add("__Host-doorward=" + strings.Repeat("A", 64))
	f.Fuzz(func(t *testing.T, text string) {
		for _, sent := range []string{text, cookie.Name + "=" + text} {
			got := who(t, c, "alone.test", sent)
			if got != "" && !strings.Contains(sent, line(cookie)) {
				t.Errorf("SES-1: %q signs %q in", sent, got)
			}
		}
	})
}
