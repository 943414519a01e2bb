package stack

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// OIDCProvider is the npm package of that name, a certified provider that nothing
// else here shares code with. Its access tokens are opaque, its refresh tokens
// are good once, and claims other than `sub` come from its userinfo endpoint. The
// people are those of Dex, and Ada is in the groups staff and ops. It forgets
// everything when it stops, its keys included.
type OIDCProvider struct {
	Dir          string
	Listen       string // host:port
	AuthURL      string // origin of Doorward's pages
	BackChannel  string // origin by which the provider reaches Doorward; empty: it does not
	ClientSecret string // Doorward's

	// AccessTokenSeconds is how long an access token is good; 0 is five minutes.
	AccessTokenSeconds int

	process *Process
}

// What OIDCProvider takes as acr_values. The page of the higher one asks for the
// word "code" besides the password.
const (
	LevelPassword = "password"
	LevelCode     = "code"
)

// APIResource is the resource (RFC 8707) for which OIDCProvider issues JWT access
// tokens; the client "robot" may have one for itself, with the scope "read".
const APIResource = "https://api.example.com"

// NewOIDCProvider knows Doorward under a secret made here.
func NewOIDCProvider(dir, listen, authURL string) *OIDCProvider {
	return &OIDCProvider{Dir: dir, Listen: listen, AuthURL: authURL, ClientSecret: rand.Text()}
}

// Issuer is what tokens carry as `iss`.
func (p *OIDCProvider) Issuer() string { return "http://" + p.Listen }

// Start starts the provider and waits until it can be discovered.
func (p *OIDCProvider) Start(ctx context.Context) error {
	root, err := Root()
	if err != nil {
		return err
	}
	home := filepath.Join(root, ".tools", "oidc-provider")
	node := filepath.Join(home, "node_modules", ".bin", "node")
	if _, err := os.Stat(node); err != nil {
		return fmt.Errorf("stack: oidc-provider is missing; run: cd %s && go run ./tools", filepath.Join(root, "test"))
	}
	text, err := json.Marshal(p.config())
	if err != nil {
		return fmt.Errorf("stack: configure oidc-provider: %w", err)
	}
	config := filepath.Join(p.Dir, "oidc-provider.json")
	if err := os.WriteFile(config, text, 0o600); err != nil {
		return fmt.Errorf("stack: configure oidc-provider: %w", err)
	}
	p.process, err = Start(Command{
		Name: "oidc-provider", Dir: p.Dir, Path: node, Args: []string{filepath.Join(home, "server.mjs"), config},
	})
	if err != nil {
		return err
	}
	return p.process.Await(ctx, answers(p.Issuer()+"/.well-known/openid-configuration"))
}

// config is the file that test/tools/oidc-provider reads.
func (p *OIDCProvider) config() map[string]any {
	doorward := map[string]any{
		"client_id":                 ClientID,
		"client_secret":             p.ClientSecret,
		"redirect_uris":             []string{p.AuthURL + "/callback"},
		"post_logout_redirect_uris": []string{p.AuthURL + "/sign_out"},
		"response_types":            []string{"code"},
		"grant_types":               []string{"authorization_code", "refresh_token"},
	}
	if p.BackChannel != "" {
		doorward["backchannel_logout_uri"] = p.BackChannel + "/backchannel_logout"
		doorward["backchannel_logout_session_required"] = true
	}
	var users []map[string]any
	for i, person := range people() {
		groups := []string{}
		if person.email == Ada {
			groups = []string{"staff", "ops"}
		}
		users = append(users, map[string]any{
			"id": fmt.Sprintf("user-%d", i+1), "name": person.name, "email": person.email, "password": Password, "groups": groups,
		})
	}
	config := map[string]any{
		"listen": p.Listen,
		"users":  users,
		"clients": []map[string]any{doorward, {
			"client_id": "robot", "client_secret": "robot-secret", "scope": "read",
			"redirect_uris": []string{}, "response_types": []string{}, "grant_types": []string{"client_credentials"},
		}},
	}
	if p.AccessTokenSeconds > 0 {
		config["access_token_seconds"] = p.AccessTokenSeconds
	}
	return config
}

// Process is what Start started last, nil before.
func (p *OIDCProvider) Process() *Process { return p.process }

// Stop stops the provider; Start brings it back at the same address.
func (p *OIDCProvider) Stop() error {
	if p.process == nil {
		return nil
	}
	return p.process.Stop()
}
