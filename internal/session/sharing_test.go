package session

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/redis/redistest"
)

// TestSharing: with the cookie store, what ends on one replica ends on the others, on
// those that start later too, and without Redis for a while.
func TestSharing(t *testing.T) {
	for _, program := range redistest.Programs() {
		t.Run(program, func(t *testing.T) {
			server := redistest.StartProgram(t, program)
			cl := newClock()
			cfg := config(t, cl)
			one, two := moving(t, server, cfg, false), moving(t, server, cfg, false)
			eventually(t, "both listen", func() bool { return one.Shared() && two.Shared() })
			sign := func(sid string) string {
				sent := line(create(t, one, alone, login("ada", sid)))
				if who(t, two, "alone.test", sent) != "ada" {
					t.Fatal("not signed in")
				}
				return sent
			}
			for _, tt := range []struct {
				name string
				end  func(s Session) error
			}{
				{"OUT-1 a sign-out", func(s Session) error { return one.Revoke(t.Context(), s) }},
				{"OUT-4 by sid", func(Session) error {
					return one.RevokeAll(t.Context(), Whose{Issuer: "https://id.test", ProviderSession: "sid-1"})
				}},
				{"OUT-5 by sid, unproven", func(Session) error {
					return one.RevokeAll(t.Context(), Whose{Issuer: "https://id.test", ProviderSession: "sid-1", Unproven: true})
				}},
				{"OUT-4 by sub", func(Session) error {
					return one.RevokeAll(t.Context(), Whose{Issuer: "https://id.test", Subject: "ada"})
				}},
			} {
				sent, other := sign("sid-1"), line(create(t, one, alone, login("eve", "sid-2")))
				cl.move(time.Second)
				if err := tt.end(load(t, one, "alone.test", sent)); err != nil {
					t.Fatal(err)
				}
				eventually(t, tt.name+" reaches the other", func() bool { return who(t, two, "alone.test", sent) == "" })
				if who(t, two, "alone.test", other) != "eve" {
					t.Errorf("%s: another session ended too", tt.name)
				}
				later := moving(t, server, cfg, false)
				eventually(t, "it listens", later.Shared)
				if who(t, later, "alone.test", sent) != "" {
					t.Errorf("%s: after a restart the cookie is good again", tt.name)
				}
				cl.move(time.Second)
			}
			sent := sign("sid-3")
			server.Kill()
			if err := one.Revoke(t.Context(), load(t, one, "alone.test", sent)); err != nil || who(t, one, "alone.test", sent) != "" {
				t.Errorf("OUT-1: without Redis a sign-out is %v", err)
			}
			if late := moving(t, server, cfg, false); late.Shared() {
				t.Error("a start without Redis says that it knows all sign-outs")
			}
			server.Run()
			eventually(t, "it is told when Redis is back", func() bool { return who(t, two, "alone.test", sent) == "" })
		})
	}
}

// TestNotices: what is told names nobody, and what others write is not heard.
func TestNotices(t *testing.T) {
	server := redistest.Start(t)
	cl := newClock()
	one := moving(t, server, config(t, cl), false)
	eventually(t, "it listens", one.Shared)
	sent := line(create(t, one, alone, login("ada-lovelace", "sid-lovelace")))
	other := config(t, cl)
	other.Keys = keyring(t, secretOf('b'))
	stranger := moving(t, server, other, false)
	if err := stranger.RevokeAll(t.Context(), Whose{Issuer: "https://id.test", Subject: "ada-lovelace"}); err != nil {
		t.Fatal(err)
	}
	server.Must("PUBLISH", "test:r", "junk")
	eventually(t, "it is on the list", func() bool { return server.Must("ZCARD", "test:r") == "1" })
	if err := one.RevokeAll(t.Context(), Whose{Issuer: "https://id.test", Subject: "somebody"}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "ours is too", func() bool { return server.Must("ZCARD", "test:r") == "2" })
	if who(t, one, "alone.test", sent) == "" {
		t.Error("who writes into Redis signs people out")
	}
	if text := server.Must("ZRANGE", "test:r", "0", "-1"); strings.Contains(text, "lovelace") || strings.Contains(text, "id.test") {
		t.Errorf("the list shows %s", text)
	}
	if server.Must("PTTL", "test:r") == "-1" {
		t.Error("SES-6: the list is kept for ever")
	}
}

// TestAskedAgain: who knows their own session at the provider ends it once, and fills
// no list by asking again.
func TestAskedAgain(t *testing.T) {
	server := redistest.Start(t)
	one := moving(t, server, config(t, newClock()), false)
	eventually(t, "it listens", one.Shared)
	for logins := range 2 {
		sent := line(create(t, one, alone, login("ada", "sid-1")))
		for range 5 {
			if err := one.RevokeAll(t.Context(), Whose{Issuer: "https://id.test", ProviderSession: "sid-1", Unproven: true}); err != nil {
				t.Fatal(err)
			}
			if who(t, one, "alone.test", sent) != "" {
				t.Error("OUT-5: it goes on")
			}
		}
		if err := one.RevokeAll(t.Context(), Whose{Issuer: "https://id.test", Subject: "last" + strconv.Itoa(logins)}); err != nil {
			t.Fatal(err)
		}
		want := strconv.Itoa(2 * (logins + 1)) // that, and one for all
		eventually(t, "the last is told", func() bool {
			one.Cookie.shared.mu.Lock()
			defer one.Cookie.shared.mu.Unlock()
			return len(one.Cookie.shared.untold) == 0
		})
		if got := server.Must("ZCARD", "test:r"); got != want {
			t.Errorf("LIM-2: %s are listed after %d logins, want %s", got, logins+1, want)
		}
	}
}

// TestUntold: what anybody may ask for while Redis is away keeps no sign-out from
// being told.
func TestUntold(t *testing.T) {
	cl := newClock()
	s := &sharing{wake: make(chan struct{}, 1), now: cl.now}
	for i := range 2 * maxUntold {
		s.tell(notice{Issuer: "https://id.test", ProviderSession: strconv.Itoa(i), Unproven: true})
	}
	mine := notice{ID: NewID(), Until: cl.now().Add(time.Hour).Unix()}
	s.tell(mine)
	if len(s.untold) > maxUntold || !slices.Contains(s.untold, mine) {
		t.Errorf("OUT-1 LIM-2: %d wait, and not the sign-out", len(s.untold))
	}
}
