package session

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"strconv"

	"github.com/fxamacker/cbor/v2"
)

// vault seals the values of sessions that are kept in Redis. A value opens only
// with the secret of its cookie and with a key of the ring together, under its
// own name and as its own version. Who reads Redis, or writes into it, opens and
// exchanges nothing.
type vault struct {
	keys []vaultKey // the first seals, all open
}

type vaultKey struct {
	id     [keyIDSize]byte
	secret []byte
}

func (k *Keyring) vault() (*vault, error) {
	v := &vault{}
	for _, secret := range k.secrets {
		derived, err := hkdf.Key(sha256.New, secret, nil, "doorward vault", 32+keyIDSize)
		if err != nil {
			return nil, fmt.Errorf("session: derive key: %w", err)
		}
		v.keys = append(v.keys, vaultKey{[keyIDSize]byte(derived[32:]), derived[:32]})
	}
	return v, nil
}

// seal returns the value of a session.
func (v *vault) seal(held *Held, s Session) ([]byte, error) {
	plaintext, err := cbor.Marshal(newRecord(s))
	if err != nil {
		return nil, fmt.Errorf("session: encode: %w", err)
	}
	key := v.keys[0]
	aead, err := key.aead(held)
	if err != nil {
		return nil, err
	}
	sealed := make([]byte, headerSize, headerSize+len(plaintext)+aead.Overhead())
	sealed[0] = sealVersion
	copy(sealed[1:], key.id[:])
	nonce := sealed[1+keyIDSize : headerSize]
	_, _ = rand.Read(nonce) // never fails: it ends the program instead
	return aead.Seal(sealed, nonce, plaintext, bound(held, s.Version)), nil
}

// open returns the session that a value holds. It reports false for everything
// that seal did not return for this name and this version.
func (v *vault) open(held *Held, version int, sealed []byte) (Session, bool) {
	if len(sealed) < headerSize || sealed[0] != sealVersion {
		return Session{}, false
	}
	for _, key := range v.keys {
		if [keyIDSize]byte(sealed[1:]) != key.id {
			continue
		}
		aead, err := key.aead(held)
		if err != nil {
			return Session{}, false
		}
		plaintext, err := aead.Open(nil, sealed[1+keyIDSize:headerSize], sealed[headerSize:], bound(held, version))
		if err != nil {
			return Session{}, false
		}
		var s Session
		if decode(string(plaintext), &s) != nil {
			return Session{}, false
		}
		s.Held = held
		return s, s.ID == held.id && s.Version == version && !s.User.Nobody()
	}
	return Session{}, false
}

// aead is the cipher of one session: both secrets are needed to make it.
func (k vaultKey) aead(held *Held) (cipher.AEAD, error) {
	derived, err := hkdf.Key(sha256.New, held.secret[:], k.secret, "doorward session value", 32)
	if err != nil {
		return nil, fmt.Errorf("session: derive key: %w", err)
	}
	block, err := aes.NewCipher(derived)
	if err != nil {
		return nil, fmt.Errorf("session: derive key: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("session: derive key: %w", err)
	}
	return aead, nil
}

// bound is what a value belongs to.
func bound(held *Held, version int) []byte {
	return strconv.AppendInt([]byte(held.name+" "), int64(version), 10)
}
