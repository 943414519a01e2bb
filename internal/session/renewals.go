package session

import (
	"context"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"
)

// maxRenewed is how many renewed sessions are kept in memory, tokens and all.
const maxRenewed = 1 << 14

// renewals holds what refreshes brought, by session, and lets one refresh of a
// session run at a time.
type renewals struct {
	flights singleflight.Group
	newest  *lru.Cache[ID, Session]
}

func newRenewals() *renewals {
	newest, err := lru.New[ID, Session](maxRenewed)
	if err != nil {
		panic(err) // only for a size below one
	}
	return &renewals{newest: newest}
}

// latest is the newest state of a session that came out of a cookie.
func (r *renewals) latest(s Session) Session {
	if r.newest.Len() == 0 {
		return s
	}
	if newest, ok := r.newest.Get(s.ID); ok && newest.Renewed.After(s.Renewed) {
		return newest
	}
	return s
}

// renew runs refresh on the newest state of s, unless another refresh has just
// brought a newer one than s.
func (r *renewals) renew(ctx context.Context, s Session, refresh Refresh) (Session, error) {
	type outcome struct {
		session Session
		err     error
	}
	done := r.flights.DoChan(string(s.ID[:]), func() (any, error) {
		latest := r.latest(s)
		if latest.Renewed.After(s.Renewed) {
			return outcome{latest, nil}, nil
		}
		next, err := refresh(context.WithoutCancel(ctx), latest)
		if err == nil && !next.User.Nobody() {
			r.newest.Add(s.ID, next)
		}
		return outcome{next, err}, nil
	})
	select {
	case result := <-done:
		o, _ := result.Val.(outcome)
		return o.session, o.err
	case <-ctx.Done():
		return s, ctx.Err()
	}
}
