package bearer

import (
	"testing"

	"github.com/doorward/doorward/internal/secret"
)

func TestDigests(t *testing.T) {
	seen := map[key][]string{}
	for _, texts := range [][]string{
		{"a"}, {"b"}, {"a="}, {"A"}, {"a", ""}, {"", "a"}, {"a", "b"}, {"ab"}, {"ab", ""},
		{"\x00\x00\x00\x00\x00\x00\x00\x01a"}, {},
	} {
		k := digestOf(texts...)
		if before, twice := seen[k]; twice {
			t.Errorf("CON-2: %q have the key of %q", texts, before)
		}
		seen[k] = texts
	}
}

// A token that was seen before costs no verification: what it does cost.
func BenchmarkSeenBefore(b *testing.B) {
	for name, size := range map[string]int{"1KiB": 1 << 10, "16KiB": 16 << 10} {
		b.Run(name, func(b *testing.B) {
			token := secret.Secret(make([]byte, size))
			for b.Loop() {
				keyOf(token)
			}
		})
	}
}
