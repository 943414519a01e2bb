package reliability

import (
	"net"
	"net/http"
	"os/exec"
	"sync"
	"testing"
	"time"
)

// TestSlowClients is L15: clients that open connections and never finish what they
// say are closed by the limit for headers, and keep nobody waiting.
func TestSlowClients(t *testing.T) {
	h := newHouse(t, "", nil).start("/readyz")
	cookie := h.signIn()
	const slow = 2000
	var group sync.WaitGroup
	var mu sync.Mutex
	var closed []time.Duration
	opened := make(chan struct{}, slow)
	for range slow {
		group.Go(func() {
			var dialer net.Dialer
			conn, err := dialer.DialContext(t.Context(), "tcp", h.doorward.Listen)
			if err != nil {
				t.Error(err)
				opened <- struct{}{}
				return
			}
			defer conn.Close()
			_, _ = conn.Write([]byte("GET /auth/nginx HTTP/1.1\r\nHost: a\r\nX-Orig"))
			opened <- struct{}{}
			began := time.Now()
			_ = conn.SetReadDeadline(began.Add(patience))
			buffer := make([]byte, 256)
			for {
				if _, err := conn.Read(buffer); err != nil {
					break
				}
			}
			mu.Lock()
			defer mu.Unlock()
			closed = append(closed, time.Since(began))
		})
	}
	for range slow {
		<-opened
	}
	stop := steady(200, func() (answer, error) { return h.check(cookie) })
	group.Wait()
	checks := stop()
	longest := time.Duration(0)
	for _, took := range closed {
		longest = max(longest, took)
	}
	t.Logf("L15: %d half requests were closed, the last after %v (wanted: 5s); checks meanwhile: %v (wanted: p99 50ms)",
		len(closed), longest.Round(time.Millisecond), checks)
	if len(closed) != slow || longest > 30*time.Second || !checks.only(http.StatusAccepted) {
		t.Errorf("L15: %d of %d closed within %v; checks: %v", len(closed), slow, longest, checks)
	}
}

// TestFewDescriptors is L16: with a limit of 256 open files it refuses what is too
// much, does not end, and recovers.
func TestFewDescriptors(t *testing.T) {
	prlimit, err := exec.LookPath("prlimit")
	if err != nil {
		t.Fatal(err)
	}
	h := newHouse(t, "", nil)
	limited := h.write("limited", "#!/bin/sh\nexec "+prlimit+" --nofile=256 "+binary+" \"$@\"\n")
	if err := exec.CommandContext(t.Context(), "chmod", "0700", limited).Run(); err != nil {
		t.Fatal(err)
	}
	h.doorward.Binary = limited
	h.start("/readyz")
	cookie := h.signIn()
	var held []net.Conn
	for range 400 {
		var dialer net.Dialer
		conn, err := dialer.DialContext(t.Context(), "tcp", h.doorward.Listen)
		if err == nil {
			held = append(held, conn)
		}
	}
	for _, conn := range held {
		_ = conn.Close()
	}
	h.client.CloseIdleConnections()
	h.await("L16: it answers again", func() bool {
		a, err := h.check(cookie)
		return err == nil && a.status == http.StatusAccepted
	})
	select {
	case <-h.doorward.Process().Done():
		t.Fatalf("L16: it ended:\n%s", h.doorward.Process().Log())
	default:
	}
	t.Logf("L16: %d connections against a limit of 256 open files, and it goes on", len(held))
}
