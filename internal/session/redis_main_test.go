package session

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/doorward/doorward/internal/redis"
	"github.com/doorward/doorward/internal/redis/redistest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// maker makes a store; of one that keeps sessions outside of it, another replica.
type maker func(t testing.TB, cfg CookieConfig) Store

// eachStore runs a test of the suite on every kind of store.
func eachStore(t *testing.T, test func(t *testing.T, store maker)) {
	t.Run("cookie", func(t *testing.T) {
		test(t, func(t testing.TB, cfg CookieConfig) Store { return store(t, cfg) })
	})
	for _, program := range redistest.Programs() {
		t.Run(program, func(t *testing.T) {
			server := redistest.StartProgram(t, program)
			test(t, func(t testing.TB, cfg CookieConfig) Store { return inRedis(t, server, cfg) })
		})
	}
}

// inRedis is a replica with its sessions in a server. It runs until the test ends.
func inRedis(t testing.TB, server *redistest.Server, cfg CookieConfig) *RedisStore {
	t.Helper()
	return running(t, inServer(server, cfg))
}

// inServer is the configuration of inRedis. A busy machine is not what the tests are
// about: answers are waited for.
func inServer(server *redistest.Server, cfg CookieConfig) RedisConfig {
	return RedisConfig{
		CookieConfig: cfg, Redis: redis.Config{Unix: true, Addresses: []string{server.Socket}, Timeout: 20 * time.Second},
		Prefix: "test:", Grace: time.Minute,
	}
}

// moving is a replica with both stores.
func moving(t testing.TB, server *redistest.Server, cfg CookieConfig, newInRedis bool) *Moving {
	t.Helper()
	r := idling(t, inServer(server, cfg))
	m, err := NewMoving(store(t, cfg), r, newInRedis)
	if err != nil {
		t.Fatal(err)
	}
	runs(t, m.Run)
	return m
}

func quietly() *slog.Logger { return slog.New(slog.DiscardHandler) }

// running is a store that runs until the test ends.
func running(t testing.TB, cfg RedisConfig) *RedisStore {
	t.Helper()
	r := idling(t, cfg)
	runs(t, r.Run)
	return r
}

func idling(t testing.TB, cfg RedisConfig) *RedisStore {
	t.Helper()
	cfg.Redis.Log = quietly()
	r, err := NewRedisStore(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// runs runs something until the test ends.
func runs(t testing.TB, run func(context.Context)) {
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { run(ctx) })
	t.Cleanup(func() { stop(); running.Wait() })
}
