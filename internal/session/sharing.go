package session

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/redis/rueidis"
)

// sharing tells other replicas which sessions in cookies were ended, and hears of
// theirs. What is ended is ended here at once, and told when Redis can be asked;
// what was told while nobody listened is read when the connection comes back.
type sharing struct {
	redis   *RedisStore
	revoked *revocations
	sealer  *sealer
	now     func() time.Time

	heard atomic.Bool // everything that was told before; false until Redis was asked
	wake  chan struct{}

	mu     sync.Mutex
	untold []notice
}

// notice is one end: of a session, or of all of somebody.
type notice struct {
	ID              ID     `cbor:"1,keyasint,omitempty"`
	Issuer          string `cbor:"2,keyasint,omitempty"`
	ProviderSession string `cbor:"3,keyasint,omitempty"`
	Subject         string `cbor:"4,keyasint,omitempty"`
	At              int64  `cbor:"5,keyasint,omitempty"` // Unix milliseconds
	Until           int64  `cbor:"6,keyasint"`           // Unix seconds
	Unproven        bool   `cbor:"7,keyasint,omitempty"`
}

// Bounds of what is told and heard.
const (
	maxUntold   = 1 << 16                // half of them at most that anybody may have asked for
	tellEvery   = 200 * time.Millisecond // while Redis cannot be asked
	tellAtOnce  = 100
	hearAtOnce  = 1000
	noticeBound = "doorward revocations"
)

// tell takes a notice to the others. While Redis is away maxUntold of them wait, of
// which strangers fill a half; of more the others do not hear.
func (s *sharing) tell(n notice) {
	room := maxUntold
	if n.Unproven {
		room /= 2
	}
	s.mu.Lock()
	if len(s.untold) < room {
		s.untold = append(s.untold, n)
	}
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// run tells and hears until the context ends, and tells what is left then.
func (s *sharing) run(ctx context.Context) {
	var work sync.WaitGroup
	work.Go(func() {
		s.redis.redis.Receive(ctx, s.redis.ends(), func() { s.hearAll(ctx) }, s.hear)
	})
	for ctx.Err() == nil {
		select {
		case <-s.wake:
		case <-ctx.Done():
		}
		for !s.tellAll(context.WithoutCancel(ctx)) && ctx.Err() == nil {
			pause(ctx, tellEvery)
		}
	}
	work.Wait()
}

// tellAll tells what waits, and reports whether that is all.
func (s *sharing) tellAll(ctx context.Context) bool {
	for {
		s.mu.Lock()
		some := s.untold[:min(len(s.untold), tellAtOnce)]
		s.mu.Unlock()
		if len(some) == 0 {
			return true
		}
		if err := s.send(ctx, some); err != nil {
			return false
		}
		s.mu.Lock()
		s.untold = s.untold[len(some):]
		s.mu.Unlock()
	}
}

// send lists notices, tells them, and takes old ones off the list. One that anybody
// may have asked for is only told: it costs no memory.
func (s *sharing) send(ctx context.Context, notices []notice) error {
	key := s.redis.ends()
	_, err := s.redis.redis.Do(ctx, key, func(b rueidis.Builder) []rueidis.Completed {
		var commands []rueidis.Completed
		for _, n := range notices {
			plain, err := cbor.Marshal(n)
			if err != nil {
				continue
			}
			sealed := s.sealer.seal(plain, noticeBound)
			if !n.Unproven {
				commands = append(commands, b.Zadd().Key(key).ScoreMember().ScoreMember(float64(n.Until), sealed).Build())
			}
			commands = append(commands, b.Publish().Channel(key).Message(sealed).Build())
		}
		old := strconv.FormatInt(s.now().Add(-clockSlack).Unix(), 10)
		return append(commands,
			b.Zremrangebyscore().Key(key).Min("-inf").Max(old).Build(),
			b.Pexpire().Key(key).Milliseconds(milliseconds(s.redis.Lifetime+clockSlack)).Build())
	})
	return err
}

// hear takes one notice. What we did not seal says nothing.
func (s *sharing) hear(sealed string) {
	plain, ok := s.sealer.open(sealed, noticeBound)
	var n notice
	if !ok || cbor.Unmarshal(plain, &n) != nil {
		return
	}
	if n.ID != (ID{}) {
		s.revoked.add(n.ID, time.Unix(n.Until, 0), s.now())
		return
	}
	whose := Whose{Issuer: n.Issuer, ProviderSession: n.ProviderSession, Subject: n.Subject, Unproven: n.Unproven}
	s.revoked.learn(whose, time.Unix(n.Until, 0), time.UnixMilli(n.At))
}

// hearAll reads everything that was told before and still matters.
func (s *sharing) hearAll(ctx context.Context) {
	key := s.redis.ends()
	for from := int64(0); ctx.Err() == nil; {
		results, err := s.redis.redis.Do(ctx, key, func(b rueidis.Builder) []rueidis.Completed {
			return []rueidis.Completed{b.Zrange().Key(key).Min(strconv.FormatInt(from, 10)).Max(strconv.FormatInt(from+hearAtOnce-1, 10)).Build()}
		})
		if err != nil {
			pause(ctx, tellEvery)
			continue
		}
		told, _ := results[0].AsStrSlice()
		for _, sealed := range told {
			s.hear(sealed)
		}
		if len(told) < hearAtOnce {
			s.heard.Store(true)
			return
		}
		// A few may move forward when old ones are taken off the list meanwhile.
		from += hearAtOnce / 2
	}
}
