package auth

import (
	"slices"
	"testing"
)

func TestZeroValues(t *testing.T) {
	if v := (Decision{}).Verdict; v != Deny || v.String() != "deny" {
		t.Errorf("HTTP-4: the zero Decision is %v", v)
	}
	if v := Verdict(99).String(); v != "deny" {
		t.Errorf("HTTP-4: an unknown verdict reads %q", v)
	}
	if !(User{}).Nobody() || !(User{ID: "ada", Email: "a@x.test"}).Nobody() || (User{Subject: "1"}).Nobody() {
		t.Error("AUTHZ-1: who has a subject is somebody, and nobody else is")
	}
	if d := CannotTell("r", nil); d.Verdict != Unknown || d.Reason != StoreUnavailable || d.Rule != "r" {
		t.Errorf("SES-4: %v", d)
	}
	if d := Refuse(UntrustedPeer); d.Verdict != Deny || d.Reason != UntrustedPeer {
		t.Errorf("HDR-2: %v", d)
	}
}

func TestVerdictNames(t *testing.T) {
	for v, want := range map[Verdict]string{Allow: "allow", SignIn: "sign_in", BadToken: "bad_token", Unknown: "cannot_tell", Deny: "deny"} {
		if v.String() != want {
			t.Errorf("LOG-3: %q, want %q", v, want)
		}
	}
}

func TestAccount(t *testing.T) {
	for _, tt := range []struct {
		user User
		want string
	}{
		{User{Subject: "1", ID: "id", Name: "Ada", PreferredUsername: "ada", Email: "a@x.test"}, "a@x.test"},
		{User{Subject: "1", ID: "id", Name: "Ada", PreferredUsername: "ada"}, "ada"},
		{User{Subject: "1", ID: "id", Name: "Ada"}, "Ada"},
		{User{Subject: "1", ID: "id"}, "id"},
		{User{Subject: "1"}, "1"},
		{User{}, ""},
	} {
		if got := tt.user.Account(); got != tt.want {
			t.Errorf("Account of %+v = %q, want %q", tt.user, got, tt.want)
		}
	}
}

func TestSites(t *testing.T) {
	sites := Sites{
		{Scheme: "https", Host: "auth.example.com", CookieDomain: "example.com"},
		{Scheme: "https", Host: "auth.dev.example.com", Port: "8443", CookieDomain: "dev.example.com"},
		{Scheme: "https", Host: "alone.test"},
		{Scheme: "https", Host: "*.each.test"},
		{Scheme: "https", Host: "special.each.test", Port: "444"},
	}
	reversed := slices.Clone(sites)
	slices.Reverse(reversed)
	for _, tt := range []struct {
		name   string
		host   string
		origin string // "" when the host belongs to none
	}{
		{"PATH-4 the cookie domain", "example.com", "https://auth.example.com"},
		{"PATH-4 below it", "a.b.example.com", "https://auth.example.com"},
		{"PATH-4 the longest suffix", "a.dev.example.com", "https://auth.dev.example.com:8443"},
		{"PATH-4 the longer domain itself", "dev.example.com", "https://auth.dev.example.com:8443"},
		{"PATH-4 RED-3 no dot", "badexample.com", ""},
		{"PATH-4 no dot before the longer one", "xdev.example.com", "https://auth.example.com"},
		{"PATH-4 one host", "alone.test", "https://alone.test"},
		{"PATH-4 below one host", "x.alone.test", ""},
		{"PATH-4 a wildcard is the host itself", "a.each.test", "https://a.each.test"},
		{"PATH-4 a wildcard at any depth", "a.b.each.test", "https://a.b.each.test"},
		{"PATH-4 not the domain of a wildcard", "each.test", ""},
		{"PATH-4 a wildcard without a label", ".each.test", ""},
		{"PATH-4 an exact host beats a wildcard", "special.each.test", "https://special.each.test:444"},
		{"PATH-4 none", "evil.test", ""},
		{"PATH-4 empty", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, list := range []Sites{sites, reversed} { // the longest suffix, not the first or last
				site, ok := list.For(tt.host)
				if ok != (tt.origin != "") || ok && site.Origin() != tt.origin {
					t.Errorf("For(%q) = %q, %v; want %q", tt.host, site.Origin(), ok, tt.origin)
				}
			}
		})
	}
	if sites[3].Host != "*.each.test" {
		t.Error("CON-1: For has changed the list")
	}
}
