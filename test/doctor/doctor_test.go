// Package doctor examines real gateways with `doorward doctor`: each as shipped,
// where it has to be quiet, and with mistakes planted, each of which it has to
// find.
package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/test/stack"
)

// patience is how long anything may take; the machine may be busy.
const patience = 90 * time.Second

// clinic is one gateway with everything behind it.
type clinic struct {
	*stack.Stack
	session string // of Ada, as a Cookie header
}

// finding is one of `doorward doctor --json`.
type finding struct{ Check, Verdict, Text string }

func TestDoctor(t *testing.T) {
	binary, err := stack.BuildDoorward(t.Context(), t.TempDir(), true)
	if err != nil {
		t.Fatal(err)
	}
	for _, patient := range patients(t) {
		t.Run(patient.name, func(t *testing.T) {
			c := newClinic(t, binary, patient.gateway)
			c.testQuiet(t)
			for _, m := range slices.Concat(patient.mistakes, everywhere(c)) {
				t.Run(m.name, func(t *testing.T) {
					c.reconfigure(t, m.replace, m.env)
					c.testFound(t, m)
				})
			}
		})
	}
}

// newClinic starts everything as shipped and signs Ada in.
func newClinic(t *testing.T, binary string, gateway stack.Gateway) *clinic {
	t.Helper()
	s, err := stack.New(stack.Config{
		Dir: t.TempDir(), Binary: binary, Gateway: gateway, Domain: "doorward.localhost", TLS: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	begin(t, s.Start)
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	c := &clinic{Stack: s}
	ada := stack.NewVisitor(s.CA)
	ada.Watch = func(_ *http.Request, res *http.Response) {
		for _, cookie := range res.Cookies() {
			if cookie.Name == "__Secure-doorward" {
				c.session = cookie.Name + "=" + cookie.Value
			}
		}
	}
	page, err := ada.Open(t.Context(), s.AppURL+"/")
	if err == nil {
		page, err = ada.SignIn(t.Context(), page, stack.Ada)
	}
	if err != nil || page.Status != http.StatusOK || c.session == "" {
		t.Fatalf("Ada did not get in: %d %v", page.Status, err)
	}
	return c
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

// reconfigure starts the gateway anew with the changes to its configuration, and
// Doorward with those to its environment. The test's end takes them back.
func (c *clinic) reconfigure(t *testing.T, replace [][2]string, env map[string]string) {
	t.Helper()
	if err := errors.Join(c.Front.Stop(), c.Doorward.Stop()); err != nil {
		t.Fatal(err)
	}
	before := c.Doorward.Env
	t.Cleanup(func() { c.Front.Replace, c.Doorward.Env = nil, before })
	c.Front.Replace, c.Doorward.Env = replace, maps.Clone(before)
	maps.Copy(c.Doorward.Env, env)
	begin(t, c.Doorward.Start)
	begin(t, c.Front.Start)
}

// examine runs the doctor in an environment; nil is one without a configuration.
func (c *clinic) examine(t *testing.T, env map[string]string, session bool) (findings []finding, exitCode int) {
	t.Helper()
	args := []string{"doctor", "--url", c.AppURL + "/", "--resolve", "*:127.0.0.1", "--json"}
	if session {
		args = append(args, "--cookie", "-", "--echo-path", "/headers")
	}
	cmd := exec.CommandContext(t.Context(), c.Doorward.Binary, args...)
	cmd.Stdin = strings.NewReader(c.session + "\n")
	cmd.Env = []string{"SSL_CERT_FILE=" + c.CA.File}
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	_, value, _ := strings.Cut(c.session, "=")
	if strings.Contains(stdout.String()+stderr.String(), value) {
		t.Error("the doctor shows the session (LOG-2)")
	}
	var report struct{ Findings []finding }
	if err := json.Unmarshal(stdout.Bytes(), &report); err != nil {
		t.Fatalf("%v\n%s%s", err, stdout.String(), stderr.String())
	}
	return report.Findings, cmd.ProcessState.ExitCode()
}

// testQuiet: what is shipped is right, and the doctor says so whatever it knows.
func (c *clinic) testQuiet(t *testing.T) {
	t.Helper()
	for _, tt := range []struct {
		name    string
		env     map[string]string
		session bool
		unknown int // findings that cannot be made without more
	}{
		{"nothing known", nil, false, 2},
		{"configuration known", c.Doorward.Env, false, 1},
		{"configuration and a session", c.Doorward.Env, true, 0},
	} {
		findings, code := c.examine(t, tt.env, tt.session)
		for _, f := range findings {
			if f.Verdict == "unknown" {
				tt.unknown--
			}
			if f.Verdict == "wrong" {
				t.Errorf("%s: %s: %s", tt.name, f.Check, f.Text)
			}
		}
		if code != 0 || len(findings) < 14 || tt.unknown != 0 {
			t.Errorf("%s: exit code %d with %d findings, %d unknown too few: %v", tt.name, code, len(findings), tt.unknown, findings)
		}
	}
}

// testFound: the mistake is found, by the check that is for it.
func (c *clinic) testFound(t *testing.T, m mistake) {
	t.Helper()
	findings, code := c.examine(t, c.Doorward.Env, m.session)
	found := slices.ContainsFunc(findings, func(f finding) bool {
		return f.Verdict == "wrong" && f.Check == m.check && strings.Contains(f.Text, m.says)
	})
	if !found || code != 1 {
		t.Errorf("not found by %s (exit code %d)", m.check, code)
	}
	for _, f := range findings {
		if f.Verdict == "wrong" || !found {
			t.Logf("%-8s %-16s %s", f.Verdict, f.Check, f.Text)
		}
	}
}
