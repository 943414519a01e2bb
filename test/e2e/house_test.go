package e2e

import (
	"context"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/test/stack"
)

// patience is how long anything may take before the run gives up on it. It is
// far more than anything takes: the machine may be busy with other things.
const patience = 90 * time.Second

// house is what the whole run shares: one binary, one browser, and the record of
// everything that was secret.
type house struct {
	dir    string
	binary string
	secret *ledger
	stacks []*stack.Stack // every one that was started, for their logs

	browser      context.Context
	closeBrowser context.CancelFunc
}

func newHouse(t *testing.T) *house {
	t.Helper()
	adoptOrphans(t)
	requireRealParts(t)
	h := &house{dir: t.TempDir(), secret: newLedger()}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	var err error
	if h.binary, err = stack.BuildDoorward(ctx, h.dir, true); err != nil {
		t.Fatal(err)
	}
	if h.browser, h.closeBrowser, err = stack.NewBrowser(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.closeBrowser) // also when a part ends the run
	return h
}

// requireRealParts names every program that is missing at once.
func requireRealParts(t *testing.T) {
	t.Helper()
	var missing []string
	for _, program := range []string{"nginx", "chromium"} {
		if _, err := exec.LookPath(program); err != nil {
			if _, err := os.Stat(filepath.Join("/usr/sbin", program)); err != nil {
				missing = append(missing, program)
			}
		}
	}
	for _, module := range []string{"ndk_http_module.so", "ngx_http_set_misc_module.so"} {
		if _, err := os.Stat(filepath.Join("/usr/lib/nginx/modules", module)); err != nil {
			missing = append(missing, "nginx module "+module)
		}
	}
	for _, tool := range []string{"dex", "traefik", "caddy", "envoy"} {
		if _, err := stack.Tool(tool); err != nil {
			missing = append(missing, tool)
		}
	}
	if len(missing) > 0 {
		t.Fatalf("missing: %s; run in test/: go run ./tools", strings.Join(missing, ", "))
	}
}

// layOut makes a stack that ends with the test, without starting any of it.
func (h *house) layOut(t *testing.T, gateway stack.Gateway, env map[string]string) *stack.Stack {
	t.Helper()
	dir, err := os.MkdirTemp(h.dir, "stack-")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{"DOORWARD_LOG_LEVEL": "debug"} // nothing secret is logged at any level
	maps.Copy(all, env)
	s, err := stack.New(stack.Config{
		Dir: dir, Binary: h.binary, Gateway: gateway, Domain: "doorward.localhost", TLS: true, Env: all,
	})
	if err != nil {
		t.Fatal(err)
	}
	h.stacks = append(h.stacks, s)
	h.noteSecrets(s)
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
		if process := s.Doorward.Process(); t.Failed() && process != nil {
			t.Logf("Doorward's log:\n%s", process.Log())
		}
	})
	return s
}

// start is layOut with everything running.
func (h *house) start(t *testing.T, gateway stack.Gateway, env map[string]string) *stack.Stack {
	t.Helper()
	s := h.layOut(t, gateway, env)
	begin(t, s.Start)
	return s
}

// restart ends Doorward and starts it with the changes to its environment.
func (h *house) restart(t *testing.T, s *stack.Stack, changes map[string]string) {
	t.Helper()
	if err := s.Doorward.Stop(); err != nil {
		t.Fatal(err)
	}
	maps.Copy(s.Doorward.Env, changes)
	h.noteSecrets(s)
	begin(t, s.Doorward.Start)
}

// begin starts a part and waits until it is of use.
func begin(t *testing.T, start func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := start(ctx); err != nil {
		t.Fatal(err)
	}
}

func (h *house) noteSecrets(s *stack.Stack) {
	h.secret.add("client secret", s.Dex.ClientSecret)
	for secret := range strings.SplitSeq(s.Doorward.Env["DOORWARD_COOKIE_SECRET"], ",") {
		h.secret.add("cookie secret", secret)
	}
}

// close is the end of the run: everything has stopped, nothing secret was
// written down (LOG-2), and nothing goes on running. These are no subtests, so
// that no -run leaves them out.
func (h *house) close(t *testing.T) {
	t.Helper()
	h.closeBrowser()
	h.checkLogs(t)
	checkNoProcessLeft(t)
}

// until waits for a condition.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(patience); !ok(); <-ticker.C {
		if time.Now().After(deadline) {
			t.Fatalf("waited %s in vain until %s", patience, what)
		}
	}
}

// seconds is a measured time as it is reported.
func seconds(d time.Duration) time.Duration { return d.Round(time.Millisecond) }
