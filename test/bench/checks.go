package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// subject is one kind of check: what is sent to whom, and the answer it has to get.
type subject struct {
	name    string
	server  *server
	request []byte
	status  int
}

// slice is one load on one subject.
type slice struct {
	outcome
	cpu     time.Duration // of the server, for one check
	mallocs float64       // objects, for one check
}

// load puts load on a subject and looks at what it costs its server.
func (h *house) load(ctx context.Context, s subject, by loader) (slice, error) {
	var one slice
	first, err := s.server.mallocs(ctx)
	if err != nil {
		return one, err
	}
	objects, err := s.server.mallocs(ctx)
	if err != nil {
		return one, err
	}
	asking := objects - first // what it costs to ask
	before, err := spent(s.server.process.PID())
	if err != nil {
		return one, err
	}
	if one.outcome, err = by(ctx, s); err != nil {
		return one, fmt.Errorf("%s: %w", s.name, err)
	}
	after, err := spent(s.server.process.PID())
	if err != nil {
		return one, err
	}
	now, err := s.server.mallocs(ctx)
	one.cpu = (after - before) / time.Duration(one.checks)
	one.mallocs = (now - objects - asking) / float64(one.checks)
	return one, err
}

// loader puts load on a subject for a while. Every answer must have its status.
type loader func(context.Context, subject) (outcome, error)

// pressed is load that does not sleep, in slices of a quarter of the time of wrk.
func (h *house) pressed(ctx context.Context, s subject) (outcome, error) {
	if h.smoke {
		return flood(ctx, s.server.address, s.status, always(s.request), 20*connections, 0)
	}
	return press(ctx, s.server.address, s.status, always(s.request), h.slice/pieces)
}

// pieces is how many slices of load that does not sleep there are in a round. The
// weather of a machine changes faster than a second.
const pieces = 4

// byWrk is load by wrk, which sleeps when it has nothing to do.
func (h *house) byWrk(pinned bool) loader {
	return func(ctx context.Context, s subject) (outcome, error) { return h.wrk(ctx, s, pinned) }
}

// lane is what the rounds on one subject came to, and those on the bare handler
// with the same bytes, each right before.
type lane struct {
	subject
	slices, bare []slice
}

// compare loads the subjects in turns, each after the bare handler with the same
// bytes, so that both see the same weather. A round has several turns.
func (h *house) compare(ctx context.Context, bare *server, subjects []subject, by loader, each int) ([]*lane, error) {
	var lanes []*lane
	for _, s := range subjects {
		lanes = append(lanes, &lane{subject: s})
	}
	for turn := range each * h.turns() {
		for _, l := range lanes {
			floor, err := h.load(ctx, subject{"bare", bare, l.request, 202}, by)
			if err != nil {
				return nil, err
			}
			one, err := h.load(ctx, l.subject, by)
			if err != nil {
				return nil, err
			}
			if turn >= each*h.warmUps {
				l.slices, l.bare = append(l.slices, one), append(l.bare, floor)
			}
		}
		if (turn+1)%each == 0 {
			h.say("  round %d of %d", (turn+1)/each, h.turns())
		}
	}
	return lanes, nil
}

func microseconds(s slice) float64 { return s.cpu.Seconds() * 1e6 }

// row is a line of a table: page is the bare handler on a page load, and timed is
// where rate and latency come from.
func (l *lane) row(page, timed *lane) string {
	mallocs := func(s slice) float64 { return s.mallocs }
	objects := median(each(l.slices, mallocs))
	return fmt.Sprintf("| %s | %.1f | %s | %s | %s | %.0f | %+.1f | %s | %s | %s |\n",
		l.name, median(each(l.slices, microseconds)),
		ratios(l.slices, page.slices, microseconds), ratios(l.slices, l.bare, microseconds), ratios(timed.slices, timed.bare, microseconds),
		objects, objects-median(each(l.bare, mallocs)),
		thousands(median(each(timed.slices, func(s slice) float64 { return s.rate }))),
		milliseconds(median(each(timed.slices, func(s slice) float64 { return s.p50.Seconds() }))),
		milliseconds(median(each(timed.slices, func(s slice) float64 { return s.p99.Seconds() }))))
}

const checksHead = "| check | CPU, µs | to a bare page load | to bare, same bytes | the same under wrk | objects | more than bare | checks/s | p50, ms | p99, ms |\n" +
	"|---|---|---|---|---|---|---|---|---|---|\n"

// table shows lanes; the first is the bare handler on a page load.
func table(lanes, timed []*lane) string {
	var b strings.Builder
	b.WriteString(checksHead)
	for i, l := range lanes {
		b.WriteString(l.row(lanes[0], timed[i]))
	}
	return b.String()
}

// subjects starts what the checks are about.
func (h *house) subjects(ctx context.Context, bare *server, pinned bool) ([]subject, error) {
	d, err := h.doorward(ctx, houseRules+h.tokens(), nil, pinned)
	if err != nil {
		return nil, err
	}
	cookie, err := h.signIn(ctx, d)
	if err != nil {
		return nil, err
	}
	const app = "https://app.bench.test/dashboards/team/42?from=now-6h&to=now"
	token := h.accessToken("ada")
	envoy := question{endpoint: "/auth/envoy/dashboards/team/42?from=now-6h&to=now", host: "app.bench.test", cookie: cookie}
	fetch := page(app, "")
	fetch.script = true
	recipe, err := h.asNginx(ctx, app, cookie)
	if err != nil {
		return nil, err
	}
	return []subject{
		{"bare `net/http` handler, page load", bare, page(app, cookie).bytes(), 202},
		{"cookie, page load", d, page(app, cookie).bytes(), 202},
		{"cookie, as `deploy/nginx` asks", d, recipe, 202},
		{"cookie, Envoy over HTTP", d, envoy.bytes(), 200},
		{"bearer token seen before", d, question{endpoint: "/auth/nginx", host: "doorward", url: app, bearer: token, script: true}.bytes(), 202},
		{"public rule, signed in", d, page("https://app.bench.test/static/app.css", cookie).bytes(), 202},
		{"public rule, nobody", d, page("https://app.bench.test/static/app.css", "").bytes(), 202},
		{"401 to a script", d, fetch.bytes(), 401},
		{"401 with the address of the sign-in", d, page(app, "").bytes(), 401},
		{"403, with its line in the log", d, page("https://closed.bench.test/papers", cookie).bytes(), 403},
	}, nil
}

// measureChecks is the main table: each kind of check on one core.
func measureChecks(ctx context.Context, h *house) (string, error) {
	defer h.stopAll()
	if err := pin(true); err != nil {
		return "", err
	}
	return h.checks(ctx, true)
}

func (h *house) checks(ctx context.Context, pinned bool) (string, error) {
	bare, err := h.bareServer(ctx, pinned)
	if err != nil {
		return "", err
	}
	subjects, err := h.subjects(ctx, bare, pinned)
	if err != nil {
		return "", err
	}
	for _, p := range h.peers {
		s, err := h.peerSubject(ctx, p)
		if err != nil {
			return "", err
		}
		subjects = append(subjects, s)
	}
	subjects = slices.DeleteFunc(subjects, func(s subject) bool { return s.server != bare && !strings.Contains(s.name, h.subject) })
	timed, err := h.compare(ctx, bare, subjects, h.byWrk(pinned), 1)
	if err != nil || !pinned {
		return table(timed, timed), err
	}
	lanes, err := h.compare(ctx, bare, subjects, h.pressed, pieces)
	return table(lanes, timed), err
}

// measureUnpinned is the same with both cores for everybody.
func measureUnpinned(ctx context.Context, h *house) (string, error) {
	defer h.stopAll()
	if err := pin(false); err != nil {
		return "", err
	}
	return h.checks(ctx, false)
}

// accessToken is a token of the provider for an API client, good for a day.
func (h *house) accessToken(id string) string {
	return h.provider.AccessToken("RS256", nil, map[string]any{"jti": id, "exp": time.Now().Add(24 * time.Hour).Unix()})
}
