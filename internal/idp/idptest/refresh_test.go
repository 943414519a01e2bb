package idptest

import (
	"net/http"
	"net/url"
	"sync"
	"testing"
)

// refresh redeems a refresh token and returns the error of the answer, and the
// next refresh token.
func refresh(t *testing.T, p *Provider, token string) (problem, next string) {
	t.Helper()
	_, answer := redeem(t, p, basic(p.ClientID, p.ClientSecret), url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}})
	problem, _ = answer["error"].(string)
	next, _ = answer["refresh_token"].(string)
	if (problem == "") != (answer["access_token"] != nil && answer["id_token"] != nil) {
		t.Errorf("the answer has both tokens and an error, or neither: %v", answer)
	}
	return problem, next
}

func TestRefresh(t *testing.T) {
	p := start(t)
	_, answer := redeem(t, p, basic(p.ClientID, p.ClientSecret), tokenForm(newCode(t, p)))
	first, _ := answer["refresh_token"].(string)
	_, second := refresh(t, p, first)
	_, third := refresh(t, p, second)
	if first == "" || second == "" || third == "" || first == second || second == third {
		t.Fatal("refresh tokens are not replaced")
	}
	for _, token := range []string{second, third} { // the used one, and so the whole family
		if problem, _ := refresh(t, p, token); problem != "invalid_grant" {
			t.Errorf("REF-5: a family survives the reuse of one of its tokens: %q", problem)
		}
	}
	if granted, refused := p.Refreshes(); granted != 2 || refused != 2 {
		t.Errorf("%d granted, %d refused", granted, refused)
	}
	p.Set(func(b *Behaviour) { b.SteadyRefreshToken = true })
	token := p.RefreshToken()
	for range 2 {
		if problem, next := refresh(t, p, token); problem != "" || next != "" {
			t.Errorf("a steady token: %q", problem)
		}
	}
	p.Set(func(b *Behaviour) { b.RefreshError = "temporarily_unavailable" })
	if problem, _ := refresh(t, p, token); problem != "temporarily_unavailable" {
		t.Errorf("on command: %q", problem)
	}
	p.Reset()
	p.EndSessions()
	for _, token := range []string{token, "unknown", ""} {
		if problem, _ := refresh(t, p, token); problem != "invalid_grant" {
			t.Errorf("ended or unknown: %q", problem)
		}
	}
	if status, _ := redeem(t, p, nothing, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {p.RefreshToken()}}); status != http.StatusUnauthorized {
		t.Errorf("no client: %d", status)
	}
}

func TestParallel(t *testing.T) {
	p := start(t)
	var there, done sync.WaitGroup
	there.Add(3)
	p.Set(func(b *Behaviour) {
		b.Handle[Token] = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			there.Done()
			there.Wait()
			writeJSON(w, http.StatusBadRequest, map[string]any{"error": "invalid_grant"})
		})
	})
	for range 3 {
		done.Go(func() { refresh(t, p, "x") })
	}
	done.Wait()
	p.Reset()
	refresh(t, p, "x")
	if n := p.Parallel(Token); n != 3 {
		t.Errorf("%d at one time", n)
	}
}
