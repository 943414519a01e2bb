package session

import (
	"context"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/redis/redistest"
)

// BenchmarkRedisLoad is BenchmarkLoad for sessions in Redis.
func BenchmarkRedisLoad(b *testing.B) {
	c := inRedis(b, redistest.Start(b), config(b, newClock()))
	sent := line(create(b, c, shared, Session{User: auth.User{
		Issuer: "https://id.example.com", Subject: "f1b4f4c0-8f7e-4b6e-9d3a-2f1f5a9f7c11", ID: "ada", Email: "ada@example.com", Groups: []string{"ops", "staff"},
	}}))
	req := auth.Request{Host: "app.example.com", Cookies: []string{"theme=dark; lang=en; " + sent}}
	load := func(b *testing.B) Session {
		s, err := c.Load(context.Background(), req)
		if err != nil || s.User.Nobody() {
			b.Fatal("not signed in")
		}
		return s
	}
	b.Run("warm", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			load(b)
		}
	})
	b.Run("warm, in parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				load(b)
			}
		})
	})
	b.Run("cold", func(b *testing.B) {
		b.ReportAllocs()
		name := load(b).Held.name
		for b.Loop() {
			c.known.drop(name)
			load(b)
		}
	})
}

// BenchmarkRedisMemory makes sessions and says how much memory one takes in Redis: a
// million with -benchtime 1000000x.
func BenchmarkRedisMemory(b *testing.B) {
	server := redistest.Start(b)
	c := inRedis(b, server, config(b, newClock()))
	memory := func() int {
		for text := range strings.Lines(server.Must("INFO", "memory")) {
			if used, ok := strings.CutPrefix(strings.TrimSpace(text), "used_memory:"); ok {
				n, _ := strconv.Atoi(used)
				return n
			}
		}
		return 0
	}
	before := memory()
	var made sync.WaitGroup
	for n := range 32 {
		made.Go(func() {
			for i := n; i < b.N; i += 32 {
				subject := "f1b4f4c0-8f7e-4b6e-9d3a-" + strconv.Itoa(1e12+i)
				r := httptest.NewRequest("GET", "/callback", nil)
				r.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
				if _, err := c.Create(httptest.NewRecorder(), r, shared, Session{
					User: auth.User{
						Provider: "keycloak", Issuer: "https://id.example.com/realms/main", Subject: subject, ID: subject,
						Email: "ada.lovelace@example.com", PreferredUsername: "ada.lovelace", Name: "Ada Lovelace",
						Groups: []string{"engineering", "platform", "sre", "grafana-editors"},
					},
					ProviderSession: "0c9a1b52-9d1c-4b0e-b0d7-" + strconv.Itoa(1e12+i), Client: "192.0.2.7",
				}); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	made.Wait()
	b.ReportMetric(float64(memory()-before)/float64(b.N), "B/session")
}
