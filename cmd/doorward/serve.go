package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	"github.com/doorward/doorward/internal/config"
	"github.com/doorward/doorward/internal/extauthz"
	"github.com/doorward/doorward/internal/http1"
	"github.com/doorward/doorward/internal/server"
	"github.com/doorward/doorward/internal/telemetry"
)

// finishTimeout is how long requests in flight have to end after the listeners
// are closed.
const finishTimeout = 10 * time.Second

// garbageRoom counts as live memory for the garbage collector, but is never
// touched and so costs none. A check leaves 3.5 KB behind; at its least goal of 4 MB
// the collector would run after every thousand of them, and with this much room it
// runs after every 3,000.
const garbageRoom = 8 << 20

// serve runs Doorward until the context ends or the process is asked to stop.
// After SIGTERM it is not ready, but goes on serving for the shutdown delay, so
// that the gateway has time to notice.
func serve(ctx context.Context, cfg *config.Config, warnings []string) error {
	room := make([]byte, garbageRoom)
	defer runtime.KeepAlive(room)
	log := telemetry.NewLog(os.Stderr, cfg.LogLevel, cfg.LogFormat)
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	hangup, ignore := hangups()
	defer ignore()
	p, err := assemble(cfg, log)
	if err != nil {
		return err
	}
	parts, err := p.open(ctx, cfg)
	defer shut(parts)
	if err != nil {
		return err
	}
	p.announce(cfg, warnings, parts)
	return p.run(ctx, cfg, parts, hangup)
}

// part is a listener and what serves on it.
type part struct {
	name     string
	listener net.Listener
	serve    func() error
	drain    func()                      // tells whoever asks that the end is near
	finish   func(context.Context) error // lets what is in flight end
}

// open opens every listener before anything is served, so that a port that is
// taken is an error and not half a server.
func (p *process) open(ctx context.Context, cfg *config.Config) ([]part, error) {
	var parts []part
	for _, l := range []struct {
		name, variable string
		at             config.Listener
		make           func(net.Listener) part
	}{
		{"listen", "DOORWARD_LISTEN", cfg.Listen, func(l net.Listener) part {
			return overHTTP(server.Limit(l), &http1.Server{HTTP: server.NewHTTP(p.main.Handler(), p.log)})
		}},
		{"grpc_listen", "DOORWARD_GRPC_LISTEN", cfg.GRPC.Listen, func(l net.Listener) part {
			return overGRPC(server.Limit(l), p.envoy, cfg.GRPC)
		}},
		{"admin_listen", "DOORWARD_ADMIN_LISTEN", cfg.AdminListen, func(l net.Listener) part {
			return overHTTP(l, server.NewHTTP(p.admin.Handler(), p.log))
		}},
	} {
		if l.at.Network == "" {
			continue
		}
		listener, err := listen(ctx, l.at)
		if err != nil {
			return parts, fmt.Errorf("%s: %w", l.variable, err)
		}
		made := l.make(listener)
		made.name, made.listener = l.name, listener
		parts = append(parts, made)
	}
	return parts, nil
}

// httpServer is net/http's, or one that is like it.
type httpServer interface {
	Serve(l net.Listener) error
	Shutdown(ctx context.Context) error
	Close() error
}

func overHTTP(l net.Listener, s httpServer) part {
	return part{
		drain: func() {},
		serve: func() error {
			if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		},
		finish: func(ctx context.Context) error {
			if s.Shutdown(ctx) == nil {
				return nil
			}
			return s.Close()
		},
	}
}

func overGRPC(l net.Listener, envoy *extauthz.Server, cfg config.GRPC) part {
	s, healthy := extauthz.NewGRPC(envoy, grpcCredentials(cfg))
	return part{
		drain: healthy.Shutdown,
		serve: func() error {
			if err := s.Serve(l); !errors.Is(err, grpc.ErrServerStopped) {
				return err
			}
			return nil
		},
		finish: func(ctx context.Context) error {
			stop := context.AfterFunc(ctx, s.Stop)
			defer stop()
			s.GracefulStop()
			return nil
		},
	}
}

// announce says once what is in force, and what of it weakens security.
func (p *process) announce(cfg *config.Config, warnings []string, parts []part) {
	for _, warning := range warnings {
		p.log.Warn(warning, "event", "configuration")
	}
	for _, weakness := range cfg.Insecure() {
		p.log.Warn(weakness.String(), "event", "insecure")
	}
	line := p.log.With("event", "start", "version", versionText())
	for _, part := range parts {
		line = line.With(part.name, part.listener.Addr().String())
	}
	line.Info("serving", "hosts", cfg.Hosts(), "issuers", slices.Sorted(maps.Values(issuers(cfg.Providers))))
}

// run serves until the context ends, and then lets what is in flight finish.
func (p *process) run(ctx context.Context, cfg *config.Config, parts []part, hangup <-chan os.Signal) error {
	work, failed := errgroup.WithContext(context.WithoutCancel(ctx))
	for _, part := range parts {
		work.Go(part.serve)
	}
	background, cancel := context.WithCancel(failed)
	for _, provider := range p.providers {
		work.Go(func() error { provider.Run(background); return nil })
	}
	work.Go(func() error { p.sessions.run(background); return nil })
	work.Go(func() error { return p.reloads(background, cfg, hangup) })
	work.Go(func() error {
		defer cancel()
		select {
		case <-ctx.Done():
			p.log.Info("shutting down", "event", "stop", "delay", cfg.ShutdownDelay.String())
			p.admin.Drain()
			for _, part := range parts {
				part.drain()
			}
			wait(failed, cfg.ShutdownDelay)
		case <-failed.Done():
		}
		return p.finish(parts)
	})
	return work.Wait()
}

func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// finish stops accepting and waits for what is in flight; the admin listener,
// which stands last, ends last, and then what goes on beside the answers.
func (p *process) finish(parts []part) error {
	ctx, cancel := context.WithTimeout(context.Background(), finishTimeout)
	defer cancel()
	var errs []error
	for _, part := range parts {
		errs = append(errs, part.finish(ctx))
	}
	p.main.Finish(ctx)
	p.main.Gate.Renewals.Finish(ctx) // what a refresh brings is stored (L11)
	return errors.Join(errs...)
}

// shut closes listeners, also those that are closed already.
func shut(parts []part) {
	for _, part := range parts {
		_ = part.listener.Close()
	}
}

// listen opens a listener. A socket that a dead process left behind is replaced;
// one that answers is not.
func listen(ctx context.Context, at config.Listener) (net.Listener, error) {
	if at.Network != "unix" {
		return new(net.ListenConfig).Listen(ctx, at.Network, at.Address)
	}
	switch conn, err := new(net.Dialer).DialContext(ctx, "unix", at.Address); {
	case err == nil:
		return nil, errors.Join(fmt.Errorf("another process listens on %s", at.Address), conn.Close())
	case errors.Is(err, syscall.ECONNREFUSED):
		_ = os.Remove(at.Address) // nobody is behind it any more
	}
	l, err := new(net.ListenConfig).Listen(ctx, "unix", at.Address)
	if err != nil {
		return nil, err
	}
	// The gateway seldom runs as the same user: whoever may enter the directory
	// of the socket may ask.
	if err := os.Chmod(at.Address, 0o666); err != nil { // #nosec G302
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}
