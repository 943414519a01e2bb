package gateway

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/doorward/doorward/internal/auth"
)

// forwardedHeaders is a good question with some headers replaced; nil leaves one
// out.
func forwardedHeaders(replace http.Header) http.Header {
	h := http.Header{
		"X-Forwarded-Method": {"GET"}, "X-Forwarded-Proto": {"https"},
		"X-Forwarded-Host": {"app.example.com"}, "X-Forwarded-Uri": {"/p?q=1"},
	}
	for name, values := range replace {
		if values == nil {
			delete(h, name)
		} else {
			h[name] = values
		}
	}
	return h
}

func TestForwardedRead(t *testing.T) {
	for _, tt := range []struct {
		name    string
		replace http.Header
		want    string // the code of the refusal
	}{
		{"all four", nil, ""},
		{"HDR-3 no method", http.Header{"X-Forwarded-Method": nil}, "missing_headers"},
		{"HDR-3 no scheme", http.Header{"X-Forwarded-Proto": nil}, "missing_headers"},
		{"HDR-3 no host", http.Header{"X-Forwarded-Host": nil}, "missing_headers"},
		{"HDR-3 no path", http.Header{"X-Forwarded-Uri": nil}, "missing_headers"},
		{"HDR-3 empty path", http.Header{"X-Forwarded-Uri": {""}}, "missing_headers"},
		{"HDR-3 path twice", http.Header{"X-Forwarded-Uri": {"/public", "/p"}}, "malformed_headers"},
		{"HDR-3 host twice", http.Header{"X-Forwarded-Host": {"app.example.com", "app.example.com"}}, "malformed_headers"},
		{"HDR-3 list of hosts", http.Header{"X-Forwarded-Host": {"app.example.com, evil.com"}}, "malformed_headers"},
		{"HDR-3 list of schemes", http.Header{"X-Forwarded-Proto": {"https,http"}}, "malformed_headers"},
		{"HDR-3 list of methods", http.Header{"X-Forwarded-Method": {"GET,POST"}}, "malformed_headers"},
		{"another scheme", http.Header{"X-Forwarded-Proto": {"javascript"}}, "malformed_headers"},
		{"user information", http.Header{"X-Forwarded-Host": {"app.example.com:99@evil.com"}}, "malformed_headers"},
		{"an absolute address for a path", http.Header{"X-Forwarded-Uri": {"http://evil.com/x"}}, "malformed_headers"},
		{"HDR-1 the other family means nothing", http.Header{"X-Original-Url": {"https://app.example.com/public"}, "X-Original-Method": {"GET"}}, ""},
		{"HDR-4 underscores are no aliases", http.Header{"X-Forwarded-Uri": nil, "X_Forwarded_Uri": {"/p"}}, "missing_headers"},
		{"HDR-4 other spellings are no aliases", http.Header{"X-Forwarded-Uri": nil, "X-Forwarded-URI": {"/p"}}, "missing_headers"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			req, err := Forwarded{Settings: settings()}.Read(question(trustedPeer, "", forwardedHeaders(tt.replace)))
			if got := refusalCode(t, err); got != tt.want {
				t.Fatalf("refused as %q, want %q", got, tt.want)
			}
			if err == nil && (req.Method != "GET" || req.Scheme != "https" || req.Host != "app.example.com" || req.Path != "/p" || req.Query != "?q=1") {
				t.Errorf("read %+v", req)
			}
		})
	}
	if _, err := (Forwarded{Settings: settings()}).Read(question("192.0.2.1:4000", "", forwardedHeaders(nil))); refusalCode(t, err) != "untrusted_peer" {
		t.Errorf("HDR-2: %v", err)
	}
}

func TestForwardedSchemes(t *testing.T) {
	for proto, want := range map[string]string{"ws": "http", "wss": "https", "HTTPS": "https", "http": "http"} {
		req, err := Forwarded{Settings: settings()}.Read(question(trustedPeer, "", forwardedHeaders(http.Header{"X-Forwarded-Proto": {proto}})))
		if err != nil || req.Scheme != want {
			t.Errorf("%s: %q, %v", proto, req.Scheme, err)
		}
	}
	forced := settings()
	forced.ForceScheme = "https"
	req, err := Forwarded{Settings: forced}.Read(question(trustedPeer, "", forwardedHeaders(http.Header{"X-Forwarded-Proto": {"http"}})))
	if err != nil || req.Scheme != "https" {
		t.Errorf("forced: %q, %v", req.Scheme, err)
	}
}

// directAnswers is the table of CONTRACT.md for gateways that hand a denial to
// the browser as it is. Envoy differs in the status of an allow only.
var directAnswers = []struct {
	name       string
	method     string
	navigation bool
	decision   auth.Decision
	status     int
	header     map[string]string
	body       map[string]string // nil: empty
}{
	{"sign in", "GET", true, auth.Decision{Judgement: auth.Judgement{Verdict: auth.SignIn, Reason: auth.NotSignedIn}, SignInURL: "https://auth.example.com/start?rd=x"}, 302,
		map[string]string{"Location": "https://auth.example.com/start?rd=x", "Www-Authenticate": "", "Set-Cookie": ""}, nil},
	{"RED-9 sign in after a form", "POST", true, auth.Decision{Judgement: auth.Judgement{Verdict: auth.SignIn, Reason: auth.NotSignedIn}, SignInURL: "https://auth.example.com/start"}, 303,
		map[string]string{"Location": "https://auth.example.com/start"}, nil},
	{"HEAD", "HEAD", true, auth.Decision{Judgement: auth.Judgement{Verdict: auth.SignIn, Reason: auth.NotSignedIn}, SignInURL: "https://auth.example.com/start"}, 302,
		map[string]string{"Location": "https://auth.example.com/start"}, nil},
	{"fetch", "GET", false, auth.Decision{Judgement: auth.Judgement{Verdict: auth.SignIn, Reason: auth.NotSignedIn}, SignInURL: "https://auth.example.com/start"}, 401,
		map[string]string{"Location": "", "Www-Authenticate": `Bearer realm="doorward"`, "Content-Type": "application/json"},
		map[string]string{"error": "unauthenticated", "sign_in_url": "https://auth.example.com/start"}},
	{"bad token", "GET", true, auth.Decision{Judgement: auth.Judgement{Verdict: auth.BadToken, Reason: auth.InvalidToken}}, 401,
		map[string]string{"Location": "", "Www-Authenticate": `Bearer error="invalid_token"`}, map[string]string{"error": "invalid_token"}},
	{"cannot tell", "GET", true, auth.CannotTell("r", nil), 503,
		map[string]string{"Retry-After": "5", "Set-Cookie": ""}, map[string]string{"error": "store_unavailable"}},
	{"denied script", "GET", false, auth.Refuse(auth.GroupMissing), 403,
		map[string]string{"Content-Type": "application/json", "Set-Cookie": ""}, map[string]string{"error": "forbidden", "reason": "group_missing"}},
	{"the zero decision", "GET", false, auth.Decision{}, 403, nil, map[string]string{"error": "forbidden", "reason": ""}},
}

func TestDirectAnswers(t *testing.T) {
	for name, dialect := range map[string]Dialect{"forwarded": Forwarded{Settings: settings()}, "envoy": Envoy{Settings: settings()}} {
		for _, tt := range directAnswers {
			t.Run(name+"/"+tt.name, func(t *testing.T) {
				w := httptest.NewRecorder()
				dialect.Answer(w, auth.Request{Method: tt.method, Navigation: tt.navigation}, tt.decision)
				if w.Code != tt.status || w.Header().Get("Cache-Control") != "no-store" {
					t.Errorf("status %d, headers %v", w.Code, w.Header())
				}
				for header, want := range tt.header {
					if got := w.Header().Get(header); got != want {
						t.Errorf("%s is %q, want %q", header, got, want)
					}
				}
				checkBody(t, w.Body.Bytes(), tt.body)
			})
		}
	}
}

func checkBody(t *testing.T, body []byte, want map[string]string) {
	t.Helper()
	if want == nil {
		if len(body) != 0 {
			t.Errorf("body %q, want none", body)
		}
		return
	}
	var got map[string]string
	if err := json.Unmarshal(body, &got); err != nil || len(got) != len(want) {
		t.Fatalf("body %q: %v", body, err)
	}
	for key, value := range want {
		if got[key] != value {
			t.Errorf("%s is %q, want %q", key, got[key], value)
		}
	}
}

// TestDirectAllow: an allow is empty, has every identity header, and 200 for
// Envoy, which takes nothing else.
func TestDirectAllow(t *testing.T) {
	allow := auth.Decision{
		Judgement: auth.Judgement{Verdict: auth.Allow},
		Identity:  auth.Identity{Headers: []auth.Header{{Name: "X-Auth-Request-User", Value: []string{"ada"}}, {Name: "X-Auth-Request-Email", Value: []string{""}}}},
	}
	for _, tt := range []struct {
		name    string
		dialect Dialect
		want    int
	}{
		{"forwarded", Forwarded{Settings: settings()}, 202},
		{"forwarded, 200 asked for", Forwarded{Settings: Settings{AllowStatus: 200}}, 200},
		{"envoy", Envoy{Settings: Settings{AllowStatus: 202}}, 200},
	} {
		w := httptest.NewRecorder()
		tt.dialect.Answer(w, auth.Request{Method: "GET"}, allow)
		email, there := w.Header()["X-Auth-Request-Email"]
		if w.Code != tt.want || w.Body.Len() != 0 ||
			w.Header().Get("X-Auth-Request-User") != "ada" || !there || email[0] != "" {
			t.Errorf("%s: %d %v %q", tt.name, w.Code, w.Header(), w.Body)
		}
	}
}

// TestDeniedPage: a person reads why, under the policy of the page.
func TestDeniedPage(t *testing.T) {
	direct := Direct{Denied: func(_ auth.Request, d auth.Decision) Page {
		return Page{Body: []byte("<h1>" + d.Reason.Code + "</h1>"), Policy: "default-src 'none'"}
	}}
	w := httptest.NewRecorder()
	Forwarded{Settings: settings(), Direct: direct}.Answer(w, auth.Request{Method: "GET", Navigation: true}, auth.Refuse(auth.GroupMissing))
	if w.Code != 403 || w.Body.String() != "<h1>group_missing</h1>" ||
		w.Header().Get("Content-Security-Policy") != "default-src 'none'" || w.Header().Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%d %v %q", w.Code, w.Header(), w.Body)
	}
}
