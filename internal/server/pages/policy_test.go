package pages

import (
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"
	"testing"
)

func TestPolicyMatchesThePage(t *testing.T) {
	s := newSet(t)
	for _, tt := range samples("ada", "/next") {
		t.Run(tt.name, func(t *testing.T) {
			source, _ := render(t, s, tt)
			_, rest, _ := strings.Cut(source, "<style>")
			style, _, found := strings.Cut(rest, "</style>")
			if !found || strings.Contains(style, "\r") {
				t.Fatal("no style that a browser reads byte for byte")
			}
			sum := sha256.Sum256([]byte(style))
			want := "style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "';"
			if !strings.Contains(s.Policy(), want) {
				t.Errorf("policy %q lacks %q", s.Policy(), want)
			}
		})
	}
}

func TestPolicy(t *testing.T) {
	s := newSet(t)
	for _, tt := range []struct {
		name    string
		origins []string
		want    string
	}{
		{"alone HTTP-2", nil, "form-action 'self'"},
		{"provider", []string{"https://id.example.com", "http://dex.localhost:5556"}, "form-action 'self' https://id.example.com http://dex.localhost:5556"},
		{"ends the directive", []string{"https://a.example.com;script-src"}, "form-action 'self'"},
		{"ends the policy", []string{"https://a.example.com,script-src"}, "form-action 'self'"},
		{"keyword", []string{"'unsafe-inline'", "*", "data:", "https:", ""}, "form-action 'self'"},
		{"wildcard", []string{"https://*.example.com", "https://*"}, "form-action 'self'"},
		{"new line", []string{"https://a.example.com\r\nX: y"}, "form-action 'self'"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			directives := strings.Split(s.Policy(tt.origins...), "; ")
			want := []string{"default-src 'none'", directives[1], "img-src data:", "base-uri 'none'", "frame-ancestors 'none'", tt.want}
			if !slices.Equal(directives, want) {
				t.Errorf("got  %q\nwant %q", directives, want)
			}
		})
	}
}
