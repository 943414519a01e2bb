package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/doorward/doorward/internal/config"
	"github.com/doorward/doorward/internal/server"
	"github.com/doorward/doorward/internal/telemetry"
)

// finishTimeout is how long requests in flight have to end after the listeners
// are closed.
const finishTimeout = 10 * time.Second

// serve runs Doorward until the context ends or the process is asked to stop.
// After SIGTERM it is not ready, but goes on serving for the shutdown delay, so
// that the gateway has time to notice.
func serve(ctx context.Context, cfg *config.Config, warnings []string) error {
	log := telemetry.NewLog(os.Stderr, cfg.LogLevel, cfg.LogFormat)
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	p, err := assemble(cfg, log)
	if err != nil {
		return err
	}
	main, err := listen(ctx, cfg.Listen)
	if err != nil {
		return fmt.Errorf("DOORWARD_LISTEN: %w", err)
	}
	defer shut(main)
	admin, err := listen(ctx, cfg.AdminListen)
	if err != nil {
		return fmt.Errorf("DOORWARD_ADMIN_LISTEN: %w", err)
	}
	defer shut(admin)
	announce(p, cfg, warnings, main, admin)
	return p.run(ctx, cfg.ShutdownDelay, main, admin)
}

// shut ends a listener that may be closed already.
func shut(c io.Closer) { _ = c.Close() }

// announce says once what is in force, and what of it weakens security.
func announce(p *process, cfg *config.Config, warnings []string, main, admin net.Listener) {
	for _, warning := range warnings {
		p.log.Warn(warning, "event", "configuration")
	}
	for _, option := range cfg.Insecure() {
		p.log.Warn(option, "event", "insecure")
	}
	p.log.Info("serving", "event", "start", "version", versionText(), "listen", main.Addr().String(),
		"admin_listen", admin.Addr().String(), "hosts", cfg.Hosts(), "issuer", cfg.Provider.IssuerURL)
}

// run serves until the context ends, and then lets what is in flight finish.
func (p *process) run(ctx context.Context, delay time.Duration, main, admin net.Listener) error {
	servers := []*http.Server{server.NewHTTP(p.main.Handler(), p.log), server.NewHTTP(p.admin.Handler(), p.log)}
	work, failed := errgroup.WithContext(context.WithoutCancel(ctx))
	for i, listener := range []net.Listener{server.Limit(main), admin} {
		work.Go(func() error {
			if err := servers[i].Serve(listener); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		})
	}
	background, cancel := context.WithCancel(failed)
	work.Go(func() error { p.provider.Run(background); return nil })
	work.Go(func() error {
		defer cancel()
		select {
		case <-ctx.Done():
		case <-failed.Done():
			delay = 0
		}
		p.log.Info("shutting down", "event", "stop", "delay", delay.String())
		p.admin.Drain()
		wait(failed, delay)
		return finish(servers)
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

// finish stops accepting and waits for requests in flight; the admin listener
// ends last.
func finish(servers []*http.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), finishTimeout)
	defer cancel()
	var errs []error
	for _, s := range servers {
		if err := s.Shutdown(ctx); err != nil {
			errs = append(errs, s.Close())
		}
	}
	return errors.Join(errs...)
}

// listen opens a listener. A socket that a dead process left behind is replaced;
// one that answers is not.
func listen(ctx context.Context, at config.Listener) (net.Listener, error) {
	var lc net.ListenConfig
	if at.Network == "unix" {
		if conn, err := (&net.Dialer{}).DialContext(ctx, "unix", at.Address); err == nil {
			shut(conn)
			return nil, fmt.Errorf("another process listens on %s", at.Address)
		}
		if info, err := os.Lstat(at.Address); err == nil && info.Mode()&os.ModeSocket != 0 {
			_ = os.Remove(at.Address)
		}
	}
	l, err := lc.Listen(ctx, at.Network, at.Address)
	if err != nil {
		return nil, err
	}
	if at.Network == "unix" {
		// The gateway seldom runs as the same user: whoever may enter the
		// directory of the socket may ask.
		if err := os.Chmod(at.Address, 0o666); err != nil {
			shut(l)
			return nil, err
		}
	}
	return l, nil
}
