package session

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/redis"
)

// RedisConfig is what a RedisStore is made of. Of the CookieConfig the switches
// for tokens say what is passed on or needed; the ID token is always kept, for the
// sign-out at the provider.
type RedisConfig struct {
	CookieConfig
	Redis  redis.Config // Changed and Lost are the store's
	Prefix string       // of all keys

	// Grace is how long sessions that are known go on while Redis is away.
	Grace time.Duration

	// Graced is told of each answer out of the grace; nil: nobody is.
	Graced func()
}

// RedisStore keeps sessions in Redis. The cookie holds what names and opens one.
// What was read is known until Redis says that it has changed, so that a check of
// a session in use asks nobody.
type RedisStore struct {
	jar
	renderer
	roster
	redis      *redis.Client
	references *sealer
	sealed     *sealer // places
	vault      *vault
	known      *known
	seen       *seen[*entry]
	outage     outage
	ended      *revocations // by name, those that this process ended or saw ended
	uses       lastUses
	started    time.Time
	reads      flights
	renewing   flights
	renewals   sync.WaitGroup // that run
	graced     func()
}

// maxRecord bounds a session in Redis, in bytes.
const maxRecord = 256 << 10

// NewRedisStore returns a store that asks nobody before Run.
func NewRedisStore(cfg RedisConfig) (*RedisStore, error) {
	references, err := cfg.Keys.sealer("reference")
	if err != nil {
		return nil, err
	}
	places, err := cfg.Keys.sealer("place")
	if err != nil {
		return nil, err
	}
	vault, err := cfg.Keys.vault()
	if err != nil {
		return nil, err
	}
	r := &RedisStore{
		jar: newJar(cfg.CookieConfig), roster: roster{cfg.Prefix},
		references: references, sealed: places, vault: vault, started: cfg.Now(),
		known: newKnown(), seen: newSeen[*entry](), ended: newRevocations(),
		outage: outage{grace: cfg.Grace, now: cfg.Now},
		graced: cfg.Graced,
	}
	r.begin(cfg.Render)
	cfg.Redis.Changed, cfg.Redis.Lost = r.changed, r.lost
	r.redis = redis.New(cfg.Redis)
	return r, nil
}

// Run keeps the connection to Redis until the context ends. Renewals that are
// under way end before, and last uses that wait are written.
func (r *RedisStore) Run(ctx context.Context) {
	connected, stop := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() { defer close(done); r.redis.Run(connected) }()
	r.writeUses(ctx)
	r.renewals.Wait()
	stop()
	<-done
}

// changed hears which keys have changed.
func (r *RedisStore) changed(keys []string) {
	for _, key := range keys {
		if name := r.nameOf(key); name != "" {
			r.known.drop(name)
		}
	}
}

// lost hears that a change may have been missed.
func (r *RedisStore) lost() { r.outage.begin(r.known.epoch.Add(1) - 1) }

// Load implements Store.
func (r *RedisStore) Load(ctx context.Context, req auth.Request) (Session, error) {
	now := r.Now()
	if e := r.seen.find(&req); e != nil && (*e).epoch == r.known.epoch.Load() {
		if s, ok := r.current(*e); ok {
			s, err := r.checked(ctx, *e, s, now)
			if err != nil || !s.User.Nobody() {
				return s, err
			}
		}
	}
	return r.search(ctx, &req, now)
}

// search tries the cookies of a request, until one names a session that is good.
// What it finds is remembered, unless that is good for this once: it is read anew
// next time, or a cookie before it could not be asked about.
func (r *RedisStore) search(ctx context.Context, req *auth.Request, now time.Time) (Session, error) {
	site, ok := r.Sites.For(req.Host)
	if !ok {
		return Session{}, nil
	}
	name := r.name(site)
	var trouble error
	for value := range r.references.candidates(req.Cookies, name) {
		e, s, err := r.look(ctx, value, name+" "+scope(site), now)
		if err == nil && !s.User.Nobody() {
			if trouble == nil && !e.passing && e.epoch == r.known.epoch.Load() {
				r.seen.add(req, e)
			}
			return s, nil
		}
		trouble = errors.Join(trouble, err)
	}
	return Session{}, trouble
}

// look returns the session of one cookie, and where it is known.
func (r *RedisStore) look(ctx context.Context, value, binding string, now time.Time) (*entry, Session, error) {
	ref, ok := openReference(r.references, value, binding)
	if !ok || !now.Before(time.Unix(ref.expires, 0)) {
		return nil, Session{}, nil
	}
	held := ref.held()
	for range tries {
		e, err := r.find(ctx, held, now)
		if e == nil || err != nil {
			return nil, Session{}, err
		}
		if s, ok := r.current(e); ok {
			s, err := r.checked(ctx, e, s, now)
			return e, s, err
		}
	}
	return nil, Session{}, errors.New("session: it changes faster than it is read")
}

// tries bounds how often a session is read anew that changed in the meantime.
const tries = 5

// find returns a known session, or else asks Redis. Nobody's is nil. While Redis
// is away a session that was known when it went goes on.
func (r *RedisStore) find(ctx context.Context, held *Held, now time.Time) (*entry, error) {
	if r.ended.has(&Session{ID: held.mark}) {
		return nil, nil
	}
	old, _ := r.known.byName(held.name)
	if old != nil && old.epoch == r.known.epoch.Load() && old.held.secret == held.secret {
		return old, nil
	}
	e, err := r.fetch(ctx, held)
	if err == nil {
		return e, nil
	}
	if old != nil && old.held.secret == held.secret && r.outage.spares(old.epoch) {
		if r.graced != nil {
			r.graced()
		}
		return old, nil
	}
	return nil, err
}

// current is what an entry holds, with the identity as it is made now. It reports
// false for one that has changed meanwhile.
func (r *RedisStore) current(e *entry) (Session, bool) {
	s := e.session.Load()
	if s == nil {
		return Session{}, false
	}
	if s.Rendered != r.generation() {
		next := r.rendered(*s)
		e.session.CompareAndSwap(s, &next)
		s = &next
	}
	return *s, true
}

// checked returns a session that is still good, and counts this as a use of it.
func (r *RedisStore) checked(ctx context.Context, e *entry, s Session, now time.Time) (Session, error) {
	if !r.counts(&s, now) {
		return Session{}, nil
	}
	idle, err := r.idles(ctx, e, s, now)
	if idle || err != nil {
		return Session{}, err
	}
	r.uses.note(e, now)
	return s, nil
}

// fetch reads a session from Redis, and has it known from then on. Nobody's is
// nil.
func (r *RedisStore) fetch(ctx context.Context, held *Held) (*entry, error) {
	result, err := r.reads.once(ctx, held.name, func(ctx context.Context) (any, error) {
		_, changes := r.known.byName(held.name)
		epoch := r.known.epoch.Load()
		stored, err := r.read(ctx, held.name)
		return read{stored, epoch, changes}, err
	})
	if err != nil {
		return nil, err
	}
	got, _ := result.(read)
	r.outage.end(got.epoch)
	if got.version == struck {
		r.ended.add(held.mark, time.Unix(held.expires, 0), r.Now())
		return nil, nil
	}
	s, ok := r.opened(held, got.stored)
	if !ok {
		return nil, nil
	}
	s = r.rendered(s)
	e := &entry{held: held, user: userOf(s.User.Issuer, s.User.Subject), epoch: got.epoch, bytes: 2*len(got.value) + s.Identity.Size + 1<<10}
	e.session.Store(&s)
	e.used.Store(s.Created.Unix())
	return r.known.put(e, got.changes), nil
}

// opened is the session that Redis holds, if it is the one that held opens and of
// the version that it has to be of.
func (r *RedisStore) opened(held *Held, got stored) (Session, bool) {
	version := 0
	if got.version != "" {
		var err error
		if version, err = strconv.Atoi(got.version); err != nil {
			return Session{}, false // ended, or not ours
		}
	}
	return r.vault.open(held, version, []byte(got.value))
}

// stored is what Redis has of a session: "" for what is not there.
type stored struct{ value, version, lease string }

// read is what was read, and what was known of changes before.
type read struct {
	stored
	epoch, changes uint64
}

// read asks Redis for a session.
func (r *RedisStore) read(ctx context.Context, name string) (stored, error) {
	key := r.value(name)
	results, err := r.redis.Do(ctx, key, func(b rueidis.Builder) []rueidis.Completed {
		return []rueidis.Completed{b.Mget().Key(key, r.version(name), r.lease(name)).Build()}
	})
	if err != nil {
		return stored{}, err
	}
	found, err := results[0].ToArray()
	if err != nil || len(found) != 3 {
		return stored{}, errors.Join(errors.New("session: read from redis: an answer of another kind"), err)
	}
	var texts [3]string
	for i, message := range found {
		texts[i], _ = message.ToString() // not there: ""
	}
	return stored{texts[0], texts[1], texts[2]}, nil
}

// Carry implements Store: the cookie only names the session.
func (r *RedisStore) Carry(http.ResponseWriter, *http.Request, auth.Site, Session) {}

// Troubles is how often Redis did not answer since the start.
func (r *RedisStore) Troubles() int64 { return r.redis.Troubles() }

// Trouble is why Redis cannot be asked now, nil when it can. Left is how much
// longer known sessions go on all the same.
func (r *RedisStore) Trouble() (left time.Duration, trouble error) {
	trouble = r.redis.Trouble()
	if !r.outage.under.Load() {
		return r.outage.grace, trouble // the connection may still bring news
	}
	return max(0, r.outage.left()), trouble
}
