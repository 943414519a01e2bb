package session

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

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

// BenchmarkRedisMemory makes sessions, a million with -benchtime 1000000x, and says
// how much memory one takes in Redis. Then it loads a thousand of them at a replica
// that knows none, again when they are known, and as many out of cookies alone.
func BenchmarkRedisMemory(b *testing.B) {
	server := redistest.Start(b)
	cfg := config(b, newClock())
	c, before := inRedis(b, server, cfg), memoryOf(server)
	some := make([]auth.Request, min(1000, b.N))
	var made sync.WaitGroup
	for n := range 32 {
		made.Go(func() {
			for i := n; i < b.N; i += 32 {
				cookie, err := signInAs(c, i)
				if err != nil {
					b.Error(err)
					return
				}
				if step := b.N / len(some); i%step == 0 && i/step < len(some) {
					some[i/step] = auth.Request{Host: "app.example.com", Cookies: []string{cookie}}
				}
			}
		})
	}
	made.Wait()
	b.ReportMetric(float64(memoryOf(server)-before)/float64(b.N), "B/session")

	replica, cookies := inRedis(b, server, cfg), store(b, cfg)
	alone := make([]auth.Request, len(some))
	for i := range alone {
		cookie, err := signInAs(cookies, i)
		if err != nil {
			b.Fatal(err)
		}
		alone[i] = auth.Request{Host: "app.example.com", Cookies: []string{cookie}}
	}
	cold, warm := timeLoads(b, replica, some), timeLoads(b, replica, some)
	out, again := timeLoads(b, cookies, alone), timeLoads(b, cookies, alone)
	b.ReportMetric(cold, "cold-ns")
	b.ReportMetric(warm, "warm-ns")
	b.ReportMetric(out, "cookie-cold-ns")
	b.ReportMetric(again, "cookie-warm-ns")
	b.ReportMetric(cold/out, "cold-to-cookie")
	b.ReportMetric(warm/again, "warm-to-cookie")
}

// memoryOf is what a server uses, in bytes.
func memoryOf(server *redistest.Server) int {
	for text := range strings.Lines(server.Must("INFO", "memory")) {
		if used, ok := strings.CutPrefix(strings.TrimSpace(text), "used_memory:"); ok {
			n, _ := strconv.Atoi(used)
			return n
		}
	}
	return 0
}

// signInAs makes the session of the i-th person and returns the cookie.
func signInAs(c Store, i int) (string, error) {
	subject := "f1b4f4c0-8f7e-4b6e-9d3a-" + strconv.Itoa(1e12+i)
	r := httptest.NewRequest("GET", "/callback", nil)
	r.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
	w := httptest.NewRecorder()
	_, err := c.Create(w, r, shared, Session{
		User: auth.User{
			Provider: "keycloak", Issuer: "https://id.example.com/realms/main", Subject: subject, ID: subject,
			Email: "ada.lovelace@example.com", PreferredUsername: "ada.lovelace", Name: "Ada Lovelace",
			Groups: []string{"engineering", "platform", "sre", "grafana-editors"},
		},
		ProviderSession: "0c9a1b52-9d1c-4b0e-b0d7-" + strconv.Itoa(1e12+i), Client: "192.0.2.7",
	})
	if err != nil {
		return "", err
	}
	cookie, err := http.ParseSetCookie(w.Header().Get("Set-Cookie"))
	if err != nil {
		return "", err
	}
	return line(cookie), nil
}

// timeLoads is how long one of these loads takes, in nanoseconds.
func timeLoads(b *testing.B, c Store, requests []auth.Request) float64 {
	b.Helper()
	began := time.Now()
	for _, req := range requests {
		if s, err := c.Load(context.Background(), req); err != nil || s.User.Nobody() {
			b.Fatalf("not signed in: %v", err)
		}
	}
	return float64(time.Since(began).Nanoseconds()) / float64(len(requests))
}
