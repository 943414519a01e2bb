package server

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/idp"
)

// Bounds of what providers are told beside the answers to browsers.
const (
	farewellTimeout = 10 * time.Second
	maxFarewells    = 64 // waiting or under way; more are left out
	maxAtOnce       = 8  // under way: a provider that is slow to forget must not be slow to sign in
)

// farewells are tokens on their way to be revoked. The zero value is ready.
type farewells struct {
	running sync.WaitGroup
	count   atomic.Int32
	make    sync.Once
	slots   chan struct{}
}

// say has work done beside everything else, and reports false when there is too
// much of it. Its context has a time limit, in which it may also wait for others.
func (f *farewells) say(work func(context.Context) error, then func(error)) bool {
	f.make.Do(func() { f.slots = make(chan struct{}, maxAtOnce) })
	if f.count.Add(1) > maxFarewells {
		f.count.Add(-1)
		return false
	}
	f.running.Go(func() {
		defer f.count.Add(-1)
		ctx, cancel := context.WithTimeout(context.Background(), farewellTimeout)
		defer cancel()
		select {
		case f.slots <- struct{}{}:
			defer func() { <-f.slots }()
			then(work(ctx))
		case <-ctx.Done():
			then(ctx.Err())
		}
	})
	return true
}

// revoke has the provider end the tokens of a session that ended, beside the
// sign-out and not before it: the session is over, whatever the provider answers.
func (s *Server) revoke(provider *idp.Provider, tokens auth.Tokens) {
	if !provider.Revocable(tokens) {
		return
	}
	said := s.farewells.say(func(ctx context.Context) error { return provider.Revoke(ctx, tokens) }, func(err error) {
		result := "success"
		if err != nil {
			result = "failure"
			s.Log.Warn("tokens of a session that ended could not be revoked", "event", "revocation",
				"provider", provider.Name(), "cause", err)
		}
		s.Metrics.Revocation(provider.Name(), result)
	})
	if !said {
		s.Metrics.Revocation(provider.Name(), "left_out")
	}
}

// Finish waits for what goes on beside the answers, until ctx ends. No request may
// come any more.
func (s *Server) Finish(ctx context.Context) {
	done := make(chan struct{})
	go func() {
		s.farewells.running.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
}
