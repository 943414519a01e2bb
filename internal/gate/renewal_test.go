package gate

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/headers"
	"github.com/doorward/doorward/internal/idp"
	"github.com/doorward/doorward/internal/idp/idptest"
	"github.com/doorward/doorward/internal/policy"
	"github.com/doorward/doorward/internal/secret"
	"github.com/doorward/doorward/internal/session"
	"github.com/doorward/doorward/internal/telemetry"
)

// renewing is a gate whose sessions are renewed at a provider.
type renewing struct {
	*Gate
	t        *testing.T
	op       *idptest.Provider
	offset   atomic.Int64 // of the clock of the gate and of the store
	log      *record
	tokenRun time.Duration // the life of the tokens that new sessions have; 0: no end
	age      time.Duration // of new sessions
}

// record is a log that tests read while it is written.
type record struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

// tail is the end of it.
func (r *record) tail() string {
	text := r.String()
	return text[max(0, len(text)-1000):]
}

func (g *renewing) now() time.Time { return time.Now().Add(time.Duration(g.offset.Load())) }

func (g *renewing) move(d time.Duration) { g.offset.Add(int64(d)) }

// newRenewing passes the access token on, unless change says otherwise.
func newRenewing(t *testing.T, change func(*RenewalConfig)) *renewing {
	t.Helper()
	g := &renewing{Gate: door(t, quiet()), t: t, op: idptest.New(), log: &record{}, tokenRun: 5 * time.Minute}
	g.op.Set(func(b *idptest.Behaviour) { b.User["groups"] = []string{"ops", "staff"} })
	log := telemetry.NewLog(g.log, 0, "json")
	provider, err := idp.New(idp.Config{
		Name: "oidc", IssuerURL: g.op.Issuer(), ClientID: g.op.ClientID, ClientSecret: secret.Secret(g.op.ClientSecret), Discovery: true, Log: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	running, stop := context.WithCancel(context.Background())
	var work sync.WaitGroup
	work.Go(func() { provider.Run(running) })
	t.Cleanup(func() {
		stop()
		work.Wait()
		g.op.Close()
		for _, s := range g.op.Secrets() {
			if strings.Contains(g.log.String(), s) {
				t.Errorf("LOG-2: a secret is in the log:\n%s", g.log.tail())
				break
			}
		}
	})
	keys, err := session.NewKeyring([][]byte{bytes.Repeat([]byte("k"), 32)})
	if err != nil {
		t.Fatal(err)
	}
	renderer := headers.New(headers.Config{Families: []string{"x-auth-request"}, PassAccessToken: true, PassIDToken: true})
	if g.Sessions, err = session.NewCookieStore(session.CookieConfig{
		Keys: keys, Sites: sites, Name: "doorward", Lifetime: 24 * time.Hour,
		KeepAccessToken: true, KeepIDToken: true, KeepRefreshToken: true, Render: renderer.Render, Now: g.now,
	}); err != nil {
		t.Fatal(err)
	}
	g.Log, g.Metrics = log, telemetry.NewMetrics("test")
	conf := RenewalConfig{
		Sessions: g.Sessions, Providers: idp.Providers{provider}, PassAccessToken: true,
		Log: log, Metrics: g.Metrics, Now: g.now,
	}
	if change != nil {
		change(&conf)
	}
	g.Renewals = NewRenewals(conf)
	for deadline := time.Now().Add(time.Minute); provider.Ready() != nil; {
		if time.Now().After(deadline) {
			t.Fatal("the provider is not discovered")
		}
	}
	return g
}

// recheck passes no tokens on, and wants claims of the last quarter of an hour.
func recheck(c *RenewalConfig) { c.PassAccessToken, c.Recheck = false, 15*time.Minute }

// enter had user-1 sign in g.age ago, in the groups ops and staff, with a refresh token unless
// that is told to be another, and returns the cookie.
func (g *renewing) enter(refresh ...string) string {
	g.t.Helper()
	token := g.op.RefreshToken()
	if len(refresh) > 0 {
		token = refresh[0]
	}
	g.move(-g.age)
	defer g.move(g.age)
	var end time.Time
	if g.tokenRun > 0 {
		end = g.now().Add(g.tokenRun)
	}
	line, _ := signIn(g.t, g.Gate, auth.User{
		Provider: "oidc", Issuer: g.op.Issuer(), Subject: "user-1", ID: "user-1", Groups: []string{"ops", "staff"},
	}, auth.Tokens{
		Access: "access-0", ID: "id-0", Refresh: secret.Secret(token), Expiry: end, IDExpiry: end,
	})
	return line
}

func (g *renewing) ask(ctx context.Context, path, cookie string) auth.Decision {
	return g.Check(ctx, auth.Request{Method: "GET", Scheme: "https", Host: "app.example.com", Path: path, Cookies: []string{cookie}, Navigation: true})
}

// demand asks once and wants an answer, and says with which access token.
func (g *renewing) demand(path, cookie string, want auth.Judgement) string {
	g.t.Helper()
	d := g.ask(g.t.Context(), path, cookie)
	if d.Judgement != want {
		g.t.Errorf("%s: %v, want %v\n%s", path, d.Judgement, want, g.log.tail())
	}
	return identity(d)["X-Auth-Request-Access-Token"]
}

// await asks until a condition holds.
func (g *renewing) await(what string, holds func() bool) {
	g.t.Helper()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(time.Minute); !holds(); <-ticker.C {
		if time.Now().After(deadline) {
			g.t.Fatalf("%s: not within a minute\n%s", what, g.log.tail())
		}
	}
}

// landed waits until no renewal runs.
func (g *renewing) landed() {
	g.t.Helper()
	g.await("renewals end", func() bool {
		g.Renewals.mu.Lock()
		defer g.Renewals.mu.Unlock()
		return len(g.Renewals.flights) == 0 && len(g.Renewals.slots) == 0
	})
}

var (
	admitted    = auth.Judgement{Verdict: auth.Allow, Reason: auth.Admitted}
	notSignedIn = auth.Judgement{Verdict: auth.SignIn, Reason: auth.NotSignedIn}
	cannotTell  = auth.Judgement{Verdict: auth.Unknown, Reason: auth.ProviderUnavailable}
)

// TestDue: when the provider is asked.
func TestDue(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*RenewalConfig)
		tokens time.Duration // their life
		after  time.Duration // of the login, the check
		calls  int
	}{
		{"at once", nil, 5 * time.Minute, 0, 0},
		{"long before", nil, 5 * time.Minute, 3*time.Minute + 50*time.Second, 0},
		{"REF-2 ahead", nil, 5 * time.Minute, 4*time.Minute + 40*time.Second, 1},
		{"REF-2 ahead of short ones", nil, time.Minute, 55 * time.Second, 1},
		{"long before the end of short ones", nil, time.Minute, 40 * time.Second, 0},
		{"too late", nil, 5 * time.Minute, 6 * time.Minute, 1},
		{"a token that does not end", nil, 0, time.Hour, 0},
		{"the ID token", func(c *RenewalConfig) { c.PassAccessToken, c.PassIDToken = false, true }, 5 * time.Minute, 6 * time.Minute, 1},
		{"tokens that nobody passes on", recheck, 5 * time.Minute, 6 * time.Minute, 0},
		{"claims ahead", recheck, 0, 14*time.Minute + 40*time.Second, 1},
		{"claims long before", recheck, 0, 13*time.Minute + 50*time.Second, 0},
		{"claims too late", recheck, 0, 15 * time.Minute, 1},
		{"L17 the clock steps back a little", nil, 5 * time.Minute, -4 * time.Minute, 0},
		{"L17 the clock steps back an hour", nil, 5 * time.Minute, -time.Hour, 1},
		{"nothing is configured", func(c *RenewalConfig) { c.PassAccessToken = false }, 5 * time.Minute, time.Hour, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := newRenewing(t, tt.change)
			g.tokenRun, g.age = tt.tokens, tt.after
			cookie := g.enter()
			g.demand("/admin/x", cookie, admitted)
			if g.Renewals != nil {
				g.landed()
			}
			g.demand("/admin/x", cookie, admitted)
			if granted, refused := g.op.Refreshes(); granted != tt.calls || refused != 0 {
				t.Errorf("asked %d times, and %d in vain; want %d", granted, refused, tt.calls)
			}
		})
	}
}

// TestAhead: the check that notices is answered from the session that it has, also
// when the provider says nothing (REF-2), and the next one finds the new token.
func TestAhead(t *testing.T) {
	g := newRenewing(t, nil)
	held := make(chan struct{})
	g.op.Set(func(b *idptest.Behaviour) {
		b.Handle[idptest.Userinfo] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { <-held; http.Error(w, "", 500) })
		b.UserinfoOnly = []string{"groups"}
	})
	g.age = 4*time.Minute + 40*time.Second
	cookie := g.enter()
	for range 3 {
		if token := g.demand("/admin/x", cookie, admitted); token != "access-0" {
			t.Errorf("the answer has the token %.9s", token)
		}
	}
	close(held)
	g.landed()
	if token := g.demand("/admin/x", cookie, admitted); !strings.HasPrefix(token, "access-") || token == "access-0" {
		t.Error("the new token is not passed on")
	}
	if n := g.op.Requests(idptest.Token); n != 1 {
		t.Errorf("REF-1: %d token calls", n)
	}
}

// TestParallelChecks is L6: 200 checks of one session that has run out, with refresh
// tokens that work once.
func TestParallelChecks(t *testing.T) {
	for _, tt := range []struct {
		name   string
		delay  time.Duration
		leaves bool // the first client
	}{
		{"L6", 0, false},
		{"L6 the provider takes 5 s", 5 * time.Second, false},
		{"L6 the first client goes", time.Second, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			g := newRenewing(t, nil)
			g.op.Set(func(b *idptest.Behaviour) { b.Delay[idptest.Token] = tt.delay })
			g.age = 6 * time.Minute
			cookie := g.enter()
			first, leave := context.WithCancel(t.Context())
			defer leave()
			var allowed atomic.Int64
			var wg sync.WaitGroup
			check := func(ctx context.Context) {
				if g.ask(ctx, "/admin/x", cookie).Judgement == admitted {
					allowed.Add(1)
				}
			}
			began := time.Now()
			wg.Go(func() { check(first) })
			if tt.leaves {
				g.await("the first check asks the provider", func() bool { return g.op.Requests(idptest.Token) == 1 })
				leave()
			}
			for range 199 {
				wg.Go(func() { check(t.Context()) })
			}
			wg.Wait()
			took := time.Since(began)
			g.landed()
			token := g.demand("/admin/x", cookie, admitted)
			granted, refused := g.op.Refreshes()
			t.Logf("%s: %d token calls, %d of 200 allowed, within %v", tt.name, g.op.Requests(idptest.Token), allowed.Load(), took.Round(time.Millisecond))
			if granted != 1 || refused != 0 || g.op.Requests(idptest.Token) != 1 || allowed.Load() != 200 || token == "access-0" {
				t.Errorf("REF-1: %d granted, %d refused, %d allowed, token %.9s\n%s", granted, refused, allowed.Load(), token, g.log.tail())
			}
		})
	}
}

// TestEnded: only a provider that says invalid_grant signs somebody out (REF-4).
func TestEnded(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*idptest.Behaviour)
		want   auth.Judgement
		result string
	}{
		{"ended", func(b *idptest.Behaviour) { b.RefreshError = "invalid_grant" }, notSignedIn, "ended"},
		{"the secret is wrong", func(b *idptest.Behaviour) { b.RefreshError = "invalid_client" }, admitted, "rejected"},
		{"words", func(b *idptest.Behaviour) {
			b.Handle[idptest.Token] = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "invalid_grant", 400) })
		}, admitted, "invalid"},
		{"down", func(b *idptest.Behaviour) { b.Fail[idptest.Token] = 503 }, admitted, "unavailable"},
		{"too many", func(b *idptest.Behaviour) { b.Fail[idptest.Token] = 429 }, admitted, "unavailable"},
		{"another subject", func(b *idptest.Behaviour) { b.Claims = func(c map[string]any) { c["sub"] = "eve" } }, admitted, "invalid"},
		{"no claims", func(b *idptest.Behaviour) {
			b.UserinfoOnly, b.Fail[idptest.Userinfo] = []string{"groups"}, 503
		}, admitted, "stale"},
		{"all well", func(b *idptest.Behaviour) { b.User["groups"] = []string{"ops"} }, admitted, "success"},
		{"AUTHZ-6 out of the group", func(b *idptest.Behaviour) { b.User["groups"] = []string{"staff"} }, auth.Judgement{Reason: auth.GroupMissing}, "success"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := newRenewing(t, nil)
			g.op.Set(tt.change)
			g.age = 6 * time.Minute
			cookie := g.enter()
			g.demand("/admin/x", cookie, tt.want)
			g.landed()
			g.demand("/admin/x", cookie, tt.want)
			if got := g.counted(); got != tt.result+" 1" {
				t.Errorf("counted: %s", got)
			}
		})
	}
}

// counted are the results of refreshes and how often each was.
func (g *renewing) counted() string {
	w := httptest.NewRecorder()
	g.Metrics.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	var all []string
	for line := range strings.Lines(w.Body.String()) {
		if rest, ok := strings.CutPrefix(line, `doorward_refreshes_total{provider="oidc",result="`); ok {
			all = append(all, strings.TrimSpace(strings.Replace(rest, `"}`, "", 1)))
		}
	}
	return strings.Join(all, ", ")
}

// TestRecheck: what becomes of claims that are too old.
func TestRecheck(t *testing.T) {
	away := func(g *renewing) { g.op.Close() }
	for _, tt := range []struct {
		name    string
		refresh bool // a refresh token is there
		before  func(*renewing)
		after   time.Duration
		want    auth.Judgement
	}{
		{"AUTHZ-6 asked again", true, func(g *renewing) {}, 16 * time.Minute, admitted},
		{"AUTHZ-6 out of the group", true, func(g *renewing) {
			g.op.Set(func(b *idptest.Behaviour) { b.User["groups"] = []string{"staff"} })
		}, 16 * time.Minute, auth.Judgement{Reason: auth.GroupMissing}},
		{"nobody can be asked", false, func(*renewing) {}, 14 * time.Minute, admitted},
		{"nobody can be asked, too old", false, func(*renewing) {}, 16 * time.Minute, notSignedIn},
		{"L2 away", true, away, 16 * time.Minute, admitted},
		{"L2 away for an hour", true, away, 74 * time.Minute, admitted},
		{"L2 away for longer", true, away, 76 * time.Minute, cannotTell},
		{"the answer is never good", true, func(g *renewing) {
			g.op.Set(func(b *idptest.Behaviour) { b.Claims = func(c map[string]any) { c["sub"] = "eve" } })
		}, 16 * time.Minute, admitted},
		{"the answer is never good, after the grace", true, func(g *renewing) {
			g.op.Set(func(b *idptest.Behaviour) { b.Claims = func(c map[string]any) { c["sub"] = "eve" } })
		}, 76 * time.Minute, notSignedIn},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := newRenewing(t, recheck)
			token := ""
			if tt.refresh {
				token = g.op.RefreshToken()
			}
			cookie := g.enter(token)
			tt.before(g)
			g.move(tt.after)
			g.demand("/admin/x", cookie, tt.want)
			g.landed()
			g.demand("/admin/x", cookie, tt.want)
			g.demand("/public/x", cookie, auth.Judgement{Verdict: auth.Allow, Reason: auth.Public})
		})
	}
}

// TestProviderReturns: a session whose claims nobody could check is not signed
// out; it works again when the provider does.
func TestProviderReturns(t *testing.T) {
	g := newRenewing(t, recheck)
	with, without := g.enter(), g.enter("")
	g.op.Close()
	g.move(2 * time.Hour)
	g.demand("/x", with, cannotTell)
	g.landed()
	g.demand("/x", without, cannotTell) // somebody else's refresh has told
	if err := g.op.Listen(g.op.Addr()); err != nil {
		t.Fatal(err)
	}
	g.await("L2 it works again", func() bool {
		g.move(time.Minute)
		return g.ask(t.Context(), "/x", with).Judgement == admitted
	})
	g.demand("/x", without, notSignedIn)
}

// TestProviderAway is L2 with tokens that are passed on: sessions go on with the
// one that ran out, nobody waits for a provider that is known to be down, and it is
// asked now and then.
func TestProviderAway(t *testing.T) {
	g := newRenewing(t, nil)
	var cookies []string
	for range 100 {
		cookies = append(cookies, g.enter())
	}
	g.op.Set(func(b *idptest.Behaviour) { b.Fail[idptest.Token] = 503 })
	g.move(time.Hour)
	g.demand("/x", cookies[0], admitted)
	g.landed()
	asked := g.op.Requests(idptest.Token)
	began := time.Now()
	for i := range 10_000 {
		if d := g.ask(t.Context(), "/x", cookies[i%len(cookies)]); d.Judgement != admitted {
			t.Fatalf("L2: %v", d.Judgement)
		}
	}
	t.Logf("L2: 10,000 checks of 100 sessions without the provider in %v, %d token calls", time.Since(began).Round(time.Millisecond), g.op.Requests(idptest.Token)-asked)
	g.landed()
	if n := g.op.Requests(idptest.Token) - asked; n > 20 {
		t.Errorf("L2: the provider was asked %d times", n)
	}
	g.op.Reset()
	g.await("L2 renewed when it is back", func() bool {
		g.move(time.Minute)
		return identity(g.ask(t.Context(), "/x", cookies[7]))["X-Auth-Request-Access-Token"] != "access-0"
	})
}

// TestSlowProvider: the check that finds out waits for five seconds, and those
// after it not at all.
func TestSlowProvider(t *testing.T) {
	t.Parallel()
	g := newRenewing(t, nil)
	g.age = 6 * time.Minute
	one, two := g.enter(), g.enter()
	g.op.Set(func(b *idptest.Behaviour) { b.Delay[idptest.Token] = time.Hour })
	began := time.Now()
	g.demand("/x", one, admitted)
	waited := time.Since(began)
	began = time.Now()
	for range 100 {
		g.demand("/x", two, admitted)
	}
	if again := time.Since(began); waited < 4*time.Second || again > waited {
		t.Errorf("L3: the first check waited %v, and 100 more %v", waited, again)
	}
	g.op.Close()
	g.landed()
}

// TestManySessions is L7 in small, and without a gateway: no more than 32 token
// calls at one time, whatever comes, and every check is answered.
func TestManySessions(t *testing.T) {
	const sessions = 500
	for name, age := range map[string]time.Duration{"L7 ahead": 4*time.Minute + 40*time.Second, "L7 too late": 6 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			g := newRenewing(t, nil)
			g.op.Set(func(b *idptest.Behaviour) {
				b.Algorithm, b.Delay[idptest.Token] = "ES256", 20*time.Millisecond
			})
			g.age = age
			var cookies []string
			for range sessions {
				cookies = append(cookies, g.enter())
			}
			var wg sync.WaitGroup
			for _, cookie := range cookies {
				wg.Go(func() {
					for identity(g.ask(t.Context(), "/admin/x", cookie))["X-Auth-Request-Access-Token"] == "access-0" {
						g.demand("/admin/x", cookie, admitted)
					}
				})
			}
			wg.Wait()
			g.landed()
			granted, refused := g.op.Refreshes()
			if most := g.op.Parallel(idptest.Token); granted != sessions || refused != 0 || most > maxRenewing {
				t.Errorf("L7: %d granted, %d refused, %d at one time", granted, refused, most)
			}
		})
	}
}

// TestPanic: a panic while a session is renewed ends neither the process nor the
// checks that wait.
func TestPanic(t *testing.T) {
	g := newRenewing(t, nil)
	g.Renewals.Metrics = nil // which it wants to count in
	g.age = 6 * time.Minute
	cookie := g.enter()
	for range 3 {
		g.demand("/x", cookie, admitted)
	}
	g.landed()
}

// TestFresh costs a session that is not due nothing but comparisons.
func TestFresh(t *testing.T) {
	g := newRenewing(t, func(c *RenewalConfig) { c.PassIDToken, c.Recheck = true, time.Hour })
	s, err := g.Sessions.Load(t.Context(), auth.Request{Host: "app.example.com", Cookies: []string{g.enter()}})
	if err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string]*Renewals{"not due": g.Renewals, "none": nil} {
		if n := testing.AllocsPerRun(100, func() { _, _ = r.Fresh(t.Context(), s) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// TestFinish: what is in flight at the end of the process comes to its own end
// (L11), and nothing new begins.
func TestFinish(t *testing.T) {
	g := newRenewing(t, nil)
	g.op.Set(func(b *idptest.Behaviour) { b.Delay[idptest.Token] = 300 * time.Millisecond })
	g.age = 4*time.Minute + 40*time.Second
	cookie, other := g.enter(), g.enter()
	g.demand("/x", cookie, admitted)
	g.Renewals.Finish(t.Context())
	if token := g.demand("/x", cookie, admitted); token == "access-0" {
		t.Error("L11: the refresh in flight is lost")
	}
	g.demand("/x", other, admitted)
	if n := g.op.Requests(idptest.Token); n != 1 {
		t.Errorf("%d token calls", n)
	}
	var none *Renewals
	none.Finish(t.Context())
}

// TestStepUp: a refresh is no login: it makes no session younger in the eyes of a
// rule (OpenID Connect Core 12.2).
func TestStepUp(t *testing.T) {
	g := newRenewing(t, nil)
	g.Govern(&Rules{Set: policy.New([]policy.Rule{
		{Name: "recent", MaxAge: 5 * time.Minute, Allow: &policy.Allow{Any: true}},
	}, []string{"*.example.com"}, g.now)})
	line, _ := signIn(t, g.Gate, auth.User{Provider: "oidc", Issuer: g.op.Issuer(), Subject: "user-1", ID: "user-1", AuthTime: g.now()},
		auth.Tokens{Access: "access-0", Refresh: secret.Secret(g.op.RefreshToken()), Expiry: g.now().Add(time.Minute)})
	g.op.Set(func(b *idptest.Behaviour) {
		b.Claims = func(c map[string]any) { c["auth_time"] = g.now().Unix() }
	})
	g.demand("/x", line, admitted)
	g.move(6 * time.Minute)
	g.demand("/x", line, auth.Judgement{Verdict: auth.SignIn, Reason: auth.LoginTooOld})
	if granted, _ := g.op.Refreshes(); granted != 1 {
		t.Errorf("%d refreshes", granted)
	}
}

func BenchmarkFresh(b *testing.B) {
	r := NewRenewals(RenewalConfig{PassAccessToken: true, Recheck: time.Hour, Now: time.Now})
	s := session.Session{
		User: auth.User{Subject: "1"}, Renewed: time.Now(), Tokens: auth.Tokens{Refresh: "r", Expiry: time.Now().Add(time.Hour)},
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Fresh(b.Context(), s); err != nil {
			b.Fatal(err)
		}
	}
}
