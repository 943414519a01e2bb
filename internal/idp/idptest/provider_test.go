package idptest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	verifier    = "a-verifier-of-forty-three-characters-or-more"
	redirectURI = "https://rp.example.com/cb?x=1"
)

func start(t *testing.T) *Provider {
	t.Helper()
	p := New()
	t.Cleanup(p.Close)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	return p
}

// authorize is a good authorization request after changes.
func authorize(p *Provider, changes ...string) string {
	query := url.Values{
		"response_type": {"code"}, "client_id": {p.ClientID}, "redirect_uri": {redirectURI}, "scope": {"openid"},
		"state": {"the-state"}, "nonce": {"the-nonce"},
		"code_challenge": {challenge(verifier)}, "code_challenge_method": {"S256"},
	}
	change(query, changes)
	return p.URL(Authorize) + "?" + query.Encode()
}

func change(values url.Values, changes []string) {
	for i := 0; i < len(changes); i += 2 {
		if values.Set(changes[i], changes[i+1]); changes[i+1] == "" {
			values.Del(changes[i])
		}
	}
}

func newCode(t *testing.T, p *Provider) string {
	t.Helper()
	back, err := p.SignIn(authorize(p))
	if err != nil {
		t.Fatal(err)
	}
	return back.Query().Get("code")
}

// redeem sends a token request and returns the status and the answer.
func redeem(t *testing.T, p *Provider, auth func(*http.Request), form url.Values) (int, map[string]any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.URL(Token), strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	auth(req)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer := map[string]any{}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, answer
}

func basic(id, secret string) func(*http.Request) {
	return func(r *http.Request) { r.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(secret)) }
}

func nothing(*http.Request) {}

func tokenForm(code string, changes ...string) url.Values {
	form := url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {redirectURI}, "code_verifier": {verifier},
	}
	change(form, changes)
	return form
}

func TestAuthorize(t *testing.T) {
	p := start(t)
	for _, tt := range []struct {
		name    string
		changes []string
		want    string // the error in the redirect, or "page"
	}{
		{"good", nil, ""},
		{"implicit", []string{"response_type", "token"}, "invalid_request"},
		{"no openid", []string{"scope", "email"}, "invalid_request"},
		{"no PKCE", []string{"code_challenge", ""}, "invalid_request"},
		{"plain PKCE", []string{"code_challenge_method", "plain"}, "invalid_request"},
		{"unknown client", []string{"client_id", "x"}, "page"},
		{"no redirect URI", []string{"redirect_uri", ""}, "page"},
	} {
		back, err := p.SignIn(authorize(p, tt.changes...))
		switch {
		case tt.want == "page":
			if err == nil {
				t.Errorf("%s: redirected", tt.name)
			}
		case err != nil:
			t.Errorf("%s: %v", tt.name, err)
		default:
			q := back.Query()
			if q.Get("error") != tt.want || (q.Get("code") == "") != (tt.want != "") || q.Get("state") != "the-state" || q.Get("iss") != p.Issuer() || q.Get("x") != "1" {
				t.Errorf("%s: %s", tt.name, back)
			}
		}
	}
	p.Set(func(b *Behaviour) { b.RedirectURIs = []string{"https://other.example.com/cb"} })
	if _, err := p.SignIn(authorize(p)); err == nil {
		t.Error("an unregistered redirect URI is taken")
	}
}

func TestToken(t *testing.T) {
	p := start(t)
	good := basic(p.ClientID, p.ClientSecret)
	for _, tt := range []struct {
		name    string
		auth    func(*http.Request)
		changes []string
		want    string
	}{
		{"good", good, nil, ""},
		{"another verifier", good, []string{"code_verifier", verifier + "x"}, "invalid_grant"},
		{"no verifier", good, []string{"code_verifier", ""}, "invalid_grant"},
		{"another redirect URI", good, []string{"redirect_uri", "https://rp.example.com/cb"}, "invalid_grant"},
		{"unknown code", good, []string{"code", "x"}, "invalid_grant"},
		{"another secret", basic(p.ClientID, "x"), nil, "invalid_client"},
		{"secret not form-encoded", func(r *http.Request) { r.SetBasicAuth(p.ClientID, p.ClientSecret) }, nil, "invalid_client"},
		{"no client", nothing, nil, "invalid_client"},
		{"secret in the form", nothing, []string{"client_id", p.ClientID, "client_secret", p.ClientSecret}, "invalid_client"},
		{"another grant", good, []string{"grant_type", "password"}, "unsupported_grant_type"},
	} {
		_, answer := redeem(t, p, tt.auth, tokenForm(newCode(t, p), tt.changes...))
		got, _ := answer["error"].(string)
		if got != tt.want || (answer["id_token"] != nil) != (tt.want == "") {
			t.Errorf("%s: got %q", tt.name, got)
		}
	}
	code := newCode(t, p)
	for i, want := range []int{http.StatusOK, http.StatusBadRequest} {
		if status, _ := redeem(t, p, good, tokenForm(code)); status != want {
			t.Errorf("use %d of a code: %d", i+1, status)
		}
	}
	code = newCode(t, p)
	_, _ = redeem(t, p, good, tokenForm(code, "code_verifier", "x"))
	if status, _ := redeem(t, p, good, tokenForm(code)); status != http.StatusBadRequest {
		t.Error("a code survives a failed attempt")
	}
	p.Set(func(b *Behaviour) { b.PublicClient = true })
	if status, _ := redeem(t, p, nothing, tokenForm(newCode(t, p), "client_id", p.ClientID)); status != http.StatusOK {
		t.Errorf("public client: %d", status)
	}
	p.Reset()
	p.Set(func(b *Behaviour) { b.SecretPost = true })
	if status, _ := redeem(t, p, nothing, tokenForm(newCode(t, p), "client_id", p.ClientID, "client_secret", p.ClientSecret)); status != http.StatusOK {
		t.Errorf("secret in the form: %d", status)
	}
	if status, _ := redeem(t, p, good, tokenForm(newCode(t, p))); status != http.StatusUnauthorized {
		t.Errorf("basic, and the form is asked for: %d", status)
	}
}

func TestUserinfo(t *testing.T) {
	p := start(t)
	_, answer := redeem(t, p, basic(p.ClientID, p.ClientSecret), tokenForm(newCode(t, p)))
	access, _ := answer["access_token"].(string)
	for token, want := range map[string]string{access: `"sub":"user-1"`, "x": `"error":"invalid_token"`} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.URL(Userinfo), nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || !strings.Contains(string(body), want) {
			t.Errorf("got %s, %v", body, err)
		}
	}
}

func TestSecretsAreRecorded(t *testing.T) {
	p := start(t)
	code := newCode(t, p)
	_, answer := redeem(t, p, basic(p.ClientID, p.ClientSecret), tokenForm(code))
	issued := []string{code, "the-state", "the-nonce", verifier, p.ClientSecret}
	for _, name := range []string{"access_token", "refresh_token", "id_token"} {
		token, _ := answer[name].(string)
		issued = append(issued, token)
	}
	for _, s := range issued {
		if s == "" || !slices.Contains(p.Secrets(), s) {
			t.Errorf("not recorded: %q", s)
		}
	}
}

func TestDownAndUpAgain(t *testing.T) {
	p := start(t)
	code := newCode(t, p)
	issuer := p.Issuer()
	p.Close()
	p.Close()
	if _, err := p.SignIn(authorize(p)); err == nil {
		t.Error("it still answers")
	}
	if err := p.Listen(p.Addr()); err != nil {
		t.Fatal(err)
	}
	if p.Issuer() != issuer {
		t.Errorf("the issuer changed to %s", p.Issuer())
	}
	if err := p.Listen(p.Addr()); err == nil {
		t.Error("it listens twice")
	}
	http.DefaultClient.CloseIdleConnections()
	if status, _ := redeem(t, p, basic(p.ClientID, p.ClientSecret), tokenForm(code)); status != http.StatusOK {
		t.Errorf("a code of before: %d", status)
	}
	if n := p.Requests(Authorize); n != 1 {
		t.Errorf("%d requests were counted", n)
	}
}

func TestCloseEndsDelays(t *testing.T) {
	p := New()
	p.Set(func(b *Behaviour) { b.Delay[Authorize] = time.Hour })
	done := make(chan error)
	go func() {
		_, err := p.SignIn(authorize(p))
		done <- err
	}()
	for p.Requests(Authorize) == 0 {
		runtime.Gosched()
	}
	p.Close()
	if err := <-done; err == nil {
		t.Error("the request was answered")
	}
}

func TestEndSession(t *testing.T) {
	p := start(t)
	back, err := p.SignIn(p.URL(EndSession) + "?client_id=client&state=s&post_logout_redirect_uri=" + url.QueryEscape("https://rp.example.com/?a=b"))
	if err != nil || back.String() != "https://rp.example.com/?a=b&state=s" {
		t.Errorf("%s, %v", back, err)
	}
}
