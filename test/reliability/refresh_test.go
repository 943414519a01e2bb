package reliability

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/idp/idptest"
	"github.com/doorward/doorward/internal/secret"
	"github.com/doorward/doorward/internal/session"
)

// renewing is what has Doorward renew sessions.
var renewing = map[string]string{"DOORWARD_PASS_ACCESS_TOKEN": "true", "DOORWARD_LOG_LEVEL": "warn"}

// aged are the cookies of sessions that began some time ago, with tokens that
// live for five minutes and were never renewed.
func (h *house) aged(n int, age time.Duration) []string {
	h.t.Helper()
	key, err := base64.StdEncoding.DecodeString(h.doorward.Env["DOORWARD_COOKIE_SECRET"])
	if err != nil {
		h.t.Fatal(err)
	}
	keys, err := session.NewKeyring([][]byte{key})
	if err != nil {
		h.t.Fatal(err)
	}
	site := auth.Site{Scheme: "https", Host: "auth.example.com", CookieDomain: "example.com"}
	began := time.Now().Add(-age)
	store, err := session.NewCookieStore(session.CookieConfig{
		Keys: keys, Sites: auth.Sites{site}, Name: "doorward", Lifetime: 24 * time.Hour, KeepAccessToken: true, KeepRefreshToken: true,
		Render: func(auth.User, auth.Tokens) auth.Identity { return auth.Identity{} },
		Now:    func() time.Time { return began },
	})
	if err != nil {
		h.t.Fatal(err)
	}
	var cookies []string
	for range n {
		w := httptest.NewRecorder()
		_, err := store.Create(w, httptest.NewRequest(http.MethodGet, "/", nil), site, session.Session{
			User: auth.User{Provider: "oidc", Issuer: h.provider.Issuer(), Subject: "user-1", ID: "user-1"},
			Tokens: auth.Tokens{
				Access: "access-0", Refresh: secret.Secret(h.provider.RefreshToken()), Expiry: began.Add(5 * time.Minute),
			},
		})
		if err != nil {
			h.t.Fatal(err)
		}
		cookies = append(cookies, cookieOf(answer{header: w.Header()}))
	}
	return cookies
}

// renewed reports whether an answer passes a token on that a refresh brought.
func renewed(a answer) bool {
	token := a.header.Get("X-Auth-Request-Access-Token")
	return strings.HasPrefix(token, "access-") && token != "access-0"
}

// TestParallelChecksOfOneSession is L6, and L21 for refreshes: 200 checks of a
// session that has run out, with refresh tokens that work once.
func TestParallelChecksOfOneSession(t *testing.T) {
	for _, tt := range []struct {
		name  string
		delay time.Duration
		leave int // clients, the first one among them
	}{
		{"L6 a quick provider", 0, 0},
		{"L6 the provider takes 5 s", 5 * time.Second, 0},
		{"L6 the first client goes", time.Second, 1},
		{"L21 every tenth client goes", time.Second, 20},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHouse(t, "", renewing).start("/readyz")
			h.provider.Set(func(b *idptest.Behaviour) { b.Delay[idptest.Token] = tt.delay })
			cookie := h.aged(1, 6*time.Minute)[0]
			leaving, leave := context.WithCancel(t.Context())
			defer leave()
			var gone sync.WaitGroup
			for range tt.leave {
				gone.Go(func() { h.abandon(leaving, cookie) })
			}
			if tt.leave > 0 {
				h.await("the first check asks the provider", func() bool { return h.provider.Requests(idptest.Token) == 1 })
				leave()
				gone.Wait()
			}
			checks := atOnce(200, 200, func(int) (answer, error) { return h.check(cookie) })
			var last answer
			h.await("the new token is passed on", func() bool {
				last = h.must("/auth/nginx", question(navigation(cookie)))
				return last.status != http.StatusAccepted || renewed(last)
			})
			granted, refused := h.provider.Refreshes()
			t.Logf("%s: %d token calls; 200 checks: %v", tt.name, h.provider.Requests(idptest.Token), checks)
			if !checks.only(http.StatusAccepted) || !renewed(last) || granted != 1 || refused != 0 || h.provider.Requests(idptest.Token) != 1 {
				t.Errorf("REF-1: %d granted, %d refused; then %d\n%s", granted, refused, last.status, h.doorward.Process().Log())
			}
		})
	}
}

// abandon asks and hangs up when ctx ends.
func (h *house) abandon(ctx context.Context, cookie string) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+h.doorward.Listen+"/auth/nginx", nil)
	if err != nil {
		h.t.Error(err)
		return
	}
	req.Host, req.Header = "auth.example.com", question(navigation(cookie))
	if res, err := h.client.Do(req); err == nil {
		_ = res.Body.Close()
	}
}

// TestSessionsExpireTogether is L7: 10,000 sessions whose tokens run out in one
// second, ahead of that and after it.
func TestSessionsExpireTogether(t *testing.T) {
	const sessions, workers = 10_000, 16
	h := newHouse(t, "", renewing).start("/readyz")
	h.provider.Set(func(b *idptest.Behaviour) {
		b.Algorithm, b.Delay[idptest.Token] = "ES256", 50*time.Millisecond
	})
	cookies := h.aged(sessions, 4*time.Minute+30*time.Second)
	atOnce(200, workers, func(int) (answer, error) { return h.ask("/userinfo", nil) }) // connections
	began, all := time.Now(), &tally{}
	for at := 0; time.Since(began) < patience; at += 1000 {
		if granted, _ := h.provider.Refreshes(); granted >= sessions {
			break
		}
		atOnce(1000, workers, func(i int) (answer, error) {
			a, err := h.check(cookies[(at+i)%sessions])
			all.add(a, err)
			return a, err
		})
	}
	took := time.Since(began)
	granted, refused := h.provider.Refreshes()
	t.Logf("L7: %d sessions renewed in %v (wanted: 60s), at most %d token calls at one time (wanted: 32); checks meanwhile: %v (wanted: p99 20ms)",
		granted, took.Round(time.Millisecond), h.provider.Parallel(idptest.Token), all)
	if !all.only(http.StatusAccepted) || granted != sessions || refused != 0 || h.provider.Parallel(idptest.Token) > 32 {
		t.Errorf("L7: %d granted, %d refused\n%s", granted, refused, h.doorward.Process().Log())
	}
}

// TestProviderGoesAwayFromTokens is L2 with sessions whose tokens have run out.
func TestProviderGoesAwayFromTokens(t *testing.T) {
	h := newHouse(t, "", renewing).start("/readyz")
	cookies := h.aged(1000, time.Hour)
	const checks = 4000
	fresh := h.aged(1, 0)[0]
	before := atOnce(checks, 8, func(int) (answer, error) { return h.check(fresh) })
	goroutines := h.metric("go_goroutines")
	h.provider.Close()
	after := atOnce(checks, 8, func(i int) (answer, error) { return h.check(cookies[i%len(cookies)]) })
	now := h.metric("go_goroutines")
	t.Logf("L2: %d checks of a session that is not due:           %v", checks, before)
	t.Logf("L2: %d checks of 1,000 overdue ones without provider: %v; goroutines %v and %v", checks, after, goroutines, now)
	if !after.only(http.StatusAccepted) || now > goroutines+20 {
		t.Errorf("L2: sessions are signed out, or goroutines stay\n%s", h.doorward.Process().Log())
	}
	if err := h.provider.Listen(h.provider.Addr()); err != nil {
		t.Fatal(err)
	}
	back := time.Now()
	h.await("L2: renewed after the provider came back", func() bool {
		a, err := h.check(cookies[len(cookies)-1])
		return err == nil && renewed(a)
	})
	t.Logf("L2: renewed %v after the provider came back", time.Since(back).Round(time.Millisecond))
}

// TestRenewedCookieArrives: a check sets no cookie; the next page of ours does, and
// a restart loses nothing then.
func TestRenewedCookieArrives(t *testing.T) {
	h := newHouse(t, "", renewing).start("/readyz")
	cookie := h.aged(1, 6*time.Minute)[0]
	a := h.must("/auth/nginx", question(navigation(cookie)))
	if a.status != http.StatusAccepted || !renewed(a) || len(a.header["Set-Cookie"]) != 0 {
		t.Fatalf("the check: %d, renewed %v, %d cookies", a.status, renewed(a), len(a.header["Set-Cookie"]))
	}
	page := h.must("/userinfo", navigation(cookie))
	carried := cookieOf(page)
	if page.status != http.StatusOK || carried == "" || carried == cookie {
		t.Fatalf("/userinfo: %d with the cookie %.20s", page.status, carried)
	}
	if err := h.doorward.Stop(); err != nil {
		t.Fatal(err)
	}
	h.start("/readyz")
	asked := h.provider.Requests(idptest.Token)
	if a := h.must("/auth/nginx", question(navigation(carried))); a.status != http.StatusAccepted || !renewed(a) {
		t.Errorf("REF-5: after a restart: %d", a.status)
	}
	if n := h.provider.Requests(idptest.Token) - asked; n != 0 {
		t.Errorf("REF-5: after a restart the provider is asked %d times", n)
	}
	// The cookie of before has a refresh token that is used up.
	if a := h.must("/auth/nginx", question(navigation(cookie))); a.status != http.StatusUnauthorized {
		t.Errorf("REF-5: the old cookie after a restart: %d", a.status)
	}
}
