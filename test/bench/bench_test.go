package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/test/stack"
)

// TestMain is also the servers that the harness starts of itself.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && strings.HasPrefix(os.Args[1], "bare") {
		exit(serveSubject(os.Args[1:]))
	}
	os.Exit(m.Run())
}

// TestSmoke runs all of the harness, on so little that its figures mean nothing.
// Every answer has to have its status.
func TestSmoke(t *testing.T) {
	addresses, err := stack.FreeAddresses(0)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	other, err := readPeer(fmt.Sprintf("other=%s bare %s;http://%s/auth;session=1", self, addresses[0], addresses[0]))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pin(false) })
	report, err := measure(t.Context(), options{rounds: 1, slice: 50 * time.Millisecond, smoke: true, peers: []peer{other}})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range sections() {
		if block, ok := quoted(report, s.name); !ok || strings.Contains(block, "NaN") {
			t.Errorf("the report on %s is %q", s.name, block)
		}
	}
	if !strings.Contains(report, "| other |") {
		t.Error("the report lacks the other server")
	}
}

// TestStatus: a subject that answers anything but the expected status ends the run.
func TestStatus(t *testing.T) {
	h, err := newHouse(t.Context(), options{rounds: 1, slice: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.close() })
	s, err := h.bareServer(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	request := page(grown, "").bytes()
	if o, err := h.wrk(t.Context(), subject{"bare", s, request, 202}, false); err != nil || o.checks == 0 || o.p99 == 0 {
		t.Fatalf("%+v, %v", o, err)
	}
	if _, err := h.wrk(t.Context(), subject{"bare", s, request, 403}, false); err == nil {
		t.Error("wrk: another status is no error")
	}
	if o, err := press(t.Context(), s.address, 202, always(request), 100*time.Millisecond); err != nil || o.checks < connections || o.p99 == 0 {
		t.Errorf("press: %+v, %v", o, err)
	}
	if _, err := press(t.Context(), s.address, 401, always(request), 100*time.Millisecond); err == nil {
		t.Error("press: a wrong status goes unnoticed")
	}
	if _, err := flood(t.Context(), s.address, 401, always(request), 10, 0); err == nil {
		t.Error("flood: another status is no error")
	}
	if _, err := pace(t.Context(), s.address, 401, request, 50*time.Millisecond); err == nil {
		t.Error("pace: another status is no error")
	}
	s.process.Kill()
	if _, err := flood(context.Background(), s.address, 202, always(request), 10, 0); err == nil {
		t.Error("flood: a server that is gone is no error")
	}
}

// TestReadWrk: what wrk says of refusals and lost connections is an error.
func TestReadWrk(t *testing.T) {
	const good = "  Latency Distribution\n     50%    1.20ms\n     99%   12.50ms\n  1000 requests in 1.00s, 200KB read\nRequests/sec:   1000.00\n"
	for _, tt := range []struct {
		name, output string
		status       int
		ok           bool
	}{
		{"all pass", good, 202, true},
		{"all refused", good + "  Non-2xx or 3xx responses: 1000\n", 401, true},
		{"one refused", good + "  Non-2xx or 3xx responses: 1\n", 202, false},
		{"one passes", good + "  Non-2xx or 3xx responses: 999\n", 401, false},
		{"a lost connection", "  Socket errors: connect 0, read 1, write 0, timeout 0\n" + good, 202, false},
		{"nothing", "", 202, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o, err := readWrk([]byte(tt.output), tt.status)
			if (err == nil) != tt.ok {
				t.Fatal(err)
			}
			if tt.ok && (o.checks != 1000 || o.rate != 1000 || o.p50 != 1200*time.Microsecond || o.p99 != 12500*time.Microsecond) {
				t.Errorf("%+v", o)
			}
		})
	}
}

// TestReadPeer: a command may hold anything.
func TestReadPeer(t *testing.T) {
	p, err := readPeer(`vouch=env A=b; ./vouch -config "x;y";http://127.0.0.1:9090/validate?x=1;VouchCookie=abc=`)
	if err != nil || p.name != "vouch" || p.command != `env A=b; ./vouch -config "x;y"` || p.url.RequestURI() != "/validate?x=1" || p.cookie != "VouchCookie=abc=" {
		t.Errorf("%+v, %v", p, err)
	}
	for _, bad := range []string{"", "x", "x=y", "x=y;z", "=y;http://127.0.0.1:1/;c", "x=y;https://127.0.0.1:1/;c", "x=y;http://127.0.0.1/;c"} {
		if _, err := readPeer(bad); err == nil {
			t.Errorf("%q is a peer", bad)
		}
	}
}

// TestFigures: medians and ratios are what they say.
func TestFigures(t *testing.T) {
	for _, tt := range []struct {
		values []float64
		want   float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{3, 1, 2}, 2}, {[]float64{4, 1, 3, 2}, 2.5}} {
		if got := median(tt.values); got != tt.want {
			t.Errorf("median of %v is %v, want %v", tt.values, got, tt.want)
		}
	}
	same := func(v float64) float64 { return v }
	if got := ratios([]float64{2, 3, 2, 8, 2}, []float64{1, 1, 2, 2, 1}, same); got != "2.00 (2.00–3.00)" {
		t.Errorf("ratios: %s", got)
	}
}

// TestQuotes: what README shows is what the last run measured.
func TestQuotes(t *testing.T) {
	read := func(name string) string {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	readme, results := read("../../README.md"), read("results.md")
	quotes := 0
	for _, name := range append(sectionNames(), "machine") {
		quote, there := quoted(readme, name)
		if !there {
			continue
		}
		quotes++
		if block, ok := quoted(results, name); !ok || quote != block || strings.TrimSpace(quote) == "" {
			t.Errorf("README's table of %s is not that of results.md; make bench writes both", name)
		}
	}
	if quotes < 5 {
		t.Errorf("README quotes %d tables", quotes)
	}
}
