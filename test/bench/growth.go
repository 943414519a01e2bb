package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"time"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/session"
)

// variant is one size of something that may grow, and its slices.
type variant struct {
	name     string
	server   *server
	requests stream
	slices   []slice
}

// measureGrowth is what a check costs when there is more of something: sessions,
// rules, groups. Each is compared with the least of its kind.
func measureGrowth(ctx context.Context, h *house) (string, error) {
	if err := pin(true); err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString("| what grows | CPU, µs | to the first |\n|---|---|---|\n")
	for _, family := range []func(context.Context, *house) ([]*variant, error){bySessions, byRules, byGroups, byTokens} {
		variants, err := family(ctx, h)
		if err == nil {
			err = h.grow(ctx, variants)
		}
		h.stopAll()
		if err != nil {
			return "", err
		}
		for _, v := range variants {
			fmt.Fprintf(&b, "| %s | %.1f | %s |\n", v.name, median(each(v.slices, microseconds)), ratios(v.slices, variants[0].slices, microseconds))
		}
	}
	return b.String(), nil
}

// grow loads variants in turns.
func (h *house) grow(ctx context.Context, variants []*variant) error {
	for turn := range pieces * h.turns() {
		for _, v := range variants {
			one, err := h.cost(ctx, v.server, v.requests, 0, h.slice/pieces)
			if err != nil {
				return fmt.Errorf("%s: %w", v.name, err)
			}
			if turn >= pieces*h.warmUps {
				v.slices = append(v.slices, one)
			}
		}
	}
	return nil
}

const grown = "https://app.bench.test/dashboards/team/42?from=now-6h&to=now"

// bySessions has one server for each number of sessions, so that none remembers
// what another has seen.
func bySessions(ctx context.Context, h *house) ([]*variant, error) {
	numbers := []int{1, 10_000, 1_000_000}
	if h.smoke {
		numbers = []int{1, 100}
	}
	cookies, err := h.mint(numbers[len(numbers)-1])
	if err != nil {
		return nil, err
	}
	var variants []*variant
	for _, n := range numbers {
		d, err := h.doorward(ctx, houseRules, nil, true)
		if err != nil {
			return nil, err
		}
		variants = append(variants, &variant{name: count(n, "session"), server: d, requests: visitors(cookies[:n])})
	}
	return variants, nil
}

// visitors ask in turns, each with a cookie of their own, over all loads.
func visitors(cookies []string) stream {
	const mark = "doorward-cookie"
	before, after, _ := strings.Cut(string(page(grown, mark).bytes()), mark)
	var next atomic.Int64
	return func(int) []byte {
		return []byte(before + cookies[(next.Add(1)-1)%int64(len(cookies))] + after)
	}
}

// mint makes the cookies of sessions as logins would, with Doorward's own store.
func (h *house) mint(n int) ([]string, error) {
	store, err := h.cookies()
	if err != nil {
		return nil, err
	}
	site := auth.Site{Scheme: "https", Host: "auth.bench.test", CookieDomain: "bench.test"}
	request := httptest.NewRequest(http.MethodGet, "https://auth.bench.test/callback", nil)
	made := make([]string, n)
	for i := range made {
		w := httptest.NewRecorder()
		id := fmt.Sprintf("f1b4f4c0-8f7e-4b6e-9d3a-%012d", i)
		if _, err := store.Create(w, request, site, session.Session{User: auth.User{
			Provider: "oidc", Issuer: h.provider.Issuer(), Subject: id, ID: id,
			Email: fmt.Sprintf("ada.%d@example.com", i), PreferredUsername: "ada", Name: "Ada Lovelace", Groups: []string{"sre", "platform"},
		}}); err != nil {
			return nil, err
		}
		made[i], _, _ = strings.Cut(w.Header().Get("Set-Cookie"), ";")
	}
	return made, nil
}

// byRules asks about the last rule of each file.
func byRules(ctx context.Context, h *house) ([]*variant, error) {
	numbers := []int{1, 100, 30_000}
	if h.smoke {
		numbers = []int{1, 100}
	}
	var variants []*variant
	for _, n := range numbers {
		var b strings.Builder
		b.WriteString("rules:\n")
		for i := range n - 1 {
			fmt.Fprintf(&b, "  - {name: app %d, hosts: [app%d.bench.test], allow: {groups: [team-%d]}}\n", i, i, i)
		}
		b.WriteString("  - {name: the last, hosts: [app.bench.test], allow: {groups: [sre]}}\n")
		d, err := h.doorward(ctx, b.String(), nil, true)
		if err != nil {
			return nil, err
		}
		cookie, err := h.signIn(ctx, d)
		if err != nil {
			return nil, err
		}
		variants = append(variants, &variant{name: count(n, "rule"), server: d, requests: always(page(grown, cookie).bytes())})
	}
	return variants, nil
}

// byGroups signs in users with more and more groups.
func byGroups(ctx context.Context, h *house) ([]*variant, error) {
	d, err := h.doorward(ctx, strings.ReplaceAll(houseRules, "allow: {groups: [sre, platform]}", "allow: any"), nil, true)
	if err != nil {
		return nil, err
	}
	var variants []*variant
	for _, n := range []int{0, 50} {
		var groups []string
		for i := range n {
			groups = append(groups, fmt.Sprintf("team-%02d", i))
		}
		cookie, err := h.signInWith(ctx, d, groups)
		if err != nil {
			return nil, err
		}
		variants = append(variants, &variant{name: count(n, "group"), server: d, requests: always(page(grown, cookie).bytes())})
	}
	return variants, nil
}

// byTokens is one bearer token, and more than Doorward remembers: each of those
// is verified anew.
func byTokens(ctx context.Context, h *house) ([]*variant, error) {
	d, err := h.doorward(ctx, houseRules+h.tokens(), nil, true)
	if err != nil {
		return nil, err
	}
	n := 6000
	if h.smoke {
		n = 20
	}
	began := time.Now()
	requests := make([][]byte, n)
	for i := range requests {
		q := page(grown, "")
		q.bearer = h.accessToken(fmt.Sprint(i))
		requests[i] = q.bytes()
	}
	h.say("  signed %d tokens in %s", n, time.Since(began).Round(time.Millisecond))
	var next atomic.Int64
	return []*variant{
		{name: "bearer token seen before", server: d, requests: always(requests[0])},
		{name: "bearer token never seen (RS256)", server: d, requests: func(int) []byte { return requests[(next.Add(1)-1)%int64(n)] }},
	}, nil
}

// count is "1 rule" and "30,000 rules".
func count(n int, noun string) string {
	digits := fmt.Sprint(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	if n == 1 {
		return digits + " " + noun
	}
	return digits + " " + noun + "s"
}
