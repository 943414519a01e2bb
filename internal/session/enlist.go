package session

import (
	"context"
	"strconv"

	"github.com/redis/rueidis"
)

// enlist makes a session findable by its user and by the provider's session. It
// comes before the session itself, so that whoever ends them all either finds it
// or is found here: then the error is ErrEnded.
func (r *RedisStore) enlist(ctx context.Context, s Session, place string) error {
	user, provided := userOf(s.User.Issuer, s.User.Subject), providedOf(s.User.Issuer, s.ProviderSession)
	ttl := milliseconds(r.Lifetime)
	key := r.used(user)
	results, err := r.redis.Do(ctx, key, func(b rueidis.Builder) []rueidis.Completed {
		commands := []rueidis.Completed{
			b.Eval().Script(enroll).Numkeys(2).Key(key, r.places(user)).Arg(
				s.Held.name, strconv.FormatInt(s.Created.Unix(), 10), place, strconv.FormatInt(ttl, 10),
				strconv.FormatInt(s.Created.Add(-r.Lifetime).Unix(), 10),
			).Build(),
			b.Get().Key(r.allEnded(user)).Build(),
		}
		if s.ProviderSession != "" {
			commands = append(commands,
				b.Sadd().Key(r.provided(provided)).Member(s.Held.name+" "+user).Build(),
				b.Pexpire().Key(r.provided(provided)).Milliseconds(ttl).Build(),
				b.Get().Key(r.allEnded(provided)).Build())
		}
		return commands
	})
	if err != nil {
		return err
	}
	for _, i := range []int{1, 4} {
		if i >= len(results) || s.Begun.IsZero() {
			continue
		}
		if at, err := results[i].AsInt64(); err == nil && s.Begun.UnixMilli() < at {
			return ErrEnded
		}
	}
	return nil
}
