package bearer

import "testing"

func TestHashMatches(t *testing.T) {
	foreign, err := ParseHash("$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc")
	if err != nil {
		t.Fatal(err)
	}
	own, again := NewHash("dwk_x"), NewHash("dwk_x")
	if own.String() == again.String() {
		t.Error("two hashes have one salt")
	}
	read, err := ParseHash(own.String())
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		hash Hash
		text string
		want bool
	}{
		{"RFC 9106 of another program", foreign, "password", true},
		{"RFC 9106 of another program, another word", foreign, "Password", false},
		{"its own", own, "dwk_x", true},
		{"its own, read", read, "dwk_x", true},
		{"another", own, "dwk_y", false},
		{"nothing", own, "", false},
		{"the zero hash", Hash{}, "", false},
	} {
		if got := tt.hash.matches([]byte(tt.text)); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

// What the first request with a key costs, and every later one.
func BenchmarkKey(b *testing.B) {
	id, text := NewAPIKey()
	ring := ringOf(id, text)
	b.Run("first", func(b *testing.B) {
		for b.Loop() {
			ring.keys[id].Hash.matches([]byte(text.Reveal()))
		}
	})
	b.Run("later", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := ring.find(b.Context(), text); err != nil {
				b.Fatal(err)
			}
		}
	})
	_, unknown := NewAPIKey()
	b.Run("unknown", func(b *testing.B) {
		for b.Loop() {
			_, _ = ring.find(b.Context(), unknown)
		}
	})
}
