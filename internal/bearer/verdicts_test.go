package bearer

import (
	"testing"

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
	if keyOf(3, "a") != keyOf(3, "a") {
		t.Error("CON-2: a key is not the same twice")
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
