package gateway

import (
	"net/http"
	"testing"
)

func TestNavigation(t *testing.T) {
	const browser = "text/html,application/xhtml+xml,*/*;q=0.8"
	for _, tt := range []struct {
		name   string
		method string
		h      http.Header
		want   bool
	}{
		{"OIDC-11 a browser of today", "GET", http.Header{"Sec-Fetch-Mode": {"navigate"}, "Accept": {browser}}, true},
		{"OIDC-11 a form that it sends", "POST", http.Header{"Sec-Fetch-Mode": {"navigate"}}, true},
		{"OIDC-11 it says navigate, whatever it accepts", "GET", http.Header{"Sec-Fetch-Mode": {"navigate"}, "Accept": {"*/*"}, "X-Requested-With": {"x"}}, true},
		{"OIDC-11 fetch", "GET", http.Header{"Sec-Fetch-Mode": {"cors"}, "Accept": {browser}}, false},
		{"OIDC-11 image", "GET", http.Header{"Sec-Fetch-Mode": {"no-cors"}, "Accept": {browser}}, false},
		{"OIDC-11 same-origin fetch", "GET", http.Header{"Sec-Fetch-Mode": {"same-origin"}, "Accept": {browser}}, false},
		{"OIDC-11 websocket", "GET", http.Header{"Sec-Fetch-Mode": {"websocket"}}, false},
		{"OIDC-11 repeated", "GET", http.Header{"Sec-Fetch-Mode": {"navigate", "cors"}, "Accept": {browser}}, false},
		{"OIDC-11 empty", "GET", http.Header{"Sec-Fetch-Mode": {""}, "Accept": {browser}}, false},
		{"OIDC-11 other case", "GET", http.Header{"Sec-Fetch-Mode": {"Navigate"}, "Accept": {browser}}, false},
		{"OIDC-11 an older browser", "GET", http.Header{"Accept": {browser}}, true},
		{"OIDC-11 an older browser, HEAD", "HEAD", http.Header{"Accept": {browser}}, true},
		{"OIDC-11 an older browser, POST", "POST", http.Header{"Accept": {browser}}, false},
		{"OIDC-11 an older browser, XHR", "GET", http.Header{"Accept": {browser}, "X-Requested-With": {"XMLHttpRequest"}}, false},
		{"OIDC-11 curl", "GET", http.Header{"Accept": {"*/*"}}, false},
		{"OIDC-11 JSON", "GET", http.Header{"Accept": {"application/json"}}, false},
		{"OIDC-11 nothing", "GET", http.Header{}, false},
		{"OIDC-11 HTML in the second line", "GET", http.Header{"Accept": {"*/*", "text/html"}}, true},
		{"OIDC-11 method in lower case", "get", http.Header{"Accept": {browser}}, false},
		{"OIDC-11 preflight", "OPTIONS", http.Header{"Sec-Fetch-Mode": {"navigate"}, "Accept": {browser}}, false},
		{"OIDC-11 websocket handshake", "GET", http.Header{"Sec-Websocket-Key": {"x"}, "Sec-Fetch-Mode": {"navigate"}, "Accept": {browser}}, false},
		{"OIDC-11 gRPC", "POST", http.Header{"Content-Type": {"application/grpc"}, "Sec-Fetch-Mode": {"navigate"}}, false},
		{"OIDC-11 gRPC-Web", "POST", http.Header{"Content-Type": {"application/grpc-web+proto"}, "Sec-Fetch-Mode": {"navigate"}}, false},
		{"HDR-4 no alias", "GET", http.Header{"Sec_fetch_mode": {"navigate"}, "accept": {browser}}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := Navigation(tt.method, tt.h); got != tt.want {
				t.Errorf("Navigation = %v, want %v", got, tt.want)
			}
		})
	}
}
