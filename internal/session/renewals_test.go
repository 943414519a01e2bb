package session

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/secret"
)

// renewing is a store that keeps all tokens, a session in it, and its cookie.
func renewing(t testing.TB, cl *clock) (*CookieStore, Session, *http.Cookie) {
	t.Helper()
	cfg := config(t, cl)
	cfg.KeepAccessToken, cfg.KeepIDToken, cfg.KeepRefreshToken = true, true, true
	c := store(t, cfg)
	s := user("ada")
	s.Tokens = auth.Tokens{Access: "at-0", ID: "it-0", Refresh: "rt-0", Expiry: cl.now().Add(time.Minute), IDExpiry: cl.now().Add(2 * time.Minute)}
	s.ProviderSession = "sid-1"
	cookie := create(t, c, shared, s)
	return c, load(t, c, "app.example.com", line(cookie)), cookie
}

// turned is a refresh that changes the name and the tokens to those of a turn.
func turned(turn string) Refresh {
	return func(_ context.Context, s Session) (Session, error) {
		s.User.Name = "Ada " + turn
		s.Tokens.Access, s.Tokens.Refresh = secret.Secret("at-"+turn), secret.Secret("rt-"+turn)
		return s, nil
	}
}

func renew(t testing.TB, c *CookieStore, s Session, refresh Refresh) Session {
	t.Helper()
	next, err := c.Renew(t.Context(), s, refresh)
	if err != nil {
		t.Fatal(err)
	}
	return next
}

// TestRenew: what a refresh brought is there at the next check, although the
// browser still sends the old cookie, and a cookie carries it when one can.
func TestRenew(t *testing.T) {
	cl := newClock()
	c, s, cookie := renewing(t, cl)
	cl.move(time.Minute)
	next := renew(t, c, s, func(ctx context.Context, s Session) (Session, error) {
		s, err := turned("1")(ctx, s)
		s.Renewed = cl.now()
		s.ID, s.Expires, s.ProviderSession, s.Created = NewID(), s.Expires.Add(time.Hour), "sid-2", cl.now()
		return s, err
	})
	if next.Version != 1 || next.ID != s.ID || !next.Expires.Equal(s.Expires) || !next.Created.Equal(s.Created) || next.ProviderSession != "sid-1" {
		t.Errorf("SES-7: a refresh changed what it cannot: %+v", next)
	}
	got := load(t, c, "app.example.com", line(cookie))
	if got.User.Name != "Ada 1" || got.Tokens.Refresh != "rt-1" || got.Version != 1 || !got.Renewed.Equal(cl.now()) {
		t.Errorf("the next check finds %+v", got)
	}

	w := httptest.NewRecorder()
	c.Carry(w, asking(cookie), shared, got)
	carried := onlyCookie(t, w)
	if carried.MaxAge != int((24*time.Hour-time.Minute)/time.Second) {
		t.Errorf("SES-7: the cookie lives %d s", carried.MaxAge)
	}
	elsewhere := load(t, store(t, c.CookieConfig), "app.example.com", line(carried))
	if elsewhere.User.Name != "Ada 1" || elsewhere.Tokens.Refresh != "rt-1" || elsewhere.Tokens.Access != "at-1" || elsewhere.Version != 1 {
		t.Errorf("after a restart the carried cookie opens %+v", elsewhere)
	}
	w = httptest.NewRecorder()
	c.Carry(w, asking(carried), shared, got)
	if len(w.Header()) != 0 {
		t.Errorf("what the cookie holds already is set again: %v", w.Header())
	}
	if again := renew(t, c, s, turned("never")); again.User.Name != "Ada 1" {
		t.Errorf("REF-1: who comes second refreshes again and gets %q", again.User.Name)
	}
}

func asking(cookie *http.Cookie) *http.Request {
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Cookie", line(cookie))
	return r
}

// TestRenewOfTwo: the state with the higher version is the newer one, in memory or
// in a cookie that another process wrote, whatever the clocks of both say (L17).
func TestRenewOfTwo(t *testing.T) {
	cl := newClock()
	c, s, cookie := renewing(t, cl)
	cl.move(-time.Hour)
	one := renew(t, c, s, func(ctx context.Context, s Session) (Session, error) {
		s.Renewed = cl.now()
		return turned("1")(ctx, s)
	})
	if got := load(t, c, "app.example.com", line(cookie)); got.User.Name != "Ada 1" {
		t.Errorf("L17: after the clock stepped back the check finds %q", got.User.Name)
	}
	other := store(t, c.CookieConfig)
	two := renew(t, other, renew(t, other, s, turned("1b")), turned("2"))
	w := httptest.NewRecorder()
	other.Carry(w, asking(cookie), shared, two)
	if got := load(t, c, "app.example.com", line(onlyCookie(t, w))); got.User.Name != "Ada 2" || one.Version != 1 || two.Version != 2 {
		t.Errorf("a cookie of version %d loses against memory of version %d: %q", two.Version, one.Version, got.User.Name)
	}
}

// TestRenewOnce: L6 for the store. However many ask, one refresh runs, also when
// the first one does not wait for it.
func TestRenewOnce(t *testing.T) {
	c, s, _ := renewing(t, newClock())
	first, leave := context.WithCancel(t.Context())
	began, goOn, calls := make(chan struct{}), make(chan struct{}), 0
	refresh := func(ctx context.Context, s Session) (Session, error) {
		calls++
		close(began)
		<-goOn
		if ctx.Err() != nil {
			t.Error("REF-3: the refresh ends with the client that began it")
		}
		return turned("1")(ctx, s)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		if got, err := c.Renew(first, s, refresh); !errors.Is(err, context.Canceled) || got.User.Name != "" || got.ID != s.ID {
			t.Errorf("REF-3: who left got %q, %v", got.User.Name, err)
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
	if calls != 1 {
		t.Errorf("REF-1: %d refreshes", calls)
	}
}

// TestRenewFails: what becomes of the session that a refresh did not renew.
func TestRenewFails(t *testing.T) {
	down := errors.New("down")
	for _, tt := range []struct {
		name    string
		refresh func(c *CookieStore) Refresh
		lives   bool // the session, afterwards
		err     string
	}{
		{"REF-4 ended by the provider", func(*CookieStore) Refresh {
			return func(context.Context, Session) (Session, error) {
				return Session{}, errors.Join(errors.New("x"), ErrEnded)
			}
		}, false, ""},
		{"REF-4 out of reach", func(*CookieStore) Refresh {
			return func(context.Context, Session) (Session, error) { return Session{}, down }
		}, true, "down"},
		{"it panics", func(*CookieStore) Refresh {
			return func(context.Context, Session) (Session, error) { panic("rt-0") }
		}, true, "panic of type string"},
		{"OIDC-8 of somebody else", func(*CookieStore) Refresh {
			return func(_ context.Context, s Session) (Session, error) { s.User.Subject = "eve"; return s, nil }
		}, true, "of another user"},
		{"of nobody", func(*CookieStore) Refresh {
			return func(context.Context, Session) (Session, error) { return Session{}, nil }
		}, true, "of another user"},
		{"OUT-1 signed out meanwhile", func(c *CookieStore) Refresh {
			return func(ctx context.Context, s Session) (Session, error) {
				_ = c.Revoke(ctx, s)
				return turned("1")(ctx, s)
			}
		}, false, ""},
		{"OUT-4 all signed out meanwhile", func(c *CookieStore) Refresh {
			return func(ctx context.Context, s Session) (Session, error) {
				_ = c.RevokeAll(ctx, Whose{Issuer: s.User.Issuer, Subject: s.User.Subject})
				return turned("1")(ctx, s)
			}
		}, false, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, s, cookie := renewing(t, newClock())
			got, err := c.Renew(t.Context(), s, tt.refresh(c))
			if (err == nil) != (tt.err == "") || err != nil && (!strings.Contains(err.Error(), tt.err) || strings.Contains(err.Error(), "rt-0")) {
				t.Errorf("error %v, want %q", err, tt.err)
			}
			after := load(t, c, "app.example.com", line(cookie))
			if got.User.Nobody() == tt.lives || after.User.Nobody() == tt.lives || after.User.Name != "" || after.Version != 0 {
				t.Errorf("returned %q, then loaded %+v", got.User.Subject, after)
			}
			if tt.lives {
				if next := renew(t, c, after, turned("2")); next.User.Name != "Ada 2" {
					t.Error("the next refresh does not work")
				}
			} else if next := renew(t, c, s, turned("2")); !next.User.Nobody() {
				t.Error("OUT-1: an ended session is renewed")
			}
		})
	}
}

// TestRenewedRender: sessions that were renewed have the identity headers of the
// rules in force, rendered once.
func TestRenewedRender(t *testing.T) {
	c, s, cookie := renewing(t, newClock())
	renew(t, c, s, turned("1"))
	calls := 0
	rendering := c.SetRender(func(u auth.User, _ auth.Tokens) auth.Identity {
		calls++
		return auth.Identity{Headers: []auth.Header{{Name: "X-Name", Value: []string{u.Name}}}}
	})
	for range 3 {
		s := load(t, c, "app.example.com", line(cookie))
		got := s.IdentityBy(rendering)
		if len(got.Headers) != 1 || got.Headers[0].Name != "X-Name" || got.Headers[0].Value[0] != "Ada 1" {
			t.Errorf("the identity is %v", got.Headers)
		}
	}
	if calls != 1 { // the newest state, and never what the cookie has
		t.Errorf("rendered %d times", calls)
	}
}

// TestRenewedMemory: LIM-2. What is kept of renewed sessions is bounded by number
// and by bytes; one that had to go is as its cookie says.
func TestRenewedMemory(t *testing.T) {
	r := newRenewals()
	for n := range maxRenewed + 10 {
		r.keep(Session{ID: ID{byte(n), byte(n >> 8), byte(n >> 16)}, Version: 1})
	}
	if n := r.newest.Len(); n != maxRenewed {
		t.Errorf("%d sessions", n)
	}
	big := Session{ID: ID{15: 1}, Version: 1, Tokens: auth.Tokens{Access: secret.Secret(strings.Repeat("x", 1<<20))}}
	for n := range 100 {
		big.ID[14] = byte(n)
		r.keep(big)
		r.keep(big) // again: it counts once
	}
	sum := 0
	for _, kept := range r.newest.Values() {
		sum += kept.bytes
	}
	if r.bytes != sum || sum > maxRenewedBytes || sum < maxRenewedBytes/2 {
		t.Errorf("%d bytes are counted, %d held", r.bytes, sum)
	}
	c, s, cookie := renewing(t, newClock())
	renew(t, c, s, turned("1"))
	c.renewed.forget(s.ID)
	if got := load(t, c, "app.example.com", line(cookie)); got.Tokens.Refresh != "rt-0" || got.Version != 0 {
		t.Errorf("REF-5: after it was dropped the session is %+v", got)
	}
	if c.renewed.held.Load() != 0 || c.renewed.bytes != 0 {
		t.Errorf("%d held, %d bytes", c.renewed.held.Load(), c.renewed.bytes)
	}
}

// TestCarryTooLarge: tokens that grew beyond a cookie stay in memory, and the
// cookie that the browser has stays good.
func TestCarryTooLarge(t *testing.T) {
	c, s, cookie := renewing(t, newClock())
	next := renew(t, c, s, func(_ context.Context, s Session) (Session, error) {
		s.Tokens.Access = secret.Secret(strings.Repeat("x", 5000))
		return s, nil
	})
	w := httptest.NewRecorder()
	c.Carry(w, asking(cookie), shared, next)
	if len(w.Header()) != 0 {
		t.Errorf("COOK-5: %v", w.Header())
	}
	if got := load(t, c, "app.example.com", line(cookie)); len(got.Tokens.Access) != 5000 {
		t.Error("the new token is lost")
	}
}
