package stack

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// The people whom the providers know, all with the same password. Eve's domain is not
// among those that the demo and most tests let in.
const (
	Ada = "ada@example.com"
	Bob = "bob@example.com"
	Eve = "eve@other.example"

	Password = "password"
)

// person is somebody whom the providers know.
type person struct{ email, name string }

func people() []person {
	return []person{{Ada, "Ada"}, {Bob, "Bob"}, {Eve, "Eve"}}
}

// ClientID is Doorward's name at the providers.
const ClientID = "doorward"

// Dex is the provider. It forgets everything when it stops, its keys included.
type Dex struct {
	Dir          string
	Listen       string   // host:port
	ClientSecret string   // Doorward's
	RedirectURIs []string // Doorward's callbacks

	// Connectors are ways to sign in besides the password. With none of them Dex
	// asks nobody which way to take.
	Connectors []DexConnector

	process *Process
}

// DexConnector is a connector as Dex's own configuration has it.
type DexConnector struct {
	ID     string         `json:"id"`
	Type   string         `json:"type"`
	Name   string         `json:"name"`
	Config map[string]any `json:"config"`
}

// SAMLConnector makes Dex ask a SAML identity provider, which must have started.
func (d *Dex) SAMLConnector(idp *SAMLIdP) DexConnector {
	return DexConnector{ID: "saml", Type: "saml", Name: "SAML", Config: map[string]any{
		"entityIssuer": idp.SP, "ssoIssuer": idp.Issuer(), "ssoURL": idp.SSO(), "ca": idp.CertFile,
		"redirectURI": d.Callback(), "nameIDPolicyFormat": "emailAddress",
		"usernameAttr": "name", "emailAttr": "email", "groupsAttr": "groups",
	}}
}

// MockConnector makes Dex ask a mock of its own for the password. The only person
// behind it is of another domain and in no group.
func (d *Dex) MockConnector(user string) DexConnector {
	return DexConnector{ID: "mock", Type: "mockPassword", Name: "Mock", Config: map[string]any{
		"username": user, "password": Password,
	}}
}

// Callback is where the providers behind Dex send people back to.
func (d *Dex) Callback() string { return d.Issuer() + "/callback" }

// NewDex is a provider that listens on the address and knows Doorward under a
// secret made here.
func NewDex(dir, listen string, redirectURIs ...string) *Dex {
	return &Dex{Dir: dir, Listen: listen, ClientSecret: rand.Text(), RedirectURIs: redirectURIs}
}

// Issuer is what tokens carry as `iss`.
func (d *Dex) Issuer() string { return "http://" + d.Listen + "/dex" }

// Start starts Dex and waits until it can be discovered.
func (d *Dex) Start(ctx context.Context) error {
	binary, err := Tool("dex")
	if err != nil {
		return err
	}
	config := filepath.Join(d.Dir, "dex.json")
	text, err := json.MarshalIndent(d.config(), "", "  ")
	if err != nil {
		return fmt.Errorf("stack: configure dex: %w", err)
	}
	if err := os.WriteFile(config, text, 0o600); err != nil {
		return fmt.Errorf("stack: configure dex: %w", err)
	}
	d.process, err = Start(Command{Name: "dex", Dir: d.Dir, Path: binary, Args: []string{config}})
	if err != nil {
		return err
	}
	return d.process.Await(ctx, answers(d.Issuer()+"/.well-known/openid-configuration"))
}

// config is the file that test/tools/dex reads.
func (d *Dex) config() map[string]any {
	var users []map[string]string
	for i, person := range people() {
		users = append(users, map[string]string{
			"id":       fmt.Sprintf("%04d", i+1),
			"name":     person.name,
			"email":    person.email,
			"password": Password,
		})
	}
	return map[string]any{
		"issuer":      d.Issuer(),
		"listen":      d.Listen,
		"issued_file": d.issuedFile(),
		"users":       users,
		"connectors":  d.Connectors,
		"clients": []map[string]any{
			{"id": ClientID, "secret": d.ClientSecret, "redirect_uris": d.RedirectURIs},
		},
	}
}

func (d *Dex) issuedFile() string { return filepath.Join(d.Dir, "issued.txt") }

// Issued are all codes and tokens that Dex has handed out. None of them may be
// found in anybody's log.
func (d *Dex) Issued() ([]string, error) {
	text, err := os.ReadFile(d.issuedFile())
	if err != nil {
		return nil, fmt.Errorf("stack: read what dex issued: %w", err)
	}
	return strings.Fields(string(text)), nil
}

// Stop stops Dex; Start brings it back at the same address.
func (d *Dex) Stop() error {
	if d.process == nil {
		return nil
	}
	return d.process.Stop()
}
