package session

import (
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/doorward/doorward/internal/auth"
)

// readable are sessions, and whether their records are read without the decoder.
func readable() map[string]struct {
	Session
	plain bool
} {
	at := time.Unix(1_700_000_000, 123_000_000)
	most := Session{
		ID: NewID(), Created: at, Expires: at.Add(time.Hour), Renewed: at.Add(time.Minute), ProviderSession: "sid",
		User: auth.User{
			Provider: "oidc", Issuer: "https://id.example.com", Subject: "1", ID: "ada", Email: "ada@example.com",
			PreferredUsername: "ada", Name: "Ada Łovelace", Groups: []string{"sre", ""}, ACR: "mfa", AuthTime: at,
			ClaimsAsked: []string{"level"},
		},
	}
	type entry = struct {
		Session
		plain bool
	}
	with := func(change func(*Session)) Session {
		s := most
		change(&s)
		return s
	}
	return map[string]entry{
		"most":           {most, true},
		"least":          {Session{ID: NewID(), Created: at, Expires: at, User: auth.User{Subject: "1"}}, true},
		"before 1970":    {with(func(s *Session) { s.Expires = time.Unix(-1, 0) }), false},
		"claims":         {with(func(s *Session) { s.User.Claims = map[string]any{"level": int64(3)} }), true},
		"groups unknown": {with(func(s *Session) { s.User.GroupsUnknown = true }), true},
		"tokens":         {with(func(s *Session) { s.Tokens = auth.Tokens{Access: "a", ID: "i", Refresh: "r", Expiry: at} }), true},
		"a version":      {with(func(s *Session) { s.Version = 2 }), true},
	}
}

// TestRead: a record reads as the decoder reads it, and whose records are plain
// need not wait for the decoder.
func TestRead(t *testing.T) {
	for name, tt := range readable() {
		t.Run(name, func(t *testing.T) {
			written := newRecord(tt.Session)
			plaintext, err := cbor.Marshal(written)
			if err != nil {
				t.Fatal(err)
			}
			if new(Session).read(string(plaintext)) != tt.plain {
				t.Errorf("SES-1: read without the decoder: %v", !tt.plain)
			}
			var s Session
			if err := decode(string(plaintext), &s); err != nil || !cmp.Equal(newRecord(s), written) {
				t.Errorf("SES-1: %v, %s", err, cmp.Diff(newRecord(s), written))
			}
		})
	}
}

// FuzzRecord: what is read without the decoder is what the decoder reads.
func FuzzRecord(f *testing.F) {
	for _, tt := range readable() {
		plaintext, err := cbor.Marshal(newRecord(tt.Session))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(plaintext)
	}
	for _, text := range []string{
		"a1064131", "a1066131", "a2066131066132", "a20661310461ff", "a1061a6131", "a106613100", "a11818", "a1181901", "a118191a00010000",
		"a10bffff", "a10b8261616162", "a10b9bffffffffffffffff", "a1021bffffffffffffffff", "a10220", "a10141aa", "bf0661", "a118", "",
		"a10661ff", "a100", "a1181a", "a111f6", "a111a0", "a11180", "a111d9d9f7a0", "a111a2616101616102", "a111a1", "a113f4", "a113f5", "a113", "a10b80", "a118181affffffff",
		"a111" + strings.Repeat("a16161", 30) + "00", "a111" + strings.Repeat("a16161", 31) + "00", "a111" + strings.Repeat("a16161", 32) + "00",
	} {
		seed, err := hex.DecodeString(text)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, plaintext []byte) {
		var mine Session
		if !mine.read(string(plaintext)) {
			return
		}
		var theirs record
		if err := decoding.Unmarshal(plaintext, &theirs); err != nil || !cmp.Equal(mine, theirs.session()) {
			t.Errorf("SES-1: the decoder: %v, %s", err, cmp.Diff(mine, theirs.session()))
		}
	})
}
