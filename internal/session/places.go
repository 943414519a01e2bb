package session

import (
	"net/http"
	"strings"
	"time"

	"github.com/fxamacker/cbor/v2"
)

// place is what a user is shown of a session, sealed with the key ring alone: to
// list it nobody has its cookie.
type place struct {
	Created int64  `cbor:"1,keyasint"` // Unix seconds
	Expires int64  `cbor:"2,keyasint"` // Unix seconds
	Agent   string `cbor:"3,keyasint,omitempty"`
	Client  string `cbor:"4,keyasint,omitempty"`
}

// maxAgent bounds what is kept of a User-Agent header, in bytes.
const maxAgent = 256

// place describes a new session.
func (r *RedisStore) place(req *http.Request, s Session) string {
	agent := req.UserAgent()
	if len(agent) > maxAgent {
		agent = agent[:maxAgent]
	}
	plain, err := cbor.Marshal(place{
		Created: s.Created.Unix(), Expires: s.Expires.Unix(),
		Agent: strings.ToValidUTF8(agent, "?"), Client: s.Client,
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
	return p, ok && cbor.Unmarshal(plain, &p) == nil && time.Unix(p.Expires, 0).After(r.Now())
}
