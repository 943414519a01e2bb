package bearer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/secret"
)

// keyOfTest is a key whose hash is cheap.
func keyOfTest(id string, text secret.Secret) APIKey {
	cheap := Hash{text: "cheap " + id, memory: 8, passes: 1, threads: 1, salt: make([]byte, minSalt), sum: make([]byte, minSum)}
	cheap.sum = cheap.of([]byte(text.Reveal()))
	return APIKey{User: auth.User{Subject: id, ID: "ci"}, Hash: cheap}
}

func ringOf(id string, text secret.Secret) *Keyring {
	return NewKeyring([]APIKey{keyOfTest(id, text)}, nil, time.Now)
}

// TestOneHash: however many requests come with a key, its hash is computed once,
// also after a reload that leaves it as it is.
func TestOneHash(t *testing.T) {
	id, text := NewAPIKey()
	key := keyOfTest(id, text)
	ring := NewKeyring([]APIKey{key}, nil, time.Now)
	var group sync.WaitGroup
	for range 100 {
		group.Go(func() {
			if _, err := ring.find(t.Context(), text); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	first := ring.keys[id].proof.said.Load()
	// From now on a hash that is computed would not match.
	key.Hash.sum = make([]byte, minSum)
	same := NewKeyring([]APIKey{key}, ring, time.Now)
	if _, err := same.find(t.Context(), text); err != nil || same.keys[id].proof.said.Load() != first {
		t.Errorf("BEAR-4: a reload forgets what was proven: %v", err)
	}
	key.Hash.text = "another"
	other := NewKeyring([]APIKey{key}, same, time.Now)
	if _, err := other.find(t.Context(), text); !isInvalid(err) {
		t.Errorf("CON-2: another hash, and %v", err)
	}
	rehashed := keyOfTest(id, text)
	rehashed.Hash.text = "of another cost"
	if _, err := NewKeyring([]APIKey{rehashed}, same, time.Now).find(t.Context(), text); err != nil {
		t.Errorf("CON-2: the same key with another hash: %v", err)
	}
	if good, known := ring.keys[id].proof.tell(digestOf("another")); good || !known {
		t.Error("LIM-2: once a hash has matched, it is computed for other secrets too")
	}
	if _, err := NewKeyring(nil, same, time.Now).find(t.Context(), text); !isInvalid(err) {
		t.Errorf("a key that was removed: %v", err)
	}
	if back := NewKeyring([]APIKey{keyOfTest(id, text)}, NewKeyring(nil, same, time.Now), time.Now); back.keys[id].proof.said.Load() != nil {
		t.Error("what is known of a key that was removed is kept")
	}
}

// TestNoHashForJunk: what anybody can make up, also about ids that exist, costs no
// hash.
func TestNoHashForJunk(t *testing.T) {
	id, text := NewAPIKey()
	ring := ringOf(id, text)
	junk := []secret.Secret{"dwk_", "dwk_x", text + "x", text[:len(text)-1]}
	for range 1000 {
		_, unknown := NewAPIKey()
		junk = append(junk, unknown, secret.Secret(keyPrefix+id+"_")+unknown[len(unknown)-secretSize:])
	}
	for _, token := range junk {
		if _, err := ring.find(t.Context(), token); !isInvalid(err) {
			t.Fatalf("%v", err)
		}
	}
	if ring.keys[id].proof.said.Load() != nil {
		t.Error("LIM-2: a hash was computed for a key that somebody made up")
	}
	if _, err := ring.find(t.Context(), text); err != nil {
		t.Error(err)
	}
}

// TestHashThatDoesNotMatch: a key whose hash was spoilt costs one hash, and not one
// for each request.
func TestHashThatDoesNotMatch(t *testing.T) {
	id, text := NewAPIKey()
	key := keyOfTest(id, text)
	key.Hash.sum = make([]byte, minSum)
	ring := NewKeyring([]APIKey{key}, nil, time.Now)
	for range 3 {
		if _, err := ring.find(t.Context(), text); !isInvalid(err) {
			t.Errorf("%v", err)
		}
	}
	said := ring.keys[id].proof.said.Load()
	if said == nil || said.good {
		t.Fatalf("%v", said)
	}
	if _, err := ring.find(t.Context(), text); !isInvalid(err) || ring.keys[id].proof.said.Load() != said {
		t.Errorf("LIM-2: the hash was computed again: %v", err)
	}
}

// TestHashesAreBounded: as long as others take all turns, nobody can tell whether
// a new key is good. What is known already is not held up.
func TestHashesAreBounded(t *testing.T) {
	id, text := NewAPIKey()
	known, knownText := NewAPIKey()
	synctest.Test(t, func(t *testing.T) {
		ring := NewKeyring([]APIKey{keyOfTest(id, text), keyOfTest(known, knownText)}, nil, time.Now)
		if _, err := ring.find(t.Context(), knownText); err != nil {
			t.Fatal(err)
		}
		for range cap(ring.work) {
			ring.work <- struct{}{}
		}
		var group sync.WaitGroup
		group.Go(func() {
			if _, err := ring.find(t.Context(), text); !errors.Is(err, errBusy) || isInvalid(err) {
				t.Errorf("SES-4: %v", err)
			}
		})
		synctest.Wait()
		if _, err := ring.find(t.Context(), knownText); err != nil {
			t.Errorf("LIM-2: a known key waits for others: %v", err)
		}
		group.Wait()
		<-ring.work
		if _, err := ring.find(t.Context(), text); err != nil {
			t.Errorf("SES-4: afterwards %v", err)
		}
	})
	if ring := ringOf(id, text); cap(ring.work) < 1 || cap(ring.work) > 4 {
		t.Errorf("LIM-2: %d hashes at once", cap(ring.work))
	}
}

// TestKeyNames: ids and keys have the form that they are found by.
func TestKeyNames(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		id, key := NewAPIKey()
		got, ok := keyID(key)
		if !ok || got != id || !ValidKeyID(id) || !isAPIKey(key) || seen[id] || len(key) != keyLength {
			t.Fatalf("%q: %q, %v", id, got, ok)
		}
		seen[id] = true
	}
	for _, id := range []string{"", "abcdefghijk", "abcdefghijklm", "ABCDEFGHIJKL", "abcdefghijk1", "abcdefghijk_"} {
		if ValidKeyID(id) {
			t.Errorf("%q is an id", id)
		}
	}
	if text := fmt.Sprint(func() secret.Secret { _, key := NewAPIKey(); return key }()); text != "[redacted]" {
		t.Errorf("LOG-2: a key prints as %s", text)
	}
}

func TestKeyExpiresWhileItIsKnown(t *testing.T) {
	id, text := NewAPIKey()
	key := keyOfTest(id, text)
	now := time.Now()
	key.Expires = now.Add(time.Minute)
	ring := NewKeyring([]APIKey{key}, nil, func() time.Time { return now })
	for _, tt := range []struct {
		after time.Duration
		good  bool
	}{{0, true}, {time.Minute - 1, true}, {time.Minute, false}, {time.Hour, false}} {
		now = key.Expires.Add(tt.after - time.Minute)
		if _, err := ring.find(context.Background(), text); (err == nil) != tt.good || err != nil && !isInvalid(err) {
			t.Errorf("after %v: %v", tt.after, err)
		}
	}
}
