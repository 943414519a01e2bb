package redis

import (
	"context"
	"crypto/tls"
	"net"
	"time"

	"github.com/redis/rueidis"
)

// Run connects, and keeps the connection, until the context ends. It returns when
// everything is closed and what was sent has ended.
func (c *Client) Run(ctx context.Context) {
	defer c.work.Wait()
	var last *link
	for ctx.Err() == nil {
		l := c.connect(ctx)
		if l == nil {
			continue
		}
		if last != nil {
			c.Lost()
			c.work.Go(last.Close)
		}
		last = l
		c.watch(ctx, l)
	}
	c.live.Store(nil)
	if last != nil {
		c.work.Go(last.Close)
	}
}

// connect dials, and returns nil after a failure and a pause.
func (c *Client) connect(ctx context.Context) *link {
	l := &link{dropped: make(chan struct{}), since: time.Now()}
	client, err := rueidis.NewClient(c.options(l))
	if err != nil {
		c.note(troubleOf(err))
		c.failed.Store(troubleOf(err))
		c.attempted()
		wait(ctx, probeEvery)
		return nil
	}
	l.Client = client
	c.live.Store(l)
	c.attempted()
	c.Log.Info("connected to redis", "event", "redis")
	return l
}

// attempted lets those go who wait for the first attempt to connect.
func (c *Client) attempted() { c.once.Do(func() { close(c.first) }) }

// watch probes for as long as there is trouble, until the link is dropped.
func (c *Client) watch(ctx context.Context, l *link) {
	for {
		for c.probeAll(ctx) && ctx.Err() == nil && !l.isDropped() {
			wait(ctx, probeEvery)
		}
		select {
		case <-ctx.Done():
			return
		case <-l.dropped:
			return
		case <-c.tripped:
		}
	}
}

// options are those of a new link.
func (c *Client) options(l *link) rueidis.ClientOption {
	o := rueidis.ClientOption{
		InitAddress: c.Addresses, Username: c.Username, Password: c.Password.Reveal(), SelectDB: c.DB, TLSConfig: c.TLS,
		ForceSingleClient: !c.Cluster && c.Master == "",

		// Everything that is read is tracked, so that a read is one command.
		ClientTrackingOptions: []string{"OPTOUT"},
		OnInvalidations:       func(keys []rueidis.RedisMessage) { c.invalidated(l, keys) },
		ClientName:            "doorward",
		ClientSetInfo:         rueidis.DisableClientSetInfo,

		// One connection to a server: commands are pipelined, and one end of it
		// is one loss of news.
		PipelineMultiplex: -1, RingScaleEachConn: 10, BlockingPoolSize: 4,
		ReadBufferEachConn: 64 << 10, WriteBufferEachConn: 64 << 10, CacheSizeEachConn: 1 << 10,
		Dialer:           net.Dialer{Timeout: dialTimeout, KeepAlive: silence},
		ConnWriteTimeout: silence,
	}
	if c.Unix {
		o.DialCtxFn = func(ctx context.Context, path string, d *net.Dialer, _ *tls.Config) (net.Conn, error) {
			return d.DialContext(ctx, "unix", path)
		}
	}
	if c.Master != "" {
		o.Sentinel = rueidis.SentinelOption{
			MasterSet: c.Master, Username: c.SentinelUsername, Password: c.SentinelPassword.Reveal(),
			TLSConfig: c.TLS, Dialer: o.Dialer, TopologyRefreshInterval: 2 * silence,
		}
	}
	if c.Cluster {
		o.ClusterOption = rueidis.ClusterOption{ShardsRefreshInterval: 2 * silence}
	}
	return o
}

// invalidated passes on what a server says of keys. No keys at all is that it
// forgot which it would have told of, or that its connection ended.
func (c *Client) invalidated(l *link, messages []rueidis.RedisMessage) {
	if messages == nil {
		if live := c.live.Load(); live == nil || live == l {
			c.Lost()
		}
		return
	}
	keys := make([]string, 0, len(messages))
	for _, m := range messages {
		if key, err := m.ToString(); err == nil {
			keys = append(keys, key)
		}
	}
	c.Changed(keys)
}
