package session

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/redis/rueidis"
)

// Bounds of a renewal among several processes.
const (
	leaseTime   = 3 * time.Second        // after which the lease of a process that died is free
	leaseEvery  = time.Second            // how often it is prolonged
	leaseWait   = 5 * time.Second        // how long others wait for what it brings
	leaseLook   = 50 * time.Millisecond  // how often they look
	storeFor    = 30 * time.Second       // how long a result is tried to be stored
	storeEvery  = 200 * time.Millisecond // and how often
	renewalTook = "session: renew: another process takes long"
)

// Renew implements Store. One process renews a session at a time; it holds a lease
// that ends soon after the process does. What it brings is stored only in place of
// the version that it began with.
func (r *RedisStore) Renew(ctx context.Context, s Session, refresh Refresh) (Session, error) {
	if s.Held == nil {
		return s, nil
	}
	result, err := r.renewing.once(ctx, s.Held.name, func(ctx context.Context) (any, error) {
		r.renewals.Add(1)
		defer r.renewals.Done()
		return r.renew(ctx, s, refresh)
	})
	next, ok := result.(Session)
	if !ok {
		return s, err
	}
	return next, err
}

// renew returns the newest state of s: what another process brought meanwhile, or
// else what refresh brings.
func (r *RedisStore) renew(ctx context.Context, s Session, refresh Refresh) (Session, error) {
	var waited time.Duration
	for {
		got, err := r.read(ctx, s.Held.name)
		if err != nil && waited > 0 && waited < leaseWait { // the other one may well go on
			pause(ctx, storeEvery)
			waited += storeEvery
			continue
		}
		if err != nil {
			return s, err
		}
		latest, ok := r.opened(s.Held, got)
		switch {
		case !ok:
			return Session{}, nil // ended meanwhile
		case latest.Version > s.Version:
			return r.rendered(latest), nil
		}
		if got.lease == "" {
			holder, err := r.hold(ctx, s.Held.name)
			if err != nil {
				return s, err
			}
			if holder != "" {
				return r.lead(ctx, latest, holder, refresh)
			}
		}
		if waited >= leaseWait {
			return r.rendered(latest), errors.New(renewalTook)
		}
		pause(ctx, leaseLook)
		waited += leaseLook
	}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// hold takes the lease and returns the name of its holder, "" when another has it.
func (r *RedisStore) hold(ctx context.Context, name string) (string, error) {
	key, holder := r.lease(name), rand.Text()
	results, err := r.redis.Do(ctx, key, func(b rueidis.Builder) []rueidis.Completed {
		return []rueidis.Completed{b.Set().Key(key).Value(holder).Nx().PxMilliseconds(leaseTime.Milliseconds()).Build()}
	})
	switch {
	case err != nil:
		return "", err
	case rueidis.IsRedisNil(results[0].Error()):
		return "", nil
	}
	return holder, results[0].Error()
}

// prolong and release change the lease of its holder, and no other.
const (
	prolong = `if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end return 0`
	release = `if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0`
)

// lead runs refresh while it holds the lease, and stores what that brings.
func (r *RedisStore) lead(ctx context.Context, latest Session, holder string, refresh Refresh) (Session, error) {
	key := r.lease(latest.Held.name)
	held, let := context.WithCancel(ctx)
	var prolonging sync.WaitGroup
	prolonging.Go(func() {
		for pause(held, leaseEvery); held.Err() == nil; pause(held, leaseEvery) {
			r.script(ctx, prolong, key, holder, strconv.FormatInt(leaseTime.Milliseconds(), 10))
		}
	})
	defer func() {
		let()
		prolonging.Wait()
		r.script(ctx, release, key, holder)
	}()
	next, err := guarded(refresh)(ctx, latest)
	switch {
	case errors.Is(err, ErrEnded):
		return r.refused(ctx, latest)
	case err != nil:
		return r.rendered(latest), err
	}
	next, err = latest.renewedBy(next)
	if err != nil {
		return r.rendered(latest), err
	}
	next.Tokens = r.kept(next.Tokens)
	return r.store(ctx, latest, next)
}

// guarded is refresh with a panic as an error.
func guarded(refresh Refresh) Refresh {
	return func(ctx context.Context, s Session) (next Session, err error) {
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("session: renew: panic of type %T", p)
			}
		}()
		return refresh(ctx, s)
	}
}

// refused ends a session that the provider does not renew, unless somebody has
// renewed it meanwhile (REF-4).
func (r *RedisStore) refused(ctx context.Context, latest Session) (Session, error) {
	got, err := r.read(ctx, latest.Held.name)
	if err != nil {
		return r.rendered(latest), err
	}
	if now, ok := r.opened(latest.Held, got); ok && now.Version > latest.Version {
		return r.rendered(now), nil
	}
	if err := r.Revoke(ctx, latest); err != nil {
		return r.rendered(latest), err
	}
	return Session{}, nil
}

// replace stores a value in place of the version before. It answers with the
// version that is there when that is another one, and with "gone" when the session
// has ended.
const replace = `
local version = redis.call('GET', KEYS[2]) or '0'
if version ~= ARGV[1] then return version end
if redis.call('EXISTS', KEYS[1]) == 0 then return 'gone' end
redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[4])
return 'ok'`

// store puts next in place of latest. It goes on for a while when Redis is away:
// the refresh token before is used up.
func (r *RedisStore) store(ctx context.Context, latest, next Session) (Session, error) {
	value, err := r.vault.seal(next.Held, next)
	if err != nil {
		return r.rendered(latest), err
	}
	if len(value) > maxRecord {
		return r.rendered(latest), ErrTooLarge
	}
	name := next.Held.name
	for tried := time.Duration(0); ; tried += storeEvery {
		answer, err := r.scripted(ctx, replace, []string{r.value(name), r.version(name)},
			strconv.Itoa(latest.Version), strconv.Itoa(next.Version), rueidis.BinaryString(value),
			strconv.FormatInt(milliseconds(next.Expires.Sub(r.Now())), 10))
		switch {
		case err != nil && tried < storeFor:
			pause(ctx, storeEvery)
			continue
		case err != nil:
			return r.rendered(latest), err
		case answer == "ok":
			r.known.drop(name)
			return r.rendered(next), nil
		case answer == "gone", answer == struck:
			return Session{}, nil
		}
		// Another process was faster, or the answer to an earlier try was lost.
		got, err := r.read(ctx, name)
		if err != nil {
			return r.rendered(latest), err
		}
		now, ok := r.opened(next.Held, got)
		if !ok {
			return Session{}, nil
		}
		return r.rendered(now), nil
	}
}

// script runs a script about one key whose answer does not matter.
func (r *RedisStore) script(ctx context.Context, text, key string, args ...string) {
	_, _ = r.scripted(ctx, text, []string{key}, args...)
}

// scripted runs a script and returns its answer.
func (r *RedisStore) scripted(ctx context.Context, text string, keys []string, args ...string) (string, error) {
	results, err := r.redis.Do(ctx, keys[0], func(b rueidis.Builder) []rueidis.Completed {
		return []rueidis.Completed{b.Eval().Script(text).Numkeys(int64(len(keys))).Key(keys...).Arg(args...).Build()}
	})
	if err != nil {
		return "", err
	}
	answer, _ := results[0].ToString() // a number: nobody asks for it
	return answer, nil
}
