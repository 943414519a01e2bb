package main

import (
	"context"
	"crypto/sha256"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/doorward/doorward/internal/config"
)

// settle is how long a file has to stay as it is before it is read: editors and
// Kubernetes write in several steps.
const settle = 200 * time.Millisecond

// hangups are the SIGHUPs from now on; before, one would end the process. The
// function stops them.
func hangups() (<-chan os.Signal, func()) {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	return hangup, func() { signal.Stop(hangup) }
}

// reloads reads the configuration file again when it changes and on SIGHUP, until
// the context ends. Rules are replaced as a whole or not at all.
func (p *process) reloads(ctx context.Context, cfg *config.Config, hangup <-chan os.Signal) error {
	var events <-chan fsnotify.Event
	var lost <-chan error
	if watcher := p.watch(cfg.File); watcher != nil {
		defer func() { _ = watcher.Close() }()
		events, lost = watcher.Events, watcher.Errors
	}
	read := digest(cfg.File)
	last := read
	var settled <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-events: // of the whole directory, which may never be quiet
		case err := <-lost: // anything may have changed
			p.log.Warn("a change of the configuration file may have been missed; reading it again", "event", "reload", "error", err)
		case <-settled:
			settled = nil
			now := digest(cfg.File)
			if now == last && now != read {
				read, cfg = now, p.reload(cfg)
				continue
			}
			if last = now; now == read {
				continue // something else in the directory changed
			}
		case <-hangup:
			read = digest(cfg.File)
			cfg = p.reload(cfg)
			continue
		}
		if settled == nil {
			settled = time.After(settle)
		}
	}
}

// digest tells one content of a file from another; a file that is not there has
// one of its own.
func digest(file string) [sha256.Size]byte {
	content, err := os.ReadFile(file) // #nosec G304 -- the operator names the file
	if err != nil {
		return [sha256.Size]byte{}
	}
	return sha256.Sum256(content)
}

// watch reports changes of a file. It looks at the directory, because editors
// replace a file and Kubernetes a link beside it. It returns nil without a file,
// and when it cannot watch.
func (p *process) watch(file string) *fsnotify.Watcher {
	if file == "" {
		return nil
	}
	watcher, err := fsnotify.NewWatcher()
	if err == nil {
		err = watcher.Add(filepath.Dir(file))
	}
	if err != nil {
		p.log.Warn("the configuration file is not watched; send SIGHUP after a change", "event", "reload", "error", err)
	}
	return watcher
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
	if err == nil {
		err = p.govern(next)
	}
	p.main.Metrics.Reload(err == nil)
	if err != nil {
		p.admin.Stale(err.Error())
		p.log.Error("the configuration file has mistakes; the rules stay as they were", "event", "reload", "error", err)
		return current
	}
	p.admin.Stale("")
	p.log.Info("the configuration file is in force", "event", "reload", "rules", len(next.Rules))
	return next
}
