package main

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/bearer"
	"github.com/doorward/doorward/internal/config"
	"github.com/doorward/doorward/internal/secret"
)

// keyFile is a configuration with API keys, in files that a test changes.
type keyFile struct {
	t            *testing.T
	config, keys string
}

const manyTokens = `
rules: [{allow: any}]
tokens:
  - {issuer_url: "https://id.example.com", audiences: [api]}
  - {introspection_url: "https://id.example.com/introspect", client_id: x, client_secret: y}
  - keys_file: %s
`

func newKeyFile(t *testing.T, entries ...string) *keyFile {
	k := &keyFile{t: t, config: filepath.Join(t.TempDir(), "doorward.yaml"), keys: filepath.Join(t.TempDir(), "keys.yaml")}
	for name, value := range environment(k.config) {
		t.Setenv(name, value)
	}
	k.write(k.config, fmt.Sprintf(manyTokens, k.keys))
	k.write(k.keys, strings.Join(entries, ""))
	return k
}

func (k *keyFile) write(file, text string) {
	k.t.Helper()
	if err := os.WriteFile(file+".new", []byte(text), 0o600); err != nil {
		k.t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		k.t.Fatal(err)
	}
}

func (k *keyFile) load() *config.Config {
	k.t.Helper()
	cfg, _, err := config.Load()
	if err != nil {
		k.t.Fatal(err)
	}
	return cfg
}

func (k *keyFile) process() (*process, *config.Config) {
	k.t.Helper()
	cfg := k.load()
	p, err := assemble(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		k.t.Fatal(err)
	}
	return p, cfg
}

// entryOf is a new key, and its entry.
func entryOf(owner string, more ...string) (key secret.Secret, text string) {
	id, key := bearer.NewAPIKey()
	return key, (&draft{owner: owner, groups: more}).entry(id, time.Time{}, key)
}

// checkWith is whom a check with a key is let in as, or the reason why not.
func checkWith(t *testing.T, p *process, key secret.Secret) string {
	t.Helper()
	d := p.main.Gate.Check(t.Context(), auth.Request{
		Method: "GET", Scheme: "https", Host: "app.example.com", Path: "/", Authorization: []string{"Bearer " + key.Reveal()},
	})
	if d.Verdict != auth.Allow {
		return d.Reason.Code
	}
	return d.User.ID
}

// until waits for what a check with a key comes to.
func until(t *testing.T, p *process, key secret.Secret, want string) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for got := ""; got != want; got = checkWith(t, p, key) {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s, want %s", got, want)
		}
	}
}

// TestKeysAreReloaded: a key counts as soon as the file has it and no longer than
// that, whichever of the files changes, and a mistake changes nothing.
func TestKeysAreReloaded(t *testing.T) {
	one, oneEntry := entryOf("one")
	two, twoEntry := entryOf("two")
	k := newKeyFile(t, oneEntry)
	p, cfg := k.process()
	k.write(k.keys, oneEntry+twoEntry) // after it was read, and before it is watched
	done := make(chan error, 1)
	hangup := make(chan os.Signal) // who sends twice knows that the first is done with
	go func() { done <- p.reloads(t.Context(), cfg, hangup) }()
	t.Cleanup(func() {
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	until(t, p, two, "two")
	if got := checkWith(t, p, one); got != "one" {
		t.Error(got)
	}
	k.write(k.keys, twoEntry)
	until(t, p, one, "invalid_token")

	third := filepath.Join(t.TempDir(), "third.yaml")
	k.write(k.config, fmt.Sprintf(manyTokens, k.keys)+"  - keys_file: "+third+"\n") // CFG-3: which is not there yet
	k.write(k.keys, oneEntry)
	hangup <- os.Interrupt
	hangup <- os.Interrupt
	if got := checkWith(t, p, two) + checkWith(t, p, one); got != "twoinvalid_token" {
		t.Errorf("L18: beside a file that is missing: %s", got)
	}
	k.write(third, twoEntry)
	until(t, p, one, "one")
	until(t, p, two, "two")

	k.write(third, oneEntry) // CFG-1: whose id is in the other file
	hangup <- os.Interrupt
	hangup <- os.Interrupt
	if got := checkWith(t, p, two); got != "two" {
		t.Errorf("L18: beside an id that is there twice: %s", got)
	}
	k.write(third, "# none\n")
	until(t, p, two, "invalid_token")
}

// TestClientsAreKept: what a reload leaves as it is, it does not forget.
func TestClientsAreKept(t *testing.T) {
	_, entry := entryOf("one")
	k := newKeyFile(t, entry)
	p, cfg := k.process()
	before := p.clients
	for _, tt := range []struct {
		name         string
		file         string // "": the same as before
		tokens       bool   // all that is known about tokens is known afterwards
		jwts, opaque bool   // so is what their verifiers know
	}{
		{name: "the same", tokens: true, jwts: true, opaque: true},
		{name: "on other lines", file: "# a line\n" + fmt.Sprintf(manyTokens, k.keys), tokens: true, jwts: true, opaque: true},
		{name: "another rule", file: strings.Replace(fmt.Sprintf(manyTokens, k.keys), "allow: any", "deny: true", 1), tokens: true, jwts: true, opaque: true},
		{name: "a rule that looks at another claim", file: strings.Replace(fmt.Sprintf(manyTokens, k.keys), "allow: any", "allow: {claims: {level: [3]}}", 1), jwts: true, opaque: true},
		{name: "another header", file: fmt.Sprintf(manyTokens, k.keys) + "headers: {X-Team: groups}\n", jwts: true, opaque: true},
		{name: "another audience", file: strings.Replace(fmt.Sprintf(manyTokens, k.keys), "[api]", "[api, more]", 1), opaque: true},
		{name: "another secret", file: strings.Replace(fmt.Sprintf(manyTokens, k.keys), "client_secret: y", "client_secret: z", 1), jwts: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := p.govern(cfg); err != nil {
				t.Fatal(err)
			}
			before = p.clients
			if tt.file != "" {
				k.write(k.config, tt.file)
			}
			next := k.load()
			if err := p.govern(next); err != nil {
				t.Fatal(err)
			}
			after := p.clients
			for _, same := range []struct {
				what string
				want bool
				got  bool
			}{
				{"tokens", tt.tokens, after.verifiesAs(before)},
				{"JWTs", tt.jwts, after.verifiers[0].keeper == before.verifiers[0].keeper},
				{"introspection", tt.opaque, after.verifiers[1].keeper == before.verifiers[1].keeper},
			} {
				if same.got != same.want {
					t.Errorf("CON-2: what is known of %s is kept: %v", same.what, same.got)
				}
			}
		})
	}
}
