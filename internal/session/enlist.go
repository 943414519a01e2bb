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
	key, ends := r.used(user), []int{1} // which answers are when all was ended
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
			ends = append(ends, len(commands)-1)
		}
		return append(commands, r.call(b, s, user, ttl)...)
	})
	if err != nil {
		return err
	}
	for _, i := range ends {
		if at, err := results[i].AsInt64(); err == nil && !s.Begun.IsZero() && s.Begun.UnixMilli() < at {
			return ErrEnded
		}
	}
	return nil
}

// call makes the user of a session findable by what operators know them by.
func (r *RedisStore) call(b rueidis.Builder, s Session, user string, ttl int64) []rueidis.Completed {
	var commands []rueidis.Completed
	for _, name := range []string{s.User.ID, s.User.Email} {
		if name == "" {
			continue
		}
		called := calledOf(s.User.Issuer, name)
		key, subject := r.called(called), r.sealed.seal([]byte(s.User.Subject), called+" "+user)
		commands = append(commands,
			b.Hset().Key(key).FieldValue().FieldValue(user, subject).Build(),
			b.Pexpire().Key(key).Milliseconds(ttl).Build())
	}
	return commands
}
