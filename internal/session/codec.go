package session

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/gorilla/securecookie"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/secret"
)

// codec turns a Session into the value of a cookie and back. It is what
// gorilla/sessions calls a securecookie.Codec. The value is bound to the name of
// the cookie and to its scope, the cookie domain or the one host, so that a
// cookie of one never opens in another.
type codec struct {
	sealer *sealer
	scope  string
}

var _ securecookie.Codec = codec{}

// errNotOurs is why a value does not decode. Nobody is told more.
var errNotOurs = errors.New("session: the cookie is not one of ours")

var errNotSession = errors.New("session: decode into something else than a session")

// Encode implements securecookie.Codec for a Session.
func (c codec) Encode(name string, value any) (string, error) {
	s, ok := value.(Session)
	if !ok {
		return "", fmt.Errorf("session: encode %T", value)
	}
	plaintext, err := cbor.Marshal(newRecord(s))
	if err != nil {
		return "", fmt.Errorf("session: encode: %w", err)
	}
	return c.sealer.seal(plaintext, string(c.binding(nil, name))), nil
}

// Decode implements securecookie.Codec for a *Session that is the zero one. Where it
// fails the session is to be thrown away.
func (c codec) Decode(name, value string, dst any) error {
	s, ok := dst.(*Session)
	if !ok {
		return errNotSession // without dst, which would have to live on the heap
	}
	room := c.sealer.room()
	defer c.sealer.rooms.Put(room)
	plaintext, ok := c.sealer.openBehind(c.binding(room[:0], name), value)
	if !ok || decode(string(plaintext), s) != nil {
		return errNotOurs
	}
	return nil
}

// binding is what a value belongs to, behind what to has.
func (c codec) binding(to []byte, name string) []byte {
	return append(append(append(to, name...), ' '), c.scope...)
}

// decode reads what Encode wrote into a zero Session. Where it fails the session is
// to be thrown away.
func decode(plaintext string, s *Session) error {
	if s.read(plaintext) {
		return nil
	}
	var r record
	if err := decoding.Unmarshal([]byte(plaintext), &r); err != nil {
		return err
	}
	*s = r.session()
	return nil
}

// decoding reads nested claims as they were: maps with names, whole numbers as
// int64. The claims alone are nested one level less than in their record.
var decoding, decodingClaims = decodes(32), decodes(31)

func decodes(levels int) cbor.DecMode {
	mode, err := cbor.DecOptions{
		DefaultMapType: reflect.TypeFor[map[string]any](), IntDec: cbor.IntDecConvertSignedOrFail, MaxNestedLevels: levels,
	}.DecMode()
	if err != nil {
		panic(err) // the options are constants
	}
	return mode
}

// record is a Session on the wire: small numbers for keys, nothing for what is
// empty. A number is never used again for something else.
type record struct {
	ID                ID             `cbor:"1,keyasint"`
	Created           int64          `cbor:"2,keyasint"` // Unix seconds
	Expires           int64          `cbor:"3,keyasint"` // Unix seconds
	Provider          string         `cbor:"4,keyasint,omitempty"`
	Issuer            string         `cbor:"5,keyasint,omitempty"`
	Subject           string         `cbor:"6,keyasint"`
	User              string         `cbor:"7,keyasint,omitempty"` // when it differs from Subject
	Email             string         `cbor:"8,keyasint,omitempty"`
	PreferredUsername string         `cbor:"9,keyasint,omitempty"`
	Name              string         `cbor:"10,keyasint,omitempty"`
	Groups            []string       `cbor:"11,keyasint,omitempty"`
	AuthTime          int64          `cbor:"12,keyasint,omitempty"` // Unix seconds
	ProviderSession   string         `cbor:"13,keyasint,omitempty"`
	AccessToken       string         `cbor:"14,keyasint,omitempty"`
	IDToken           string         `cbor:"15,keyasint,omitempty"`
	ACR               string         `cbor:"16,keyasint,omitempty"`
	Claims            map[string]any `cbor:"17,keyasint,omitempty"`
	ClaimsAsked       []string       `cbor:"18,keyasint,omitempty"`
	GroupsUnknown     bool           `cbor:"19,keyasint,omitempty"`
	Renewed           int64          `cbor:"20,keyasint,omitempty"` // Unix seconds, when it differs from Created
	RefreshToken      string         `cbor:"21,keyasint,omitempty"`
	TokenExpiry       int64          `cbor:"22,keyasint,omitempty"` // Unix seconds
	IDTokenExpiry     int64          `cbor:"23,keyasint,omitempty"` // Unix seconds
	Version           int            `cbor:"24,keyasint,omitempty"`
	CreatedMillis     uint16         `cbor:"25,keyasint,omitempty"` // beyond the second of Created
}

func newRecord(s Session) record {
	r := record{
		ID: s.ID, Created: s.Created.Unix(), CreatedMillis: uint16(s.Created.UnixMilli() - 1000*s.Created.Unix()), Expires: s.Expires.Unix(),
		Provider: s.User.Provider, Issuer: s.User.Issuer, Subject: s.User.Subject,
		Email: s.User.Email, PreferredUsername: s.User.PreferredUsername, Name: s.User.Name,
		Groups: s.User.Groups, ProviderSession: s.ProviderSession,
		ACR: s.User.ACR, Claims: s.User.Claims,
		ClaimsAsked: s.User.ClaimsAsked, GroupsUnknown: s.User.GroupsUnknown,
		AccessToken: s.Tokens.Access.Reveal(), IDToken: s.Tokens.ID.Reveal(), RefreshToken: s.Tokens.Refresh.Reveal(),
		TokenExpiry: unix(s.Tokens.Expiry), IDTokenExpiry: unix(s.Tokens.IDExpiry), AuthTime: unix(s.User.AuthTime),
		Version: s.Version,
	}
	if renewed := s.Renewed.Unix(); !s.Renewed.IsZero() && renewed != r.Created {
		r.Renewed = renewed
	}
	if s.User.ID != s.User.Subject {
		r.User = s.User.ID
	}
	return r
}

// unix is a time in seconds, 0 for none.
func unix(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

// date is the time of unix.
func date(seconds int64) time.Time {
	if seconds == 0 {
		return time.Time{}
	}
	return time.Unix(seconds, 0)
}

func (r *record) session() Session {
	s := Session{
		ID: r.ID,
		User: auth.User{
			Provider: r.Provider, Issuer: r.Issuer, Subject: r.Subject, ID: cmp.Or(r.User, r.Subject),
			Email: r.Email, PreferredUsername: r.PreferredUsername, Name: r.Name,
			Groups: r.Groups, ACR: r.ACR, Claims: r.Claims,
			ClaimsAsked: r.ClaimsAsked, GroupsUnknown: r.GroupsUnknown, AuthTime: date(r.AuthTime),
		},
		Tokens: auth.Tokens{
			Access: secret.Secret(r.AccessToken), ID: secret.Secret(r.IDToken), Refresh: secret.Secret(r.RefreshToken),
			Expiry: date(r.TokenExpiry), IDExpiry: date(r.IDTokenExpiry),
		},
		ProviderSession: r.ProviderSession, Version: r.Version,
	}
	s.lasts(r.Created, int64(r.CreatedMillis), r.Expires, r.Renewed)
	return s
}

// lasts sets when a session began, when it ends, and when it was renewed.
func (s *Session) lasts(created, millis, expires, renewed int64) {
	s.Created = time.UnixMilli(1000*created + millis)
	s.Expires = time.Unix(expires, 0)
	s.Renewed = s.Created
	if renewed != 0 {
		s.Renewed = time.Unix(renewed, 0)
	}
}
