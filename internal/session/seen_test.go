package session

import (
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/auth"
)

// TestSeen: what is remembered is so of one host and one line, and of nothing that
// came once or is long.
func TestSeen(t *testing.T) {
	at := func(host string, lines ...string) *auth.Request {
		return &auth.Request{Host: host, Cookies: lines}
	}
	m := newSeen[string]()
	known := at("a.test", "x=1")
	m.add(known, "ada")
	if m.find(known) != nil {
		t.Error("LIM-2: remembered at once")
	}
	m.add(known, "ada")
	if got := m.find(known); got == nil || *got != "ada" {
		t.Fatalf("%v is remembered, want ada", got)
	}
	for _, tt := range []struct {
		name string
		req  *auth.Request
	}{
		{"CON-2 another host", at("b.test", "x=1")},
		{"CON-2 another line", at("a.test", "x=2")},
		{"CON-2 no line", at("a.test")},
		{"CON-2 two lines", at("a.test", "x=1", "x=1")},
		{"CON-2 the host and the line run together", at("a.tes", "tx=1")},
	} {
		if place, hash := m.place(tt.req); place != nil { // as if both had the same hash
			place.here.Store(&seenLine[string]{hash, "a.test", "x=1", "ada"})
		}
		if got := m.find(tt.req); got != nil {
			t.Errorf("%s: %q is found", tt.name, *got)
		}
	}
	m.add(known, "ada")
	m.add(known, "ada")
	long := at("a.test", strings.Repeat("x", maxSeenLine+1))
	for range 3 {
		m.add(long, "long")
		m.add(at("a.test", "y=1", "y=2"), "two lines")
	}
	if m.find(long) != nil || m.find(at("a.test", "y=1", "y=2")) != nil {
		t.Error("LIM-2: a long line or several are remembered")
	}
	for range 3 * seenPlaces {
		m.add(at("a.test", "once="+NewID().String()), "once")
	}
	if got := m.find(known); got == nil || *got != "ada" {
		t.Error("lines that came once have driven out one that came twice")
	}
}
