package session

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/fxamacker/cbor/v2"
	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/doorward/doorward/internal/secret"
)

// Flow is one login under way. It lives in a cookie of the browser that began
// it, and nowhere else.
type Flow struct {
	State    string // names the flow; goes to the provider and comes back
	Nonce    string // goes into the ID token
	Verifier secret.Secret
	Provider string // the name of the provider it was sent to
	Target   string // where to go afterwards; judged again when it is used
	Started  time.Time
}

// Flows begins and ends logins.
type Flows struct {
	Name     string // base name of the session cookie
	Insecure bool
	Now      func() time.Time
	sealer   *sealer
	used     *lru.Cache[[sha256.Size]byte, struct{}] // states of flows that were taken lately
}

// Bounds of the logins that one browser may have under way.
const (
	flowLifetime = 10 * time.Minute
	maxFlows     = 5
	maxFlowBytes = 4096
	maxUsedFlows = 8192 // remembered, in all browsers; a flow ends by itself after ten minutes
)

// NewFlows returns Flows whose cookies are sealed with keys.
func NewFlows(keys *Keyring, name string, insecure bool, now func() time.Time) (*Flows, error) {
	sealer, err := keys.sealer("flow")
	if err != nil {
		return nil, err
	}
	used, err := lru.New[[sha256.Size]byte, struct{}](maxUsedFlows)
	if err != nil {
		return nil, err
	}
	return &Flows{Name: name, Insecure: insecure, Now: now, sealer: sealer, used: used}, nil
}

// New makes a flow to provider that will end at target. Again marks one that
// replaces a lost flow; see Restarted.
func (f *Flows) New(provider, target string, again bool) Flow {
	try := firstTry
	if again {
		try = secondTry
	}
	return Flow{
		State:    rand.Text() + try,
		Nonce:    rand.Text(),
		Verifier: secret.Secret(rand.Text() + rand.Text()), // 52 characters, RFC 7636 section 4.1
		Provider: provider,
		Target:   target,
		Started:  f.Now(),
	}
}

// Begin sets the cookie of a new flow. When that is more than a browser should
// carry, it takes the oldest flows away.
func (f *Flows) Begin(w http.ResponseWriter, r *http.Request, flow Flow) {
	name := f.cookie(flow.State)
	value := f.seal(name, flow)
	f.makeRoom(w, r, len(name)+len(value))
	http.SetCookie(w, f.make(name, value, int(flowLifetime/time.Second)))
}

// A state ends with the number of the try, so that a callback whose cookie is
// gone is started again once and not for ever.
const (
	firstTry  = "-1"
	secondTry = "-2"
)

// Restarted reports whether the flow of state already replaced a lost one.
func Restarted(state string) bool { return strings.HasSuffix(state, secondTry) }

// Take returns the flow that state names, if this browser began it within the
// last ten minutes, and takes its cookie away. A flow is used once, also by a
// client that keeps the cookie.
func (f *Flows) Take(w http.ResponseWriter, r *http.Request, state string) (Flow, bool) {
	name := f.cookie(state)
	var flow Flow
	found, present := false, false
	for _, line := range r.Header["Cookie"] {
		for value := range values(line, name) {
			present = true
			if opened, ok := f.open(name, value); ok && !found {
				flow, found = opened, true
			}
		}
	}
	if present {
		http.SetCookie(w, f.make(name, "", -1))
	}
	if !found || !secret.Secret(flow.State).Equal(secret.Secret(state)) || f.expired(flow) {
		return Flow{}, false
	}
	if again, _ := f.used.ContainsOrAdd(sha256.Sum256([]byte(state)), struct{}{}); again {
		return Flow{}, false
	}
	return flow, true
}

func (f *Flows) expired(flow Flow) bool { return f.Now().Sub(flow.Started) > flowLifetime }

// makeRoom takes flows away, the oldest first, until one more of size bytes fits
// beside the rest. A flow that does not open is the first to go.
func (f *Flows) makeRoom(w http.ResponseWriter, r *http.Request, size int) {
	type live struct {
		name    string
		size    int
		started time.Time
	}
	var flows []live
	for _, c := range r.Cookies() {
		if !strings.HasPrefix(c.Name, f.prefix()) {
			continue
		}
		flow, _ := f.open(c.Name, c.Value)
		flows = append(flows, live{c.Name, len(c.Name) + len(c.Value), flow.Started})
		size += len(c.Name) + len(c.Value)
	}
	slices.SortFunc(flows, func(a, b live) int {
		return cmp.Or(a.started.Compare(b.started), cmp.Compare(a.name, b.name))
	})
	for i := 0; i < len(flows) && (len(flows)-i >= maxFlows || size > maxFlowBytes); i++ {
		http.SetCookie(w, f.make(flows[i].name, "", -1))
		size -= flows[i].size
	}
}

// prefix is what all flow cookies begin with. They belong to the login host
// alone, whatever the session cookie's domain is.
func (f *Flows) prefix() string { return cookiePrefix(f.Insecure, "") + f.Name + "_flow_" }

// cookie is the name of the cookie of the flow that state names. It tells
// nothing about state.
func (f *Flows) cookie(state string) string {
	sum := sha256.Sum256([]byte(state))
	return f.prefix() + encoding.EncodeToString(sum[:6])
}

func (f *Flows) make(name, value string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: maxAge,
		Secure: !f.Insecure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
}

// SealTarget returns target as a text that only OpenTarget reads, for the state
// parameter that a provider hands back after a sign-out.
func (f *Flows) SealTarget(target string) string {
	return f.sealer.seal([]byte(target), "sign-out")
}

// OpenTarget returns what SealTarget was given, and false for any other text.
func (f *Flows) OpenTarget(state string) (string, bool) {
	target, ok := f.sealer.open(state, "sign-out")
	return string(target), ok
}

// flowRecord is a Flow on the wire.
type flowRecord struct {
	State    string `cbor:"1,keyasint"`
	Nonce    string `cbor:"2,keyasint"`
	Verifier string `cbor:"3,keyasint"`
	Provider string `cbor:"4,keyasint"`
	Target   string `cbor:"5,keyasint"`
	Started  int64  `cbor:"6,keyasint"`           // Unix seconds
	Millis   uint16 `cbor:"7,keyasint,omitempty"` // beyond the second of Started
}

func (f *Flows) seal(name string, flow Flow) string {
	// Marshalling a struct of strings and numbers cannot fail.
	plaintext, _ := cbor.Marshal(flowRecord{
		flow.State, flow.Nonce, flow.Verifier.Reveal(), flow.Provider, flow.Target, flow.Started.Unix(),
		uint16(flow.Started.UnixMilli() - 1000*flow.Started.Unix()),
	})
	return f.sealer.seal(plaintext, name)
}

func (f *Flows) open(name, value string) (Flow, bool) {
	var record flowRecord
	plaintext, ok := f.sealer.open(value, name)
	if !ok || cbor.Unmarshal(plaintext, &record) != nil {
		return Flow{}, false
	}
	return Flow{
		State: record.State, Nonce: record.Nonce, Verifier: secret.Secret(record.Verifier),
		Provider: record.Provider, Target: record.Target, Started: time.UnixMilli(1000*record.Started + int64(record.Millis)),
	}, true
}
