package policy

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/doorward/doorward/internal/auth"
)

// TestApps: a user is shown the places that would let them in, and no others.
func TestApps(t *testing.T) {
	set := New([]Rule{
		{Name: "closed in front", Hosts: []string{"closed.test"}, Deny: true},
		{Name: "health", Hosts: []string{"wiki.test"}, Paths: []string{"/healthz"}, Public: true},
		{Name: "admin", Hosts: []string{"wiki.test"}, Paths: []string{"/admin/**"}, Title: "Wiki, admin", Allow: &Allow{Groups: []string{"ops"}}},
		{Name: "wiki", Hosts: []string{"wiki.test"}, Title: "Wiki", Icon: "https://wiki.test/icon.png", Allow: &Allow{Any: true}},
		{Name: "ops", Hosts: []string{"grafana.test", "prometheus.test"}, Allow: &Allow{Groups: []string{"ops"}}},
		{Name: "behind wiki", Hosts: []string{"wiki.test"}, Paths: []string{"/hidden"}, Allow: &Allow{Any: true}},
		{Name: "closed behind", Hosts: []string{"closed.test"}, Allow: &Allow{Any: true}},
		{Name: "everything", Hosts: []string{"*.test"}, Allow: &Allow{Any: true}},
		{Name: "api", Hosts: []string{"api.test"}, Methods: []string{"POST"}, Allow: &Allow{Any: true}},
		{Name: "fill in", Hosts: []string{"shop.test"}, Paths: []string{"/*/cart"}, Allow: &Allow{Any: true}},
		{Name: "inside", Hosts: []string{"lan.example"}, Allow: &Allow{Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}},
		{Name: "strong", Hosts: []string{"vault.example"}, ACR: []string{"mfa"}, Allow: &Allow{Any: true}},
	}, nil, time.Now)
	wiki := App{Title: "Wiki", Icon: "https://wiki.test/icon.png", Host: "wiki.test", Path: "/"}
	for _, tt := range []struct {
		name   string
		user   auth.User
		client string
		want   []App
	}{
		{"nobody", auth.User{}, "10.0.0.1", nil},
		{"a guest", auth.User{Subject: "1"}, "192.0.2.1", []App{wiki}},
		{"a guest inside", auth.User{Subject: "1"}, "10.0.0.1", []App{wiki, {Host: "lan.example", Path: "/"}}},
		{"an operator", auth.User{Subject: "2", Groups: []string{"ops"}}, "192.0.2.1", []App{
			{Title: "Wiki, admin", Host: "wiki.test", Path: "/admin/"}, wiki, {Host: "grafana.test", Path: "/"}, {Host: "prometheus.test", Path: "/"},
		}},
		{"a strong login", auth.User{Subject: "1", ACR: "mfa"}, "192.0.2.1", []App{wiki, {Host: "vault.example", Path: "/"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := set.Apps(tt.user, netip.MustParseAddr(tt.client))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}
