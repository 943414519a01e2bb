// Package redistest runs real servers for tests: Redis and Valkey, alone, with
// Sentinels and as a Cluster.
package redistest

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Programs are the servers that tests run against.
func Programs() []string { return []string{"redis-server", "valkey-server"} }

// Server is one server process on loopback, without a disk.
type Server struct {
	Addr   string // host:port
	Socket string // path of its unix socket

	t       testing.TB
	dir     string
	program string
	args    []string
	mu      sync.Mutex
	cmd     *exec.Cmd
}

// Start runs a Redis until the test ends, with further arguments of its command
// line.
func Start(t testing.TB, args ...string) *Server { return StartProgram(t, "redis-server", args...) }

// StartProgram runs one of Programs.
func StartProgram(t testing.TB, program string, args ...string) *Server {
	t.Helper()
	s := newServer(t, program)
	_, port, _ := net.SplitHostPort(s.Addr)
	s.args = append([]string{
		"--port", port, "--bind", "127.0.0.1", "--unixsocket", s.Socket, "--dir", s.dir,
		"--save", "", "--appendonly", "no", "--daemonize", "no", "--loglevel", "warning",
	}, args...)
	s.Run()
	return s
}

// newServer is a server that does not run yet, with a directory of its own.
func newServer(t testing.TB, program string) *Server {
	t.Helper()
	dir, err := os.MkdirTemp("", "redis") // shorter than t.TempDir, for the socket
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{t: t, dir: dir, program: find(t, program), Addr: freeAddr(t), Socket: filepath.Join(dir, "s")}
	t.Cleanup(func() { s.Kill(); _ = os.RemoveAll(dir) })
	return s
}

// find is the path of a program: installed by the distribution, or below .tools.
func find(t testing.TB, program string) string {
	t.Helper()
	if path, err := exec.LookPath(program); err == nil {
		return path
	}
	_, here, _, _ := runtime.Caller(0)
	path := filepath.Join(filepath.Dir(here), "..", "..", "..", ".tools", "bin", program)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%s is not installed; run `make test`, or `cd test && go run ./tools test`", program)
	}
	return path
}

func freeAddr(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// Run starts the server, again after Kill, and waits until it answers.
func (s *Server) Run() {
	s.t.Helper()
	s.Launch()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		answer, err := s.Ask("PING")
		if err == nil && (answer == "PONG" || strings.HasPrefix(answer, "NOAUTH")) {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("%s does not answer: %q, %v", s.program, answer, err)
		}
	}
}

// Launch starts the server and does not wait.
func (s *Server) Launch() {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = os.Remove(s.Socket)
	s.cmd = exec.Command(s.program, s.args...)
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
}

// Kill ends the server at once (kill -9).
func (s *Server) Kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
		s.cmd = nil
	}
}

// Signal sends the server a signal: SIGSTOP has it hang with its connections open.
func (s *Server) Signal(sig syscall.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd != nil {
		_ = s.cmd.Process.Signal(sig)
	}
}

// Ask sends one command over a connection of its own and returns the answer, without
// its type; those of an array are joined by new lines.
func (s *Server) Ask(command ...string) (string, error) { return s.ask([][]string{command}) }

// ask sends commands over a connection of its own, and returns the last answer.
func (s *Server) ask(commands [][]string) (last string, err error) {
	conn, err := net.DialTimeout("unix", s.Socket, time.Second)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	answers := bufio.NewReader(conn)
	for _, command := range commands {
		var text strings.Builder
		fmt.Fprintf(&text, "*%d\r\n", len(command))
		for _, part := range command {
			fmt.Fprintf(&text, "$%d\r\n%s\r\n", len(part), part)
		}
		if _, err := conn.Write([]byte(text.String())); err != nil {
			return "", err
		}
		if last, err = answer(answers); err != nil {
			return "", err
		}
	}
	return last, nil
}

// answer reads one answer (RESP2). Those of an array are joined by new lines.
func answer(r *bufio.Reader) (string, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return "", err
	}
	line = strings.TrimRight(line, "\r\n")
	var n int
	switch kind := line[0]; kind {
	case '$':
		if _, err := fmt.Sscan(line[1:], &n); err != nil || n < 0 {
			return "", err
		}
		bulk := make([]byte, n+2)
		for read := 0; read < len(bulk); {
			got, err := r.Read(bulk[read:])
			if err != nil {
				return "", err
			}
			read += got
		}
		return string(bulk[:n]), nil
	case '*':
		if _, err := fmt.Sscan(line[1:], &n); err != nil {
			return "", err
		}
		var all []string
		for range n {
			one, err := answer(r)
			if err != nil {
				return "", err
			}
			all = append(all, one)
		}
		return strings.Join(all, "\n"), nil
	default:
		return line[1:], nil
	}
}

// Must is Ask for tests that cannot go on without.
func (s *Server) Must(command ...string) string {
	s.t.Helper()
	answer, err := s.Ask(command...)
	if err != nil {
		s.t.Fatalf("%s: %v", command[0], err)
	}
	return answer
}

// With adds arguments for the next start.
func (s *Server) With(args ...string) *Server {
	s.args = append(s.args, args...)
	return s
}

// Await waits until the answer to PING is such.
func (s *Server) Await(such func(answer string) bool) {
	s.t.Helper()
	await(s.t, s.program+" answers as wanted", func() bool {
		answer, err := s.Ask("PING")
		return err == nil && such(answer)
	})
}

// As is Ask with a password.
func (s *Server) As(password string, command ...string) (string, error) {
	return s.ask([][]string{{"AUTH", password}, command})
}
