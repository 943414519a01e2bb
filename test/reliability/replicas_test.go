package reliability

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/idp/idptest"
	"github.com/doorward/doorward/internal/redis/redistest"
	"github.com/doorward/doorward/test/stack"
)

// twins are two replicas that keep their sessions in one Redis.
func twins(t *testing.T, env map[string]string) (one, other *house) {
	t.Helper()
	server := redistest.Start(t)
	one = newHouse(t, "", env)
	one.doorward.Env["DOORWARD_SESSION_STORE"] = "redis"
	one.doorward.Env["DOORWARD_REDIS_URL"] = "unix://" + server.Socket
	other = one.replica()
	return one.start("/readyz"), other.start("/readyz")
}

// TestEndsOnOtherReplicas is L19: what one replica ends the other one knows, although
// it had the session at hand.
func TestEndsOnOtherReplicas(t *testing.T) {
	one, other := twins(t, nil)
	desk := ""
	for _, tt := range []struct {
		name string
		end  func(cookie string) (answer, error)
		want int
	}{
		{"sign-out", func(cookie string) (answer, error) {
			header := navigation(cookie)
			header.Set("Sec-Fetch-Site", "same-origin")
			return one.ask("/sign_out", header)
		}, http.StatusFound},
		{"end all others", func(string) (answer, error) {
			if desk == "" {
				desk = one.signIn()
			}
			return one.post("/sessions", url.Values{"end": {"others"}}, http.Header{
				"Origin": {"https://auth.example.com"}, "Accept": {"text/html"}, "Cookie": {desk},
			})
		}, http.StatusSeeOther},
		{"back-channel logout", func(string) (answer, error) {
			form := url.Values{"logout_token": {one.provider.LogoutToken("ES256", nil, map[string]any{"sid": nil, "jti": fmt.Sprint(time.Now().UnixNano())})}}
			return one.post("/backchannel_logout", form, nil)
		}, http.StatusOK},
	} {
		var took []time.Duration
		for range 100 {
			cookie := one.signIn()
			for _, h := range []*house{one, other} {
				h.awaitStatus("a check", http.StatusAccepted, func() (answer, error) { return h.check(cookie) })
			}
			one.awaitStatus(tt.name, tt.want, func() (answer, error) { return tt.end(cookie) })
			began := time.Now()
			other.awaitStatus("L19: a check at the other replica", http.StatusUnauthorized, func() (answer, error) { return other.check(cookie) })
			took = append(took, time.Since(began))
		}
		slices.Sort(took)
		t.Logf("L19: %s is effective on the other replica after %v (median), %v (worst of %d; wanted: 1s)", tt.name, took[len(took)/2], took[len(took)-1], len(took))
	}
}

// post sends a form as a provider does, or with these headers as a browser does.
func (h *house) post(path string, form url.Values, header http.Header) (answer, error) {
	req, err := http.NewRequestWithContext(h.t.Context(), http.MethodPost, "http://"+h.doorward.Listen+path, strings.NewReader(form.Encode()))
	if err != nil {
		return answer{}, err
	}
	maps.Copy(req.Header, header)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := h.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	return answer{status: res.StatusCode, header: res.Header}, res.Body.Close()
}

// TestRollingRestart is L11: two replicas behind nginx are replaced one after the
// other, again and again, while checks go on. None of them fails.
func TestRollingRestart(t *testing.T) {
	one, other := twins(t, map[string]string{"DOORWARD_SHUTDOWN_DELAY": "1s"})
	cookie := one.signIn()
	front := frontOf(t, one, other)
	if a, err := one.through(front, cookie); err != nil || a.status != http.StatusOK {
		t.Fatalf("through nginx: %d, %v", a.status, err)
	}
	stop := hammer(t, front, cookie)
	for range 3 {
		replace(nil, one, other)
	}
	report := stop()
	t.Logf("L11: six restarts under load, wanted: 2,000 requests/s:\n%s", report)
	if !strings.Contains(report, "Requests/sec") || strings.Contains(report, "Non-2xx") || strings.Contains(report, "Socket errors") {
		t.Errorf("L11: requests failed\n%s", one.doorward.Process().Log())
	}
}

// hammer asks nginx for a page as often as sixteen connections can, with wrk, which
// leaves the processors to the others. The function ends that and returns its report.
func hammer(t *testing.T, front *stack.Front, cookie string) (stop func() string) {
	t.Helper()
	wrk, err := exec.LookPath("wrk")
	if err != nil {
		t.Fatalf("%v; run: cd test && go run ./tools test", err)
	}
	cmd := exec.CommandContext(t.Context(), wrk, "-t1", "-c16", "-d10m",
		"-H", "Host: app.example.com", "-H", "Cookie: "+cookie, "http://"+front.Listen+"/page")
	var report strings.Builder
	cmd.Stdout, cmd.Stderr = &report, &report
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return func() string {
		_ = cmd.Process.Signal(os.Interrupt) // it then reports
		_ = cmd.Wait()
		return report.String()
	}
}

// through asks nginx for a page of the app.
func (h *house) through(front *stack.Front, cookie string) (answer, error) {
	req, err := http.NewRequestWithContext(h.t.Context(), http.MethodGet, "http://"+front.Listen+"/page", nil)
	if err != nil {
		return answer{}, err
	}
	req.Host, req.Header = "app.example.com", navigation(cookie)
	began := time.Now()
	res, err := h.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	return answer{status: res.StatusCode, took: time.Since(began)}, res.Body.Close()
}

// replace starts replicas anew one after the other, with some of the configuration
// changed.
func replace(env map[string]string, replicas ...*house) {
	for _, h := range replicas {
		h.t.Helper()
		if err := h.doorward.Stop(); err != nil {
			h.t.Error(err)
		}
		if code := h.doorward.Process().ExitCode(); code != 0 {
			h.t.Errorf("L11: exit code %d", code)
		}
		maps.Copy(h.doorward.Env, env)
		h.start("/readyz")
	}
}

// TestSecretRotation is L5: a new cookie secret is added, goes first, and the old
// one is retired, on two replicas under load.
func TestSecretRotation(t *testing.T) {
	for _, store := range []string{"cookie", "redis"} {
		t.Run(store, func(t *testing.T) {
			one, other := twins(t, map[string]string{"DOORWARD_SHUTDOWN_DELAY": "1s"})
			replace(map[string]string{"DOORWARD_SESSION_STORE": store}, one, other)
			front := frontOf(t, one, other)
			var cookies []string
			for range 1000 {
				cookies = append(cookies, one.signIn())
			}
			before, after := one.doorward.Env["DOORWARD_COOKIE_SECRET"], stack.CookieSecret()
			var next atomic.Int64
			stop := steady(1000, func() (answer, error) {
				return one.through(front, cookies[int(next.Add(1))%len(cookies)])
			})
			for _, secrets := range []string{before + "," + after, after + "," + before} {
				replace(map[string]string{"DOORWARD_COOKIE_SECRET": secrets}, one, other)
			}
			result := stop()
			t.Logf("L5: 1000 cookies while the secret is rotated on two replicas: %v", result)
			if !result.only(http.StatusOK) {
				t.Errorf("L5: %v\n%s", result, one.doorward.Process().Log())
			}
			fresh := other.signIn()
			replace(map[string]string{"DOORWARD_COOKIE_SECRET": after}, one, other)
			retired := atOnce(len(cookies), 8, func(i int) (answer, error) { return one.check(cookies[i]) })
			t.Logf("L5: the old secret is retired: %v", retired)
			if !retired.only(http.StatusUnauthorized) {
				t.Errorf("L5: %v", retired)
			}
			for _, h := range []*house{one, other} {
				h.awaitStatus("a session that the new secret sealed", http.StatusAccepted, func() (answer, error) { return h.check(fresh) })
			}
		})
	}
}

// frontOf is nginx, as shipped, in front of both replicas and an app. Without
// max_fails=0 nginx asks a replica that was away for ten seconds no more, and when
// the other one is replaced within that time it has nobody to ask.
func frontOf(t *testing.T, one, other *house) *stack.Front {
	t.Helper()
	addresses, err := stack.FreeAddresses(0, 0)
	if err != nil {
		t.Fatal(err)
	}
	front := &stack.Front{
		Gateway: stack.PlainNginx, Dir: t.TempDir(), Listen: addresses[0],
		AppHost: "app.example.com", AuthHost: "auth.example.com", AuthURL: "http://auth.example.com",
		App: addresses[1], Doorward: one.doorward.Listen,
		Replace: [][2]string{{"server 127.0.0.1:4180;", "server " + one.doorward.Listen + " max_fails=0; server " + other.doorward.Listen + " max_fails=0;"}},
	}
	app := &stack.App{AuthURL: front.AuthURL, AppURL: "http://app.example.com"}
	if err := app.Start(front.App); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = app.Stop() })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	t.Cleanup(func() { _ = front.Stop() })
	if err := front.Start(ctx); err != nil {
		t.Fatal(err)
	}
	return front
}

// expiring signs somebody in whose tokens run out at once, and waits for that.
// Later tokens live for five minutes.
func (h *house) expiring() (cookie string) {
	h.t.Helper()
	const life = 2 * time.Second
	h.provider.Set(func(b *idptest.Behaviour) {
		b.TokenAnswer = func(answer map[string]any) { answer["expires_in"] = int(life / time.Second) }
	})
	cookie = h.signIn()
	end := time.Now().Add(life)
	h.provider.Set(func(b *idptest.Behaviour) { b.TokenAnswer = nil })
	h.await("the tokens run out", func() bool { return time.Now().After(end) })
	return cookie
}

// TestRefreshOverReplicas is L6 over two replicas: however many ask, the provider
// is asked once.
func TestRefreshOverReplicas(t *testing.T) {
	one, other := twins(t, map[string]string{"DOORWARD_PASS_ACCESS_TOKEN": "true"})
	for _, tt := range []struct {
		name  string
		delay time.Duration
	}{
		{"L6 a quick provider", 0},
		{"L6 the provider takes longer than a lease", 8 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cookie := one.expiring()
			one.provider.Set(func(b *idptest.Behaviour) { b.Delay[idptest.Token] = tt.delay })
			defer one.provider.Set(func(b *idptest.Behaviour) { b.Delay[idptest.Token] = 0 })
			asked := one.provider.Requests(idptest.Token)
			granted, refused := one.provider.Refreshes()
			checks := atOnce(200, 200, func(i int) (answer, error) { return []*house{one, other}[i%2].check(cookie) })
			for _, h := range []*house{one, other} {
				h.await("the new token is passed on", func() bool {
					a := h.must("/auth/nginx", question(navigation(cookie)))
					nowGranted, _ := one.provider.Refreshes()
					return a.status == http.StatusAccepted && nowGranted > granted
				})
			}
			nowGranted, nowRefused := one.provider.Refreshes()
			t.Logf("%s: %d token calls; 200 checks over two replicas: %v", tt.name, one.provider.Requests(idptest.Token)-asked, checks)
			if !checks.only(http.StatusAccepted) || nowGranted-granted != 1 || nowRefused != refused || one.provider.Requests(idptest.Token)-asked != 1 {
				t.Errorf("REF-1: %d granted, %d refused", nowGranted-granted, nowRefused-refused)
			}
		})
	}
}

// TestLeaderDies: the replica that renews a session is killed while the provider
// answers. The session survives, or ends in one login: the token may be used up.
func TestLeaderDies(t *testing.T) {
	one, other := twins(t, map[string]string{"DOORWARD_PASS_ACCESS_TOKEN": "true"})
	cookie := one.expiring()
	one.provider.Set(func(b *idptest.Behaviour) { b.Delay[idptest.Token] = 2 * time.Second })
	asked := one.provider.Requests(idptest.Token)
	dies := make(chan struct{})
	go func() { defer close(dies); _, _ = one.check(cookie) }()
	one.await("the first replica asks the provider", func() bool { return one.provider.Requests(idptest.Token) > asked })
	one.doorward.Kill()
	<-dies
	began := time.Now()
	var got tally
	other.await("the other replica has renewed the session, or ended it", func() bool {
		a, err := other.check(cookie)
		got.add(a, err)
		_, refused := one.provider.Refreshes()
		return one.provider.Requests(idptest.Token) > asked+1 && (a.status == http.StatusUnauthorized || a.status == http.StatusAccepted && refused == 0 && a.took < time.Second)
	})
	t.Logf("L6: the leader was killed; %v later: %v", time.Since(began).Round(time.Millisecond), &got)
	for status := range got.statuses {
		if status != http.StatusAccepted && status != http.StatusUnauthorized {
			t.Errorf("REF-1: %v", &got)
		}
	}
	one.provider.Set(func(b *idptest.Behaviour) { b.Delay[idptest.Token] = 0 })
	again := other.signIn()
	other.awaitStatus("a check after one more login", http.StatusAccepted, func() (answer, error) { return other.check(again) })
}
