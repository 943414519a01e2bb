package redistest

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Sentinels are three processes that watch a master with one replica, and put the
// replica in its place two seconds after it went.
type Sentinels struct {
	Master, Replica *Server
	Watchers        []*Server
}

// MasterName is what Sentinels call their master.
const MasterName = "mymaster"

// StartSentinels runs a master, its replica and three Sentinels until the test
// ends.
func StartSentinels(t testing.TB) *Sentinels {
	t.Helper()
	s := &Sentinels{Master: Start(t)}
	host, port, _ := net.SplitHostPort(s.Master.Addr)
	s.Replica = Start(t, "--replicaof", host, port, "--repl-diskless-sync-delay", "0")
	for range 3 {
		s.Watchers = append(s.Watchers, startWatcher(t, host, port))
	}
	await(t, "the Sentinels know each other and the replica", func() bool {
		for _, w := range s.Watchers {
			state := w.Must("SENTINEL", "MASTER", MasterName)
			if !strings.Contains(state, "num-other-sentinels\n2") || !strings.Contains(state, "num-slaves\n1") {
				return false
			}
		}
		return strings.Contains(s.Replica.Must("INFO", "replication"), "master_link_status:up")
	})
	return s
}

func startWatcher(t testing.TB, host, port string) *Server {
	t.Helper()
	s := newServer(t, "redis-server")
	conf := filepath.Join(s.dir, "sentinel.conf")
	_, own, _ := net.SplitHostPort(s.Addr)
	text := fmt.Sprintf(`port %s
bind 127.0.0.1
unixsocket %s
dir %s
loglevel warning
sentinel monitor %s %s %s 2
sentinel down-after-milliseconds %s 2000
sentinel failover-timeout %s 6000
`, own, s.Socket, s.dir, MasterName, host, port, MasterName, MasterName)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s.args = []string{conf, "--sentinel"}
	s.Run()
	return s
}

// Addresses are those of the Sentinels.
func (s *Sentinels) Addresses() []string {
	var all []string
	for _, w := range s.Watchers {
		all = append(all, w.Addr)
	}
	return all
}

// await waits until something holds.
func await(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(60 * time.Second); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}
