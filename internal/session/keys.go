package session

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
)

// Keyring holds the cookie secrets. The first seals, all open, so that a new
// secret can be put in front without signing anybody out.
type Keyring struct {
	secrets [][]byte
}

// NewKeyring takes secrets of 32 bytes each, the sealing one first.
func NewKeyring(secrets [][]byte) (*Keyring, error) {
	if len(secrets) == 0 {
		return nil, errors.New("session: no cookie secret")
	}
	for _, s := range secrets {
		if len(s) != 32 {
			return nil, fmt.Errorf("session: a cookie secret has %d bytes instead of 32", len(s))
		}
	}
	return &Keyring{secrets}, nil
}

// The layout of a sealed value before base64url: version, key id, nonce,
// ciphertext with its tag.
const (
	sealVersion = 1
	keyIDSize   = 4
	nonceSize   = 12
	headerSize  = 1 + keyIDSize + nonceSize
)

var encoding = base64.RawURLEncoding.Strict()

// sealer seals and opens values for one purpose. Each purpose has keys of its
// own, derived with HKDF, so that a value for one never opens as another.
//
// Nonces are 96 random bits. A key seals logins, not checks, so the 2^32 values
// that a key may seal (NIST SP 800-38D, 8.3) last for a hundred logins a second
// over more than a year; rotating the secret starts anew.
type sealer struct {
	keys  []sealingKey
	rooms sync.Pool // of *room, for what is opened often
}

type sealingKey struct {
	id   [keyIDSize]byte
	head string // with which every value begins that the key sealed
	aead cipher.AEAD
}

// room is for a binding and the value behind it. What is larger gets its own. It
// may hold what was sealed: nothing of it is handed out.
type room [maxCookie]byte

func (s *sealer) room() *room {
	if used, ok := s.rooms.Get().(*room); ok {
		return used
	}
	return new(room)
}

func (k *Keyring) sealer(purpose string) (*sealer, error) {
	s := &sealer{}
	for _, secret := range k.secrets {
		derived, err := hkdf.Key(sha256.New, secret, nil, "doorward "+purpose, 32+keyIDSize)
		if err != nil {
			return nil, fmt.Errorf("session: derive key: %w", err)
		}
		block, err := aes.NewCipher(derived[:32])
		if err != nil {
			return nil, fmt.Errorf("session: derive key: %w", err)
		}
		aead, err := cipher.NewGCM(block)
		if err != nil {
			return nil, fmt.Errorf("session: derive key: %w", err)
		}
		id := [keyIDSize]byte(derived[32:])
		head := encoding.EncodeToString(append([]byte{sealVersion}, id[:]...))
		s.keys = append(s.keys, sealingKey{id, head[:wholeHead], aead})
	}
	return s, nil
}

// seal returns plaintext encrypted with the newest key and bound to binding.
func (s *sealer) seal(plaintext []byte, binding string) string {
	key := s.keys[0]
	sealed := make([]byte, headerSize, headerSize+len(plaintext)+key.aead.Overhead())
	sealed[0] = sealVersion
	copy(sealed[1:], key.id[:])
	nonce := sealed[1+keyIDSize : headerSize]
	_, _ = rand.Read(nonce) // never fails: it ends the program instead
	return encoding.EncodeToString(key.aead.Seal(sealed, nonce, plaintext, []byte(binding)))
}

// wholeHead is how many characters of base64 say nothing but version and key id: six
// bits each of 40.
const wholeHead = 6

// mayOpen reports whether a value begins like one that a key of the ring sealed. It
// costs next to nothing: what it refuses is no cookie that has to be tried.
func (s *sealer) mayOpen(value string) bool {
	if len(value) < encoding.EncodedLen(headerSize) {
		return false
	}
	for i := range s.keys {
		if strings.HasPrefix(value, s.keys[i].head) {
			return true
		}
	}
	return false
}

// open returns what seal was given. It reports false for everything else: a
// value that was changed, cut, made for another purpose or binding, or sealed
// with a key that is gone.
func (s *sealer) open(value, binding string) ([]byte, bool) {
	return s.openBehind([]byte(binding), value)
}

// openBehind is open in the room that is left behind binding, when it is enough.
func (s *sealer) openBehind(binding []byte, value string) ([]byte, bool) {
	both, err := encoding.AppendDecode(binding, []byte(value))
	sealed := both[len(binding):]
	if err != nil || len(sealed) < headerSize || sealed[0] != sealVersion {
		return nil, false
	}
	if encoding.EncodedLen(len(sealed)) != len(value) { // encoding/base64 passes over line breaks
		return nil, false
	}
	for i := range s.keys {
		key := &s.keys[i]
		if [keyIDSize]byte(sealed[1:]) != key.id {
			continue
		}
		ciphertext := sealed[headerSize:]
		plaintext, err := key.aead.Open(ciphertext[:0], sealed[1+keyIDSize:headerSize], ciphertext, binding) // in its place
		return plaintext, err == nil
	}
	return nil, false
}
