package idp

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"
)

const maxFile = 1 << 20 // bytes of a file with a key, a certificate or a token

// watched is what files hold together, read again when one of them has changed.
// While the new content cannot be used, as between the changes of a certificate
// and of its key, the old one stays.
type watched[T any] struct {
	paths []string
	parse func(contents [][]byte) (T, error)
	log   *slog.Logger

	mu     sync.Mutex
	seen   []stamp // of the files that value came from; nil before the first success
	value  T
	change int // how often value has been read
}

// stamp tells one version of a file from another.
type stamp struct {
	modified time.Time
	size     int64
}

// get returns the value, and how many have been read so far: another number than
// the last time means another value.
func (w *watched[T]) get() (value T, change int, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	stamps, err := stampsOf(w.paths)
	if err == nil && same(stamps, w.seen) {
		return w.value, w.change, nil
	}
	if err == nil {
		err = w.read(stamps)
	}
	if err != nil && w.seen != nil {
		w.log.Warn("a file has changed and cannot be used; what it held before is", "cause", err)
		return w.value, w.change, nil
	}
	return w.value, w.change, err
}

func (w *watched[T]) read(stamps []stamp) error {
	contents := make([][]byte, len(w.paths))
	for i, path := range w.paths {
		var err error
		if contents[i], err = readFile(path); err != nil {
			return err
		}
	}
	value, err := w.parse(contents)
	if err != nil {
		return fmt.Errorf("%s: %w", w.paths[len(w.paths)-1], err)
	}
	w.value, w.seen = value, stamps
	w.change++
	return nil
}

func stampsOf(paths []string) ([]stamp, error) {
	stamps := make([]stamp, len(paths))
	for i, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		stamps[i] = stamp{info.ModTime(), info.Size()}
	}
	return stamps, nil
}

func same(a, b []stamp) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !a[i].modified.Equal(b[i].modified) || a[i].size != b[i].size {
			return false
		}
	}
	return true
}

func readFile(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err == nil && len(content) > maxFile {
		err = errors.New("the file is too long")
	}
	return content, err
}
