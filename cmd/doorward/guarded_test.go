package main

import (
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/config"
)

// TestGuardedClaims: what counts only when it was checked cannot be asked for as a
// claim, where it would always be missing (AUTHZ-3, AUTHZ-4).
func TestGuardedClaims(t *testing.T) {
	rule := func(allow config.Allow) config.Config {
		return config.Config{Rules: []config.Rule{{Name: "r", Allow: &allow}}}
	}
	for _, tt := range []struct {
		name string
		cfg  config.Config
		want string // of the mistake; "" for none
	}{
		{"groups in when", rule(config.Allow{When: `!("x" in claims.groups)`}), "the claim groups "},
		{"email in when", rule(config.Allow{When: `!has(claims.email)`}), "the claim email "},
		{"the configured groups claim", rule(config.Allow{Claims: map[string][]string{"realm_access.roles": {"a"}}}), "the claim realm_access.roles "},
		{"the configured e-mail claim in a header", config.Config{Headers: []config.Header{{Name: "X-Mail", Source: "claims.mail"}}}, "the claim mail "},
		{"another claim", rule(config.Allow{When: `claims.level > 3`}), ""},
		{"the user's own", rule(config.Allow{When: `"x" in user.groups`}), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.cfg.Providers = []config.Provider{{EmailClaim: "mail", GroupsClaims: []string{"realm_access.roles"}}}
			_, _, err := ruleSets(&tt.cfg)
			if (err != nil) != (tt.want != "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}
