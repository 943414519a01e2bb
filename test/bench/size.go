package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"time"
)

// measureSize is memory, start-up and the size of the program.
func measureSize(ctx context.Context, h *house) (string, error) {
	defer h.stopAll()
	if err := pin(true); err != nil {
		return "", err
	}
	idle, after, checks, err := h.memory(ctx)
	if err != nil {
		return "", err
	}
	first, err := h.startUp(ctx)
	if err != nil {
		return "", err
	}
	binary, err := os.Stat(h.binary)
	if err != nil {
		return "", err
	}
	return "| what | |\n|---|---|\n" +
		fmt.Sprintf("| memory, idle | %s MiB |\n", mebibytes(idle)) +
		fmt.Sprintf("| memory after %s of 10,000 sessions | %s MiB |\n", count(checks, "check"), mebibytes(after)) +
		fmt.Sprintf("| from start to the first answer | %.0f ms |\n", first.Seconds()*1000) +
		fmt.Sprintf("| size of the program | %s MiB |\n", mebibytes(binary.Size())), nil
}

// memory is what a server has in use before and after many checks.
func (h *house) memory(ctx context.Context) (idle, after int64, checks int, err error) {
	sessions, checks := 10_000, 1_000_000
	if h.smoke {
		sessions, checks = 10, 100
	}
	cookies, err := h.mint(sessions)
	if err != nil {
		return 0, 0, 0, err
	}
	d, err := h.doorward(ctx, houseRules+h.tokens(), nil, true)
	if err != nil {
		return 0, 0, 0, err
	}
	if idle, err = resident(d.process.PID()); err != nil {
		return 0, 0, 0, err
	}
	if _, err = flood(ctx, d.address, http.StatusAccepted, visitors(cookies), checks, 0); err != nil {
		return 0, 0, 0, err
	}
	after, err = resident(d.process.PID())
	return idle, after, checks, err
}

// startUp is the median time from exec to the first answer of a check.
func (h *house) startUp(ctx context.Context) (time.Duration, error) {
	cookies, err := h.mint(1)
	if err != nil {
		return 0, err
	}
	request := page(grown, cookies[0]).bytes()
	var took []float64
	for range 2*h.rounds + 1 {
		l, _, err := h.product(houseRules, nil)
		if err != nil {
			return 0, err
		}
		l.pinned = true
		began := time.Now()
		process, err := h.exec(l)
		if err != nil {
			return 0, err
		}
		for probe(ctx, l.address, request, http.StatusAccepted) != nil {
			select {
			case <-process.Done():
				return 0, fmt.Errorf("doorward has ended:\n%s", process.Log())
			case <-ctx.Done():
				return 0, ctx.Err()
			case <-time.After(200 * time.Microsecond):
			}
		}
		took = append(took, time.Since(began).Seconds())
		h.stopAll()
	}
	return time.Duration(median(took) * float64(time.Second)), nil
}
