package bearer

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"

	"github.com/doorward/doorward/internal/secret"
)

// Hash is an Argon2id hash of a secret (RFC 9106), as a PHC string says it:
// $argon2id$v=19$m=19456,t=2,p=1$SALT$HASH. The zero Hash matches nothing.
type Hash struct {
	text string // the PHC string, which stands for everything below

	memory  uint32 // KiB
	passes  uint32
	threads uint8
	salt    []byte
	sum     []byte
}

// What NewHash makes. The secrets have more bits than anybody can try, so that the
// least cost that is recommended for passwords is plenty.
const (
	hashMemory = 19 << 10 // KiB
	hashPasses = 2
	saltSize   = 16
	sumSize    = 32
)

// Bounds of a hash that is read. They keep one file from costing a check more
// memory or time than whoever runs the server would think of.
const (
	maxMemory  = 64 << 10 // KiB
	maxPasses  = 10
	maxThreads = 4
	maxSalt    = 64
	maxSum     = 64
	minSalt    = 8
	minSum     = 16
)

// NewHash hashes a secret with a salt of its own.
func NewHash(s secret.Secret) Hash {
	h := Hash{memory: hashMemory, passes: hashPasses, threads: 1, salt: make([]byte, saltSize), sum: make([]byte, sumSize)}
	rand.Read(h.salt) // never fails: it ends the program instead
	h.sum = h.of([]byte(s.Reveal()))
	encode := base64.RawStdEncoding.EncodeToString
	h.text = fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s",
		argon2.Version, h.memory, h.passes, h.threads, encode(h.salt), encode(h.sum))
	return h
}

// String is the PHC string.
func (h Hash) String() string { return h.text }

// ParseHash reads a PHC string. The error says what to do about one that it
// refuses, and repeats nothing of it.
func ParseHash(text string) (Hash, error) {
	const remedy = "; copy the whole hash that `doorward key new` printed"
	parts := strings.Split(text, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" {
		return Hash{}, errors.New("is no Argon2id hash in PHC form" + remedy)
	}
	if parts[2] != "v="+strconv.Itoa(argon2.Version) {
		return Hash{}, fmt.Errorf("is of another version of Argon2; it has to say v=%d", argon2.Version)
	}
	h := Hash{text: text}
	if err := h.parseCost(parts[3]); err != nil {
		return Hash{}, err
	}
	var errs [2]error
	h.salt, errs[0] = base64.RawStdEncoding.Strict().DecodeString(parts[4])
	h.sum, errs[1] = base64.RawStdEncoding.Strict().DecodeString(parts[5])
	if errors.Join(errs[:]...) != nil {
		return Hash{}, errors.New("has a salt or a hash that is not base64 without padding" + remedy)
	}
	if len(h.salt) < minSalt || len(h.salt) > maxSalt || len(h.sum) < minSum || len(h.sum) > maxSum {
		return Hash{}, errors.New("has a salt or a hash of an odd length" + remedy)
	}
	return h, nil
}

// parseCost reads m=…,t=…,p=…
func (h *Hash) parseCost(text string) error {
	var cost [3]uint64
	parts := strings.Split(text, ",")
	for i, bound := range []struct {
		name string
		most uint64
	}{{"m=", maxMemory}, {"t=", maxPasses}, {"p=", maxThreads}} {
		if len(parts) != 3 || !strings.HasPrefix(parts[i], bound.name) {
			return errors.New("has no m=…,t=…,p=… in this order")
		}
		number, err := strconv.ParseUint(parts[i][2:], 10, 32)
		if err != nil || strconv.FormatUint(number, 10) != parts[i][2:] {
			return fmt.Errorf("has no number behind %s", bound.name)
		}
		if number == 0 || number > bound.most {
			return fmt.Errorf("has a cost that is out of bounds: %s has to be from 1 to %d", bound.name, bound.most)
		}
		cost[i] = number
	}
	if cost[0] < 8*cost[2] {
		return errors.New("has a cost that is out of bounds: m= has to be at least eight times p=")
	}
	h.memory, h.passes, h.threads = uint32(cost[0]), uint32(cost[1]), uint8(cost[2]) // #nosec G115 -- bounded above
	return nil
}

// of hashes s as h was made.
func (h Hash) of(s []byte) []byte {
	return argon2.IDKey(s, h.salt, h.passes, h.memory, h.threads, uint32(len(h.sum))) // #nosec G115 -- bounded
}

// matches costs the memory and the time that h says.
func (h Hash) matches(s []byte) bool {
	return len(h.sum) > 0 && subtle.ConstantTimeCompare(h.of(s), h.sum) == 1
}
