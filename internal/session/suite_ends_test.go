package session

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/auth"
)

// login is a session that a provider's session stands behind.
func login(subject, sid string) Session {
	return Session{
		User:            auth.User{Provider: "oidc", Issuer: "https://id.test", Subject: subject, ID: subject},
		ProviderSession: sid,
	}
}

func TestEnds(t *testing.T) { eachStore(t, testEnds) }

// testEnds: what ends is what was meant, at once, and for good.
func testEnds(t *testing.T, store maker) {
	for _, tt := range []struct {
		name string
		end  func(t *testing.T, c Store, s Session) error
		want string // who is left of ada's two, her third of another provider's session, and eve
	}{
		{"OUT-1 one", func(t *testing.T, c Store, s Session) error { return c.Revoke(t.Context(), s) }, " ada2 ada3 eve"},
		{"OUT-4 by sid", func(t *testing.T, c Store, _ Session) error {
			return c.RevokeAll(t.Context(), Whose{Issuer: "https://id.test", ProviderSession: "sid-1", Subject: "ada"})
		}, " ada3 eve"},
		{"OUT-4 by sid alone", func(t *testing.T, c Store, _ Session) error {
			return c.RevokeAll(t.Context(), Whose{Issuer: "https://id.test", ProviderSession: "sid-1"})
		}, " ada3 eve"},
		{"OUT-5 by sid, unproven", func(t *testing.T, c Store, _ Session) error {
			return c.RevokeAll(t.Context(), Whose{Issuer: "https://id.test", ProviderSession: "sid-1", Unproven: true})
		}, " ada3 eve"},
		{"OUT-4 by sub", func(t *testing.T, c Store, _ Session) error {
			return c.RevokeAll(t.Context(), Whose{Issuer: "https://id.test", Subject: "ada"})
		}, " eve"},
		{"OUT-4 by sub, after one has ended", func(t *testing.T, c Store, s Session) error {
			return errors.Join(c.Revoke(t.Context(), s), c.RevokeAll(t.Context(), Whose{Issuer: "https://id.test", Subject: "ada"}))
		}, " eve"},
		{"OUT-4 by sub of another issuer", func(t *testing.T, c Store, _ Session) error {
			return c.RevokeAll(t.Context(), Whose{Issuer: "https://other.test", Subject: "ada"})
		}, " ada1 ada2 ada3 eve"},
		{"OUT-4 by the sid of another issuer", func(t *testing.T, c Store, _ Session) error {
			return c.RevokeAll(t.Context(), Whose{Issuer: "https://other.test", ProviderSession: "sid-1"})
		}, " ada1 ada2 ada3 eve"},
		{"nobody", func(t *testing.T, c Store, _ Session) error { return c.Revoke(t.Context(), Session{}) }, " ada1 ada2 ada3 eve"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cl := newClock()
			c := store(t, config(t, cl))
			sent := map[string]string{}
			for _, s := range []struct{ name, subject, sid string }{{"ada1", "ada", "sid-1"}, {"ada2", "ada", "sid-1"}, {"ada3", "ada", "sid-3"}, {"eve", "eve", "sid-4"}} {
				sent[s.name] = line(create(t, c, alone, login(s.subject, s.sid)))
				load(t, c, "alone.test", sent[s.name])
			}
			cl.move(time.Minute)
			if err := tt.end(t, c, load(t, c, "alone.test", sent["ada1"])); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				got := ""
				for _, name := range []string{"ada1", "ada2", "ada3", "eve"} {
					if who(t, c, "alone.test", sent[name]) != "" {
						got += " " + name
					}
				}
				if got != tt.want {
					t.Errorf("left are%s; want%s", got, tt.want)
				}
			}
			again := line(create(t, c, alone, login("ada", "sid-1")))
			if who(t, c, "alone.test", again) != "ada" {
				t.Error("a login afterwards is no good")
			}
			if _, err := c.End(httptest.NewRecorder(), httptest.NewRequest("POST", "/", nil), alone, load(t, c, "alone.test", again)); err != nil || who(t, c, "alone.test", again) != "" {
				t.Errorf("OUT-1: that login does not end: %v", err)
			}
		})
	}
}

func TestEndedWhileLoggingIn(t *testing.T) { eachStore(t, testEndedWhileLoggingIn) }

// testEndedWhileLoggingIn: a login that began before all were ended makes no session.
func testEndedWhileLoggingIn(t *testing.T, store maker) {
	cl := newClock()
	c := store(t, config(t, cl))
	for _, whose := range []Whose{{Issuer: "https://id.test", Subject: "ada"}, {Issuer: "https://id.test", ProviderSession: "sid-9"}} {
		s := login("ada", "sid-9")
		s.Begun = cl.now()
		cl.move(time.Second)
		if err := c.RevokeAll(t.Context(), whose); err != nil {
			t.Fatal(err)
		}
		cl.move(time.Second)
		w := httptest.NewRecorder()
		if _, err := c.Create(w, httptest.NewRequest("GET", "/", nil), alone, s); !errors.Is(err, ErrEnded) || len(w.Header()) != 0 {
			t.Errorf("OUT-4: %v, headers %v", err, w.Header())
		}
		s.Begun = cl.now()
		if who(t, c, "alone.test", line(create(t, c, alone, s))) != "ada" {
			t.Error("the next login is no good")
		}
		cl.move(time.Minute)
	}
}

func TestRenewal(t *testing.T) { eachStore(t, testRenewal) }

// testRenewal: what a refresh brings, however many ask, and what becomes of a session
// that was not renewed.
func testRenewal(t *testing.T, store maker) {
	begin := func(t *testing.T) (Store, Session, string) {
		cl := newClock()
		cfg := config(t, cl)
		cfg.KeepAccessToken, cfg.KeepIDToken, cfg.KeepRefreshToken = true, true, true
		c := store(t, cfg)
		s := login("ada", "sid-1")
		s.Tokens = auth.Tokens{Access: "at-0", ID: "it-0", Refresh: "rt-0"}
		sent := line(create(t, c, alone, s))
		return c, load(t, c, "alone.test", sent), sent
	}
	t.Run("REF-1 once", func(t *testing.T) {
		c, s, sent := begin(t)
		first, leave := context.WithCancel(t.Context())
		began, goOn := make(chan struct{}), make(chan struct{})
		var calls atomic.Int32
		refresh := func(ctx context.Context, s Session) (Session, error) {
			calls.Add(1)
			close(began)
			<-goOn
			if ctx.Err() != nil {
				t.Error("REF-3: the refresh ends with the client that began it")
			}
			return turned("1")(ctx, s)
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			if got, err := c.Renew(first, s, refresh); !errors.Is(err, context.Canceled) || got.ID != s.ID {
				t.Errorf("REF-3: who left got %v, %v", got.ID, err)
			}
		})
		<-began
		leave()
		for range 200 {
			wg.Go(func() {
				if got, err := c.Renew(t.Context(), s, refresh); err != nil || got.User.Name != "Ada 1" {
					t.Errorf("REF-1: %q, %v", got.User.Name, err)
				}
			})
		}
		close(goOn)
		wg.Wait()
		got := load(t, c, "alone.test", sent)
		if calls.Load() != 1 || got.User.Name != "Ada 1" || got.Tokens.Refresh != "rt-1" || got.Version != 1 || got.Identity.Headers[0].Value[0] != "ada" {
			t.Errorf("REF-1: %d refreshes; the next check finds %+v", calls.Load(), got.User)
		}
		if next, err := c.Renew(t.Context(), got, turned("2")); err != nil || next.Version != 2 || who(t, c, "alone.test", sent) != "ada" {
			t.Errorf("the next one brings %d, %v", next.Version, err)
		}
	})
	ended := func(context.Context, Session) (Session, error) {
		return Session{}, errors.Join(errors.New("x"), ErrEnded)
	}
	for _, tt := range []struct {
		name    string
		refresh func(c Store) Refresh
		lives   bool
		err     string
	}{
		{"REF-4 ended by the provider", func(Store) Refresh { return ended }, false, ""},
		{"REF-4 out of reach", func(Store) Refresh {
			return func(context.Context, Session) (Session, error) { return Session{}, errors.New("down") }
		}, true, "down"},
		{"it panics", func(Store) Refresh { return func(context.Context, Session) (Session, error) { panic("rt-0") } }, true, "panic of type string"},
		{"OIDC-8 of somebody else", func(Store) Refresh {
			return func(_ context.Context, s Session) (Session, error) { s.User.Subject = "eve"; return s, nil }
		}, true, "of another user"},
		{"OUT-1 signed out meanwhile", func(c Store) Refresh {
			return func(ctx context.Context, s Session) (Session, error) {
				_ = c.Revoke(ctx, s)
				return turned("1")(ctx, s)
			}
		}, false, ""},
		{"OUT-4 all signed out meanwhile", func(c Store) Refresh {
			return func(ctx context.Context, s Session) (Session, error) {
				_ = c.RevokeAll(ctx, Whose{Issuer: s.User.Issuer, Subject: s.User.Subject})
				return turned("1")(ctx, s)
			}
		}, false, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, s, sent := begin(t)
			got, err := c.Renew(t.Context(), s, tt.refresh(c))
			if (err == nil) != (tt.err == "") || err != nil && (!strings.Contains(err.Error(), tt.err) || strings.Contains(err.Error(), "rt-0")) {
				t.Errorf("error %v, want %q", err, tt.err)
			}
			after := load(t, c, "alone.test", sent)
			if got.User.Nobody() == tt.lives || after.User.Nobody() == tt.lives || after.Version != 0 {
				t.Errorf("returned %q, then loaded %+v", got.User.Subject, after)
			}
			next, err := c.Renew(t.Context(), s, turned("2"))
			if err != nil || next.User.Nobody() == tt.lives {
				t.Errorf("the next refresh brings %q, %v", next.User.Name, err)
			}
		})
	}
}

func TestGone(t *testing.T) { eachStore(t, testGone) }

// testGone: a store answers nobody, without a cookie and without an error.
func testGone(t *testing.T, store maker) {
	c := store(t, config(t, newClock()))
	for _, lines := range [][]string{nil, {""}, {"__Host-doorward="}, {"__Host-doorward=AQ"}} {
		if got := load(t, c, "alone.test", lines...); !got.User.Nobody() || got.Held != nil {
			t.Errorf("%v: %+v", lines, got)
		}
	}
	w := httptest.NewRecorder()
	c.Carry(w, &http.Request{Header: http.Header{}}, alone, Session{})
	if len(w.Header()) != 0 {
		t.Errorf("%v", w.Header())
	}
}
