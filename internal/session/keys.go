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
	keys []sealingKey
}

type sealingKey struct {
	id   [keyIDSize]byte
	aead cipher.AEAD
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
		s.keys = append(s.keys, sealingKey{[keyIDSize]byte(derived[32:]), aead})
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

// mayOpen reports whether a value begins like one that a key of the ring sealed. It
// costs next to nothing: what it refuses is no cookie that has to be tried.
func (s *sealer) mayOpen(value string) bool {
	if len(value) < encoding.EncodedLen(headerSize) {
		return false
	}
	var head [6]byte // whole groups of base64 that hold version and key id
	if _, err := encoding.Decode(head[:], []byte(value[:8])); err != nil || head[0] != sealVersion {
		return false
	}
	for _, key := range s.keys {
		if [keyIDSize]byte(head[1:]) == key.id {
			return true
		}
	}
	return false
}

// open returns what seal was given. It reports false for everything else: a
// value that was changed, cut, made for another purpose or binding, or sealed
// with a key that is gone.
func (s *sealer) open(value, binding string) ([]byte, bool) {
	if strings.Contains(value, "\n") || strings.Contains(value, "\r") { // encoding/base64 passes over them
		return nil, false
	}
	sealed, err := encoding.DecodeString(value)
	if err != nil || len(sealed) < headerSize || sealed[0] != sealVersion {
		return nil, false
	}
	for _, key := range s.keys {
		if [keyIDSize]byte(sealed[1:]) != key.id {
			continue
		}
		ciphertext := sealed[headerSize:]
		plaintext, err := key.aead.Open(ciphertext[:0], sealed[1+keyIDSize:headerSize], ciphertext, []byte(binding)) // in its place
		return plaintext, err == nil
	}
	return nil, false
}
