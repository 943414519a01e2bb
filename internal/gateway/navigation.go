package gateway

import (
	"net/http"
	"strings"
)

// Navigation reports whether a person's browser opens a page with this request:
// the only case in which a login may begin, because only a page can follow it.
// A browser that sends Sec-Fetch-Mode says so itself; of others it is believed
// when they ask for HTML and no script has marked the request as its own.
func Navigation(method string, h http.Header) bool {
	if method == http.MethodOptions || len(h["Sec-Websocket-Key"]) > 0 || isGRPC(h) {
		return false
	}
	if mode := h["Sec-Fetch-Mode"]; len(mode) > 0 {
		return len(mode) == 1 && mode[0] == "navigate"
	}
	if method != http.MethodGet && method != http.MethodHead {
		return false
	}
	return len(h["X-Requested-With"]) == 0 && WantsHTML(h)
}

// WantsHTML reports whether the answer will be read by a person.
func WantsHTML(h http.Header) bool {
	for _, line := range h["Accept"] {
		if strings.Contains(line, "text/html") {
			return true
		}
	}
	return false
}

func isGRPC(h http.Header) bool {
	contentType := h["Content-Type"]
	return len(contentType) > 0 && strings.HasPrefix(contentType[0], "application/grpc")
}
