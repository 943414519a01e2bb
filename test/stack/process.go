// Package stack starts the real programs that Doorward works with, each as a
// child process on loopback, for the end-to-end tests and for the demo. Nothing
// here outlives the process that started it.
package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Command says how to start a program.
type Command struct {
	Name string // of the part: "dex"; its log is Dir/Name.log
	Dir  string
	Path string
	Args []string
	Env  map[string]string // all of it: nothing is inherited but PATH
}

// Process is a running program. Its output goes to a file as it comes, so that
// it can be read at any time and after the end.
type Process struct {
	name string
	log  string
	cmd  *exec.Cmd
	done chan struct{} // closed when the program has ended
}

// Start starts the program and does not wait until it is of use; see Await.
func Start(c Command) (*Process, error) {
	p := &Process{name: c.Name, log: filepath.Join(c.Dir, c.Name+".log"), done: make(chan struct{})}
	output, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("stack: start %s: %w", c.Name, err)
	}
	defer output.Close()
	p.cmd = exec.Command(c.Path, c.Args...)
	p.cmd.Dir = c.Dir
	p.cmd.Stdout, p.cmd.Stderr = output, output
	p.cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	for name, value := range c.Env {
		p.cmd.Env = append(p.cmd.Env, name+"="+value)
	}
	// A group of its own, so that its children end with it and a Ctrl-C at the
	// terminal reaches us alone; and the kernel ends it if we are killed.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("stack: start %s: %w", c.Name, err)
	}
	go func() {
		_ = p.cmd.Wait() // how it ended is in its log, and ExitCode tells the rest
		close(p.done)
	}()
	return p, nil
}

// Await returns when ready returns nil. It gives up when the program ends or the
// context does, and then tells what the program said last.
func (p *Process) Await(ctx context.Context, ready func(context.Context) error) error {
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("stack: %s ended with status %d before it was ready:\n%s", p.name, p.cmd.ProcessState.ExitCode(), p.tail())
		case <-ctx.Done():
			return fmt.Errorf("stack: %s is not ready: %w\n%s", p.name, err, p.tail())
		case <-ticker.C:
		}
	}
}

// PID is the process id of the program.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the program has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// ExitCode is the status that the program ended with, and -1 for one that a
// signal ended. It waits for the end.
func (p *Process) ExitCode() int {
	<-p.done
	return p.cmd.ProcessState.ExitCode()
}

// Stop asks the program to end, waits, and kills what is left of it.
func (p *Process) Stop() error {
	p.signal(syscall.SIGTERM)
	select {
	case <-p.done:
		p.signal(syscall.SIGKILL) // children that did not follow
		return nil
	case <-time.After(20 * time.Second):
		p.Kill()
		return fmt.Errorf("stack: %s did not end within 20 seconds of SIGTERM and was killed", p.name)
	}
}

// Kill ends the program as a crash would.
func (p *Process) Kill() {
	p.signal(syscall.SIGKILL)
	<-p.done
}

// Signal sends the program a signal, its children none.
func (p *Process) Signal(signal os.Signal) error { return p.cmd.Process.Signal(signal) }

// signal reaches the program's whole group.
func (p *Process) signal(signal syscall.Signal) {
	_ = syscall.Kill(-p.cmd.Process.Pid, signal) // fails only when nothing is left to signal
}

// Log is all that the program has written.
func (p *Process) Log() string {
	text, err := os.ReadFile(p.log)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err.Error()
	}
	return string(text)
}

// tail is the end of the log, for an error message.
func (p *Process) tail() string {
	const lines = 15
	all := strings.Split(strings.TrimSpace(p.Log()), "\n")
	if len(all) > lines {
		all = all[len(all)-lines:]
	}
	return strings.Join(all, "\n")
}

// ID is the id of the process.
func (p *Process) ID() int { return p.cmd.Process.Pid }
