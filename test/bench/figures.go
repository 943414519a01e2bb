package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"
)

// each are the values of one figure.
func each[T any](all []T, figure func(T) float64) []float64 {
	var values []float64
	for _, one := range all {
		values = append(values, figure(one))
	}
	return values
}

// median of values; 0 when there are none.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// ratios compares two figures round by round, as "1.07 (1.05–1.10)": the median
// and the range of the middle half.
func ratios[T any](mine, theirs []T, figure func(T) float64) string {
	var all []float64
	for i := range mine {
		all = append(all, figure(mine[i])/figure(theirs[i]))
	}
	slices.Sort(all)
	n := len(all)
	return fmt.Sprintf("%.2f (%.2f–%.2f)", median(all), all[n/4], all[n-1-n/4])
}

func thousands(rate float64) string { return fmt.Sprintf("%.1f k", rate/1000) }

func milliseconds(seconds float64) string { return fmt.Sprintf("%.2f", seconds*1000) }

func mebibytes(bytes int64) string { return fmt.Sprintf("%.1f", float64(bytes)/(1<<20)) }

// heading says what was measured, on what, and how.
func heading(opts options, machine string, load string, took time.Duration) string {
	return fmt.Sprintf(`# What a check costs

Written by `+"`make bench`"+`; do not edit. %s.

<!-- bench:machine -->
%s Medians of %d interleaved rounds of %s each, with the range of the middle half in brackets.
<!-- /bench:machine -->

Load average of the machine when it began: %s; it took %s.

`, time.Now().UTC().Format("2006-01-02 15:04 UTC"), machine, opts.rounds, opts.slice, load, took.Round(time.Second))
}

// machine describes where this runs.
func (h *house) machine() string {
	return fmt.Sprintf("%s, %d cores, %s of memory, Linux %s, %s, %s, loopback; the server alone on one core with `GOMAXPROCS=1`, the load on another.",
		fieldOf("/proc/cpuinfo", "model name"), runtime.NumCPU(), memory(),
		strings.TrimSpace(textOf("/proc/sys/kernel/osrelease")), runtime.Version(), version("/usr/sbin/nginx", "-v"))
}

func version(program string, args ...string) string {
	output, err := exec.Command(program, args...).CombinedOutput()
	if err != nil {
		return program + " is missing"
	}
	text := strings.TrimSpace(string(output))
	return strings.Replace(text[strings.LastIndexByte(text, ' ')+1:], "/", " ", 1)
}

func memory() string {
	fields := strings.Fields(fieldOf("/proc/meminfo", "MemTotal"))
	var kilobytes float64
	if len(fields) > 0 {
		_, _ = fmt.Sscan(fields[0], &kilobytes) // 0 says that it is not known
	}
	return fmt.Sprintf("%.0f GB", kilobytes/1e6)
}

func loadAverage() string {
	fields := strings.Fields(textOf("/proc/loadavg"))
	return strings.Join(fields[:min(3, len(fields))], " ")
}

func textOf(file string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	return string(text)
}

// fieldOf is the first value of a name in a file of "name: value" lines.
func fieldOf(file, name string) string {
	for line := range strings.Lines(textOf(file)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}
