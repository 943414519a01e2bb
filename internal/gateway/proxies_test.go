package gateway

import (
	"net/http"
	"net/netip"
	"testing"
)

func TestClient(t *testing.T) {
	for _, tt := range []struct {
		name  string
		lines []string
		want  string // "" when it is not known
	}{
		{"HDR-7 one", []string{"203.0.113.9"}, "203.0.113.9"},
		{"HDR-7 rightmost untrusted", []string{"198.51.100.1, 203.0.113.9, 10.0.0.1"}, "203.0.113.9"},
		{"HDR-7 several, all trusted: anybody could have written the first", []string{"10.0.0.3, 10.0.0.2,127.0.0.1"}, ""},
		{"HDR-7 one, trusted", []string{"10.0.0.3"}, "10.0.0.3"},
		{"HDR-7 several lines are one list", []string{"198.51.100.1", "203.0.113.9, 10.0.0.1", "10.0.0.2"}, "203.0.113.9"},
		{"HDR-7 tabs and spaces", []string{" \t203.0.113.9\t ,\t10.0.0.1 "}, "203.0.113.9"},
		{"HDR-7 IPv6", []string{"2001:db8::1, fd00::1"}, "2001:db8::1"},
		{"HDR-7 IPv4-mapped is IPv4", []string{"::ffff:203.0.113.9"}, "203.0.113.9"},
		{"HDR-7 IPv4-mapped proxy", []string{"203.0.113.9, ::ffff:10.0.0.1"}, "203.0.113.9"},
		{"HDR-7 no header", nil, ""},
		{"HDR-7 empty", []string{""}, ""},
		{"HDR-7 CVE-2024-47070 garbage", []string{"unknown"}, ""},
		{"HDR-7 CVE-2026-57210 garbage before a proxy", []string{"203.0.113.9, unknown, 10.0.0.1"}, ""},
		{"HDR-7 garbage left of the client does not matter", []string{"' OR 1=1, 203.0.113.9, 10.0.0.1"}, "203.0.113.9"},
		{"HDR-7 an empty entry in the middle", []string{"203.0.113.9,, 10.0.0.1"}, ""},
		{"HDR-7 an empty entry at the end", []string{"203.0.113.9, "}, ""},
		{"HDR-7 an empty entry at the start", []string{", 10.0.0.1"}, ""},
		{"HDR-7 an empty line", []string{"", "10.0.0.1"}, ""},
		{"HDR-7 with a port", []string{"203.0.113.9:4711"}, ""},
		{"HDR-7 leading zeros", []string{"203.0.113.009"}, ""},
		{"HDR-7 quoted", []string{`"203.0.113.9"`}, ""},
		{"HDR-7 brackets", []string{"[2001:db8::1]"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want, _ := netip.ParseAddr(tt.want)
			if got := settings().Proxies.client(tt.lines); got != want {
				t.Errorf("client(%q) = %v, want %v", tt.lines, got, want)
			}
		})
	}
}

func TestClientOf(t *testing.T) {
	for _, tt := range []struct {
		name string
		peer string
		h    http.Header
		want string
	}{
		{"HDR-2 a trusted proxy is believed", "10.0.0.1:1", http.Header{"X-Forwarded-For": {"203.0.113.9"}}, "203.0.113.9"},
		{"HDR-2 nobody else is", "198.51.100.1:1", http.Header{"X-Forwarded-For": {"203.0.113.9"}}, "198.51.100.1"},
		{"HDR-2 no header", "[::ffff:10.0.0.1]:1", http.Header{}, "10.0.0.1"},
		{"HDR-4 no alias", "10.0.0.1:1", http.Header{"X_Forwarded_For": {"203.0.113.9"}, "X-Real-Ip": {"203.0.113.9"}}, "10.0.0.1"},
		{"HDR-7 garbage", "10.0.0.1:1", http.Header{"X-Forwarded-For": {"x"}}, ""},
		{"unix socket", "@", http.Header{}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want, _ := netip.ParseAddr(tt.want)
			if got := settings().Proxies.ClientOf(question(tt.peer, "", tt.h)); got != want {
				t.Errorf("ClientOf = %v, want %v", got, want)
			}
		})
	}
}
