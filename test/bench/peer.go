package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// peer is another server, that a user wants to see beside Doorward.
type peer struct {
	name, command string
	url           *url.URL // of its check
	cookie        string
}

// readPeer reads "name=command;url;cookie".
func readPeer(text string) (peer, error) {
	name, rest, ok := strings.Cut(text, "=")
	parts := strings.Split(rest, ";")
	if !ok || name == "" || len(parts) < 3 {
		return peer{}, fmt.Errorf(`BENCH_PEER: %q is not "name=command;url;cookie"`, text)
	}
	n := len(parts)
	// A command may have semicolons of its own, an address and a cookie's value none.
	p := peer{name: name, command: strings.Join(parts[:n-2], ";"), cookie: strings.TrimSpace(parts[n-1])}
	address, err := url.Parse(strings.TrimSpace(parts[n-2]))
	if err != nil || address.Scheme != "http" || address.Port() == "" {
		return peer{}, errors.Join(fmt.Errorf("BENCH_PEER: the address of %q is no http://host:port/path", name), err)
	}
	p.url = address
	return p, nil
}

// peerSubject starts a peer and asks it as nginx would.
func (h *house) peerSubject(ctx context.Context, p peer) (subject, error) {
	s, err := h.start(ctx, launch{name: p.name, command: []string{"sh", "-c", "exec " + p.command}, address: p.url.Host, pinned: true})
	if err != nil {
		return subject{}, err
	}
	s.mallocs = func(context.Context) (float64, error) { return 0, nil } // nobody knows
	q := page("https://app.bench.test/dashboards/team/42?from=now-6h&to=now", p.cookie)
	q.endpoint = p.url.RequestURI()
	for _, status := range []int{200, 202, 204} {
		if err = probe(ctx, s.address, q.bytes(), status); err == nil {
			return subject{p.name, s, q.bytes(), status}, nil
		}
	}
	return subject{}, fmt.Errorf("%s: %w", p.name, err)
}
