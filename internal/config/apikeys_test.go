package config_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/config"
)

const keyEntry = "- id: abcdefghijkl\n  owner: ci\n  hash: $argon2id$x\n"

func TestReadKeys(t *testing.T) {
	file := write(t, "keys.yaml", `# the keys of our machines
- id: "abcdefghijkl"
  owner: 'build server' # on the third floor
  groups: [ci, "Domain: x"]
  hosts: [api.example.com, '*.int.example.com']
  email: Ci@Example.COM
  expires: 2027-01-31
  hash: $argon2id$v=19$m=8,t=1,p=1$c29t$CTFh
- {id: bcdefghijklm, owner: other, expires: "2027-01-31T18:00:00+02:00", hash: "$x"}
`)
	keys, err := config.ReadKeys(file)
	if err != nil {
		t.Fatal(err)
	}
	diff(t, "keys", []config.APIKey{
		{
			Line: 2, ID: "abcdefghijkl", Owner: "build server", Groups: []string{"ci", "Domain: x"}, Email: "Ci@example.com",
			Hosts: []string{"api.example.com", "*.int.example.com"}, Expires: time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC),
			Hash: "$argon2id$v=19$m=8,t=1,p=1$c29t$CTFh", HashLine: 8, HashColumn: 9,
		},
		{
			Line: 9, ID: "bcdefghijklm", Owner: "other", Expires: time.Date(2027, 1, 31, 16, 0, 0, 0, time.UTC).In(keys[1].Expires.Location()),
			Hash: "$x", HashLine: 9, HashColumn: 81,
		},
	}, keys)
}

// Who removes the last key leaves a file with nothing in it, and then there is none.
func TestNoKeys(t *testing.T) {
	for _, content := range []string{"", "\n\n", "# none\n  # at all", "[]", "---\n", "[] # none\n"} {
		if keys, err := config.ParseKeys("keys", content); err != nil || len(keys) > 0 {
			t.Errorf("%q: %v, %v", content, keys, err)
		}
	}
}

func TestKeyMistakes(t *testing.T) {
	for _, tt := range []struct {
		name, content string
		want          []string
	}{
		{"no list", "abc: {}", []string{"keys:1:1: has to be a list and is a mapping"}},
		{"no YAML", "- id: 'x", []string{"keys:1:7: is no YAML"}},
		{"an entry that is text", "- dwk_x", []string{"keys:1:3: key 1: has to be a mapping and is text"}},
		{"nothing in it", "- owner: x", []string{"keys:1:3: key \"x\": lacks `id`", "keys:1:3: key \"x\": lacks `hash`"}},
		{"CFG-1 unknown key", keyEntry + "  group: [a]\n", []string{"keys:4:3: key \"ci\": unknown key `group`; did you mean `groups`?"}},
		{"CFG-1 a key twice", keyEntry + "  owner: b\n", []string{"keys:4:3: key \"ci\": key `owner` is there already, on line 2"}},
		{"CFG-1 an id twice", keyEntry + keyEntry, []string{"keys:4:7: key \"ci\": `id` is that of the key on line 1 too; keep one of them"}},
		{"CFG-1 a number for an owner", strings.Replace(keyEntry, "ci", "7", 1), []string{"keys:2:10: key 1: `owner` has to be text; put it into quotes"}},
		{"CFG-1 an empty owner", strings.Replace(keyEntry, "ci", "''", 1), []string{"keys:2:10: key 1: `owner` is empty"}},
		{"CFG-1 a long owner", strings.Replace(keyEntry, "ci", strings.Repeat("c", 101), 1), []string{"keys:2:10: key \"" + strings.Repeat("c", 60) + "…\": `owner` is longer than a line of 100 bytes"}},
		{"CFG-1 groups as text", keyEntry + "  groups: a\n", []string{"keys:4:11: key \"ci\": `groups` has to be a list and is text"}},
		{"CFG-1 no group", keyEntry + "  groups: []\n", []string{"keys:4:11: key \"ci\": `groups` is an empty list"}},
		{"CFG-1 every host", keyEntry + "  hosts: ['*']\n", []string{"keys:4:11: key \"ci\": `hosts` entry 1 is *; leave `hosts` out for every host"}},
		{"CFG-1 no host, which would be every one", keyEntry + "  hosts:\n", []string{"keys:4:3: key \"ci\": `hosts` is empty"}},
		{"PATH-4 a host with a port", keyEntry + "  hosts: ['a.example.com:80']\n", []string{"keys:4:11: key \"ci\": `hosts` entry 1 has a port"}},
		{"CFG-1 an address of nobody", keyEntry + "  email: ada\n", []string{"keys:4:10: key \"ci\": `email` is not an e-mail address"}},
		{"CFG-1 a time in words", keyEntry + "  expires: tomorrow\n", []string{"keys:4:12: key \"ci\": `expires` is no time; write it as 2027-01-31"}},
		{"CFG-1 a day that is none", keyEntry + "  expires: 2027-02-30\n", []string{"keys:4:12: key \"ci\": `expires` is no time"}},
		{"CFG-1 an expiry of nothing", keyEntry + "  expires:\n", []string{"keys:4:3: key \"ci\": `expires` is empty"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			keys, err := config.ParseKeys("keys", tt.content)
			wantLines(t, "mistakes", mistakes(t, err), tt.want...)
			if keys != nil {
				t.Errorf("CFG-3 there are keys beside mistakes: %v", keys)
			}
		})
	}
}

func TestKeysOutOfReach(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys.yaml")
	_, err := config.ReadKeys(file)
	wantLines(t, "mistakes", mistakes(t, err), file+": cannot be read: no such file or directory")
}

// LOG-2: no message repeats a hash, or a key that stands in its place.
func TestKeyMistakesRepeatNoValue(t *testing.T) {
	for _, key := range []string{"id", "groups", "email", "hosts", "expires", "hash", "other"} {
		for _, value := range []string{"marker", "' marker '", "[marker]", "{a: marker}", "\"marker", "*marker", "|\n    marker"} {
			_, err := config.ParseKeys("keys", "- owner: x\n  "+key+": "+value+"\n")
			if text := err.Error(); strings.Contains(text, "marker") {
				t.Errorf("%s: %s: %s", key, value, text)
			}
		}
	}
}
