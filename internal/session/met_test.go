package session

import (
	"fmt"
	"testing"
)

// TestMet: who was met is known until eight of the same set were met later, or until
// it is forgotten; nobody else is.
func TestMet(t *testing.T) {
	m := newMet()
	of := func(sid string) Whose { return Whose{Issuer: issuer, ProviderSession: sid} }
	first := of("s1")
	beside, _ := m.set(first)
	for range 3 {
		m.add(first)
	}
	for _, tt := range []struct {
		name  string
		whose Whose
		want  bool
	}{
		{"the one that was met", first, true},
		{"another one", of("s2"), false},
		{"of another issuer", Whose{Issuer: "https://other.example.com", ProviderSession: "s1"}, false},
		{"the issuer and the session changed about", Whose{Issuer: "s1", ProviderSession: issuer}, false},
	} {
		if got := m.has(tt.whose); got != tt.want {
			t.Errorf("OUT-5: %s is known: %v", tt.name, got)
		}
	}
	met := 0
	for i := 0; met < len(beside); i++ {
		if !m.has(first) {
			t.Fatalf("OUT-5: %d others of its set made it unknown", met)
		}
		other := of(fmt.Sprint("other-", i))
		if set, _ := m.set(other); set == beside {
			m.add(other)
			m.add(other) // again: it takes no room
			met++
		}
	}
	if m.has(first) {
		t.Error("LIM-2: more are known than there is room for")
	}
	m.add(first)
	m.forget(first)
	if m.has(first) {
		t.Error("OUT-5: what was forgotten is known")
	}
}
