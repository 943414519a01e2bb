package bearer

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
)

// maxFlights is how many tokens of one route are verified at a time.
const maxFlights = 1024

// errBusy says that too many tokens are being verified. It is no word about any.
var errBusy = errors.New("bearer: too many tokens are being verified")

// flights are verifications under way. Requests with the same token wait for one
// of them together, and it goes on when they have left.
type flights struct {
	mu    sync.Mutex
	byKey map[key]*flight
}

// flight is one verification. verdict is set before done is closed.
type flight struct {
	done    chan struct{}
	verdict verdict
}

func newFlights() *flights { return &flights{byKey: map[key]*flight{}} }

// join returns the verdict of find, which runs once at a time for a key. It must
// come to an end by itself.
func (f *flights) join(ctx context.Context, k key, find func() verdict) verdict {
	under := f.board(k, find)
	if under == nil {
		return verdict{err: errBusy}
	}
	select {
	case <-under.done:
		return under.verdict
	case <-ctx.Done():
		return verdict{err: fmt.Errorf("bearer: waiting for a verdict: %w", ctx.Err())}
	}
}

// board returns the flight of a key, which it begins when there is none; nil when
// there are too many.
func (f *flights) board(k key, find func() verdict) *flight {
	f.mu.Lock()
	defer f.mu.Unlock()
	under := f.byKey[k]
	if under == nil && len(f.byKey) < maxFlights {
		under = &flight{done: make(chan struct{})}
		f.byKey[k] = under
		go f.fly(k, under, find)
	}
	return under
}

// fly is detached from the request that began it: others wait for it too. A panic
// must not end the process, as it does not end it in a request.
func (f *flights) fly(k key, under *flight, find func() verdict) {
	defer func() {
		if r := recover(); r != nil {
			under.verdict = verdict{err: panicked(r)}
		}
		f.mu.Lock()
		delete(f.byKey, k)
		f.mu.Unlock()
		close(under.done)
	}()
	under.verdict = find()
}

// panicked is the error for a verification that panicked. Whatever but an error of
// the runtime may hold the token.
func panicked(value any) error {
	if err, ok := value.(runtime.Error); ok {
		return fmt.Errorf("bearer: the verification panicked: %w", err)
	}
	return fmt.Errorf("bearer: the verification panicked with a %T", value)
}
