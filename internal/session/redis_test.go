package session

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/redis"
	"github.com/doorward/doorward/internal/redis/redistest"
)

// patience is how long a test waits for what has to happen.
const patience = 30 * time.Second

// eventually waits until something holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", patience, what)
		}
		pause(t.Context(), 2*time.Millisecond)
	}
}

// ask loads without minding trouble.
func ask(c Store, host string, lines ...string) (string, error) {
	s, err := c.Load(context.Background(), auth.Request{Host: host, Cookies: lines})
	return s.User.Subject, err
}

// keysOf are the keys in a server whose names begin like this. Only tests look.
func keysOf(server *redistest.Server, kind string) []string {
	return strings.Fields(server.Must("KEYS", "test:"+kind+":*"))
}

// TestStolen: SES-5. Who reads Redis or writes into it opens nothing with that, and
// breaks nothing but what is overwritten.
func TestStolen(t *testing.T) {
	server := redistest.Start(t)
	cl := newClock()
	value := func(key string) string { return server.Must("GET", key) }
	for _, tt := range []struct {
		name   string
		change func(ada, eve string) // the keys of their sessions
	}{
		{"swapped", func(ada, eve string) {
			a, e := value(ada), value(eve)
			server.Must("SET", ada, e)
			server.Must("SET", eve, a)
		}},
		{"of somebody else", func(ada, eve string) { server.Must("SET", ada, value(eve)) }},
		{"cut", func(ada, _ string) { server.Must("SET", ada, value(ada)[:40]) }},
		{"cut to its header", func(ada, _ string) { server.Must("SET", ada, value(ada)[:headerSize]) }},
		{"empty", func(ada, _ string) { server.Must("SET", ada, "") }},
		{"one bit", func(ada, _ string) {
			text := []byte(value(ada))
			text[len(text)-1] ^= 1
			server.Must("SET", ada, string(text))
		}},
		{"of another kind", func(ada, _ string) { server.Must("DEL", ada); server.Must("LPUSH", ada, "x") }},
		{"gone", func(ada, _ string) { server.Must("DEL", ada) }},
		{"of a later version", func(ada, _ string) { server.Must("SET", strings.Replace(ada, ":s:", ":v:", 1), "1") }},
		{"of an odd version", func(ada, _ string) { server.Must("SET", strings.Replace(ada, ":s:", ":v:", 1), "1 OR 1") }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server.Must("FLUSHALL")
			c := inRedis(t, server, config(t, cl))
			ada := line(create(t, c, alone, login("ada", "sid-1")))
			adaKey := keysOf(server, "s")[0]
			eve := line(create(t, c, alone, login("eve", "sid-2")))
			eveKey := keysOf(server, "s")[0]
			if eveKey == adaKey {
				eveKey = keysOf(server, "s")[1]
			}
			if who(t, c, "alone.test", ada) != "ada" || who(t, c, "alone.test", eve) != "eve" {
				t.Fatal("not signed in")
			}
			tt.change(adaKey, eveKey)
			eventually(t, "the change is heard of", func() bool { return who(t, c, "alone.test", ada) == "" })
			if got := who(t, inRedis(t, server, config(t, cl)), "alone.test", ada); got != "" {
				t.Errorf("%q is signed in at another replica", got)
			}
		})
	}
}

// TestReplayed: an old value that is put back opens nothing, neither after a sign-out
// nor after a renewal.
func TestReplayed(t *testing.T) {
	server := redistest.Start(t)
	cl := newClock()
	t.Run("after a sign-out", func(t *testing.T) {
		server.Must("FLUSHALL")
		c := inRedis(t, server, config(t, cl))
		sent := line(create(t, c, alone, user("ada")))
		key := keysOf(server, "s")[0]
		old := server.Must("GET", key)
		if err := c.Revoke(t.Context(), load(t, c, "alone.test", sent)); err != nil {
			t.Fatal(err)
		}
		server.Must("SET", key, old)
		for _, replica := range []Store{c, inRedis(t, server, config(t, cl))} {
			if got := who(t, replica, "alone.test", sent); got != "" {
				t.Errorf("OUT-1: %q is signed in", got)
			}
		}
		server.Must("DEL", strings.Replace(key, ":s:", ":v:", 1))
		if got := who(t, c, "alone.test", sent); got != "" {
			t.Errorf("OUT-1: after the mark was taken away too, %q is signed in where it was signed out", got)
		}
	})
	t.Run("after a renewal", func(t *testing.T) {
		server.Must("FLUSHALL")
		c := inRedis(t, server, config(t, cl))
		sent := line(create(t, c, alone, user("ada")))
		key := keysOf(server, "s")[0]
		old := server.Must("GET", key)
		if _, err := c.Renew(t.Context(), load(t, c, "alone.test", sent), turned("1")); err != nil {
			t.Fatal(err)
		}
		if got := load(t, c, "alone.test", sent); got.User.Name != "Ada 1" {
			t.Fatalf("not renewed: %q", got.User.Name)
		}
		server.Must("SET", key, old)
		eventually(t, "the change is heard of", func() bool { return who(t, c, "alone.test", sent) == "" })
		if got := who(t, inRedis(t, server, config(t, cl)), "alone.test", sent); got != "" {
			t.Errorf("%q is signed in with the state before", got)
		}
	})
}

// TestDump: what Redis holds names nobody, and everything in it ends by itself.
func TestDump(t *testing.T) {
	server := redistest.Start(t)
	cl := newClock()
	c := inRedis(t, server, config(t, cl))
	s := login("ada-lovelace", "sid-lovelace")
	s.User.Email, s.Tokens.ID, s.Client = "ada@lovelace.test", "it-lovelace", "192.0.2.77"
	req := httptest.NewRequest("GET", "/callback", nil)
	req.Header.Set("User-Agent", "Browser of lovelace")
	w := httptest.NewRecorder()
	made, err := c.Create(w, req, alone, s)
	if err != nil {
		t.Fatal(err)
	}
	cookie := onlyCookie(t, w)
	t.Logf("the cookie has %d bytes", len(line(cookie)))
	if len(line(cookie)) > 200 {
		t.Errorf("the cookie has %d bytes", len(line(cookie)))
	}
	keys := keysOf(server, "*")
	if len(keys) != 6 {
		t.Errorf("keys %q", keys)
	}
	for _, key := range keys {
		if ttl, _ := strconv.Atoi(server.Must("PTTL", key)); ttl <= 0 || ttl > int(24*time.Hour/time.Millisecond) {
			t.Errorf("SES-6: %s ends in %d ms", key, ttl)
		}
		dump := key + server.Must("DUMP", key)
		for _, word := range []string{"lovelace", "192.0.2.77", string(made.ID[:]), made.ID.String(), cookie.Value[:16]} {
			if strings.Contains(dump, word) {
				t.Errorf("SES-5: %s shows %q", key, word)
			}
		}
	}
}

// TestOtherSecrets: a value opens with nothing but its cookie and the key ring.
func TestOtherSecrets(t *testing.T) {
	cl := newClock()
	keys := keyring(t, secretOf('a'))
	v, err := keys.vault()
	if err != nil {
		t.Fatal(err)
	}
	s := user("ada")
	s.Held = newReference(cl.now().Add(time.Hour)).held()
	s.ID = s.Held.id
	sealed, err := v.seal(s.Held, s)
	if err != nil {
		t.Fatal(err)
	}
	other, _ := keyring(t, secretOf('b')).vault()
	otherSecret, otherName, otherID := *s.Held, *s.Held, *s.Held
	otherSecret.secret[0] ^= 1
	otherName.name += "x"
	otherID.id[0] ^= 1
	for _, tt := range []struct {
		name    string
		vault   *vault
		held    *Held
		version int
		want    bool
	}{
		{"SES-5 its own", v, s.Held, 0, true},
		{"SES-5 another key ring", other, s.Held, 0, false},
		{"SES-5 another cookie", v, &otherSecret, 0, false},
		{"SES-5 under another name", v, &otherName, 0, false},
		{"SES-5 of another session", v, &otherID, 0, false},
		{"SES-5 of another version", v, s.Held, 1, false},
	} {
		if _, ok := tt.vault.open(tt.held, tt.version, sealed); ok != tt.want {
			t.Errorf("%s: opens %v, want %v", tt.name, ok, tt.want)
		}
	}
}

// TestReplicas: L19. What ends on one replica ends on the other, although that one
// knows the session.
func TestReplicas(t *testing.T) {
	for _, program := range redistest.Programs() {
		t.Run(program, func(t *testing.T) {
			server := redistest.StartProgram(t, program)
			cl := newClock()
			one, two := inRedis(t, server, config(t, cl)), inRedis(t, server, config(t, cl))
			sent := line(create(t, one, alone, login("ada", "sid-1")))
			for range 2 { // what came once is not remembered by its line
				if who(t, two, "alone.test", sent) != "ada" {
					t.Fatal("L19: a session of one replica is not known to the other")
				}
			}
			if two.seen.find(&auth.Request{Host: "alone.test", Cookies: []string{sent}}) == nil {
				t.Fatal("L19: a session that came twice is not remembered")
			}
			if err := one.Revoke(t.Context(), load(t, one, "alone.test", sent)); err != nil {
				t.Fatal(err)
			}
			eventually(t, "L19: it ends on the other", func() bool { return who(t, two, "alone.test", sent) == "" })
			sent = line(create(t, two, alone, login("ada", "sid-1")))
			who(t, one, "alone.test", sent)
			if _, err := one.Renew(t.Context(), load(t, one, "alone.test", sent), turned("1")); err != nil {
				t.Fatal(err)
			}
			eventually(t, "a renewal reaches the other", func() bool { return load(t, two, "alone.test", sent).User.Name == "Ada 1" })
		})
	}
}

// commands is how many commands a server was asked, but for those that keep a
// connection alive, and our own.
func commands(t *testing.T, server *redistest.Server) int {
	t.Helper()
	sum := 0
	for text := range strings.Lines(server.Must("INFO", "commandstats")) {
		name, rest, ok := strings.Cut(text, ":calls=")
		if !ok || strings.HasPrefix(name, "cmdstat_ping") || strings.HasPrefix(name, "cmdstat_info") {
			continue
		}
		calls, _, _ := strings.Cut(rest, ",")
		n, err := strconv.Atoi(calls)
		if err != nil {
			t.Fatal(err)
		}
		sum += n
	}
	return sum
}

// TestCommands counts what checks of known sessions ask of Redis: nothing.
func TestCommands(t *testing.T) {
	server := redistest.Start(t)
	cl := newClock()
	cfg := config(t, cl)
	cfg.Idle = time.Hour
	c := inRedis(t, server, cfg)
	var sent []string
	for n := range 100 {
		sent = append(sent, line(create(t, c, alone, user(fmt.Sprint("user-", n)))))
		who(t, c, "alone.test", sent[n])
	}
	before := commands(t, server)
	for n := range 1000 {
		if who(t, c, "alone.test", sent[n%100]) == "" {
			t.Fatal("not signed in")
		}
	}
	warm := commands(t, server) - before
	cold := inRedis(t, server, cfg)
	who(t, cold, "alone.test", sent[0])
	before = commands(t, server)
	for n := range 100 {
		who(t, cold, "alone.test", sent[n])
	}
	t.Logf("1,000 checks of 100 warm sessions: %d commands; 99 cold sessions: %d", warm, commands(t, server)-before)
	if warm >= 20 {
		t.Errorf("1,000 checks of 100 warm sessions took %d commands", warm)
	}
	before = commands(t, server)
	c.flushUses(t.Context())
	if n := commands(t, server) - before; n > 100 {
		t.Errorf("the last uses of 100 sessions took %d commands", n)
	}
}

// TestMany: L20. All sessions of a user who has a thousand end at once.
func TestMany(t *testing.T) {
	server := redistest.Start(t)
	c := inRedis(t, server, config(t, newClock()))
	var sent []string
	for range 1000 {
		sent = append(sent, line(create(t, c, alone, login("ada", "sid-1"))))
	}
	began := time.Now()
	if err := c.RevokeAll(t.Context(), Whose{Issuer: "https://id.test", Subject: "ada"}); err != nil {
		t.Fatal(err)
	}
	took := time.Since(began)
	t.Logf("L20: 1,000 sessions of one user ended in %s", took.Round(time.Millisecond))
	if took > 5*time.Second { // the second is for a machine of its own
		t.Errorf("L20: that took %s", took)
	}
	for _, cookie := range sent {
		if who(t, c, "alone.test", cookie) != "" {
			t.Fatal("OUT-4: one is left")
		}
	}
	if left := keysOf(server, "s"); len(left) != 0 {
		t.Errorf("%d are left in Redis", len(left))
	}
}

// TestIdleElsewhere: a use on one replica keeps the session alive on the other, and a
// session that idled is ended for good.
func TestIdleElsewhere(t *testing.T) {
	server := redistest.Start(t)
	cl := newClock()
	cfg := config(t, cl)
	cfg.Idle = 30 * time.Minute
	one, two := inRedis(t, server, cfg), inRedis(t, server, cfg)
	sent := line(create(t, one, alone, user("ada")))
	who(t, two, "alone.test", sent)
	for range 4 {
		cl.move(20 * time.Minute)
		if who(t, one, "alone.test", sent) != "ada" {
			t.Fatal("SES-7: used in time, and ended")
		}
		one.flushUses(t.Context())
	}
	if who(t, two, "alone.test", sent) != "ada" {
		t.Error("SES-7: used on one replica, idle on the other")
	}
	cl.move(31 * time.Minute)
	if who(t, two, "alone.test", sent) != "" || who(t, one, "alone.test", sent) != "" || len(keysOf(server, "s")) != 0 {
		t.Error("SES-7: it idled, and is there")
	}
}

// TestLateAnswer: an answer from before the outage does not end its grace.
func TestLateAnswer(t *testing.T) {
	cl := newClock()
	o := outage{grace: time.Minute, now: cl.now}
	o.begin(4)
	if o.end(4); !o.spares(4) {
		t.Error("L9: known sessions are not known any more, and Redis is away")
	}
	if o.end(5); o.spares(4) {
		t.Error("OUT-1: Redis answers, and what was known before is not asked for")
	}
}

// TestIdleRenewed: a use counts also when the session is renewed right after it.
func TestIdleRenewed(t *testing.T) {
	cl := newClock()
	cfg := config(t, cl)
	cfg.Idle, cfg.KeepRefreshToken = 30*time.Minute, true
	r := inRedis(t, redistest.Start(t), cfg)
	sent := line(create(t, r, alone, user("ada")))
	for i := range 4 {
		cl.move(20 * time.Minute)
		s, err := r.Load(t.Context(), auth.Request{Host: "alone.test", Cookies: []string{sent}})
		if err != nil || s.User.ID != "ada" {
			t.Fatalf("SES-7: used every 20 minutes, and idle after %d: %v", i, err)
		}
		if _, err := r.Renew(t.Context(), s, func(_ context.Context, s Session) (Session, error) { return s, nil }); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the change is heard of", func() bool {
			e, _ := r.known.byName(s.Held.name)
			return e == nil
		})
		r.flushUses(t.Context())
	}
}

// TestChanging: a session that is read while it changes, or while a connection comes
// and goes, is never nobody's.
func TestChanging(t *testing.T) {
	server := redistest.Start(t)
	c := inRedis(t, server, config(t, newClock()))
	sent := line(create(t, c, alone, user("ada")))
	s := load(t, c, "alone.test", sent)
	ctx, stop := context.WithCancel(t.Context())
	var changing, asking sync.WaitGroup
	changing.Go(func() {
		for ctx.Err() == nil {
			c.lost()
			pause(ctx, 50*time.Microsecond)
			c.known.drop(s.Held.name)
		}
	})
	for range 8 {
		asking.Go(func() {
			for range 500 {
				if got, err := ask(c, "alone.test", sent); got != "ada" && err == nil {
					t.Error("L10: a session that is there is nobody's")
					return
				}
			}
		})
	}
	asking.Wait()
	stop()
	changing.Wait()
}

// TestKnown: who reads a session at the same time as somebody else does not take it
// from them, and what changed while it was read is not kept.
func TestKnown(t *testing.T) {
	k := newKnown()
	held := newReference(time.Unix(1, 0)).held()
	read := func() *entry {
		e := &entry{held: held, bytes: 1}
		e.session.Store(&Session{})
		return e
	}
	_, changes := k.byName(held.name)
	first := k.put(read(), changes)
	if second := k.put(read(), changes); second != first || first.session.Load() == nil || first.passing {
		t.Error("L10: the second reader took the session from the first")
	}
	k.drop(held.name)
	if first.session.Load() != nil {
		t.Error("L19: it changed, and goes on")
	}
	if late := k.put(read(), changes); !late.passing {
		t.Error("L19: what was read before the change is kept")
	} else if e, _ := k.byName(held.name); e != nil {
		t.Error("L19: what was read before the change is known")
	}
	_, changes = k.byName(held.name)
	big := k.put(read(), changes)
	shard := k.shard(held.name)
	for n := range 10_000 {
		other := newReference(time.Unix(int64(n), 0)).held()
		if k.shard(other.name) != shard {
			continue
		}
		e := &entry{held: other, bytes: maxSessionBytes / knownShards / 3}
		e.session.Store(&Session{})
		_, changes := k.byName(other.name)
		k.put(e, changes)
	}
	if shard.bytes > maxSessionBytes/knownShards || shard.sessions.Len() > 3 {
		t.Errorf("LIM-2: %d sessions of %d bytes are held", shard.sessions.Len(), shard.bytes)
	}
	if big.session.Load() != nil {
		t.Error("L19: one that had to go would not hear of its changes, and is good")
	}
}

// TestOutage: L9 for the store. While Redis is away nobody is signed out: who is
// known goes on for a while, about others it cannot tell.
func TestOutage(t *testing.T) {
	server := redistest.Start(t)
	cl := newClock()
	cfg := config(t, cl)
	var graced atomic.Int32
	c := running(t, RedisConfig{
		CookieConfig: cfg, Redis: redis.Config{Unix: true, Addresses: []string{server.Socket}},
		Prefix: "test:", Grace: time.Minute, Graced: func() { graced.Add(1) },
	})
	known, ended := line(create(t, c, alone, user("ada"))), line(create(t, c, alone, user("eve")))
	who(t, c, "alone.test", known)
	endedSession := load(t, c, "alone.test", ended)
	if err := c.Revoke(t.Context(), endedSession); err != nil {
		t.Fatal(err)
	}
	unknown := line(create(t, c, alone, user("bob")))
	server.Signal(syscall.SIGSTOP)
	began := time.Now()
	if _, err := ask(c, "alone.test", unknown); err == nil {
		t.Error("L9: Redis hangs, and an unknown session is told")
	}
	if took := time.Since(began); took > 2*time.Second { // 500 ms on a machine of its own
		t.Errorf("L9: that took %s", took)
	} else {
		t.Logf("L9: a session that is not known is a 503 after %s, and then", took.Round(time.Millisecond))
	}
	eventually(t, "the connection is given up", c.outage.under.Load)
	began = time.Now()
	if got, err := ask(c, "alone.test", known); got != "ada" || err != nil {
		t.Errorf("L9: who is known is %q, %v", got, err)
	}
	if got, err := ask(c, "alone.test", unknown); got != "" || err == nil {
		t.Errorf("L9: who is not known is %q, %v", got, err)
	}
	t.Logf("after %s, both", time.Since(began).Round(time.Microsecond))
	if got, err := ask(c, "alone.test", ended); got != "" || err != nil {
		t.Errorf("L9: who signed out here is %q, %v", got, err)
	}
	if got, err := ask(c, "alone.test", "__Host-doorward=junk"); got != "" || err != nil {
		t.Errorf("L9: junk is %q, %v", got, err)
	}
	if graced.Load() == 0 {
		t.Error("the grace is not counted")
	}
	w := httptest.NewRecorder()
	if _, err := c.End(w, httptest.NewRequest("POST", "/", nil), alone, load(t, c, "alone.test", known)); err == nil || len(w.Header()) != 0 {
		t.Errorf("L9: a sign-out that could not be: %v, headers %v", err, w.Header())
	}
	if _, err := c.Create(w, httptest.NewRequest("GET", "/", nil), alone, user("new")); err == nil || len(w.Header()) != 0 {
		t.Errorf("L9: a login that could not be: %v, headers %v", err, w.Header())
	}
	cl.move(time.Minute)
	if got, err := ask(c, "alone.test", known); got != "" || err == nil {
		t.Errorf("L9: after the grace who was known is %q, %v", got, err)
	}
	server.Signal(syscall.SIGCONT)
	began = time.Now()
	eventually(t, "L9: it answers again", func() bool { got, _ := ask(c, "alone.test", known); return got == "ada" })
	t.Logf("L9: %s after its return everything is as before", time.Since(began).Round(time.Millisecond))
	if who(t, c, "alone.test", unknown) != "bob" || who(t, c, "alone.test", ended) != "" {
		t.Error("L9: sessions were lost, or came back")
	}
	if _, trouble := c.Trouble(); trouble != nil {
		t.Error(trouble)
	}
}

// TestLease: L6 over two replicas. One asks the provider, the other waits; a leader
// that dies lets go, and one that comes back too late changes nothing.
func TestLease(t *testing.T) {
	server := redistest.Start(t)
	cl := newClock()
	t.Run("REF-1 200 over two replicas, the provider slower than the lease", func(t *testing.T) {
		one, two := inRedis(t, server, config(t, cl)), inRedis(t, server, config(t, cl))
		sent := line(create(t, one, alone, user("ada")))
		var calls atomic.Int32
		refresh := func(ctx context.Context, s Session) (Session, error) {
			calls.Add(1)
			pause(ctx, leaseTime+leaseEvery)
			return turned("1")(ctx, s)
		}
		var wg sync.WaitGroup
		for n := range 200 {
			c := []Store{one, two}[n%2]
			s := load(t, c, "alone.test", sent)
			wg.Go(func() {
				if got, err := c.Renew(t.Context(), s, refresh); err != nil || got.User.Name != "Ada 1" {
					t.Errorf("REF-1: %q, %v", got.User.Name, err)
				}
			})
		}
		wg.Wait()
		if calls.Load() != 1 {
			t.Errorf("REF-1: %d token calls", calls.Load())
		}
	})
	t.Run("the leader dies", func(t *testing.T) {
		one := inRedis(t, server, config(t, cl))
		sent := line(create(t, one, alone, user("ada")))
		s := load(t, one, "alone.test", sent)
		if holder, err := one.hold(t.Context(), s.Held.name); holder == "" || err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if got, err := one.Renew(t.Context(), s, turned("1")); err != nil || got.User.Name != "Ada 1" {
			t.Errorf("%q, %v", got.User.Name, err)
		}
		t.Logf("another one goes on after %s", time.Since(began).Round(100*time.Millisecond))
	})
	t.Run("fencing: a leader that comes back changes nothing", func(t *testing.T) {
		one, two := inRedis(t, server, config(t, cl)), inRedis(t, server, config(t, cl))
		sent := line(create(t, one, alone, user("ada")))
		got, err := one.Renew(t.Context(), load(t, one, "alone.test", sent), func(ctx context.Context, s Session) (Session, error) {
			server.Must("DEL", one.lease(s.Held.name)) // as after a long pause
			if _, err := two.Renew(ctx, s, turned("2")); err != nil {
				t.Error(err)
			}
			return turned("1")(ctx, s)
		})
		if err != nil || got.User.Name != "Ada 2" || load(t, two, "alone.test", sent).User.Name != "Ada 2" {
			t.Errorf("the late one has %q, %v", got.User.Name, err)
		}
	})
	t.Run("REF-4 refused, but renewed by another meanwhile", func(t *testing.T) {
		one, two := inRedis(t, server, config(t, cl)), inRedis(t, server, config(t, cl))
		sent := line(create(t, one, alone, user("ada")))
		got, err := one.Renew(t.Context(), load(t, one, "alone.test", sent), func(ctx context.Context, s Session) (Session, error) {
			server.Must("DEL", one.lease(s.Held.name))
			_, _ = two.Renew(ctx, s, turned("2"))
			return Session{}, ErrEnded
		})
		if err != nil || got.User.Name != "Ada 2" {
			t.Errorf("%q, %v", got.User.Name, err)
		}
	})
	t.Run("REF-3 Redis is away when the tokens have come", func(t *testing.T) {
		one := inRedis(t, server, config(t, cl))
		sent := line(create(t, one, alone, user("ada")))
		got, err := one.Renew(t.Context(), load(t, one, "alone.test", sent), func(ctx context.Context, s Session) (Session, error) {
			server.Signal(syscall.SIGSTOP)
			time.AfterFunc(2*time.Second, func() { server.Signal(syscall.SIGCONT) })
			return turned("1")(ctx, s)
		})
		if err != nil || got.User.Name != "Ada 1" {
			t.Errorf("%q, %v", got.User.Name, err)
		}
	})
}

// TestMoving: a change of the store signs nobody out, in either direction.
func TestMoving(t *testing.T) {
	server := redistest.Start(t)
	cl := newClock()
	cfg := config(t, cl)
	both := func(inThere bool) *Moving { return moving(t, server, cfg, inThere) }
	before := line(create(t, store(t, cfg), alone, user("ada")))
	moved := both(true)
	if who(t, moved, "alone.test", before) != "ada" {
		t.Error("a cookie of before the change is no good")
	}
	during := line(create(t, moved, alone, user("bob")))
	if who(t, moved, "alone.test", during) != "bob" || len(keysOf(server, "s")) != 1 {
		t.Error("a new session is not in Redis")
	}
	if err := moved.Revoke(t.Context(), load(t, moved, "alone.test", before)); err != nil || who(t, moved, "alone.test", before) != "" {
		t.Errorf("OUT-1: a cookie of before does not end: %v", err)
	}
	back := both(false)
	if who(t, back, "alone.test", during) != "bob" {
		t.Error("a session in Redis is no good after the change back")
	}
	after := line(create(t, back, alone, user("eve")))
	if who(t, back, "alone.test", after) != "eve" || who(t, store(t, cfg), "alone.test", after) != "eve" {
		t.Error("a new session is not in its cookie")
	}
	if _, err := back.End(httptest.NewRecorder(), httptest.NewRequest("POST", "/", nil), alone, load(t, back, "alone.test", during)); err != nil || who(t, back, "alone.test", during) != "" {
		t.Errorf("OUT-1: a session in Redis does not end after the change back: %v", err)
	}
	rendering := back.SetRender(func(auth.User, auth.Tokens) auth.Identity { return auth.Identity{Size: 77} })
	if s := load(t, back, "alone.test", after); s.IdentityBy(rendering).Size != 77 {
		t.Error("the identity is an old one")
	}
}

// TestTooLargeForRedis: what nobody would want to keep is refused.
func TestTooLargeForRedis(t *testing.T) {
	c := inRedis(t, redistest.Start(t), config(t, newClock()))
	s := user("ada")
	s.User.Name = strings.Repeat("n", 100<<10)
	if who(t, c, "alone.test", line(create(t, c, alone, s))) != "ada" {
		t.Error("100 KiB do not fit")
	}
	s.User.Name = strings.Repeat("n", maxRecord)
	w := httptest.NewRecorder()
	if _, err := c.Create(w, httptest.NewRequest("GET", "/", nil), alone, s); !errors.Is(err, ErrTooLarge) || len(w.Header()) != 0 {
		t.Errorf("%v", err)
	}
}

// TestPassingTrouble: a cookie that could not be asked about once is the first one
// again as soon as it can be.
func TestPassingTrouble(t *testing.T) {
	server := redistest.StartProgram(t, redistest.Programs()[0])
	r := inRedis(t, server, config(t, newClock()))
	ada, eve := line(create(t, r, alone, login("ada", "sid-1"))), line(create(t, r, alone, login("eve", "sid-2")))
	both := auth.Request{Host: "alone.test", Cookies: []string{ada + "; " + eve}}
	for range 3 {
		if who(t, r, "alone.test", eve) != "eve" || who(t, r, "alone.test", ada) != "ada" {
			t.Fatal("not signed in")
		}
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for range 3 {
		r.known.drop(load(t, r, "alone.test", ada).Held.name)
		if s, err := r.Load(gone, both); err == nil && s.User.Subject == "ada" {
			t.Fatal("ada was known all the same")
		}
	}
	for range 3 {
		if got := who(t, r, "alone.test", both.Cookies...); got != "ada" {
			t.Errorf("SES-1: %q is signed in, want ada", got)
		}
	}
}
