package redis

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"go.uber.org/goleak"

	"github.com/doorward/doorward/internal/redis/redistest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// waiting is how long a test waits for what has to happen.
const waiting = 60 * time.Second

// running is a client that runs until the test ends.
func running(t *testing.T, cfg Config) *Client {
	t.Helper()
	if cfg.Changed == nil {
		cfg.Changed = func([]string) {}
	}
	if cfg.Lost == nil {
		cfg.Lost = func() {}
	}
	cfg.Log = slog.New(slog.DiscardHandler)
	c := New(cfg)
	ctx, stop := context.WithCancel(context.Background())
	var run sync.WaitGroup
	run.Go(func() { c.Run(ctx) })
	t.Cleanup(func() { stop(); run.Wait() })
	return c
}

func get(t *testing.T, c *Client, key string) error {
	_, err := c.Do(t.Context(), key, func(b rueidis.Builder) []rueidis.Completed {
		return []rueidis.Completed{b.Get().Key(key).Build()}
	})
	return err
}

func set(t *testing.T, c *Client, key string) error {
	_, err := c.Do(t.Context(), key, func(b rueidis.Builder) []rueidis.Completed {
		return []rueidis.Completed{b.Set().Key(key).Value("x").Build()}
	})
	return err
}

// kindOf is the kind of trouble that an error tells of, "" for none.
func kindOf(t *testing.T, err error) Kind {
	t.Helper()
	if err == nil {
		return ""
	}
	trouble, ok := errors.AsType[*Trouble](err)
	if !ok {
		t.Fatalf("%v is no Trouble", err)
	}
	return trouble.Kind
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(waiting); !holds(); {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", waiting, what)
		}
		wait(t.Context(), 2*time.Millisecond)
	}
}

// TestTrouble is L9: whatever is wrong with the server is told, in bounded time, from
// a key that is not there, and is over soon after it is over.
func TestTrouble(t *testing.T) {
	for _, tt := range []struct {
		name        string
		args        []string
		trouble     func(s *redistest.Server)
		over        func(s *redistest.Server)
		read, write []Kind // any of them, once it is noticed; nil: it works
	}{
		{
			"down", nil, (*redistest.Server).Kill, (*redistest.Server).Run, []Kind{Down}, []Kind{Down},
		},
		{
			"hangs", nil, func(s *redistest.Server) { s.Signal(syscall.SIGSTOP) }, func(s *redistest.Server) { s.Signal(syscall.SIGCONT) },
			[]Kind{Slow, Down}, []Kind{Slow, Down},
		},
		{
			"loading", []string{"--save", "3600 1", "--enable-debug-command", "yes"},
			func(s *redistest.Server) {
				s.Must("DEBUG", "POPULATE", "20000", "filler", "2000")
				s.Must("SAVE")
				s.Kill()
				s.With("--key-load-delay", "4000", "--loading-process-events-interval-bytes", "1024").Launch()
				s.Await(func(answer string) bool { return strings.HasPrefix(answer, "LOADING") })
			},
			func(s *redistest.Server) { s.Must("CONFIG", "SET", "key-load-delay", "0") },
			// It is slow to say so while it loads.
			[]Kind{Loading, Slow, Down}, []Kind{Loading, Slow, Down},
		},
		{
			"a replica", nil, func(s *redistest.Server) { s.Must("REPLICAOF", "127.0.0.1", "1") }, func(s *redistest.Server) { s.Must("REPLICAOF", "NO", "ONE") },
			nil, []Kind{ReadOnly},
		},
		{
			"a replica without a master that answers nothing", nil,
			func(s *redistest.Server) {
				s.Must("CONFIG", "SET", "replica-serve-stale-data", "no")
				s.Must("REPLICAOF", "127.0.0.1", "1")
			},
			func(s *redistest.Server) { s.Must("REPLICAOF", "NO", "ONE") },
			[]Kind{Loading}, []Kind{Loading, ReadOnly},
		},
		{
			"out of memory", nil, func(s *redistest.Server) { s.Must("CONFIG", "SET", "maxmemory", "1") }, func(s *redistest.Server) { s.Must("CONFIG", "SET", "maxmemory", "0") },
			nil, []Kind{OutOfMemory},
		},
		{
			"too few replicas", nil, func(s *redistest.Server) { s.Must("CONFIG", "SET", "min-replicas-to-write", "1") },
			func(s *redistest.Server) { s.Must("CONFIG", "SET", "min-replicas-to-write", "0") },
			nil, []Kind{Degraded},
		},
		{
			"another password", nil,
			func(s *redistest.Server) {
				s.Must("CONFIG", "SET", "requirepass", "new")
				_, _ = s.As("new", "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
			},
			func(s *redistest.Server) { _, _ = s.As("new", "CONFIG", "SET", "requirepass", "") },
			[]Kind{Unauthorized}, []Kind{Unauthorized},
		},
		{
			"a user who may not", nil, func(s *redistest.Server) { s.Must("ACL", "SETUSER", "default", "-get", "-set", "-exists") },
			func(s *redistest.Server) { s.Must("ACL", "SETUSER", "default", "+@all") },
			[]Kind{Unauthorized}, []Kind{Unauthorized},
		},
		{
			"a script that does not end", []string{"--busy-reply-threshold", "50"},
			func(s *redistest.Server) {
				go func() { _, _ = s.Ask("EVAL", "while true do end", "0") }()
				s.Await(func(answer string) bool { return strings.HasPrefix(answer, "BUSY") })
			},
			func(s *redistest.Server) { s.Must("SCRIPT", "KILL") },
			[]Kind{Busy}, []Kind{Busy},
		},
	} {
		t.Run("L9 "+tt.name, func(t *testing.T) {
			server := redistest.Start(t, tt.args...)
			c := running(t, Config{Addresses: []string{server.Addr}})
			if err := errors.Join(set(t, c, "k"), get(t, c, "absent")); err != nil {
				t.Fatal(err)
			}
			tt.trouble(server)
			eventually(t, "it is noticed", func() bool {
				return is(kindOf(t, get(t, c, "absent")), tt.read) && is(kindOf(t, set(t, c, "k")), tt.write)
			})
			longest := time.Duration(0)
			for range 20 {
				began := time.Now()
				read, write := kindOf(t, get(t, c, "absent")), kindOf(t, set(t, c, "k"))
				longest = max(longest, time.Since(began)/2)
				if (read == "") != (tt.read == nil) || (write == "") != (tt.write == nil) {
					t.Errorf("a read is %q, a write %q", read, write)
				}
			}
			tt.over(server)
			began := time.Now()
			eventually(t, "it is over", func() bool { return get(t, c, "k") == nil && set(t, c, "k") == nil })
			t.Logf("L9 %s: answers within %s, well again after %s", tt.name, longest.Round(time.Microsecond), time.Since(began).Round(time.Millisecond))
			if err := c.Trouble(); err != nil {
				t.Errorf("it is over, and there is %v", err)
			}
		})
	}
}

func is(kind Kind, any []Kind) bool {
	if any == nil {
		return kind == ""
	}
	return slices.Contains(any, kind)
}

// TestLayouts: each way to lay out Redis works with what it takes.
func TestLayouts(t *testing.T) {
	for _, program := range redistest.Programs() {
		server := redistest.StartProgram(t, program)
		acl := redistest.StartProgram(t, program, "--user", "door", "on", ">pw", "~*", "+@all", "--user", "default", "off")
		for _, tt := range []struct {
			name string
			cfg  Config
			want Kind
		}{
			{"TCP", Config{Addresses: []string{server.Addr}}, ""},
			{"a socket", Config{Unix: true, Addresses: []string{server.Socket}}, ""},
			{"a database", Config{Addresses: []string{server.Addr}, DB: 3}, ""},
			{"a user of an ACL", Config{Addresses: []string{acl.Addr}, Username: "door", Password: "pw"}, ""},
			{"NOAUTH", Config{Addresses: []string{acl.Addr}}, Unauthorized},
			{"WRONGPASS", Config{Addresses: []string{acl.Addr}, Username: "door", Password: "markerword"}, Unauthorized},
			{"nobody there", Config{Addresses: []string{free(t)}}, Down},
			{"a socket that is not there", Config{Unix: true, Addresses: []string{server.Socket + "x"}}, Down},
		} {
			t.Run(program+" "+tt.name, func(t *testing.T) {
				c := running(t, tt.cfg)
				var err error
				eventually(t, fmt.Sprintf("%q, and not %v", tt.want, err), func() bool { err = set(t, c, "k"); return kindOf(t, err) == tt.want })
				if err != nil && strings.Contains(err.Error(), "markerword") {
					t.Errorf("LOG-2: the password is in %v", err)
				}
			})
		}
	}
}

func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// TestNews: changes of what was read are heard of, and that some may have been missed.
func TestNews(t *testing.T) {
	server := redistest.Start(t)
	changed, lost := make(chan string, 100), make(chan bool, 100)
	c := running(t, Config{Addresses: []string{server.Addr}, Changed: func(keys []string) {
		for _, key := range keys {
			changed <- key
		}
	}, Lost: func() { lost <- true }})
	for _, change := range [][]string{{"SET", "k", "2"}, {"DEL", "k"}, {"SET", "k", "3", "PX", "20"}} {
		if err := get(t, c, "k"); err != nil {
			t.Fatal(err)
		}
		server.Must(change...)
		if key := <-changed; key != "k" {
			t.Errorf("%q has changed", key)
		}
	}
	server.Must("FLUSHALL")
	<-lost
	server.Must("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
	<-lost
	eventually(t, "it comes back", func() bool { return get(t, c, "k") == nil })
}

// TestMessages: who listens hears what is said, also after the connection was lost.
func TestMessages(t *testing.T) {
	server := redistest.Start(t)
	c := running(t, Config{Addresses: []string{server.Addr}})
	subscribed, heard := make(chan bool, 10), make(chan string, 10)
	ctx, stop := context.WithCancel(t.Context())
	var listening sync.WaitGroup
	listening.Go(func() { c.Receive(ctx, "ch", func() { subscribed <- true }, func(m string) { heard <- m }) })
	for _, message := range []string{"one", "two"} {
		<-subscribed
		server.Must("PUBLISH", "ch", message)
		if got := <-heard; got != message {
			t.Errorf("heard %q, want %q", got, message)
		}
		server.Must("CLIENT", "KILL", "TYPE", "pubsub")
		server.Must("CLIENT", "KILL", "TYPE", "normal")
	}
	<-subscribed
	stop()
	listening.Wait()
}

// TestSlot: the examples of the Redis Cluster specification, and what a real node says.
func TestSlot(t *testing.T) {
	server := redistest.Start(t, "--cluster-enabled", "yes")
	if slot("123456789") != 0x31C3 {
		t.Errorf("the slot of 123456789 is %#x", slot("123456789"))
	}
	for _, key := range []string{"", "a", "doorward:s:{abc}", "{abc}", "{}a", "a{b", "a{b}c{d}", "ü{é}"} {
		if want := server.Must("CLUSTER", "KEYSLOT", key); fmt.Sprint(slot(key)) != want {
			t.Errorf("the slot of %q is %d, and not %s", key, slot(key), want)
		}
	}
	c := running(t, Config{Addresses: []string{server.Addr}})
	eventually(t, "a Cluster without slots", func() bool { return kindOf(t, get(t, c, "k")) == ClusterDown })
}
