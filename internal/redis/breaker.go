package redis

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// groups is how many breakers there are. In a Cluster each is for a range of
// slots, so that a part of it that is away does not stop the others; otherwise
// there is one for all.
const groups = 64

// breaker answers at once while there is trouble, so that nobody waits for what
// will not come. Only probes ask then.
type breaker struct {
	trouble atomic.Pointer[Trouble]
	slow    atomic.Int32 // answers in a row that did not come in time

	mu    sync.Mutex
	key   string // that could not be asked for; the probe's
	tries int    // probes in vain
}

func (c *Client) breakerOf(key string) *breaker {
	if !c.Cluster {
		return &c.breakers[0]
	}
	return &c.breakers[int(slot(key))*groups/slots]
}

// trip opens a breaker, until a probe finds that key can be asked for again.
func (c *Client) trip(b *breaker, key string, trouble *Trouble) error {
	c.note(trouble)
	b.mu.Lock()
	first := b.trouble.Load() == nil
	if first {
		b.key, b.tries = key, 0
	}
	b.trouble.Store(trouble)
	b.mu.Unlock()
	if first {
		select {
		case c.tripped <- struct{}{}:
		default:
		}
	}
	return trouble
}

// slow counts an answer that did not come in time. A single one may be the hiccup
// of a machine.
func (c *Client) slow(b *breaker, key string, trouble *Trouble) error {
	if b.slow.Add(1) < 2 {
		c.note(trouble)
		return trouble
	}
	return c.trip(b, key, trouble)
}

// quiet is how long the same trouble is not logged again.
const quiet = 10 * time.Second

// note counts a trouble that was met, and logs it unless it has just done so.
func (c *Client) note(trouble *Trouble) {
	c.troubles.Add(1)
	c.logged.Lock()
	defer c.logged.Unlock()
	if now := time.Now(); c.logged.kind != trouble.Kind || now.Sub(c.logged.at) > quiet {
		c.logged.kind, c.logged.at = trouble.Kind, now
	} else {
		return
	}
	c.Log.Warn("redis is in trouble", "event", "redis", "trouble", string(trouble.Kind), "error", trouble.Err)
}

// probe asks for what could not be asked for.
func (c *Client) probe(ctx context.Context, b *breaker) {
	b.mu.Lock()
	key := b.key
	b.mu.Unlock()
	l := c.live.Load()
	if l == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	trouble := troubleOf(l.Do(ctx, l.B().Exists().Key(key).Build()).Error())
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case trouble == nil || trouble.Kind == Refused:
		b.trouble.Store(nil)
		b.slow.Store(0)
		c.Log.Info("redis answers again", "event", "redis")
	default:
		b.trouble.Store(trouble)
		if b.tries++; b.tries%rebuildAfter == 0 {
			l.drop()
		}
	}
}

// open are the breakers that wait for a probe.
func (c *Client) open() []*breaker {
	var open []*breaker
	for i := range c.breakers {
		if c.breakers[i].trouble.Load() != nil {
			open = append(open, &c.breakers[i])
		}
	}
	return open
}

// probeAll probes every open breaker at once, and reports whether any is left.
func (c *Client) probeAll(ctx context.Context) bool {
	var wg sync.WaitGroup
	open := c.open()
	for _, b := range open {
		wg.Go(func() { c.probe(ctx, b) })
	}
	wg.Wait()
	return len(c.open()) > 0
}

// slots is how many slots a Cluster has.
const slots = 16384

// slot is the slot of a key: the CRC16 of its part in braces, where it has one
// (Redis Cluster specification, key distribution model).
func slot(key string) uint16 {
	if _, rest, ok := strings.Cut(key, "{"); ok {
		if tag, _, ok := strings.Cut(rest, "}"); ok && tag != "" {
			key = tag
		}
	}
	var crc uint16
	for i := range len(key) {
		crc ^= uint16(key[i]) << 8
		for range 8 {
			if carry := crc&0x8000 != 0; carry {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	return crc % slots
}
