package redis

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/redis/redistest"
)

// graceless is a replica whose checks show every outage.
func graceless() map[string]string { return map[string]string{"DOORWARD_SESSION_OUTAGE_GRACE": "0s"} }

// recovered waits until people can sign in again, and every session is good at both
// replicas, and says how long that took.
func (h *house) recovered(began time.Time, cookies []string) time.Duration {
	h.t.Helper()
	h.await("people can sign in", func() bool { _, end := h.login(1); return end.status == http.StatusFound })
	h.await("every session is good at both replicas", func() bool { return h.lost(0, cookies)+h.lost(1, cookies) == 0 })
	return time.Since(began)
}

// report prints a situation and fails for what may not happen in any.
func (h *house) report(id, what string, tallies []*tally, took time.Duration, cookies []string) {
	h.t.Helper()
	lost := 0
	for replica := range h.replicas {
		lost += h.lost(replica, cookies)
	}
	h.t.Logf("%s %s: with grace %v; without %v; recovered after %s; %d sessions lost", id, what, tallies[0], tallies[1], took.Round(10*time.Millisecond), lost)
	for _, counted := range tallies {
		counted.only(h.t, http.StatusAccepted, http.StatusServiceUnavailable)
	}
	if lost > 0 {
		h.t.Errorf("%s: %d sessions lost", id, lost)
	}
}

// TestSentinel is L10: kill -9 of the master behind Sentinels.
func TestSentinel(t *testing.T) {
	s := redistest.StartSentinels(t)
	h := newHouse(t, map[string]string{
		"DOORWARD_REDIS_URL": fmt.Sprintf("redis+sentinel://%s/%s", strings.Join(s.Addresses(), ","), redistest.MasterName),
	}, nil, graceless())
	cookies := h.signInMany(50)
	if lost := h.lost(0, cookies) + h.lost(1, cookies); lost > 0 {
		t.Fatalf("%d sessions are no good", lost)
	}
	s.Master.Must("WAIT", "1", "10000") // what the replica does not have yet would be lost with the master
	stop := h.load(cookies)
	s.Master.Kill()
	began := time.Now()
	took := h.recovered(began, cookies)
	h.report("L10", "kill -9 of the master", stop(), took, cookies)
	if took > 30*time.Second { // ten on a machine of its own
		t.Errorf("L10: recovered after %s", took)
	}
	s.Master.Run() // comes back as a replica
	if lost := h.lost(0, cookies) + h.lost(1, cookies); lost > 0 {
		t.Errorf("L10: %d sessions lost after the old master came back", lost)
	}
}

// TestCluster kills a master of a Cluster, and moves slots between the others while
// sessions in them are checked.
func TestCluster(t *testing.T) {
	c := redistest.StartCluster(t)
	h := newHouse(t, map[string]string{
		"DOORWARD_REDIS_URL": "redis+cluster://" + strings.Join(c.Addresses(), ","),
	}, nil, graceless())
	cookies := h.signInMany(60)
	if lost := h.lost(0, cookies) + h.lost(1, cookies); lost > 0 {
		t.Fatalf("%d sessions are no good", lost)
	}
	for _, node := range c.Nodes[:3] {
		node.Must("WAIT", "1", "10000")
	}
	t.Run("slots move", func(t *testing.T) {
		h.t = t
		stop := h.load(cookies)
		began := time.Now()
		if err := c.Move(c.Nodes[0], c.Nodes[1], 2000); err != nil {
			t.Error(err)
		}
		moved := time.Since(began)
		began = time.Now()
		took := h.recovered(began, cookies)
		h.report("L10", fmt.Sprintf("2,000 slots moved in %s", moved.Round(time.Millisecond)), stop(), took, cookies)
	})
	t.Run("a master dies", func(t *testing.T) {
		h.t = t
		stop := h.load(cookies)
		c.Nodes[2].Kill()
		began := time.Now()
		took := h.recovered(began, cookies)
		h.report("L10", "kill -9 of a master of the Cluster", stop(), took, cookies)
	})
}

// TestNetwork is L9 and what a network does: late, cut, silent and refused.
func TestNetwork(t *testing.T) {
	server := redistest.Start(t)
	proxy := redistest.StartProxy(t, server.Addr)
	h := newHouse(t, map[string]string{"DOORWARD_REDIS_URL": "redis://" + proxy.Addr}, nil, graceless())
	cookies := h.signInMany(30)
	if lost := h.lost(0, cookies) + h.lost(1, cookies); lost > 0 {
		t.Fatalf("%d sessions are no good", lost)
	}
	for _, tt := range []struct {
		name     string
		bad      func()
		noticed  bool // somebody hears 503 before it is over
		duration time.Duration
	}{
		{"every byte 2 s late", func() { proxy.Delay(2 * time.Second) }, true, 6 * time.Second},
		{"connections cut, and new ones work", proxy.Cut, false, time.Second},
		{"connections cut and refused", func() { proxy.Refuse(); proxy.Cut() }, true, 3 * time.Second},
		{"half open: silent, and nothing is closed", proxy.Silence, true, 5 * time.Second},
	} {
		t.Run("L9 "+tt.name, func(t *testing.T) {
			h.t = t
			stop := h.load(cookies)
			tt.bad()
			over := time.After(tt.duration)
			if tt.noticed {
				h.await("it is noticed", func() bool { return h.check(1, cookies[0]).status == http.StatusServiceUnavailable })
				if _, end := h.login(1); end.status != http.StatusServiceUnavailable || cookieOf(end) != "" {
					t.Errorf("L9: a login ends with %d", end.status)
				}
				for replica, want := range []int{http.StatusOK, http.StatusServiceUnavailable} {
					h.await("/readyz says so", func() bool {
						status, text := h.ready(replica)
						return status == want && strings.Contains(text, "sessions: ")
					})
				}
			}
			<-over
			proxy.Restore()
			took := h.recovered(time.Now(), cookies)
			tallies := stop()
			h.report("L9", tt.name, tallies, took, cookies)
			tallies[0].only(t, http.StatusAccepted)
		})
	}
}
