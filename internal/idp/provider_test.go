package idp

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNewRefuses(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*Config)
		says   []string
	}{
		{"nothing wrong", func(*Config) {}, nil},
		{"issuer missing", func(c *Config) { c.IssuerURL = "" }, []string{"issuer URL: not an http"}},
		{"issuer without scheme", func(c *Config) { c.IssuerURL = "id.example.com" }, []string{"issuer URL: not an http"}},
		{"issuer is a file", func(c *Config) { c.IssuerURL = "file:///etc/passwd" }, []string{"issuer URL: not an http"}},
		{"issuer without host", func(c *Config) { c.IssuerURL = "https://:443/x" }, []string{"issuer URL: the URL names no host"}},
		{"issuer with a query", func(c *Config) { c.IssuerURL += "?tenant=1" }, []string{"issuer URL: an issuer has no query"}},
		{"issuer with a fragment", func(c *Config) { c.IssuerURL += "#x" }, []string{"issuer URL: the URL has a fragment"}},
		{"issuer with a password", func(c *Config) { c.IssuerURL = "https://u:hunter2@id.example.com" }, []string{"issuer URL: the URL holds a user name"}},
		{"issuer that cannot be read", func(c *Config) { c.IssuerURL = "https://id.example.com/%zz" }, []string{"issuer URL: not a URL"}},
		{"client id missing", func(c *Config) { c.ClientID = "" }, []string{"client id is missing"}},
		{"no openid", func(c *Config) { c.Scopes = []string{"email"} }, []string{"scopes lack openid"}},
		{"OIDC-1 response type as a parameter", func(c *Config) { c.AuthParams = map[string]string{"response_type": "token"} }, []string{"response_type cannot be set"}},
		{"OIDC-1 PKCE method as a parameter", func(c *Config) { c.AuthParams = map[string]string{"code_challenge_method": "plain"} }, []string{"code_challenge_method cannot be set"}},
		{"endpoint is relative", func(c *Config) { c.TokenURL = "/token" }, []string{"token URL: not an http"}},
		{"no discovery and no endpoints", func(c *Config) { c.Discovery = false }, []string{"auth URL is missing", "token URL is missing", "JWKS URL is missing"}},
		{"no CA file", func(c *Config) { c.CAFile = "/does/not/exist" }, []string{"CA file: "}},
		{"all at once", func(c *Config) { c.ClientID, c.IssuerURL, c.CAFile = "", "", "/does/not/exist" }, []string{"client id", "issuer URL", "CA file"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			conf := Config{Name: "corp", IssuerURL: "https://id.example.com", ClientID: "c", Discovery: true}
			tt.change(&conf)
			_, err := New(conf)
			if (err == nil) != (tt.says == nil) {
				t.Fatalf("CFG-1: %v", err)
			}
			for _, words := range tt.says {
				if !strings.Contains(err.Error(), words) || !strings.Contains(err.Error(), "provider corp") {
					t.Errorf("CFG-1: %v", err)
				}
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Error("LOG-2: the error repeats a password")
			}
		})
	}
}

func TestNewWarnsOfPlainHTTP(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*Config)
		says   string
	}{
		{"nothing", func(*Config) {}, ""},
		{"http on loopback", func(c *Config) { c.IssuerURL = "http://127.0.0.1:5556" }, ""},
		{"http on localhost", func(c *Config) { c.IssuerURL = "http://dex.doorward.localhost:5556" }, ""},
		{"OIDC-9 http elsewhere", func(c *Config) { c.IssuerURL = "http://id.example.com" }, "the issuer URL is http"},
		{"OIDC-9 http on a name that ends like localhost", func(c *Config) { c.IssuerURL = "http://evillocalhost" }, "the issuer URL is http"},
	} {
		log := &logBuffer{}
		conf := Config{Name: "corp", IssuerURL: "https://id.example.com", ClientID: "c", Discovery: true, Log: logTo(log)}
		tt.change(&conf)
		if _, err := New(conf); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(log.String(), tt.says) || tt.says == "" && log.String() != "" {
			t.Errorf("%s: the log says %q", tt.name, log)
		}
	}
}

func TestNames(t *testing.T) {
	conf := Config{Name: "corp", IssuerURL: "https://id.example.com/", ClientID: "c", Discovery: true}
	p, err := New(conf)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"corp", "corp", "https://id.example.com/"}, []string{p.Name(), p.Label(), p.Issuer()}); diff != "" {
		t.Error(diff)
	}
	conf.Label = "Company login"
	if p, err = New(conf); err != nil || p.Label() != "Company login" {
		t.Errorf("%v, %v", p.Label(), err)
	}
	if err := p.Ready(); err == nil || !strings.Contains(err.Error(), "not finished yet") {
		t.Errorf("ready before discovery: %v", err)
	}
}

func TestErrorsHaveTwoVoices(t *testing.T) {
	for _, err := range []*InvalidError{invalid(ReasonNonce, "x"), invalid(ReasonExpired, "x"), invalid(ReasonMixUp, "x"), invalid(ReasonUserClaim, "x")} {
		if err.Public == "" || strings.Contains(err.Public, "x was") || err.Cause == nil {
			t.Errorf("%+v", err)
		}
	}
	if err := unavailable(partKeys, errTooSoon); err.Public() == "" || err.RetryAfter <= 0 {
		t.Errorf("%+v", err)
	}
}
