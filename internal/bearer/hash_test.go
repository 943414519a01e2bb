package bearer_test

import (
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/bearer"
)

// An Argon2id hash that another program made (the reference implementation's
// command line): of "password" with the salt "somesalt".
const foreignHash = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"

func TestParseHash(t *testing.T) {
	good := bearer.NewHash("x").String()
	for _, tt := range []struct {
		name string
		text string
		want string // of the error; "": good
	}{
		{"as it should be", good, ""},
		{"of another program", foreignHash, ""},
		{"the least cost", "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", ""},

		{"nothing", "", "no Argon2id hash"},
		{"a password", "hunter2", "no Argon2id hash"},
		{"Argon2i", strings.Replace(good, "argon2id", "argon2i", 1), "no Argon2id hash"},
		{"bcrypt", "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy", "no Argon2id hash"},
		{"a part too many", good + "$x", "no Argon2id hash"},
		{"an old version", strings.Replace(good, "v=19", "v=16", 1), "another version"},
		{"no version", strings.Replace(good, "v=19", "", 1), "another version"},
		{"another order", strings.Replace(good, "m=19456,t=2", "t=2,m=19456", 1), "in this order"},
		{"a parameter more", strings.Replace(good, "p=1", "p=1,data=x", 1), "in this order"},
		{"no number", strings.Replace(good, "t=2", "t=two", 1), "no number behind t="},
		{"a number in an odd form", strings.Replace(good, "t=2", "t=+2", 1), "no number behind t="},
		{"a leading zero", strings.Replace(good, "t=2", "t=02", 1), "no number behind t="},
		{"LIM-2 4 GiB", strings.Replace(good, "m=19456", "m=4194304", 1), "m= has to be from 1 to 65536"},
		{"LIM-2 beyond 32 bits", strings.Replace(good, "m=19456", "m=4294967297", 1), "no number behind m="},
		{"LIM-2 a thousand passes", strings.Replace(good, "t=2", "t=1000", 1), "t= has to be from 1 to 10"},
		{"LIM-2 all processors", strings.Replace(good, "p=1", "p=255", 1), "p= has to be from 1 to 4"},
		{"no pass", strings.Replace(good, "t=2", "t=0", 1), "t= has to be from 1"},
		{"too little memory", strings.Replace(good, "m=19456", "m=7", 1), "eight times p="},
		{"padding", good + "=", "not base64"},
		{"the URL alphabet", "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPP_", "not base64"},
		{"a short salt", "$argon2id$v=19$m=8,t=1,p=1$c2FsdA$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", "odd length"},
		{"no hash", "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$", "odd length"},
		{"a hash that anybody matches", "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$AA", "odd length"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h, err := bearer.ParseHash(tt.text)
			if tt.want == "" {
				if err != nil || h.String() != tt.text {
					t.Errorf("%v, %v", h, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) || h.String() != "" {
				t.Errorf("%v, %v", h, err)
			}
		})
	}
}

// FuzzHash: no text is read as a hash of a cost that nobody would want, and what
// is read is written as it was.
func FuzzHash(f *testing.F) {
	f.Add(foreignHash)
	f.Add("$argon2id$v=19$m=8,t=1,p=1$$")
	f.Add("$argon2id$v=19$m=99999999,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc")
	f.Fuzz(func(t *testing.T, text string) {
		h, err := bearer.ParseHash(text)
		if err == nil && h.String() != text || err != nil && h.String() != "" {
			t.Fatalf("%q: %q, %v", text, h, err)
		}
	})
}
