package stack

import (
	"context"
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestProcessStopEndsChildren(t *testing.T) {
	p := startShell(t, `sleep 1000 & echo child $!; wait`)
	var child int
	await(t, p, func(context.Context) error {
		_, pid, found := strings.Cut(strings.TrimSpace(p.Log()), "child ")
		if !found {
			return errors.New("no child yet")
		}
		var err error
		child, err = strconv.Atoi(pid)
		return err
	})
	if err := p.Stop(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); alive(child); {
		if time.Now().After(deadline) {
			t.Fatalf("the child %d outlives its parent", child)
		}
	}
}

func TestProcessAwaitTellsWhyItEnded(t *testing.T) {
	p := startShell(t, `echo the disk is full; exit 3`)
	err := p.Await(t.Context(), func(context.Context) error { return errors.New("never ready") })
	if err == nil || !strings.Contains(err.Error(), "the disk is full") || !strings.Contains(err.Error(), "status 3") {
		t.Errorf("error %v, want the status and what the program said", err)
	}
	if code := p.ExitCode(); code != 3 {
		t.Errorf("exit code %d, want 3", code)
	}
}

func TestProcessAwaitGivesUp(t *testing.T) {
	p := startShell(t, `echo still working; exec sleep 1000`)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	err := p.Await(ctx, func(context.Context) error { return errors.New("never ready") })
	if err == nil || !strings.Contains(err.Error(), "never ready") {
		t.Errorf("error %v, want what it waited for", err)
	}
	p.Kill()
	if code := p.ExitCode(); code != -1 {
		t.Errorf("exit code %d after Kill, want -1", code)
	}
}

func TestProcessInheritsNothing(t *testing.T) {
	t.Setenv("DOORWARD_LISTEN", "a leak")
	p := startShell(t, `env`)
	p.ExitCode()
	if log := p.Log(); strings.Contains(log, "a leak") {
		t.Errorf("the program sees the test's environment:\n%s", log)
	}
}

func startShell(t *testing.T, script string) *Process {
	t.Helper()
	p, err := Start(Command{Name: "shell", Dir: t.TempDir(), Path: "/bin/sh", Args: []string{"-c", script}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return p
}

func await(t *testing.T, p *Process, ready func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := p.Await(ctx, ready); err != nil {
		t.Fatal(err)
	}
}

// alive tells a running process from one that is gone or waits to be collected.
func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && !strings.Contains(string(stat), ") Z ")
}
