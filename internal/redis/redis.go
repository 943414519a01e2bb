// Package redis speaks to one Redis or Valkey, however it is laid out: a single
// server, one behind Sentinels, or a Cluster. It tells trouble from absence, and
// answers in bounded time whatever the server does.
package redis

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"github.com/doorward/doorward/internal/secret"
)

// Config says where Redis is, and what is done with what it says by itself.
type Config struct {
	Unix      bool     // the address is the path of a socket
	Addresses []string // host:port; of the Sentinels, or of some nodes of a Cluster
	Master    string   // name of the master that Sentinels watch; "" without Sentinels
	Cluster   bool

	Username         string
	Password         secret.Secret
	SentinelUsername string
	SentinelPassword secret.Secret
	DB               int
	TLS              *tls.Config // nil: plain text

	// Changed is told the keys that this client read and that were written or
	// ended since, in whatever order. It must be quick.
	Changed func(keys []string)

	// Lost is told that such news may have been missed: a connection ended, or
	// the server forgot what was read. It must be quick.
	Lost func()

	// Timeout is how long an answer is waited for; 0: 400 ms, so that whoever asks
	// us hears within half a second that we cannot tell.
	Timeout time.Duration

	Log *slog.Logger
}

// Bounds of what is asked of a server.
const (
	usualTimeout = 400 * time.Millisecond // of one answer
	dialTimeout  = time.Second            // of a connection, with TLS and AUTH
	silence      = time.Second            // after which a quiet connection is tried
	probeEvery   = 200 * time.Millisecond // while there is trouble
	probeTimeout = 300 * time.Millisecond
	patience     = 2 * time.Second // with a new link to a replica, before the next
	rebuildAfter = 5               // probes in vain, before everything is dialled and asked anew
)

// Client is a connection to Redis that comes back by itself. It is used by many
// goroutines at once. It works while Run does.
type Client struct {
	Config
	live     atomic.Pointer[link]
	first    chan struct{}           // closed once the first attempt to connect has ended
	once     sync.Once               // closes it
	failed   atomic.Pointer[Trouble] // of the last attempt to connect
	breakers [groups]breaker
	tripped  chan struct{} // has a value when a breaker was tripped
	work     sync.WaitGroup
	troubles atomic.Int64
	logged   struct {
		sync.Mutex
		kind Kind
		at   time.Time
	}
}

// link is one rueidis client. A new one takes the place of one that does not
// recover.
type link struct {
	rueidis.Client
	since   time.Time
	dropped chan struct{} // closed when another one is to take its place
	once    sync.Once     // closes it
}

func (l *link) drop() { l.once.Do(func() { close(l.dropped) }) }

func (l *link) isDropped() bool {
	select {
	case <-l.dropped:
		return true
	default:
		return false
	}
}

// New returns a client that is not connected yet; Run connects it.
func New(cfg Config) *Client {
	cfg.Timeout = cmp.Or(cfg.Timeout, usualTimeout)
	return &Client{Config: cfg, first: make(chan struct{}), tripped: make(chan struct{}, 1)}
}

// Do sends commands that are all about key, or about keys of its slot, and
// returns their results in their order. Its error is a *Trouble: the server could
// not be asked, or would not answer. That a key is not there is none. The context
// bounds only the waiting; what was sent goes on.
func (c *Client) Do(ctx context.Context, key string, build func(rueidis.Builder) []rueidis.Completed) ([]rueidis.RedisResult, error) {
	b := c.breakerOf(key)
	if trouble := b.trouble.Load(); trouble != nil {
		return nil, trouble
	}
	l, err := c.link(ctx)
	if err != nil {
		return nil, err
	}
	done := make(chan []rueidis.RedisResult, 1)
	sent, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.Timeout)
	c.work.Go(func() {
		defer cancel()
		done <- l.DoMulti(sent, build(l.B())...)
	})
	select {
	case results := <-done:
		return results, c.judge(b, key, l, results)
	case <-sent.Done():
		select {
		case results := <-done: // that has ended it
			return results, c.judge(b, key, l, results)
		default:
		}
		return nil, c.slow(b, key, &Trouble{Kind: Slow, Err: context.DeadlineExceeded})
	case <-ctx.Done():
		return nil, &Trouble{Kind: GivenUp, Err: ctx.Err()}
	}
}

// judge is the trouble that results tell of, nil when there is none.
func (c *Client) judge(b *breaker, key string, l *link, results []rueidis.RedisResult) error {
	for _, result := range results {
		trouble := troubleOf(result.Error())
		switch {
		case trouble == nil:
			continue
		case trouble.Kind.onlyWrites():
			c.note(trouble)
			if trouble.Kind == ReadOnly && time.Since(l.since) > patience {
				l.drop() // another one is the master now
			}
			return trouble
		case trouble.Kind == Refused:
			return trouble // of this command; the server is well
		case trouble.Kind == Slow:
			return c.slow(b, key, trouble)
		default:
			return c.trip(b, key, trouble)
		}
	}
	if b.slow.Load() != 0 {
		b.slow.Store(0)
	}
	return nil
}

// link is the present one. While the first attempt to connect is under way it is
// waited for.
func (c *Client) link(ctx context.Context) (*link, error) {
	if l := c.live.Load(); l != nil {
		return l, nil
	}
	timer := time.NewTimer(c.Timeout)
	defer timer.Stop()
	select {
	case <-c.first:
	case <-timer.C:
	case <-ctx.Done():
	}
	if l := c.live.Load(); l != nil {
		return l, nil
	}
	return nil, c.unconnected()
}

// unconnected is the trouble before the first connection.
func (c *Client) unconnected() *Trouble {
	if trouble := c.failed.Load(); trouble != nil {
		return trouble
	}
	return &Trouble{Kind: Down, Err: errors.New("not connected yet")}
}

// Trouble is what keeps the server from being asked, nil when nothing does. Where
// only a part of a Cluster is away it is that of the part.
func (c *Client) Trouble() error {
	if c.live.Load() == nil {
		return c.unconnected()
	}
	for i := range c.breakers {
		if trouble := c.breakers[i].trouble.Load(); trouble != nil {
			return trouble
		}
	}
	return nil
}

// Troubles is how often the server could not be asked since the start. What was
// refused at once because of an earlier one is not counted again.
func (c *Client) Troubles() int64 { return c.troubles.Load() }

// Receive hands the messages of a channel to message until the context ends.
// Subscribed is called whenever they begin to come anew, since any may have been
// missed before.
func (c *Client) Receive(ctx context.Context, channel string, subscribed func(), message func(string)) {
	hooked := rueidis.WithOnSubscriptionHook(ctx, func(s rueidis.PubSubSubscription) {
		if s.Kind == "subscribe" {
			c.work.Go(subscribed) // it asks over the connection that this would block
		}
	})
	for ctx.Err() == nil {
		if l, err := c.link(ctx); err == nil {
			_ = l.Receive(hooked, l.B().Subscribe().Channel(channel).Build(), func(m rueidis.PubSubMessage) { message(m.Message) })
		}
		wait(ctx, probeEvery)
	}
}

// wait returns after d, or when the context ends.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
