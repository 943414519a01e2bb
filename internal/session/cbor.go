package session

import (
	"math"
	"unicode/utf8"
)

// read fills the record from CBOR (RFC 8949) as Encode writes it, in a third of
// the time that it takes the decoder for all of CBOR: every check of a session
// that is not remembered waits for it. It reports false for what it does not
// know, such as claims; then the decoder has to look, and the record is to be
// thrown away. Where it reports true the decoder reads the same.
func (r *record) read(plaintext []byte) bool {
	c := cursor{string(plaintext)} // all texts are parts of this one copy
	pairs, ok := c.head(cborMap)
	last := uint64(0)
	for range pairs {
		key, known := c.head(cborUint)
		if !ok || !known || key <= last { // in order, and so none twice
			return false
		}
		last = key
		if text := r.textAt(key); text != nil {
			*text, ok = c.text()
		} else if number := r.numberAt(key); number != nil {
			*number, ok = c.number()
		} else {
			ok = r.readOther(key, &c)
		}
	}
	return ok && c.left == ""
}

// textAt is the text of a key, nil when it has none.
func (r *record) textAt(key uint64) *string {
	switch key {
	case 4:
		return &r.Provider
	case 5:
		return &r.Issuer
	case 6:
		return &r.Subject
	case 7:
		return &r.User
	case 8:
		return &r.Email
	case 9:
		return &r.PreferredUsername
	case 10:
		return &r.Name
	case 13:
		return &r.ProviderSession
	case 14:
		return &r.AccessToken
	case 15:
		return &r.IDToken
	case 16:
		return &r.ACR
	case 21:
		return &r.RefreshToken
	}
	return nil
}

// numberAt is the number of a key, nil when it has none.
func (r *record) numberAt(key uint64) *int64 {
	switch key {
	case 2:
		return &r.Created
	case 3:
		return &r.Expires
	case 12:
		return &r.AuthTime
	case 20:
		return &r.Renewed
	case 22:
		return &r.TokenExpiry
	case 23:
		return &r.IDTokenExpiry
	}
	return nil
}

func (r *record) readOther(key uint64, c *cursor) (ok bool) {
	switch key {
	case 1:
		var id string
		if id, ok = c.bytes(cborBytes); ok && len(id) == len(r.ID) {
			copy(r.ID[:], id)
			return true
		}
		return false
	case 11:
		r.Groups, ok = c.texts()
	case 18:
		r.ClaimsAsked, ok = c.texts()
	case 24:
		var version int64
		version, ok = c.number()
		r.Version = int(version)
		return ok && version <= math.MaxInt32
	case 25:
		var millis int64
		millis, ok = c.number()
		r.CreatedMillis = uint16(millis)
		return ok && millis <= math.MaxUint16
	}
	return ok
}

// The major types of CBOR that records are made of.
const (
	cborUint  = 0
	cborBytes = 2
	cborText  = 3
	cborArray = 4
	cborMap   = 5
)

// cursor takes CBOR apart from its beginning on.
type cursor struct{ left string }

// head reads the head of a data item of a type (RFC 8949 section 3): its value,
// or how long it is. It knows those of definite length in up to four bytes, and
// eight for numbers that are as long.
func (c *cursor) head(major byte) (uint64, bool) {
	if c.left == "" || c.left[0]>>5 != major {
		return 0, false
	}
	info := c.left[0] & 0x1f
	if info < 24 {
		c.left = c.left[1:]
		return uint64(info), true
	}
	size := 1 << (info - 24)
	if info > 27 || len(c.left) <= size {
		return 0, false
	}
	var value uint64
	for i := range size {
		value = value<<8 | uint64(c.left[1+i])
	}
	c.left = c.left[1+size:]
	return value, true
}

// bytes reads a text or a string of bytes.
func (c *cursor) bytes(major byte) (string, bool) {
	n, ok := c.head(major)
	if !ok || n > uint64(len(c.left)) {
		return "", false
	}
	text := c.left[:n]
	c.left = c.left[n:]
	return text, true
}

func (c *cursor) text() (string, bool) {
	text, ok := c.bytes(cborText)
	return text, ok && utf8.ValidString(text)
}

func (c *cursor) number() (int64, bool) {
	n, ok := c.head(cborUint)
	return int64(n), ok && n <= math.MaxInt64
}

// texts reads an array of texts.
func (c *cursor) texts() ([]string, bool) {
	n, ok := c.head(cborArray)
	if !ok || n > uint64(len(c.left)) { // each takes a byte at least
		return nil, false
	}
	all := make([]string, n)
	for i := range all {
		if all[i], ok = c.text(); !ok {
			return nil, false
		}
	}
	return all, true
}
