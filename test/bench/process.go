package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/doorward/doorward/test/stack"
)

// The cores. Where there are two, the servers have one and the load the other.
const (
	serverCore = 0
	loadCore   = 1
)

// server is a running process that answers checks.
type server struct {
	name    string
	address string // where load goes to, host:port
	process *stack.Process
	metrics string                                 // their address
	mallocs func(context.Context) (float64, error) // objects allocated so far; nil when it cannot be asked
}

// launch is how a server is started.
type launch struct {
	name    string
	command []string
	env     map[string]string
	address string // that accepts connections when it is ready
	pinned  bool
}

// exec starts a program, and sees to it that it ends with the house.
func (h *house) exec(l launch) (*stack.Process, error) {
	env := map[string]string{}
	command := l.command
	if l.pinned {
		command = append([]string{"taskset", "-c", strconv.Itoa(serverCore)}, command...)
		env["GOMAXPROCS"] = "1"
	}
	maps.Copy(env, l.env)
	h.started++
	process, err := stack.Start(stack.Command{
		Name: fmt.Sprintf("%02d-%s", h.started, l.name), Dir: h.dir, Path: command[0], Args: command[1:], Env: env,
	})
	if err != nil {
		return nil, err
	}
	h.running = append(h.running, process)
	return process, nil
}

// start starts a server and waits until its address accepts connections.
func (h *house) start(ctx context.Context, l launch) (*server, error) {
	process, err := h.exec(l)
	if err != nil {
		return nil, err
	}
	err = process.Await(ctx, func(ctx context.Context) error {
		network, address := "tcp", l.address
		if path, socket := strings.CutPrefix(address, "unix:"); socket {
			network, address = "unix", path
		}
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		if err != nil {
			return err
		}
		return conn.Close()
	})
	return &server{name: l.name, address: l.address, process: process}, err
}

// pin keeps this process on the core of the load, or lets it have all of them.
func pin(pinned bool) error {
	if !pinned {
		return confine(os.Getpid(), func(int) bool { return true })
	}
	return confine(os.Getpid(), func(core int) bool { return core == loadCore })
}

// settle keeps a process and its children on a core.
func settle(pid, on int) error {
	for _, id := range family(pid) {
		if err := confine(id, func(core int) bool { return core == on }); err != nil {
			return err
		}
	}
	return nil
}

// confine keeps all threads of a process on some of the cores.
func confine(pid int, may func(core int) bool) error {
	var set unix.CPUSet
	for core := range len(set) * 64 {
		if may(core) {
			set.Set(core)
		}
	}
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return err
	}
	for _, thread := range threads {
		id, err := strconv.Atoi(thread.Name())
		if err != nil {
			return err
		}
		if err := unix.SchedSetaffinity(id, &set); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("keep process %d on its core: %w", pid, err)
		}
	}
	return nil
}

// spent is the time on a core that a process and its children have used, in all
// of their threads. The kernel counts it in nanoseconds.
func spent(pid int) (time.Duration, error) {
	var total time.Duration
	for _, id := range family(pid) {
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", id))
		if err != nil {
			return 0, err
		}
		for _, file := range threads {
			text, err := os.ReadFile(file)
			if err != nil {
				continue // the thread has ended
			}
			first, _, _ := strings.Cut(string(text), " ")
			nanoseconds, err := strconv.ParseInt(first, 10, 64)
			if err != nil {
				return 0, fmt.Errorf("%s: %w", file, err)
			}
			total += time.Duration(nanoseconds)
		}
	}
	if total == 0 {
		return 0, fmt.Errorf("process %d is gone, or this kernel keeps no schedstat", pid)
	}
	return total, nil
}

// family is a process and all below it.
func family(pid int) []int {
	all := []int{pid}
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid)) // the pattern is fine
	for _, list := range lists {
		text, err := os.ReadFile(list)
		if err != nil {
			continue
		}
		for field := range strings.FieldsSeq(string(text)) {
			if child, err := strconv.Atoi(field); err == nil {
				all = append(all, family(child)...)
			}
		}
	}
	return all
}

// resident is how many bytes of memory a process has in use.
func resident(pid int) (int64, error) {
	return statusBytes(pid, "VmRSS:")
}

func statusBytes(pid int, field string) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, field); ok {
			kilobytes, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kilobytes << 10, err
		}
	}
	return 0, fmt.Errorf("/proc/%d/status has no %s", pid, field)
}
