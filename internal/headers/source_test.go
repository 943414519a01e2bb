package headers

import (
	"testing"

	"github.com/doorward/doorward/internal/auth"
)

// TestCustom: any claim under any name, once, and empty when it is not there.
func TestCustom(t *testing.T) {
	user := auth.User{
		Subject: "1", ID: "ada", Email: "ada@example.com", Name: "Jörg", PreferredUsername: "j", Groups: []string{"a,b", "c"},
		Claims: map[string]any{
			"team": "core", "level": int64(3), "ratio": 1.5, "staff": true, "roles": []any{"a", "b,c", int64(7), map[string]any{}},
			"nested": map[string]any{"x": "y"}, "evil": "a\r\nX-Admin: 1", "realm_access.roles": []any{"admin"},
		},
	}
	for from, want := range map[string]string{
		"user": "ada", "email": "ada@example.com", "name": "J%C3%B6rg", "preferred_username": "j", "groups": "a%2Cb,c",
		"claims.team": "core", "claims.level": "3", "claims.ratio": "1.5", "claims.staff": "true", "claims.roles": "a,b%2Cc,7",
		"claims.realm_access.roles": "admin", "claims.nested": "", "claims.missing": "", "claims.evil": "a%0D%0AX-Admin: 1", "unknown": "",
	} {
		id := New(Config{Custom: []Source{{"X-Custom", from}}}).Render(user, auth.Tokens{})
		if len(id.Headers) != 1 || id.Headers[0].Name != "X-Custom" || len(id.Headers[0].Value) != 1 || id.Headers[0].Value[0] != want {
			t.Errorf("%s: %v, want %q", from, id.Headers, want)
		}
	}
	if id := New(Config{Custom: []Source{{"X-Custom", "claims.team"}}}).Render(auth.User{}, auth.Tokens{}); id.Headers[0].Value[0] != "" {
		t.Errorf("HDR-5 nobody: %v", id.Headers)
	}
}
