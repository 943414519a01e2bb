package idptest

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestIntrospection(t *testing.T) {
	p := start(t)
	token := p.OpaqueToken(map[string]any{"level": 3, "scope": nil})
	for _, tt := range []struct {
		name   string
		method string
		id     string
		form   url.Values
		status int
		want   string
	}{
		{"a token", "POST", p.ClientID, url.Values{"token": {token}}, 200, `"level":3`},
		{"a token", "POST", p.ClientID, url.Values{"token": {token}}, 200, `"active":true`},
		{"no token of ours", "POST", p.ClientID, url.Values{"token": {"x"}}, 200, `{"active":false}`},
		{"no token", "POST", p.ClientID, url.Values{}, 400, "invalid_request"},
		{"two tokens", "POST", p.ClientID, url.Values{"token": {token, token}}, 400, "invalid_request"},
		{"another client", "POST", "eve", url.Values{"token": {token}}, 401, "invalid_client"},
		{"GET", "GET", p.ClientID, url.Values{"token": {token}}, 400, "invalid_request"},
	} {
		req, err := http.NewRequestWithContext(t.Context(), tt.method, p.URL(Introspect), strings.NewReader(tt.form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.SetBasicAuth(tt.id, url.QueryEscape(p.ClientSecret))
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || resp.StatusCode != tt.status || !strings.Contains(string(body), tt.want) || strings.Contains(string(body), "scope") {
			t.Errorf("%s: %d %s, %v", tt.name, resp.StatusCode, body, err)
		}
	}
}
