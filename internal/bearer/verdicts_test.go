package bearer

import (
	"testing"
	"time"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/secret"
)

func TestKeys(t *testing.T) {
	seen := map[key]string{}
	for _, tt := range []struct {
		generation uint64
		token      secret.Secret
	}{{0, "a"}, {1, "a"}, {0, "b"}, {0, "a="}, {0, "A"}, {256, "a"}, {0, "\x00\x00\x00\x00\x00\x00\x00\x00a"}} {
		k := keyOf(tt.generation, tt.token)
		if before, twice := seen[k]; twice {
			t.Errorf("CON-2: %d %q has the key of %q", tt.generation, tt.token.Reveal(), before)
		}
		seen[k] = tt.token.Reveal()
	}
}

func TestForget(t *testing.T) {
	tokens := New(Config{Now: time.Now})
	v := tokens.verdicts
	v.put(key{1}, verdict{})
	v.put(key{2}, verdict{err: auth.ErrInvalidToken})
	if tokens.SetRender(nil); v.good.Len() != 0 || v.bad.Len() != 0 {
		t.Error("LIM-2: verdicts that nobody can ask for any more are kept")
	}
}

// A token that was seen before costs no verification: what it does cost.
func BenchmarkSeenBefore(b *testing.B) {
	for name, size := range map[string]int{"1KiB": 1 << 10, "16KiB": 16 << 10} {
		b.Run(name, func(b *testing.B) {
			token := secret.Secret(make([]byte, size))
			for b.Loop() {
				keyOf(1, token)
			}
		})
	}
}
