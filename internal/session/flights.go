package session

import (
	"context"
	"fmt"

	"golang.org/x/sync/singleflight"
)

// flights has one call of a kind run at a time.
type flights struct{ singleflight.Group }

// once has one call of work run for a key at a time. Who asks meanwhile waits for
// its result, but not longer than for the end of ctx; the work goes on. A panic of
// it is an error.
func (f *flights) once(ctx context.Context, key string, work func(context.Context) (any, error)) (any, error) {
	done := f.DoChan(key, func() (result any, err error) {
		defer func() {
			if p := recover(); p != nil {
				result, err = nil, fmt.Errorf("session: panic of type %T", p)
			}
		}()
		return work(context.WithoutCancel(ctx))
	})
	select {
	case result := <-done:
		return result.Val, result.Err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
