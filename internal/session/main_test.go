package session

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/doorward/doorward/internal/auth"
)

// clock is a clock that tests move by hand.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// The sites of the tests: one shared domain, two hosts of their own, and a
// wildcard each of whose hosts has a session of its own.
var (
	shared = auth.Site{Scheme: "https", Host: "auth.example.com", CookieDomain: "example.com"}
	alone  = auth.Site{Scheme: "https", Host: "alone.test"}
	other  = auth.Site{Scheme: "https", Host: "other.test"}
	each   = auth.Site{Scheme: "https", Host: "*.each.test"}
)

// secretOf is a cookie secret of 32 equal bytes.
func secretOf(b byte) []byte { return []byte(strings.Repeat(string(rune(b)), 32)) }

func keyring(t testing.TB, secrets ...[]byte) *Keyring {
	t.Helper()
	keys, err := NewKeyring(secrets)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// config is that of a store with a day's sessions, by the given clock.
func config(t testing.TB, c *clock) CookieConfig {
	return CookieConfig{
		Keys: keyring(t, secretOf('a')), Sites: auth.Sites{shared, alone, other, each}, Name: "doorward",
		Persist: true, Lifetime: 24 * time.Hour, Now: c.now,
		Render: func(u auth.User, _ auth.Tokens) auth.Identity {
			return auth.Identity{Headers: []auth.Header{{Name: "X-User", Value: []string{u.ID}}}, Size: len(u.ID)}
		},
	}
}

func store(t testing.TB, cfg CookieConfig) *CookieStore {
	t.Helper()
	c, err := NewCookieStore(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func user(name string) Session { return Session{User: auth.User{Subject: name, ID: name}} }

// create signs somebody in at site and returns the cookie.
func create(t testing.TB, c Store, site auth.Site, s Session) *http.Cookie {
	t.Helper()
	w := httptest.NewRecorder()
	if _, err := c.Create(w, httptest.NewRequest("GET", "/callback", nil), site, s); err != nil {
		t.Fatal(err)
	}
	return onlyCookie(t, w)
}

// onlyCookie is the one cookie that an answer sets.
func onlyCookie(t testing.TB, w *httptest.ResponseRecorder) *http.Cookie {
	t.Helper()
	lines := w.Header()["Set-Cookie"]
	if len(lines) != 1 {
		t.Fatalf("COOK-5: %d Set-Cookie headers, want 1", len(lines))
	}
	cookie, err := http.ParseSetCookie(lines[0])
	if err != nil {
		t.Fatal(err)
	}
	return cookie
}

// load returns the session that the lines open at host.
func load(t testing.TB, c Store, host string, lines ...string) Session {
	t.Helper()
	s, err := c.Load(context.Background(), auth.Request{Host: host, Cookies: lines})
	if err != nil {
		t.Fatalf("SES-1: %v", err)
	}
	return s
}

// who is the subject of the session that the lines open at host.
func who(t testing.TB, c Store, host string, lines ...string) string {
	t.Helper()
	return load(t, c, host, lines...).User.Subject
}

func line(c *http.Cookie) string { return c.Name + "=" + c.Value }

// sealFixed is seal without its randomness: the processes of a fuzz run have to
// agree on the one value that is genuine.
func sealFixed(t testing.TB, s *sealer, record any, binding string) string {
	t.Helper()
	plaintext, err := cbor.Marshal(record)
	if err != nil {
		t.Fatal(err)
	}
	key, sealed := s.keys[0], make([]byte, headerSize)
	sealed[0] = sealVersion
	copy(sealed[1:], key.id[:])
	return encoding.EncodeToString(key.aead.Seal(sealed, sealed[1+keyIDSize:headerSize], plaintext, []byte(binding)))
}
