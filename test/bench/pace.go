package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Bursts of a steady load: 2,000 checks a second, as pages with 20 requests ask.
const (
	burst = 20
	beat  = 10 * time.Millisecond
)

// pace asks in bursts at a fixed rate, whether or not the last burst has been
// answered, and counts from when a check was due.
func pace(ctx context.Context, address string, status int, request []byte, lasting time.Duration) (outcome, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	beats := int(lasting / beat)
	due := make([]chan time.Time, burst)
	took := make([][]time.Duration, burst)
	var all sync.WaitGroup
	for i := range due {
		w, err := dial(ctx, address, status)
		if err != nil {
			return outcome{}, err
		}
		due[i] = make(chan time.Time, beats)
		all.Go(func() {
			defer w.conn.Close()
			for at := range due[i] {
				if err := w.ask(request); err != nil {
					cancel(err)
					return
				}
				took[i] = append(took[i], time.Since(at))
			}
		})
	}
	began := time.Now()
	ticker := time.NewTicker(beat)
	defer ticker.Stop()
	for range beats {
		select {
		case at := <-ticker.C:
			for _, c := range due {
				c <- at
			}
		case <-ctx.Done():
		}
	}
	for _, c := range due {
		close(c)
	}
	all.Wait()
	if err := context.Cause(ctx); err != nil {
		return outcome{}, err
	}
	return summarise(slices.Concat(took...), time.Since(began)), nil
}

// measurePace is how long people wait at a rate that no server minds.
func measurePace(ctx context.Context, h *house) (string, error) {
	defer h.stopAll()
	if err := pin(true); err != nil {
		return "", err
	}
	bare, err := h.bareServer(ctx, true)
	if err != nil {
		return "", err
	}
	all, err := h.subjects(ctx, bare, true)
	if err != nil {
		return "", err
	}
	outcomes := make([][]outcome, len(all))
	for round := range h.turns() {
		for i, s := range all {
			o, err := pace(ctx, s.server.address, s.status, s.request, 2*h.slice)
			if err != nil {
				return "", fmt.Errorf("%s: %w", s.name, err)
			}
			if round >= h.warmUps {
				outcomes[i] = append(outcomes[i], o)
			}
		}
	}
	return paceTable(all, outcomes), nil
}

func paceTable(all []subject, outcomes [][]outcome) string {
	var b strings.Builder
	b.WriteString("| 2,000 checks a second, in bursts of 20 | p50, ms | p99, ms | p99 to bare |\n|---|---|---|---|\n")
	p50 := func(o outcome) float64 { return o.p50.Seconds() }
	p99 := func(o outcome) float64 { return o.p99.Seconds() }
	for i, s := range all {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", s.name,
			milliseconds(median(each(outcomes[i], p50))), milliseconds(median(each(outcomes[i], p99))),
			ratios(outcomes[i], outcomes[0], p99))
	}
	return b.String()
}
