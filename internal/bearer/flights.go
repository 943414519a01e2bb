package bearer

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"
)

const (
	maxFlights   = 1024            // verifications of one route at a time, one for each token
	maxVerifying = 5 * time.Second // how long one of them may take
)

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

// join returns the verdict of find, which one caller at a time starts for a key.
func (f *flights) join(ctx context.Context, k key, find func(context.Context) verdict) verdict {
	f.mu.Lock()
	under := f.byKey[k]
	if under == nil {
		if len(f.byKey) >= maxFlights {
			f.mu.Unlock()
			return verdict{err: errBusy}
		}
		under = &flight{done: make(chan struct{})}
		f.byKey[k] = under
		go f.fly(k, under, find)
	}
	f.mu.Unlock()
	select {
	case <-under.done:
		return under.verdict
	case <-ctx.Done():
		return verdict{err: fmt.Errorf("bearer: waiting for a verdict: %w", ctx.Err())}
	}
}

// fly is detached from the request that began it: others wait for it too. A panic
// must not end the process, as it does not end it in a request.
func (f *flights) fly(k key, under *flight, find func(context.Context) verdict) {
	ctx, cancel := context.WithTimeout(context.Background(), maxVerifying)
	defer cancel()
	defer func() {
		if r := recover(); r != nil {
			under.verdict = verdict{err: panicked(r)}
		}
		f.mu.Lock()
		delete(f.byKey, k)
		f.mu.Unlock()
		close(under.done)
	}()
	under.verdict = find(ctx)
}

// panicked is the error for a verification that panicked. Whatever but an error of
// the runtime may hold the token.
func panicked(value any) error {
	if err, ok := value.(runtime.Error); ok {
		return fmt.Errorf("bearer: the verification panicked: %w", err)
	}
	return fmt.Errorf("bearer: the verification panicked with a %T", value)
}
