package config

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/url"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/doorward/doorward/internal/secret"
)

// Redis says where Redis or Valkey is.
type Redis struct {
	Unix      bool     // the address is the path of a socket
	Addresses []string // host:port; of the Sentinels, or of nodes of the Cluster
	Master    string   // name of the master that Sentinels watch; "" without Sentinels
	Cluster   bool

	Username         string
	Password         secret.Secret
	SentinelUsername string
	SentinelPassword secret.Secret
	DB               int
	Prefix           string      // of all keys
	TLS              *tls.Config `json:"-"` // nil: plain text
}

// Configured reports whether there is a Redis at all.
func (r Redis) Configured() bool { return len(r.Addresses) > 0 }

const (
	redisURL   = "DOORWARD_REDIS_URL"
	redisGrace = "DOORWARD_SESSION_OUTAGE_GRACE"
)

// redis reads where Redis is, and how long sessions go on without it.
func (r *reader) redis(s *spec, c *Config) {
	c.SessionOutageGrace = r.duration(redisGrace, s.SessionOutageGrace, 0)
	text, ok := r.secretText(redisURL, s.RedisURL, s.RedisURLFile)
	switch text = strings.TrimSpace(text); {
	case !ok:
		return
	case text == "" && c.SessionStore == "redis":
		r.mistake(redisURL, "is missing; write where Redis is, for example redis://redis:6379")
		return
	case text == "":
		return
	}
	u := &redisAddress{reader: r}
	c.Redis = u.read(text)
	if c.SessionOutageGrace > time.Hour {
		r.warn(redisGrace, "is long: a session that was ended elsewhere goes on for this time while Redis is away")
	}
}

// redisAddress reads one address of Redis. It is no URL: there may be several
// hosts in it.
type redisAddress struct {
	*reader
	redis Redis
	tls   bool
}

func (a *redisAddress) mistake(format string, args ...any) {
	a.reader.mistake(redisURL, format, args...)
}

// redisSchemes are the ways in which Redis may be laid out.
const redisSchemes = "has to begin with redis://, rediss://, redis+sentinel://, rediss+sentinel://, redis+cluster://, rediss+cluster:// or unix://"

func (a *redisAddress) read(text string) Redis {
	scheme, rest, ok := strings.Cut(text, "://")
	a.tls = strings.HasPrefix(scheme, "rediss")
	rest, query, _ := strings.Cut(rest, "?")
	switch scheme {
	case "redis", "rediss", "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster":
		authority, path, _ := strings.Cut(rest, "/")
		authority = a.user(authority)
		a.hosts(authority, scheme)
		a.path(path, scheme)
	case "unix":
		path := a.user(rest)
		if !filepath.IsAbs(path) {
			a.mistake("needs the path of a socket, for example unix:///run/redis/redis.sock")
		}
		a.redis.Unix, a.redis.Addresses = true, []string{path}
	default:
		ok = false
	}
	if !ok {
		a.mistake(redisSchemes)
		return Redis{}
	}
	a.options(query)
	return a.redis
}

// user takes the user name and password off the front of an address.
func (a *redisAddress) user(text string) string {
	at := strings.LastIndex(text, "@")
	if at < 0 {
		return text
	}
	name, password, _ := strings.Cut(text[:at], ":")
	var err1, err2 error
	a.redis.Username, err1 = url.PathUnescape(name)
	password, err2 = url.PathUnescape(password)
	a.redis.Password = secret.Secret(password)
	switch {
	case err1 != nil || err2 != nil:
		a.mistake("has a user name or password with a stray %%; write it as %%25")
	case a.redis.Username != "" && password == "":
		a.mistake("has a user name without a password; a password alone is written as :password@")
	}
	return text[at+1:]
}

// hosts reads the hosts of an address, each with a port or the usual one.
func (a *redisAddress) hosts(text, scheme string) {
	port := "6379"
	if strings.HasSuffix(scheme, "+sentinel") {
		port = "26379"
	}
	for i, host := range strings.Split(text, ",") {
		name, given := splitPort(host)
		if given == "" {
			given = port
		}
		if number, err := strconv.ParseUint(given, 10, 16); name == "" || err != nil || number == 0 || strings.ContainsAny(name, "@/# ") {
			a.mistake("host %d is not one; write it as redis.example.com or redis.example.com:6379", i+1)
			continue
		}
		a.redis.Addresses = append(a.redis.Addresses, net.JoinHostPort(name, given))
	}
	if len(a.redis.Addresses) > 1 && !strings.Contains(scheme, "+") {
		a.mistake("has several hosts; write redis+sentinel:// or redis+cluster:// before them")
	}
	if a.tls {
		a.redis.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	a.redis.Cluster = strings.HasSuffix(scheme, "+cluster")
}

// splitPort is a host and its port, "" where it has none.
func splitPort(text string) (host, port string) {
	if host, port, err := net.SplitHostPort(text); err == nil {
		return host, port
	}
	return strings.TrimSuffix(strings.TrimPrefix(text, "["), "]"), ""
}

// path reads what is behind the hosts: the number of a database and, with
// Sentinels, the name of the master before it.
func (a *redisAddress) path(text, scheme string) {
	if strings.HasSuffix(scheme, "+sentinel") {
		a.redis.Master, text, _ = strings.Cut(text, "/")
		if a.redis.Master == "" {
			a.mistake("needs the name of the master behind the Sentinels, for example redis+sentinel://a:26379,b:26379/mymaster")
		}
	}
	if text != "" {
		a.database(text)
	}
}

func (a *redisAddress) database(text string) {
	number, err := strconv.ParseUint(text, 10, 16)
	switch {
	case err != nil:
		a.mistake("needs a number as its database, for example redis://redis:6379/1")
	case number > 0 && a.redis.Cluster:
		a.mistake("has a database, and a Cluster has only one; leave it out")
	}
	a.redis.DB = int(number)
}

// redisPrefix is what keys may begin with. Braces would move all keys to one slot
// of a Cluster.
var redisPrefix = regexp.MustCompile(`^[A-Za-z0-9:._/-]{0,64}$`)

// options reads what is behind the question mark.
func (a *redisAddress) options(text string) {
	a.redis.Prefix = "doorward:"
	query, err := url.ParseQuery(text)
	if err != nil {
		a.mistake("has options that cannot be read")
		return
	}
	var ca, cert, key string
	for name, values := range query {
		value := values[0]
		switch name {
		case "db":
			a.database(value)
		case "prefix":
			if a.redis.Prefix = value; !redisPrefix.MatchString(value) {
				a.mistake("has a prefix with other characters than letters, digits and : . _ / -")
			}
		case "sentinel_username":
			a.redis.SentinelUsername = value
		case "sentinel_password":
			a.redis.SentinelPassword = secret.Secret(value)
		case "ca_file":
			ca = value
		case "cert_file":
			cert = value
		case "key_file":
			key = value
		default:
			a.mistake("has an option that is not known; there are db, prefix, sentinel_username, sentinel_password, ca_file, cert_file and key_file")
		}
	}
	a.certificates(ca, cert, key)
}

// certificates reads whom to trust, and who we are.
func (a *redisAddress) certificates(ca, cert, key string) {
	switch {
	case ca == "" && cert == "" && key == "":
		return
	case a.redis.TLS == nil:
		a.mistake("has a certificate and no TLS; write rediss in place of redis")
		return
	}
	if ca != "" {
		content, err := readFile(ca)
		pool := x509.NewCertPool()
		if err != nil || !pool.AppendCertsFromPEM(content) {
			a.mistake("names a ca_file that is no certificate, or cannot be read")
		}
		a.redis.TLS.RootCAs = pool
	}
	if cert != "" || key != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			a.mistake("names a cert_file and a key_file that do not go together, or cannot be read")
		}
		a.redis.TLS.Certificates = []tls.Certificate{pair}
	}
}
