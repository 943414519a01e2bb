// Command bench measures what a check costs, beside a bare net/http handler that
// is fed the same bytes. It starts each server as a process of its own, signs in
// for real, and prints one table for each question; README quotes them.
//
//	go run ./bench                         everything, and writes bench/results.md
//	BENCH_ONLY=checks,nginx go run ./bench some of it, and prints only
//	BENCH_ROUNDS=9 BENCH_SECONDS=1         how often, and how long at a time
//	BENCH_SUBJECT=cookie                   only the checks whose name contains this
//	BENCH_BINARY=/usr/bin/doorward         another build of Doorward than this source
//	BENCH_PEER="name=command;url;cookie"   another server beside Doorward; several with a new line
//
// It runs on Linux, from the test module, with wrk and nginx installed.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) > 1 {
		exit(serveSubject(os.Args[1:]))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	exit(run(ctx))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// run measures what the environment asks for.
func run(ctx context.Context) error {
	opts, err := readOptions(os.Getenv)
	if err != nil {
		return err
	}
	report, err := measure(ctx, opts)
	if err != nil {
		return err
	}
	fmt.Print(report)
	if opts.only == nil && opts.subject == "" && opts.binary == "" {
		return publish(report)
	}
	return nil
}

// options say how much to measure.
type options struct {
	rounds  int
	warmUps int           // rounds before these
	slice   time.Duration // of one load on one subject
	only    map[string]bool
	subject string // part of the name of those that are measured
	binary  string // Doorward; "" builds it
	peers   []peer
	smoke   bool // as little as shows that all of it works
}

// turns are all rounds, those that warm up included.
func (o options) turns() int { return o.warmUps + o.rounds }

func readOptions(env func(string) string) (options, error) {
	opts := options{rounds: 9, warmUps: 1, slice: time.Second, subject: env("BENCH_SUBJECT"), binary: env("BENCH_BINARY")}
	var errs []error
	number := func(name string, set func(int)) {
		text := env(name)
		if text == "" {
			return
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			errs = append(errs, fmt.Errorf("%s: %q is no positive number", name, text))
			return
		}
		set(n)
	}
	number("BENCH_ROUNDS", func(n int) { opts.rounds = n })
	number("BENCH_SECONDS", func(n int) { opts.slice = time.Duration(n) * time.Second })
	if text := env("BENCH_ONLY"); text != "" {
		opts.only = map[string]bool{}
		for name := range strings.SplitSeq(text, ",") {
			if !isSection(name) {
				errs = append(errs, fmt.Errorf("BENCH_ONLY: there is no %q: %s", name, strings.Join(sectionNames(), ", ")))
			}
			opts.only[name] = true
		}
	}
	for line := range strings.Lines(env("BENCH_PEER")) {
		p, err := readPeer(strings.TrimSpace(line))
		opts.peers, errs = append(opts.peers, p), append(errs, err)
	}
	return opts, errors.Join(errs...)
}

// section is one question and its table.
type section struct {
	name    string
	measure func(context.Context, *house) (string, error)
}

// sections are all there are, in the order of the report.
func sections() []section {
	return []section{
		{"checks", measureChecks},
		{"unpinned", measureUnpinned},
		{"pace", measurePace},
		{"growth", measureGrowth},
		{"redis", measureRedis},
		{"grpc", measureGRPC},
		{"nginx", measureNginx},
		{"onecore", measureOneCore},
		{"size", measureSize},
	}
}

func sectionNames() []string {
	var names []string
	for _, s := range sections() {
		names = append(names, s.name)
	}
	return names
}

func isSection(name string) bool {
	for _, s := range sections() {
		if s.name == name {
			return true
		}
	}
	return false
}

// measure runs the sections that were asked for and returns the report.
func measure(ctx context.Context, opts options) (report string, err error) {
	h, err := newHouse(ctx, opts)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, h.close()) }()
	began, load := time.Now(), loadAverage()
	var b strings.Builder
	for _, s := range sections() {
		if opts.only != nil && !opts.only[s.name] {
			continue
		}
		h.say("%s", s.name)
		text, err := s.measure(ctx, h)
		if err != nil {
			return "", fmt.Errorf("%s: %w", s.name, err)
		}
		fmt.Fprintf(&b, "<!-- bench:%s -->\n%s<!-- /bench:%s -->\n\n", s.name, text, s.name)
	}
	return heading(opts, h.machine(), load, time.Since(began)) + b.String(), nil
}
