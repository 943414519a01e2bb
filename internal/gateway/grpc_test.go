package gateway

import (
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"

	"github.com/doorward/doorward/internal/auth"
)

type asked = authv3.AttributeContext_HttpRequest

func grpcQuestion(http *asked) *authv3.CheckRequest {
	return &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		Request: &authv3.AttributeContext_Request{Http: http},
		Source: &authv3.AttributeContext_Peer{Address: &corev3.Address{Address: &corev3.Address_SocketAddress{
			SocketAddress: &corev3.SocketAddress{Address: "::ffff:192.0.2.7"},
		}}},
	}}
}

func TestGRPCRead(t *testing.T) {
	for _, tt := range []struct {
		name    string
		asked   *asked
		refused string
	}{
		{"complete", &asked{Method: "GET", Scheme: "https", Host: "app.example.com:443", Path: "/p?q=1"}, ""},
		{"HDR-3 nothing", nil, "missing_headers"},
		{"HDR-3 no method", &asked{Scheme: "https", Host: "app.example.com", Path: "/p"}, "malformed_headers"},
		{"HDR-3 no scheme", &asked{Method: "GET", Host: "app.example.com", Path: "/p"}, "malformed_headers"},
		{"HDR-3 no host", &asked{Method: "GET", Scheme: "https", Path: "/p"}, "malformed_headers"},
		{"HDR-3 no path", &asked{Method: "CONNECT", Scheme: "https", Host: "app.example.com"}, "malformed_headers"},
		{"user information", &asked{Method: "GET", Scheme: "https", Host: "a@app.example.com", Path: "/"}, "malformed_headers"},
		{"HDR-1 headers describe nothing", &asked{Method: "GET", Scheme: "https", Host: "app.example.com", Path: "/p?q=1", Headers: map[string]string{
			"x-original-url": "https://evil.com/", "x-forwarded-uri": "/public", "x-forwarded-host": "evil.com", "x-forwarded-for": "127.0.0.1",
		}}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			req, err := GRPC{Settings: settings()}.Read(trustedPeer, grpcQuestion(tt.asked))
			if got := refusalCode(t, err); got != tt.refused {
				t.Fatalf("refused as %q, want %q", got, tt.refused)
			}
			if err == nil && (req.Host != "app.example.com" || req.Path != "/p" || req.Query != "?q=1" || req.Client.String() != "192.0.2.7") {
				t.Errorf("read %+v", req)
			}
		})
	}
	if _, err := (GRPC{Settings: settings()}).Read("192.0.2.1:1", grpcQuestion(&asked{})); refusalCode(t, err) != "untrusted_peer" {
		t.Errorf("HDR-2: %v", err)
	}
	if _, err := (GRPC{Settings: settings()}).Read(trustedPeer, nil); refusalCode(t, err) != "missing_headers" {
		t.Errorf("nil: %v", err)
	}
}

// TestGRPCHeaders: cookies and what tells a navigation arrive in both forms in
// which Envoy writes headers.
func TestGRPCHeaders(t *testing.T) {
	for name, question := range map[string]*asked{
		"map": {Method: "GET", Scheme: "https", Host: "app.example.com", Path: "/", Headers: map[string]string{"cookie": "a=1", "sec-fetch-mode": "navigate"}},
		"raw": {Method: "GET", Scheme: "https", Host: "app.example.com", Path: "/", HeaderMap: &corev3.HeaderMap{Headers: []*corev3.HeaderValue{
			{Key: "cookie", RawValue: []byte("a=1")}, {Key: "sec-fetch-mode", Value: "navigate"},
		}}},
	} {
		req, err := GRPC{Settings: settings()}.Read(trustedPeer, grpcQuestion(question))
		if err != nil || !req.Navigation || len(req.Cookies) != 1 || req.Cookies[0] != "a=1" {
			t.Errorf("%s: %+v, %v", name, req, err)
		}
	}
}

// TestGRPCDenials: the same table as for HTTP, in Envoy's words.
func TestGRPCDenials(t *testing.T) {
	for _, tt := range directAnswers {
		t.Run(tt.name, func(t *testing.T) {
			answer := GRPC{Settings: settings()}.Answer(auth.Request{Method: tt.method, Navigation: tt.navigation}, tt.decision)
			denied := answer.GetDeniedResponse()
			if answer.GetStatus().GetCode() == 0 || int(denied.GetStatus().GetCode()) != tt.status {
				t.Fatalf("%v", answer)
			}
			got := map[string]string{}
			for _, header := range denied.GetHeaders() {
				got[header.GetHeader().GetKey()] = header.GetHeader().GetValue()
			}
			for header, want := range tt.header {
				if got[header] != want {
					t.Errorf("%s is %q, want %q", header, got[header], want)
				}
			}
			checkBody(t, []byte(denied.GetBody()), tt.body)
		})
	}
}

// TestGRPCAllow is HDR-5: every identity header replaces the client's, also with
// an empty value.
func TestGRPCAllow(t *testing.T) {
	answer := GRPC{}.Answer(auth.Request{}, auth.Decision{
		Judgement: auth.Judgement{Verdict: auth.Allow},
		Identity:  auth.Identity{Headers: []auth.Header{{Name: "X-Auth-Request-User", Value: []string{"ada"}}, {Name: "X-Auth-Request-Email", Value: []string{""}}}},
	})
	var got []string
	for _, header := range answer.GetOkResponse().GetHeaders() {
		if header.GetAppendAction() != corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD || !header.GetKeepEmptyValue() {
			t.Errorf("%v does not replace the client's", header)
		}
		got = append(got, header.GetHeader().GetKey()+"="+header.GetHeader().GetValue())
	}
	if answer.GetStatus().GetCode() != 0 || strings.Join(got, " ") != "X-Auth-Request-User=ada X-Auth-Request-Email=" {
		t.Errorf("%v", answer)
	}
}
