package main

import (
	"crypto/sha256"
	"maps"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/doorward/doorward/internal/config"
)

// settle is how long files have to stay as they are before they are read: editors
// and Kubernetes write in several steps.
const settle = 200 * time.Millisecond

// watch notices changes of the files that a configuration is read from. It looks
// at their directories, because editors replace a file and Kubernetes a link
// beside it.
type watch struct {
	watcher *fsnotify.Watcher // nil: changes are not noticed
	events  <-chan fsnotify.Event
	lost    <-chan error

	files   []string
	read    map[string]digest // of what was read last, good or not
	last    map[string]digest // of what the files held when they were looked at
	settled <-chan time.Time  // nil: there is nothing to look at
}

type digest = [sha256.Size]byte

// watch begins to watch nothing yet.
func (p *process) watch(cfg *config.Config) *watch {
	w := &watch{}
	if cfg.File == "" {
		return w
	}
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		p.log.Warn("the configuration file is not watched; send SIGHUP after a change", "event", "reload", "error", err)
		return w
	}
	w.watcher, w.events, w.lost = watcher, watcher.Events, watcher.Errors
	return w
}

func (w *watch) close() {
	if w.watcher != nil {
		_ = w.watcher.Close()
	}
}

// begin watches the files of the configuration in force. What changed since they
// were read, and before they were watched, is a change like any other.
func (w *watch) begin(p *process, cfg *config.Config) {
	inForce := p.sources(cfg)
	if w.read == nil {
		w.read = map[string]digest{}
	}
	w.files = w.files[:0]
	for file, held := range inForce {
		w.files = append(w.files, file)
		if _, known := w.read[file]; !known {
			w.read[file] = held
		}
		if w.watcher == nil {
			continue
		}
		if err := w.watcher.Add(filepath.Dir(file)); err != nil {
			p.log.Warn("a file is not watched; send SIGHUP after a change", "event", "reload", "file", file, "error", err)
		}
	}
	maps.DeleteFunc(w.read, func(file string, _ digest) bool { _, watched := inForce[file]; return !watched })
	if w.watcher != nil && !maps.Equal(w.read, digests(w.files)) {
		w.look()
	}
}

// look looks at the files once nothing has been heard of them for a while.
func (w *watch) look() {
	if w.settled == nil {
		w.settled = time.After(settle)
	}
}

// changed reports whether the files have settled and hold something new. Until
// they have settled it goes on looking.
func (w *watch) changed() bool {
	w.settled = nil
	now := digests(w.files)
	if maps.Equal(now, w.read) {
		w.last = now
		return false // something else in a directory changed
	}
	if !maps.Equal(now, w.last) {
		w.last = now
		w.look()
		return false
	}
	w.read = now
	return true
}

// sources are the files that are read again when they change, with what they held
// when the configuration in force was read. Files of keys that only the one has
// which could not be put in force are among them, and count as not there.
func (p *process) sources(cfg *config.Config) map[string]digest {
	all := map[string]digest{}
	if cfg.File == "" {
		return all
	}
	all[cfg.File] = cfg.FileDigest
	for _, t := range p.refused {
		if t.KeysFile != "" {
			all[t.KeysFile] = digest{}
		}
	}
	maps.Copy(all, p.clients.files)
	return all
}

// digests tell one content of files from another.
func digests(files []string) map[string]digest {
	all := make(map[string]digest, len(files))
	for _, file := range files {
		all[file] = digestOf(file)
	}
	return all
}

// digestOf is zero for a file that is not there, and for no file.
func digestOf(file string) digest {
	content, err := os.ReadFile(file)
	if err != nil {
		return digest{}
	}
	return sha256.Sum256(content)
}
