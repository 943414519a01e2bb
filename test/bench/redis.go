package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/doorward/doorward/test/stack"
)

// redisSessions is how many people have signed in. A Doorward that has just been
// started asks Redis about each of them once.
const redisSessions = 2000

// measureRedis is the cost of sessions that are kept in Redis: those that a
// process knows, and those that it sees for the first time.
func measureRedis(ctx context.Context, h *house) (string, error) {
	defer h.stopAll()
	if err := pin(true); err != nil {
		return "", err
	}
	bare, err := h.bareServer(ctx, true)
	if err != nil {
		return "", err
	}
	env, err := h.redis(ctx)
	if err != nil {
		return "", err
	}
	warm, err := h.doorward(ctx, houseRules, env, true)
	if err != nil {
		return "", err
	}
	sessions := redisSessions
	if h.smoke {
		sessions = 20
	}
	cookies := make([]string, sessions)
	for i := range cookies {
		if cookies[i], err = h.signIn(ctx, warm); err != nil {
			return "", err
		}
	}
	var floor, known, fresh []slice
	for round := range h.turns() {
		cold, err := h.doorward(ctx, houseRules, env, true)
		if err != nil {
			return "", err
		}
		for _, one := range []struct {
			server *server
			count  int
			slices *[]slice
		}{{bare, 0, &floor}, {warm, 0, &known}, {cold, sessions, &fresh}} {
			s, err := h.cost(ctx, one.server, visitors(cookies), one.count, h.slice)
			if err != nil {
				return "", err
			}
			if round >= h.warmUps {
				*one.slices = append(*one.slices, s)
			}
		}
		cold.process.Kill()
	}
	return redisTable(floor, known, fresh), nil
}

func redisTable(floor, known, fresh []slice) string {
	var b strings.Builder
	b.WriteString("| sessions in Redis | CPU, µs | to bare, same bytes |\n|---|---|---|\n")
	for _, row := range []struct {
		name   string
		slices []slice
	}{{"bare `net/http` handler", floor}, {"a session that is known", known}, {"a session seen for the first time", fresh}} {
		fmt.Fprintf(&b, "| %s | %.1f | %s |\n", row.name, median(each(row.slices, microseconds)), ratios(row.slices, floor, microseconds))
	}
	return b.String()
}

// redis starts one on the core of the load, and returns what makes Doorward use it.
func (h *house) redis(ctx context.Context) (map[string]string, error) {
	addresses, err := stack.FreeAddresses(0)
	if err != nil {
		return nil, err
	}
	_, port, _ := strings.Cut(addresses[0], ":")
	_, err = h.start(ctx, launch{
		name: "redis", address: addresses[0],
		command: []string{"taskset", "-c", strconv.Itoa(loadCore), "redis-server", "--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no"},
	})
	return map[string]string{"DOORWARD_SESSION_STORE": "redis", "DOORWARD_REDIS_URL": "redis://" + addresses[0]}, err
}
