package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/doorward/doorward/internal/config"
)

// hangups are the SIGHUPs from now on; before, one would end the process. The
// function stops them.
func hangups() (<-chan os.Signal, func()) {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	return hangup, func() { signal.Stop(hangup) }
}

// reloads reads the configuration file and the files of API keys again when one
// changes and on SIGHUP, until the context ends. Rules are replaced as a whole or
// not at all.
func (p *process) reloads(ctx context.Context, cfg *config.Config, hangup <-chan os.Signal) error {
	w := p.watch(cfg)
	defer w.close()
	w.begin(p, cfg)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-w.events: // of whole directories, which may never be quiet
			w.look()
		case err := <-w.lost: // anything may have changed
			p.log.Warn("a change of a configuration file may have been missed; reading it again", "event", "reload", "error", err)
			w.look()
		case <-w.settled:
			if !w.changed() {
				continue
			}
			cfg = p.reload(cfg)
			w.begin(p, cfg)
		case <-hangup:
			w.read = digests(w.files)
			cfg = p.reload(cfg)
			w.begin(p, cfg)
		}
	}
}

// reload returns the configuration that is in force afterwards.
func (p *process) reload(current *config.Config) *config.Config {
	if current.File == "" {
		p.log.Info("there is no configuration file to read again", "event", "reload")
		return current
	}
	next, warnings, err := config.Reload(current)
	for _, warning := range warnings {
		p.log.Warn(warning, "event", "configuration")
	}
	p.refused = nil
	if err == nil {
		if err = p.govern(next); err != nil {
			p.refused = next.Tokens
		}
	}
	p.main.Metrics.Reload(err == nil)
	if err != nil {
		p.admin.Stale(err.Error())
		p.log.Error("the configuration has mistakes; the rules stay as they were", "event", "reload", "error", err)
		return current
	}
	p.admin.Stale("")
	p.log.Info("the configuration file is in force", "event", "reload", "rules", len(next.Rules))
	return next
}
