package redis

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/redis/rueidis"
)

// Kind is what kind of trouble there is, a word for the log and the metrics.
type Kind string

// The kinds. All of them mean "cannot tell", and never "is not there".
const (
	Down         Kind = "down"          // no connection
	Slow         Kind = "slow"          // no answer in time
	Loading      Kind = "loading"       // reads its data into memory
	ReadOnly     Kind = "read_only"     // a replica, or a master that was replaced
	OutOfMemory  Kind = "out_of_memory" // refuses writes
	Degraded     Kind = "degraded"      // refuses writes: cannot save, or has too few replicas
	Unauthorized Kind = "unauthorized"  // wrong or no password, or a user who may not
	ClusterDown  Kind = "cluster_down"  // slots without a master
	WrongLayout  Kind = "wrong_layout"  // a node of a Cluster that is not addressed as one
	Busy         Kind = "busy"          // runs a script
	Refused      Kind = "refused"       // did not understand a command
	GivenUp      Kind = "given_up"      // the one who asked went away
)

// onlyWrites reports whether the server still answers reads.
func (k Kind) onlyWrites() bool { return k == ReadOnly || k == OutOfMemory || k == Degraded }

// Trouble is why the server could not be asked, or would not answer.
type Trouble struct {
	Kind Kind
	Err  error
}

func (t *Trouble) Error() string { return fmt.Sprintf("redis: %s: %v", t.Kind, t.Err) }

// Unwrap is what the client or the server said.
func (t *Trouble) Unwrap() error { return t.Err }

// answers are what servers begin a refusal with.
var answers = []struct { //nolint:gochecknoglobals // a table
	word string
	kind Kind
}{
	{"LOADING", Loading}, {"MASTERDOWN", Loading},
	{"READONLY", ReadOnly}, {"OOM", OutOfMemory}, {"MISCONF", Degraded}, {"NOREPLICAS", Degraded},
	{"NOAUTH", Unauthorized}, {"WRONGPASS", Unauthorized}, {"NOPERM", Unauthorized}, {"ERR AUTH", Unauthorized},
	{"CLUSTERDOWN", ClusterDown}, {"TRYAGAIN", ClusterDown}, {"MOVED", WrongLayout}, {"ASK", WrongLayout},
	{"BUSY", Busy}, {"UNKILLABLE", Busy},
	{"ERR max number of clients", Down},
}

// troubleOf sorts an error. A key that is not there is none.
func troubleOf(err error) *Trouble {
	if err == nil || rueidis.IsRedisNil(err) {
		return nil
	}
	if answer, ok := errors.AsType[*rueidis.RedisError](err); ok {
		for _, a := range answers {
			if strings.HasPrefix(answer.Error(), a.word) {
				return &Trouble{a.kind, err}
			}
		}
		return &Trouble{Refused, err}
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) {
		return &Trouble{Slow, err}
	}
	return &Trouble{Down, err}
}
