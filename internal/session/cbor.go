package session

import (
	"cmp"
	"math"
	"unicode/utf8"

	"github.com/doorward/doorward/internal/secret"
)

// read fills a zero Session from the record that Encode wrote (RFC 8949), in a
// tenth of the time that it takes the decoder for all of CBOR: every check waits
// for it. It reports false for what it does not know; then the decoder has to look,
// and the session is to be thrown away. Where it reports true the decoder reads the
// same.
func (s *Session) read(plaintext string) bool {
	c := begin(plaintext) // all texts are parts of it
	s.ID = c.id(1)
	created, expires := c.number(2), c.number(3)
	s.User.Provider = c.text(4)
	s.User.Issuer = c.text(5)
	s.User.Subject = c.text(6)
	s.User.ID = cmp.Or(c.text(7), s.User.Subject)
	s.User.Email = c.text(8)
	s.User.PreferredUsername = c.text(9)
	s.User.Name = c.text(10)
	s.User.Groups = c.texts(11)
	s.User.AuthTime = date(c.number(12))
	s.ProviderSession = c.text(13)
	s.Tokens.Access = secret.Secret(c.text(14))
	s.Tokens.ID = secret.Secret(c.text(15))
	s.User.ACR = c.text(16)
	s.User.Claims = c.claims(17)
	s.User.ClaimsAsked = c.texts(18)
	s.User.GroupsUnknown = c.flag(19)
	renewed := c.number(20)
	s.Tokens.Refresh = secret.Secret(c.text(21))
	s.Tokens.Expiry = date(c.number(22))
	s.Tokens.IDExpiry = date(c.number(23))
	s.Version = int(c.upTo(24, math.MaxInt32))
	s.lasts(created, c.upTo(25, math.MaxUint16), expires, renewed)
	return c.done()
}

// cursor reads the pairs of a CBOR map whose keys are numbers, in their order. It
// is asked for every key that there may be, and has the zero value for one that is
// not there. At what is not as expected it fails: from then on nothing is there.
type cursor struct {
	left   string // what is not read yet
	pairs  uint64 // whose keys are not read yet
	key    uint64 // whose value comes next; 0 for none
	failed bool
}

func begin(plaintext string) cursor {
	c := cursor{left: plaintext}
	c.pairs = c.head(cborMap)
	c.turn()
	return c
}

// turn goes to the next pair.
func (c *cursor) turn() {
	c.key = 0
	if c.pairs == 0 {
		return
	}
	c.pairs--
	if c.key = c.head(cborUint); c.key == 0 {
		c.fail()
	}
}

func (c *cursor) fail() { *c = cursor{failed: true} }

// done reports whether everything was read.
func (c *cursor) done() bool { return !c.failed && c.key == 0 && c.left == "" }

func (c *cursor) text(key uint64) string {
	if c.key != key {
		return ""
	}
	text := c.validText()
	c.turn()
	return text
}

// texts reads an array of texts.
func (c *cursor) texts(key uint64) []string {
	if c.key != key {
		return nil
	}
	n := c.head(cborArray)
	if n > uint64(len(c.left)) { // each takes a byte at least
		c.fail()
		return nil
	}
	all := make([]string, n)
	for i := range all {
		all[i] = c.validText()
	}
	c.turn()
	return all
}

func (c *cursor) number(key uint64) int64 { return c.upTo(key, math.MaxInt64) }

// upTo reads a number that is most at most.
func (c *cursor) upTo(key, most uint64) int64 {
	if c.key != key {
		return 0
	}
	n := c.head(cborUint)
	if n > most {
		c.fail()
	}
	c.turn()
	return int64(n)
}

func (c *cursor) id(key uint64) (id ID) {
	if c.key != key {
		return id
	}
	bytes := c.bytes(cborBytes)
	if len(bytes) != len(id) {
		c.fail()
	}
	copy(id[:], bytes)
	c.turn()
	return id
}

// flag reads what is there only when it is true.
func (c *cursor) flag(key uint64) bool {
	if c.key != key {
		return false
	}
	if c.left == "" || c.left[0] != cborTrue {
		c.fail()
		return false
	}
	c.left = c.left[1:]
	c.turn()
	return true
}

// claims leaves a map of anything to the decoder for all of CBOR.
func (c *cursor) claims(key uint64) map[string]any {
	if c.key != key {
		return nil
	}
	var claims map[string]any
	rest, err := decodingClaims.UnmarshalFirst([]byte(c.left), &claims)
	if err != nil {
		c.fail()
		return nil
	}
	c.left = c.left[len(c.left)-len(rest):]
	c.turn()
	return claims
}

// What records are made of: major types of CBOR, and a simple value.
const (
	cborUint  = 0
	cborBytes = 2
	cborText  = 3
	cborArray = 4
	cborMap   = 5
	cborTrue  = 0xf5
)

// head reads the head of a data item of a type (RFC 8949 section 3): its value,
// or how long it is. It knows those of definite length in up to four bytes, and
// eight for numbers that are as long.
func (c *cursor) head(major byte) uint64 {
	if c.left == "" || c.left[0]>>5 != major {
		c.fail()
		return 0
	}
	info := c.left[0] & 0x1f
	if info < 24 {
		c.left = c.left[1:]
		return uint64(info)
	}
	size := 1 << (info - 24)
	if info > 27 || len(c.left) <= size {
		c.fail()
		return 0
	}
	var value uint64
	for i := range size {
		value = value<<8 | uint64(c.left[1+i])
	}
	c.left = c.left[1+size:]
	return value
}

// bytes reads a text or a string of bytes.
func (c *cursor) bytes(major byte) string {
	n := c.head(major)
	if n > uint64(len(c.left)) {
		c.fail()
		return ""
	}
	text := c.left[:n]
	c.left = c.left[n:]
	return text
}

func (c *cursor) validText() string {
	text := c.bytes(cborText)
	if !utf8.ValidString(text) {
		c.fail()
	}
	return text
}
