package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/doorward/doorward/internal/config"
)

func TestRedisURL(t *testing.T) {
	for _, tt := range []struct {
		name, url string
		tls       bool
		want      config.Redis
	}{
		{"a host", "redis://redis", false, config.Redis{Addresses: []string{"redis:6379"}}},
		{"a port and a database", "redis://redis:6380/3", false, config.Redis{Addresses: []string{"redis:6380"}, DB: 3}},
		{"IPv6", "redis://[::1]:6380", false, config.Redis{Addresses: []string{"[::1]:6380"}}},
		{"IPv6 without a port", "redis://[::1]", false, config.Redis{Addresses: []string{"[::1]:6379"}}},
		{"a password", "redis://:p%40ss:word@redis", false, config.Redis{Addresses: []string{"redis:6379"}, Password: "p@ss:word"}},
		{"a user of an ACL", "redis://door:p@ss@redis", false, config.Redis{Addresses: []string{"redis:6379"}, Username: "door", Password: "p@ss"}},
		{"TLS", "rediss://redis", true, config.Redis{Addresses: []string{"redis:6379"}}},
		{"a prefix", "redis://redis?prefix=app:", false, config.Redis{Addresses: []string{"redis:6379"}, Prefix: "app:"}},
		{"Sentinels", "redis+sentinel://door:pw@a,b:1,c/main/2?sentinel_username=s&sentinel_password=t", false, config.Redis{
			Addresses: []string{"a:26379", "b:1", "c:26379"}, Master: "main", DB: 2,
			Username: "door", Password: "pw", SentinelUsername: "s", SentinelPassword: "t",
		}},
		{"Sentinels with TLS", "rediss+sentinel://a/main", true, config.Redis{Addresses: []string{"a:26379"}, Master: "main"}},
		{"a Cluster", "redis+cluster://a,b:7000", false, config.Redis{Addresses: []string{"a:6379", "b:7000"}, Cluster: true}},
		{"a socket", "unix:///run/redis.sock?db=2", false, config.Redis{Unix: true, Addresses: []string{"/run/redis.sock"}, DB: 2}},
		{"a socket with a user", "unix://door:pw@/run/redis.sock", false, config.Redis{Unix: true, Addresses: []string{"/run/redis.sock"}, Username: "door", Password: "pw"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.want.Prefix == "" {
				tt.want.Prefix = "doorward:"
			}
			got := good(t, env{"SESSION_STORE": "redis", "REDIS_URL": tt.url}).Redis
			if diff := cmp.Diff(tt.want, got, cmpopts.IgnoreFields(config.Redis{}, "TLS")); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if (got.TLS != nil) != tt.tls {
				t.Errorf("TLS %v, want %v", got.TLS != nil, tt.tls)
			}
		})
	}
}

// TestRedisURLFile: the address holds a password, and comes out of a file as well.
func TestRedisURLFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "url")
	if err := os.WriteFile(path, []byte("redis://:markerword@redis\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := good(t, env{"SESSION_STORE": "redis", "REDIS_URL_FILE": path})
	if cfg.Redis.Password.Reveal() != "markerword" {
		t.Error("the password is another one")
	}
	if text := fmt.Sprintf("%+v", cfg); strings.Contains(text, "markerword") {
		t.Error("LOG-2: the configuration prints the password")
	}
}
