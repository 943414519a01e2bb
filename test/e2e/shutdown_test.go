package e2e

import (
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/doorward/doorward/test/stack"
)

// testShutdown: after SIGTERM Doorward says at once that it is not ready, serves
// for the delay, finishes what is in flight and exits with 0 (L11).
func (h *house) testShutdown(t *testing.T) {
	const delay = 4 * time.Second
	s := h.layOut(t, stack.PlainNginx, map[string]string{"DOORWARD_SHUTDOWN_DELAY": delay.String()})
	tokens := newRelay(t, s.Dex.Listen)
	s.Doorward.Env["DOORWARD_OIDC_TOKEN_URL"] = "http://" + tokens.address + "/dex/token"
	begin(t, s.Start)
	ada := h.signedIn(t, s, stack.Ada, s.AppURL+"/")
	session := ada.cookie(t, sessionCookie)
	bob := h.slowLogin(t, s, tokens)
	process := s.Doorward.Process()

	asked := time.Now()
	if err := process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	until(t, "Doorward is not ready", func() bool { return admin(t, s, "/readyz").Status == http.StatusServiceUnavailable })
	unready := time.Since(asked)
	served := 0
	for time.Since(asked) < delay-time.Second || served == 0 {
		if status := check(t, s, session); status != http.StatusAccepted {
			t.Fatalf("while it shuts down a check is %d, want 202", status)
		}
		if page := ada.fetch(t, s.AppURL+"/data", nil); page.Status != http.StatusOK {
			t.Fatalf("while it shuts down Ada gets %d through nginx, want 200", page.Status)
		}
		served++
	}
	until(t, "Doorward takes no more connections", func() bool { return !accepts(s.Doorward.Listen) })
	closed := time.Since(asked)
	tokens.release()
	if finished := <-bob; !finished {
		t.Error("a login that was in flight was not finished")
	}
	code := process.ExitCode()
	t.Logf("not ready after %s, %d checks of each kind served, closed after %s, exit %d after %s",
		seconds(unready), served, seconds(closed), code, seconds(time.Since(asked)))
	if unready > delay || closed < delay || code != 0 {
		t.Errorf("want: not ready at once, closed after %s, exit 0", delay)
	}
}

// slowLogin begins a login that waits for the token endpoint until the relay
// lets it pass. The channel tells whether the callback ended with a session.
func (h *house) slowLogin(t *testing.T, s *stack.Stack, tokens *relay) <-chan bool {
	t.Helper()
	bob := h.visitor(s)
	page := bob.atProvider(t, s, s.AppURL+deepLink)
	tokens.hold()
	before := tokens.accepted.Load()
	done := make(chan bool, 1)
	go func() {
		_, _ = bob.SignIn(t.Context(), page, stack.Bob) // what comes after the callback may find Doorward gone
		bob.mu.Lock()
		defer bob.mu.Unlock()
		for _, a := range bob.answers {
			if where(a.url) == s.AuthURL+"/callback" && a.status == http.StatusFound && strings.Contains(strings.Join(a.setCookie, "\n"), sessionCookie+"=") {
				done <- true
			}
		}
		close(done)
	}()
	until(t, "the token endpoint is asked", func() bool { return tokens.accepted.Load() > before })
	return done
}

func accepts(address string) bool {
	conn, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}
