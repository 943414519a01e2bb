package idp

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/idp/idptest"
)

func TestLoginReturnsTheUser(t *testing.T) {
	op := startOP(t)
	login, err := signIn(t, op, rp(t, op))
	if err != nil {
		t.Fatal(err)
	}
	want := auth.User{
		Provider: "oidc", Issuer: op.Issuer(), Subject: "user-1", ID: "user-1",
		Email: "ada@example.com", PreferredUsername: "ada", Name: "Ada Lovelace",
		Groups: []string{"sre", "platform"},
	}
	if diff := cmp.Diff(want, login.User, cmpopts.IgnoreFields(auth.User{}, "AuthTime")); diff != "" {
		t.Error(diff)
	}
	if since := time.Since(login.User.AuthTime); since < -time.Minute || since > time.Hour {
		t.Errorf("auth time %v", login.User.AuthTime)
	}
	if login.SessionID != "provider-session" {
		t.Errorf("sid %q", login.SessionID)
	}
	for name, token := range map[string]string{
		"access-": login.Tokens.Access.Reveal(), "ey": login.Tokens.ID.Reveal(), "refresh-": login.Tokens.Refresh.Reveal(),
	} {
		if !strings.HasPrefix(token, name) {
			t.Errorf("the token that begins with %s is another", name)
		}
	}
	if n := op.Requests(idptest.Userinfo); n != 0 {
		t.Error("userinfo was asked although nothing is missing")
	}
}

func TestAuthURL(t *testing.T) {
	op := startOP(t)
	op.Set(func(b *idptest.Behaviour) {
		b.Discovery = func(doc map[string]any) {
			doc["authorization_endpoint"] = authorizationEndpoint(doc) + "?tenant=one"
		}
	})
	p := rp(t, op, func(c *Config) {
		c.Scopes = []string{"openid", "groups"}
		c.AuthParams = map[string]string{"kc_idp_hint": "google"}
	})
	f := newFlow()
	raw, err := p.AuthURL(t.Context(), f, redirectURI, url.Values{"prompt": {"select_account"}, "login_hint": {"ada@example.com"}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(f.Verifier.Reveal()))
	want := url.Values{
		"tenant": {"one"}, "response_type": {"code"}, "client_id": {op.ClientID}, "redirect_uri": {redirectURI},
		"scope": {"openid groups"}, "state": {f.State}, "nonce": {f.Nonce},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
		"kc_idp_hint": {"google"}, "prompt": {"select_account"}, "login_hint": {"ada@example.com"},
	}
	if diff := cmp.Diff(want, got.Query()); diff != "" {
		t.Errorf("OIDC-1: %s", diff)
	}
	for _, name := range reserved {
		if _, err := p.AuthURL(t.Context(), f, redirectURI, url.Values{name: {"x"}}); err == nil {
			t.Errorf("%s may be replaced", name)
		}
	}
}

// authorizationEndpoint is the authorization endpoint of a discovery document.
func authorizationEndpoint(doc map[string]any) string {
	endpoint, _ := doc["authorization_endpoint"].(string)
	return endpoint
}

func TestIncompleteFlows(t *testing.T) {
	op := startOP(t)
	p := rp(t, op)
	good := newFlow()
	for name, change := range map[string]func(*Flow){
		"OIDC-2 no state":            func(f *Flow) { f.State = "" },
		"OIDC-2 no nonce":            func(f *Flow) { f.Nonce = "" },
		"OIDC-1 no verifier":         func(f *Flow) { f.Verifier = "" },
		"OIDC-1 verifier of 42":      func(f *Flow) { f.Verifier = f.Verifier[:42] },
		"OIDC-1 verifier of 129":     func(f *Flow) { f.Verifier += f.Verifier + f.Verifier[:25] },
		"OIDC-2 nothing is not a no": func(f *Flow) { *f = Flow{} },
	} {
		f := good
		change(&f)
		if _, err := p.AuthURL(t.Context(), f, redirectURI, nil); err == nil {
			t.Errorf("%s: AuthURL", name)
		}
		if _, err := p.Login(t.Context(), f, Callback{State: f.State, Code: "c", Issuer: op.Issuer()}, redirectURI); err == nil {
			t.Errorf("%s: Login", name)
		}
	}
	if op.Requests(idptest.Token) != 0 {
		t.Error("the token endpoint was asked")
	}
}

func TestCallbackChecks(t *testing.T) {
	op := startOP(t)
	announced := rp(t, op)
	if err := announced.warm(t.Context()); err != nil {
		t.Fatal(err)
	}
	op.Set(func(b *idptest.Behaviour) { b.OmitIss = true })
	silent := rp(t, op)
	if err := silent.warm(t.Context()); err != nil {
		t.Fatal(err)
	}
	op.Reset()
	for _, tt := range []struct {
		name   string
		rp     *Provider
		change func(*Callback)
		want   string
	}{
		{"as it should be", announced, func(*Callback) {}, ""},
		{"OIDC-2 state of another flow", announced, func(cb *Callback) { cb.State = newFlow().State }, ReasonState},
		{"OIDC-2 state missing", announced, func(cb *Callback) { cb.State = "" }, ReasonState},
		{"OIDC-4 iss of another issuer", announced, func(cb *Callback) { cb.Issuer = "https://evil.example.com" }, ReasonMixUp},
		{"OIDC-4 iss with a slash", announced, func(cb *Callback) { cb.Issuer += "/" }, ReasonMixUp},
		{"OIDC-4 iss missing although announced", announced, func(cb *Callback) { cb.Issuer = "" }, ReasonMixUp},
		{"OIDC-4 iss missing", silent, func(cb *Callback) { cb.Issuer = "" }, ""},
		{"OIDC-4 iss of another issuer, not announced", silent, func(cb *Callback) { cb.Issuer = "https://evil.example.com" }, ReasonMixUp},
		{"OIDC-4 error of another issuer", announced, func(cb *Callback) { cb.Error, cb.Issuer = "access_denied", "https://evil.example.com" }, ReasonMixUp},
		{"OIDC-5 error", announced, func(cb *Callback) { cb.Error = "access_denied" }, "rejected: access_denied"},
		{"OIDC-5 error that is no code", announced, func(cb *Callback) { cb.Error = "a\r\nSet-Cookie: b" }, "rejected: unreadable"},
		{"OIDC-5 error that is too long", announced, func(cb *Callback) { cb.Error = strings.Repeat("e", 65) }, "rejected: unreadable"},
		{"no code", announced, func(cb *Callback) { cb.Code = "" }, ReasonCallback},
		{"code of nobody", announced, func(cb *Callback) { cb.Code = "made-up" }, "rejected: invalid_grant"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFlow()
			cb := callback(t, op, tt.rp, f)
			tt.change(&cb)
			asked := op.Requests(idptest.Token)
			_, err := tt.rp.Login(t.Context(), f, cb, redirectURI)
			if got := reason(err); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if tt.want != "" && tt.want != "rejected: invalid_grant" && op.Requests(idptest.Token) != asked {
				t.Error("the code was sent although the callback is refused")
			}
		})
	}
}

func TestCodeWorksOnce(t *testing.T) {
	op := startOP(t)
	p := rp(t, op)
	f := newFlow()
	cb := callback(t, op, p, f)
	if _, err := p.Login(t.Context(), f, cb, redirectURI); err != nil {
		t.Fatal(err)
	}
	_, err := p.Login(t.Context(), f, cb, redirectURI)
	if reason(err) != "rejected: invalid_grant" {
		t.Errorf("OIDC-2 replay: %v", err)
	}
	f, other := newFlow(), newFlow()
	cb = callback(t, op, p, f)
	other.State = f.State
	if _, err := p.Login(t.Context(), other, cb, redirectURI); reason(err) != "rejected: invalid_grant" {
		t.Errorf("OIDC-1 another flow's verifier: %v", err)
	}
}

func TestClientAuthentication(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*idptest.Behaviour)
		secret bool
		want   string
	}{
		{"OIDC-10 basic, special characters", func(*idptest.Behaviour) {}, true, ""},
		{"OIDC-10 post", func(b *idptest.Behaviour) { b.SecretPost = true }, true, ""},
		{"OIDC-10 public client", func(b *idptest.Behaviour) { b.PublicClient = true }, false, ""},
		{"OIDC-10 basic when both are offered", func(b *idptest.Behaviour) {
			b.Discovery = func(doc map[string]any) {
				doc["token_endpoint_auth_methods_supported"] = []string{"client_secret_post", "client_secret_basic"}
			}
		}, true, ""},
		{"OIDC-10 basic when nothing is said", func(b *idptest.Behaviour) {
			b.Discovery = func(doc map[string]any) { delete(doc, "token_endpoint_auth_methods_supported") }
		}, true, ""},
		{"OIDC-10 no probing when it is the wrong one", func(b *idptest.Behaviour) {
			b.SecretPost = true
			b.Discovery = func(doc map[string]any) { delete(doc, "token_endpoint_auth_methods_supported") }
		}, true, "rejected: invalid_client"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			op := startOP(t)
			op.Set(tt.change)
			p := rp(t, op, func(c *Config) {
				if !tt.secret {
					c.ClientSecret = ""
				}
			})
			if _, err := signIn(t, op, p); reason(err) != tt.want {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if n := op.Requests(idptest.Token); n != 1 {
				t.Errorf("the token endpoint was asked %d times", n)
			}
		})
	}
}

func answering(status int, contentType, body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	})
}

func TestTokenEndpointAnswers(t *testing.T) {
	const json = "application/json"
	hangUp := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	for _, tt := range []struct {
		name   string
		answer http.Handler
		want   string
	}{
		{"500", answering(500, "text/html", "<p>secret-body"), "unavailable: token endpoint"},
		{"503 with an OAuth error", answering(503, json, `{"error":"temporarily_unavailable"}`), "unavailable: token endpoint"},
		{"429", answering(429, json, `{"error":"secret-body"}`), "unavailable: token endpoint"},
		{"408", answering(408, json, ``), "unavailable: token endpoint"},
		{"connection closed", hangUp, "unavailable: token endpoint"},
		{"REF-4 invalid_grant", answering(400, json, `{"error":"invalid_grant","error_description":"secret-body"}`), "rejected: invalid_grant"},
		{"error with status 200", answering(200, json, `{"error":"invalid_grant"}`), "rejected: invalid_grant"},
		{"error that is no code", answering(400, json, `{"error":"a \"b\""}`), "rejected: unreadable"},
		{"401 without a word", answering(401, "text/plain", ""), ReasonTokenResponse},
		{"404", answering(404, "text/html", "<p>secret-body"), ReasonTokenResponse},
		{"OIDC-10 redirect", http.RedirectHandler("/jwks", http.StatusTemporaryRedirect), ReasonTokenResponse},
		{"not JSON", answering(200, json, "secret-body"), ReasonTokenResponse},
		{"bad form", answering(200, "text/plain", "access_token=%secret-body"), ReasonTokenResponse},
		{"no access token", answering(200, json, `{"id_token":"secret-body"}`), ReasonTokenResponse},
		{"no ID token", answering(200, json, `{"access_token":"secret-body"}`), ReasonTokenResponse},
		{"ID token is an object", answering(200, json, `{"access_token":"secret-body","id_token":{}}`), ReasonTokenResponse},
		{"MAC token", answering(200, json, `{"access_token":"secret-body","token_type":"mac","id_token":"a"}`), ReasonTokenResponse},
		{"NET-1 more than 1 MiB", answering(200, json, `{"access_token":"`+strings.Repeat("a", maxBody)+`"}`), ReasonTokenResponse},
	} {
		t.Run(tt.name, func(t *testing.T) {
			op := startOP(t)
			op.Set(func(b *idptest.Behaviour) { b.Handle[idptest.Token] = tt.answer })
			_, err := signIn(t, op, rp(t, op))
			if got := reason(err); got != tt.want {
				t.Errorf("got %q (%v), want %q", got, err, tt.want)
			}
			if strings.Contains(err.Error(), "secret-body") || strings.Contains(err.Error(), "%se") {
				t.Errorf("LOG-2: the error repeats the answer: %v", err)
			}
			if n := op.Requests(idptest.Token); n != 1 {
				t.Errorf("OIDC-10: asked %d times", n)
			}
			if op.Requests(idptest.JWKS) != 0 {
				t.Error("OIDC-10: a redirect was followed")
			}
		})
	}
}

func TestSlowTokenEndpoint(t *testing.T) {
	op := startOP(t)
	p := rp(t, op)
	f := newFlow()
	cb := callback(t, op, p, f)
	op.Set(func(b *idptest.Behaviour) { b.Delay[idptest.Token] = time.Hour })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := p.Login(ctx, f, cb, redirectURI)
	if reason(err) != "unavailable: token endpoint" || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("L3: %v", err)
	}
}

func TestParallelLoginsDoNotMix(t *testing.T) {
	op := startOP(t)
	op.Set(func(b *idptest.Behaviour) {
		b.Claims = func(c map[string]any) { c["sub"] = c["nonce"] }
	})
	p := rp(t, op)
	var group sync.WaitGroup
	for range 200 {
		group.Go(func() {
			f := newFlow()
			address, err := p.AuthURL(t.Context(), f, redirectURI, nil)
			if err != nil {
				t.Error(err)
				return
			}
			back, err := op.SignIn(address)
			if err != nil {
				t.Error(err)
				return
			}
			cb, err := ParseCallback(back.RawQuery)
			if err != nil {
				t.Error(err)
				return
			}
			login, err := p.Login(t.Context(), f, cb, redirectURI)
			if err != nil || login.User.Subject != f.Nonce {
				t.Errorf("CON-1: another user, or none: %v", err)
			}
		})
	}
	group.Wait()
	if d, k := op.Requests(idptest.Discovery), op.Requests(idptest.JWKS); d != 1 || k != 1 {
		t.Errorf("%d discoveries and %d fetches of the keys for 200 logins", d, k)
	}
}
