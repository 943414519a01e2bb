package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"time"
)

// connections is how many a load keeps open.
const connections = 64

// outcome is what one load on one server came to.
type outcome struct {
	checks   int
	rate     float64 // checks a second
	p50, p99 time.Duration
}

// script has wrk send the bytes of a file, so that every subject gets exactly
// what it is meant to get.
const script = `local f = assert(io.open(os.getenv("BENCH_REQUEST"), "rb"))
local bytes = f:read("*a")
f:close()
request = function() return bytes end
`

// wrk puts load on a subject for a while. Every answer must have its status.
func (h *house) wrk(ctx context.Context, s subject, pinned bool) (outcome, error) {
	if err := probe(ctx, s.server.address, s.request, s.status); err != nil {
		return outcome{}, err
	}
	if h.smoke {
		return flood(ctx, s.server.address, s.status, always(s.request), 20*connections, 0)
	}
	file := filepath.Join(h.dir, "request")
	if err := os.WriteFile(file, s.request, 0o600); err != nil {
		return outcome{}, err
	}
	lua := filepath.Join(h.dir, "request.lua")
	if err := os.WriteFile(lua, []byte(script), 0o600); err != nil {
		return outcome{}, err
	}
	args := []string{
		"wrk", "-t1", "-c" + strconv.Itoa(connections), "-d" + strconv.Itoa(int(h.slice.Seconds())) + "s",
		"--latency", "-s", lua, "http://" + s.server.address + "/",
	}
	if pinned {
		args = append([]string{"taskset", "-c", strconv.Itoa(loadCore)}, args...)
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "BENCH_REQUEST="+file)
	output, err := cmd.CombinedOutput()
	if err != nil {
		return outcome{}, fmt.Errorf("wrk: %w\n%s", err, output)
	}
	return readWrk(output, s.status)
}

var (
	wrkTotal   = regexp.MustCompile(`(\d+) requests in `)
	wrkRate    = regexp.MustCompile(`Requests/sec:\s+([\d.]+)`)
	wrkP50     = regexp.MustCompile(`50%\s+([\d.]+(?:us|ms|s))`)
	wrkP99     = regexp.MustCompile(`99%\s+([\d.]+(?:us|ms|s))`)
	wrkRefused = regexp.MustCompile(`Non-2xx or 3xx responses: (\d+)`)
	wrkErrors  = regexp.MustCompile(`Socket errors: .*`)
)

// readWrk reads what wrk printed. wrk tells 2xx and 3xx from the rest only: a
// probe before has seen the status itself.
func readWrk(output []byte, status int) (outcome, error) {
	if errs := wrkErrors.Find(output); errs != nil {
		return outcome{}, fmt.Errorf("wrk: %s", errs)
	}
	var o outcome
	var err1, err2, err3, err4 error
	o.checks, err1 = strconv.Atoi(found(wrkTotal, output))
	o.rate, err2 = strconv.ParseFloat(found(wrkRate, output), 64)
	o.p50, err3 = time.ParseDuration(found(wrkP50, output))
	o.p99, err4 = time.ParseDuration(found(wrkP99, output))
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return o, fmt.Errorf("wrk: %w in:\n%s", err, output)
	}
	refused, _ := strconv.Atoi(found(wrkRefused, output)) // the line is missing when there are none
	if wanted := map[bool]int{true: 0, false: o.checks}[status < 400]; refused != wanted {
		return o, fmt.Errorf("%d of %d answers were refusals, want %d (status %d)", refused, o.checks, wanted, status)
	}
	return o, nil
}

func found(pattern *regexp.Regexp, text []byte) string {
	match := pattern.FindSubmatch(text)
	if match == nil {
		return ""
	}
	return string(match[1])
}

// probe sends a request once and demands the status.
func probe(ctx context.Context, address string, request []byte, status int) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return err
	}
	if _, err := conn.Write(request); err != nil {
		return err
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != status {
		line, _, _ := bytes.Cut(request, []byte("\r\n"))
		return fmt.Errorf("%.100s is answered %d, want %d", line, answer.StatusCode, status)
	}
	return nil
}
