package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/doorward/doorward/internal/config"
	"github.com/doorward/doorward/internal/redis"
	"github.com/doorward/doorward/internal/session"
	"github.com/doorward/doorward/internal/telemetry"
)

// stores are what keeps sessions, and what keeps logins under way.
type stores struct {
	session.Store
	flows   *session.Flows
	both    *session.Moving // nil without Redis
	listing session.Listing // nil unless new sessions are kept in Redis
}

// newStores returns stores that share their secrets. With Redis there are always
// both kinds, so that a change of the store signs nobody out.
func newStores(cfg *config.Config, log *slog.Logger, metrics *telemetry.Metrics) (*stores, error) {
	keys, err := session.NewKeyring(cfg.CookieSecrets)
	if err != nil {
		return nil, err
	}
	flows, err := session.NewFlows(keys, cfg.CookieName, cfg.CookieInsecure, time.Now)
	if err != nil {
		return nil, err
	}
	common := session.CookieConfig{
		Keys: keys, Sites: sites(cfg), Name: cfg.CookieName, Insecure: cfg.CookieInsecure,
		Persist: cfg.CookiePersist, Lifetime: cfg.SessionLifetime, Idle: cfg.SessionIdleTimeout,
		KeepAccessToken: cfg.PassAccessToken, KeepIDToken: cfg.PassIDToken, KeepRefreshToken: cfg.Renews(),
		Issuers: issuers(cfg.Providers), Accepts: tenants(cfg.Providers),
		Render: renderer(cfg).Render, Now: time.Now,
	}
	cookies, err := session.NewCookieStore(common)
	if err != nil || !cfg.Redis.Configured() {
		return &stores{Store: cookies, flows: flows}, err
	}
	inRedis, err := session.NewRedisStore(session.RedisConfig{
		CookieConfig: common, Redis: redisConfig(cfg.Redis, log), Prefix: cfg.Redis.Prefix,
		Grace: cfg.SessionOutageGrace, Graced: metrics.Graced,
	})
	if err != nil {
		return nil, err
	}
	metrics.Redis(func() bool { _, trouble := inRedis.Trouble(); return trouble == nil }, inRedis.Troubles)
	both, err := session.NewMoving(cookies, inRedis, cfg.SessionStore == "redis")
	all := &stores{Store: both, flows: flows, both: both}
	if err == nil && both.InRedis {
		all.listing = both
	}
	return all, err
}

func redisConfig(cfg config.Redis, log *slog.Logger) redis.Config {
	return redis.Config{
		Unix: cfg.Unix, Addresses: cfg.Addresses, Master: cfg.Master, Cluster: cfg.Cluster,
		Username: cfg.Username, Password: cfg.Password, DB: cfg.DB, TLS: cfg.TLS,
		SentinelUsername: cfg.SentinelUsername, SentinelPassword: cfg.SentinelPassword, Log: log,
	}
}

// run keeps the connection to Redis, where there is one.
func (s *stores) run(ctx context.Context) {
	if s.both != nil {
		s.both.Run(ctx)
	}
}

// ready is what the admin listener says of Redis. While known sessions go on, and
// where all sessions are in cookies, its absence keeps nobody from being served.
func (s *stores) ready(store string) (trouble string, serves bool) {
	if s.both == nil {
		return "", true
	}
	left, err := s.both.Redis.Trouble()
	switch {
	case err == nil && !s.both.Shared():
		return "sign-outs of other replicas are not known yet", true
	case err == nil:
		return "", true
	case store != "redis":
		return fmt.Sprintf("sign-outs are not shared: %v", err), true
	case left > 0:
		return fmt.Sprintf("those that are known go on for %s: %v", left.Round(time.Second), err), true
	default:
		return err.Error(), false
	}
}
