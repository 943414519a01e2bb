package session

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/secret"
)

const issuer = "https://id.example.com"

// at is a session of a user at the provider, which names its own by sid.
func at(subject, sid string) Session {
	return Session{User: auth.User{Issuer: issuer, Subject: subject, ID: subject}, ProviderSession: sid}
}

func TestRevokeAll(t *testing.T) {
	sessions := map[string]Session{
		"ada's first":        at("ada", "s1"),
		"ada's second":       at("ada", "s2"),
		"eve's":              at("eve", "s3"),
		"ada's without sid":  at("ada", ""),
		"another ada's":      {User: auth.User{Issuer: "https://other.example.com", Subject: "ada", ID: "ada"}, ProviderSession: "s1"},
		"somebody called s1": at("s1", ""),
	}
	for _, tt := range []struct {
		name  string
		whose Whose
		ends  []string
	}{
		{"OUT-4 by sid", Whose{Issuer: issuer, ProviderSession: "s1"}, []string{"ada's first"}},
		{"OUT-4 by sid and sub: only that session", Whose{Issuer: issuer, ProviderSession: "s1", Subject: "ada"}, []string{"ada's first"}},
		{"OUT-4 by sub: all of the user", Whose{Issuer: issuer, Subject: "ada"}, []string{"ada's first", "ada's second", "ada's without sid"}},
		{"OUT-4 by sub, of somebody without sessions", Whose{Issuer: issuer, Subject: "bob"}, nil},
		{"OUT-4 a subject is no sid", Whose{Issuer: issuer, ProviderSession: "ada"}, nil},
		{"OUT-4 of the other issuer", Whose{Issuer: "https://other.example.com", ProviderSession: "s1"}, []string{"another ada's"}},
		{"OUT-5 without a proof, a known sid", Whose{Issuer: issuer, ProviderSession: "s2", Unproven: true}, []string{"ada's second"}},
		{"OUT-5 without a proof, an unknown sid", Whose{Issuer: issuer, ProviderSession: "s9", Unproven: true}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cl := newClock()
			c := store(t, config(t, cl))
			cookies := map[string]string{}
			for name, s := range sessions {
				cookies[name] = line(create(t, c, alone, s))
			}
			cl.move(time.Millisecond)
			if err := c.RevokeAll(t.Context(), tt.whose); err != nil {
				t.Fatal(err)
			}
			ends := map[string]bool{}
			for _, name := range tt.ends {
				ends[name] = true
			}
			for name, cookie := range cookies {
				if ended := who(t, c, "alone.test", cookie) == ""; ended != ends[name] {
					t.Errorf("%s session: ended %v", name, ended)
				}
			}
			for name, s := range sessions {
				if who(t, c, "alone.test", line(create(t, c, alone, s))) == "" {
					t.Errorf("%s session was made after the logout, and is ended", name)
				}
			}
		})
	}
}

// A logout is kept as long as a session of before it could live.
func TestRevokeAllLasts(t *testing.T) {
	for _, whose := range []Whose{
		{Issuer: issuer, Subject: "ada"}, {Issuer: issuer, ProviderSession: "s1"}, {Issuer: issuer, ProviderSession: "s1", Unproven: true},
	} {
		t.Run(fmt.Sprintf("OUT-1 %+v", whose), func(t *testing.T) {
			cl := newClock()
			c := store(t, config(t, cl))
			first := line(create(t, c, alone, at("ada", "s1")))
			cl.move(time.Minute)
			if err := c.RevokeAll(t.Context(), whose); err != nil {
				t.Fatal(err)
			}
			for hour := range 24 {
				if who(t, c, "alone.test", first) != "" {
					t.Fatalf("after %d hours the session is back", hour)
				}
				cl.move(time.Hour)
				if err := c.RevokeAll(t.Context(), Whose{Issuer: issuer, Subject: fmt.Sprint(hour)}); err != nil {
					t.Fatal(err)
				}
			}
			cl.move(26 * time.Hour)
			_ = c.RevokeAll(t.Context(), Whose{Issuer: issuer, Subject: "last"})
			if len(c.revoked.whose) > 4 {
				t.Errorf("LIM-2: %d logouts are remembered", len(c.revoked.whose))
			}
		})
	}
}

// A login is ended by a logout that arrives while it is under way: what it would
// be made of is the provider's session of before.
func TestLoginDuringLogout(t *testing.T) {
	for _, tt := range []struct {
		name  string
		whose Whose
		begun time.Duration // after the logout
		clock time.Duration // moved after the logout
		want  error
	}{
		{"OUT-4 begun before, by sid", Whose{Issuer: issuer, ProviderSession: "s1"}, -time.Minute, time.Second, ErrEnded},
		{"OUT-4 begun before, by sub", Whose{Issuer: issuer, Subject: "ada"}, -time.Minute, time.Second, ErrEnded},
		{"OUT-5 begun before, by an unproven sid", Whose{Issuer: issuer, ProviderSession: "s1", Unproven: true}, -time.Minute, time.Second, ErrEnded},
		{"OUT-4 begun before, another sid", Whose{Issuer: issuer, ProviderSession: "s2"}, -time.Minute, time.Second, nil},
		{"OUT-4 begun after, by sid", Whose{Issuer: issuer, ProviderSession: "s1"}, 2 * time.Millisecond, time.Second, nil},
		{"OUT-4 begun after, by sub", Whose{Issuer: issuer, Subject: "ada"}, 2 * time.Millisecond, time.Second, nil},
		{"OUT-4 at once", Whose{Issuer: issuer, Subject: "ada"}, 0, 0, nil},
		{"L17 the clock was set back meanwhile", Whose{Issuer: issuer, Subject: "ada"}, -time.Hour, -time.Hour, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cl := newClock()
			c := store(t, config(t, cl))
			if err := c.RevokeAll(t.Context(), tt.whose); err != nil {
				t.Fatal(err)
			}
			s := at("ada", "s1")
			s.Begun = cl.now().Add(tt.begun)
			cl.move(tt.clock)
			w := httptest.NewRecorder()
			_, err := c.Create(w, httptest.NewRequest("GET", "/callback", nil), alone, s)
			if !errors.Is(err, tt.want) {
				t.Fatalf("got %v, want %v", err, tt.want)
			}
			if err != nil && len(w.Header()) > 0 {
				t.Errorf("a cookie was set: %v", w.Header())
			}
			if err == nil && who(t, c, "alone.test", line(onlyCookie(t, w))) != "ada" {
				t.Error("the session is ended already")
			}
		})
	}
}

// Strangers can fill only the memory that is theirs.
func TestUnprovenIsBounded(t *testing.T) {
	cl := newClock()
	c := store(t, config(t, cl))
	mine := line(create(t, c, alone, at("ada", "s1")))
	before := line(create(t, c, alone, at("eve", "s2")))
	for i := range maxUnproven + 10 {
		_ = c.RevokeAll(t.Context(), Whose{Issuer: issuer, ProviderSession: fmt.Sprint("junk-", i), Unproven: true})
		if i == 5 {
			_ = c.RevokeAll(t.Context(), Whose{Issuer: issuer, ProviderSession: "s1", Unproven: true})
		}
	}
	if len(c.revoked.whose) != 1 || c.revoked.unproven.Len() != maxUnproven {
		t.Errorf("LIM-2 OUT-5: %d and %d are remembered", len(c.revoked.whose), c.revoked.unproven.Len())
	}
	if c.revoked.known.has(Whose{Issuer: issuer, ProviderSession: "s1"}) {
		t.Error("OUT-5: what was ended is known still, and its end can be said again and again")
	}
	if who(t, c, "alone.test", mine) != "" {
		t.Error("OUT-5: junk washed a logout away")
	}
	if who(t, c, "alone.test", before) != "eve" {
		t.Error("OUT-5: junk ended a session")
	}
}

// TestEndKeepsItsOwnTexts: the end of a session does not keep the request that asked
// for it.
func TestEndKeepsItsOwnTexts(t *testing.T) {
	c := store(t, config(t, newClock()))
	request := "?sid=s1&padding=" + strings.Repeat("x", 1<<10)
	_ = c.RevokeAll(t.Context(), Whose{Issuer: issuer, ProviderSession: request[5:7], Unproven: true})
	for _, key := range c.revoked.unproven.Keys() {
		if key.ProviderSession != "s1" || unsafe.StringData(key.ProviderSession) == unsafe.StringData(request[5:7]) {
			t.Errorf("LIM-2: %q is a part of the request", key.ProviderSession)
		}
	}
	if c.revoked.unproven.Len() != 1 {
		t.Errorf("%d are remembered", c.revoked.unproven.Len())
	}
}

// A store of after a restart learns which of the provider's sessions there are
// from the cookies that it opens.
func TestKnownAfterRestart(t *testing.T) {
	cl := newClock()
	cfg := config(t, cl)
	cookie := line(create(t, store(t, cfg), alone, at("ada", "s1")))
	restarted := store(t, cfg)
	if who(t, restarted, "alone.test", cookie) != "ada" {
		t.Fatal("not signed in")
	}
	_ = restarted.RevokeAll(t.Context(), Whose{Issuer: issuer, ProviderSession: "s1", Unproven: true})
	if len(restarted.revoked.whose) != 1 || who(t, restarted, "alone.test", cookie) != "" {
		t.Error("OUT-5: the logout stands among those of strangers")
	}
}

func TestIDTokens(t *testing.T) {
	cl := newClock()
	end := func(c *CookieStore, s Session) auth.Tokens {
		t.Helper()
		tokens, err := c.End(httptest.NewRecorder(), httptest.NewRequest("POST", "/sign_out", nil), alone, s)
		if err != nil {
			t.Fatal(err)
		}
		return tokens
	}
	s := at("ada", "s1")
	s.Tokens = auth.Tokens{ID: "it", Access: "at"}
	t.Run("OUT-6 the ID token is there for the sign-out, and not in the cookie", func(t *testing.T) {
		c := store(t, config(t, cl))
		cookie := create(t, c, alone, s)
		loaded := load(t, c, "alone.test", line(cookie))
		if loaded.Tokens != (auth.Tokens{}) {
			t.Error("Load shows tokens that nothing needs")
		}
		if got := end(c, loaded); got != (auth.Tokens{ID: "it"}) {
			t.Error("End does not know the ID token, or knows the access token")
		}
		if got := end(c, loaded); got != (auth.Tokens{}) {
			t.Error("the ID token is known after the end")
		}
	})
	t.Run("OUT-6 after a restart it is not known", func(t *testing.T) {
		cfg := config(t, cl)
		loaded := load(t, store(t, cfg), "alone.test", line(create(t, store(t, cfg), alone, s)))
		if got := end(store(t, cfg), loaded); got != (auth.Tokens{}) {
			t.Error("End knows a token")
		}
	})
	t.Run("OUT-6 tokens of the cookie come back too", func(t *testing.T) {
		cfg := config(t, cl)
		cfg.KeepIDToken, cfg.KeepAccessToken = true, true
		c := store(t, cfg)
		if got := end(c, load(t, c, "alone.test", line(create(t, c, alone, s)))); got != s.Tokens {
			t.Error("End forgot tokens")
		}
		if len(c.tokens.recent.Keys()) != 0 {
			t.Error("LIM-2: the ID token is kept twice")
		}
	})
	t.Run("OUT-6 a refresh brings a newer one", func(t *testing.T) {
		c := store(t, config(t, cl))
		loaded := load(t, c, "alone.test", line(create(t, c, alone, s)))
		cl.move(time.Minute)
		next, err := c.Renew(t.Context(), loaded, func(_ context.Context, s Session) (Session, error) {
			s.Renewed, s.Tokens = cl.now(), auth.Tokens{ID: "newer"}
			return s, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := end(c, next); got.ID != "newer" {
			t.Error("End knows the older one")
		}
	})
	t.Run("OUT-1 a revoked session's token is forgotten", func(t *testing.T) {
		c := store(t, config(t, cl))
		loaded := load(t, c, "alone.test", line(create(t, c, alone, s)))
		if err := c.Revoke(t.Context(), loaded); err != nil || len(c.tokens.recent.Keys()) != 0 {
			t.Error("it is not")
		}
	})
}

func TestIDTokensAreBounded(t *testing.T) {
	const most = 10 * (100 + idTokenBeside)
	tokens := newIDTokens(most)
	token := func(n int) string { return fmt.Sprintf("%0*d", n, 0) }
	id := func(i int) ID { return ID{byte(i), byte(i >> 8)} }
	for i := range 1000 {
		tokens.add(id(i), secret.Secret(token(100)))
		tokens.add(id(i), secret.Secret(token(100))) // the same session once more
	}
	if n := tokens.recent.Len(); n != 10 || tokens.bytes != most {
		t.Errorf("LIM-2: %d tokens, %d bytes", n, tokens.bytes)
	}
	if tokens.take(id(989)) != "" || tokens.take(id(990)) == "" || tokens.take(id(990)) != "" {
		t.Error("LIM-2: not the oldest one went, or one was given twice")
	}
	tokens.add(id(5000), secret.Secret(token(most)))
	if tokens.recent.Len() != 9 {
		t.Error("LIM-2: one token drove all others out")
	}
	tokens.add(id(5001), secret.Secret(token(most-idTokenBeside)))
	if tokens.recent.Len() != 1 || tokens.bytes != most {
		t.Errorf("LIM-2: %d tokens, %d bytes", tokens.recent.Len(), tokens.bytes)
	}
}

// TestEndsBehindTheClock: when the clock was set back, what ends still ends, and what
// has ended stays so.
func TestEndsBehindTheClock(t *testing.T) {
	cl := newClock()
	c := store(t, config(t, cl))
	ada := Whose{Issuer: "https://id.test", Subject: "ada"}
	var sent []string
	for range 3 {
		sent = append(sent, line(create(t, c, alone, login("ada", ""))))
		if err := c.RevokeAll(t.Context(), ada); err != nil {
			t.Fatal(err)
		}
		for i, cookie := range sent {
			if who(t, c, "alone.test", cookie) != "" {
				t.Errorf("OUT-4 L17: login %d of %d goes on", i, len(sent))
			}
		}
		cl.move(-10 * time.Minute)
	}
	if last := line(create(t, c, alone, login("ada", ""))); who(t, c, "alone.test", last) != "ada" {
		t.Error("OUT-4 L17: a later login is ended as well")
	}
}
