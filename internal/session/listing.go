package session

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/redis/rueidis"
)

// Listing is a store that can tell which sessions a user has. As with a Store an
// error means that it could not be asked.
type Listing interface {
	// Listed are the sessions of a user that there are now, the last used first.
	Listed(ctx context.Context, whose Whose) ([]Listed, error)

	// EndListed ends sessions of a list. Those that have ended meanwhile are fine.
	EndListed(ctx context.Context, sessions []Listed) error

	// EndOthers ends every session of the user of s but s itself, and returns those
	// that can be named.
	EndOthers(ctx context.Context, s Session) ([]Listed, error)
}

// Listed is a session as its user and the operator see it.
type Listed struct {
	ID      string // as the log has it: the first half of the session's, which opens nothing
	User    string // the user claim, as of the login
	Agent   string // User-Agent of the login; anything may be in it
	Client  string // address that the login came from, as the gateway saw it
	Site    string // the host or the cookie domain that it is good for
	Created time.Time
	Used    time.Time // at most a minute too early while it is used
	Expires time.Time

	member member
}

// Listed implements Listing.
func (r *RedisStore) Listed(ctx context.Context, whose Whose) ([]Listed, error) {
	all, err := r.enlisted(ctx, whose)
	if err != nil {
		return nil, err
	}
	now := r.Now()
	all = slices.DeleteFunc(all, func(l Listed) bool {
		idled := r.Idle > 0 && now.Sub(l.Used) > r.Idle+usesEvery
		return l.ID == "" || idled || !now.Before(l.Expires) || !now.Before(l.Created.Add(r.Lifetime))
	})
	if all, err = r.present(ctx, all); err != nil {
		return nil, err
	}
	slices.SortStableFunc(all, func(a, b Listed) int {
		return cmp.Or(b.Used.Compare(a.Used), b.Created.Compare(a.Created))
	})
	return all, nil
}

// enlisted is what the index has of a user: also sessions that have ended by
// themselves, and without an ID those whose place does not open.
func (r *RedisStore) enlisted(ctx context.Context, whose Whose) ([]Listed, error) {
	user := userOf(whose.Issuer, whose.Subject)
	key := r.used(user)
	results, err := r.redis.Do(ctx, key, func(b rueidis.Builder) []rueidis.Completed {
		return []rueidis.Completed{
			b.Zrange().Key(key).Min("0").Max("-1").Withscores().Build(),
			b.Hgetall().Key(r.places(user)).Build(),
		}
	})
	if err != nil {
		return nil, err
	}
	uses, err := results[0].AsZScores()
	if err != nil {
		return nil, err
	}
	places, err := results[1].AsStrMap()
	if err != nil {
		return nil, err
	}
	all := make([]Listed, 0, len(uses))
	for _, use := range uses {
		l := Listed{Used: time.Unix(int64(use.Score), 0), member: member{use.Member, user}}
		if p, ok := r.placeOf(use.Member, places[use.Member]); ok {
			l.ID, l.User, l.Agent, l.Client, l.Site = p.ID, p.User, p.Agent, p.Client, p.Site
			l.Created, l.Expires = time.Unix(p.Created, 0), time.Unix(p.Expires, 0)
		}
		all = append(all, l)
	}
	return all, nil
}

// present are those of a list that Redis still holds.
func (r *RedisStore) present(ctx context.Context, list []Listed) ([]Listed, error) {
	var all []Listed
	for some := range slices.Chunk(list, endsAtOnce) {
		results, err := r.redis.Do(ctx, r.value(some[0].member.session), func(b rueidis.Builder) []rueidis.Completed {
			var commands []rueidis.Completed
			for _, l := range some {
				commands = append(commands, b.Exists().Key(r.value(l.member.session)).Build())
			}
			return commands
		})
		if err != nil {
			return nil, err
		}
		for i, result := range results {
			if there, err := result.AsInt64(); err == nil && there > 0 {
				all = append(all, some[i])
			}
		}
	}
	return all, nil
}

// EndListed implements Listing.
func (r *RedisStore) EndListed(ctx context.Context, sessions []Listed) error {
	var members []member
	for _, l := range sessions {
		members = append(members, l.member)
	}
	return r.endAll(ctx, members)
}

// EndOthers implements Listing. What cannot be shown is ended too: it may be a
// login that has not finished.
func (r *RedisStore) EndOthers(ctx context.Context, s Session) ([]Listed, error) {
	if s.User.Nobody() {
		return nil, nil
	}
	others, err := r.enlisted(ctx, Whose{Issuer: s.User.Issuer, Subject: s.User.Subject})
	if err != nil {
		return nil, err
	}
	others = slices.DeleteFunc(others, func(l Listed) bool { return s.Held != nil && l.member.session == s.Held.name })
	if err := r.EndListed(ctx, others); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(others, func(l Listed) bool { return l.ID == "" || !r.Now().Before(l.Expires) }), nil
}

// Called are the users of an issuer whose user claim or e-mail address was name
// when they signed in. There may be more than one.
func (r *RedisStore) Called(ctx context.Context, issuer, name string) ([]Whose, error) {
	called := calledOf(issuer, name)
	key := r.called(called)
	results, err := r.redis.Do(ctx, key, func(b rueidis.Builder) []rueidis.Completed {
		return []rueidis.Completed{b.Hgetall().Key(key).Build()}
	})
	if err != nil {
		return nil, err
	}
	found, err := results[0].AsStrMap()
	if err != nil {
		return nil, err
	}
	var all []Whose
	for user, sealed := range found {
		if subject, ok := r.sealed.open(sealed, called+" "+user); ok {
			all = append(all, Whose{Issuer: issuer, Subject: string(subject)})
		}
	}
	slices.SortFunc(all, func(a, b Whose) int { return cmp.Compare(a.Subject, b.Subject) })
	return all, nil
}
