package session

import (
	"crypto/sha256"
	"encoding/binary"
	"strings"
	"time"

	"github.com/redis/rueidis"
)

// roster names the keys in Redis. Keys of one session have one slot of a Cluster,
// and so have those of one user.
type roster struct{ prefix string }

// struck is the version of a session that was ended.
const struck = "x"

// value is the sealed session, version the number of the state it has to be of:
// none for a new session, or "x" for one that was ended. lease is held by who
// renews it.
func (r roster) value(name string) string   { return r.prefix + "s:{" + name + "}" }
func (r roster) version(name string) string { return r.prefix + "v:{" + name + "}" }
func (r roster) lease(name string) string   { return r.prefix + "l:{" + name + "}" }

// used are the sessions of a user by their last use, places what each of them is.
func (r roster) used(user string) string   { return r.prefix + "u:{" + user + "}" }
func (r roster) places(user string) string { return r.prefix + "p:{" + user + "}" }

// allEnded is when all sessions of a user, or from one of the provider's, were
// last ended, in Unix milliseconds; it is there for as long as a login may take.
func (r roster) allEnded(whose string) string { return r.prefix + "e:{" + whose + "}" }

// provided are the sessions that came from one of the provider's.
func (r roster) provided(id string) string { return r.prefix + "i:{" + id + "}" }

// ends are those of sessions in cookies that go on to matter, by their time; the
// channel of the same name is where they are told.
func (r roster) ends() string { return r.prefix + "r" }

// called are the users of a name.
func (r roster) called(name string) string { return r.prefix + "n:{" + name + "}" }

// nameOf is the name of the session that a key is about, "" for other keys.
func (r roster) nameOf(key string) string {
	rest, ok := strings.CutPrefix(key, r.prefix)
	if !ok || len(rest) < 4 || rest[0] != 's' && rest[0] != 'v' || rest[1:3] != ":{" {
		return ""
	}
	return rest[3 : len(rest)-1]
}

// userOf is how the keys of a user are named (OpenID Connect Core section 5.7).
func userOf(issuer, subject string) string { return digest("user", issuer, subject) }

// providedOf is how a session of the provider is named.
func providedOf(issuer, id string) string { return digest("provided", issuer, id) }

// calledOf is how a name of users is named. Letters of either case are one: whoever
// types an e-mail address does not mind them.
func calledOf(issuer, name string) string { return digest("called", issuer, strings.ToLower(name)) }

// digest is a name for texts, each with its length so that no two lists of texts
// have one name (CON-2).
func digest(texts ...string) string {
	h := sha256.New()
	for _, text := range texts {
		_, _ = h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(text))))
		_, _ = h.Write([]byte(text))
	}
	return encoding.EncodeToString(h.Sum(nil)[:16])
}

// enroll adds a session to those of its user, with its last use and its place,
// takes a few out that have long ended, and keeps both lists for as long as the
// last of them can live.
const enroll = `
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[3])
local gone = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', '(' .. ARGV[5], 'LIMIT', 0, 32)
if #gone > 0 then
  redis.call('ZREM', KEYS[1], unpack(gone))
  redis.call('HDEL', KEYS[2], unpack(gone))
end
for i = 1, 2 do
  if redis.call('PTTL', KEYS[i]) < tonumber(ARGV[4]) then
    redis.call('PEXPIRE', KEYS[i], ARGV[4])
  end
end
return 0`

// strike are the commands that end a session: first the mark, so that not even an
// old value that is put back opens, then the value.
func (r roster) strike(b rueidis.Builder, name, user string, left time.Duration) []rueidis.Completed {
	return []rueidis.Completed{
		b.Set().Key(r.version(name)).Value(struck).PxMilliseconds(milliseconds(left)).Build(),
		b.Del().Key(r.value(name)).Build(),
		b.Zrem().Key(r.used(user)).Member(name).Build(),
		b.Hdel().Key(r.places(user)).Field(name).Build(),
	}
}

// milliseconds is at least one: nothing is kept for ever.
func milliseconds(d time.Duration) int64 { return max(1, d.Milliseconds()) }
