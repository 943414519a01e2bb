package session

import (
	"net/http"
	"strings"

	"github.com/fxamacker/cbor/v2"

	"github.com/doorward/doorward/internal/auth"
)

// place is what a user is shown of a session, sealed with the key ring alone: to
// list it nobody has its cookie.
type place struct {
	Created int64  `cbor:"1,keyasint"` // Unix seconds
	Expires int64  `cbor:"2,keyasint"` // Unix seconds
	Agent   string `cbor:"3,keyasint,omitempty"`
	Client  string `cbor:"4,keyasint,omitempty"`
	ID      string `cbor:"5,keyasint"`           // as the log has it
	Site    string `cbor:"6,keyasint,omitempty"` // host or cookie domain
	User    string `cbor:"7,keyasint,omitempty"` // the user claim
}

// maxAgent bounds what is kept of a User-Agent header, in bytes.
const maxAgent = 256

// place describes a new session.
func (r *RedisStore) place(req *http.Request, site auth.Site, s Session) string {
	agent := req.UserAgent()
	if len(agent) > maxAgent {
		agent = agent[:maxAgent]
	}
	plain, err := cbor.Marshal(place{
		Created: s.Created.Unix(), Expires: s.Expires.Unix(),
		Agent: strings.ToValidUTF8(agent, "?"), Client: s.Client,
		ID: s.ID.String(), Site: scope(site), User: s.User.ID,
	})
	if err != nil {
		return ""
	}
	return r.sealed.seal(plain, s.Held.name)
}

// placeOf opens what place sealed.
func (r *RedisStore) placeOf(name, sealed string) (place, bool) {
	var p place
	plain, ok := r.sealed.open(sealed, name)
	return p, ok && cbor.Unmarshal(plain, &p) == nil
}
