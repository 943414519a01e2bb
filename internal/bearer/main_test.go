package bearer_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/bearer"
	"github.com/doorward/doorward/internal/secret"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// issuer vouches for tokens of the form "good-NAME" or, as JWTs, for those whose
// subject has it. It cannot tell about "down-", panics at "panic-", and names
// nobody for "empty-".
type issuer struct {
	lifetime time.Duration // of a token; 0: not known
	hold     chan struct{} // while it is open, no verdict; nil: no waiting

	mu    sync.Mutex
	asked map[string]int // by token
}

var errDown = errors.New("the issuer is down")

func (i *issuer) Verify(ctx context.Context, token secret.Secret) (auth.User, time.Time, error) {
	i.mu.Lock()
	if i.asked == nil {
		i.asked = map[string]int{}
	}
	i.asked[token.Reveal()]++
	i.mu.Unlock()
	if i.hold != nil {
		select {
		case <-i.hold:
		case <-ctx.Done():
		}
	}
	if err := ctx.Err(); err != nil {
		return auth.User{}, time.Time{}, err
	}
	name := token.Reveal()
	if parts := strings.Split(name, "."); len(parts) == 3 {
		name = parts[2]
	}
	kind, subject, _ := strings.Cut(name, "-")
	switch kind {
	case "good":
		var expiry time.Time
		if i.lifetime != 0 {
			expiry = time.Now().Add(i.lifetime)
		}
		return auth.User{Subject: subject, ID: subject}, expiry, nil
	case "empty":
		return auth.User{}, time.Time{}, nil
	case "down":
		return auth.User{}, time.Time{}, errDown
	case "panic":
		panic(token.Reveal())
	case "index":
		_ = make([]int, 0)[len(kind)]
	}
	return auth.User{}, time.Time{}, fmt.Errorf("a test says: %w", auth.ErrInvalidToken)
}

// times is how often it was asked about a token, or about any for "".
func (i *issuer) times(token string) int {
	i.mu.Lock()
	defer i.mu.Unlock()
	if token != "" {
		return i.asked[token]
	}
	sum := 0
	for _, n := range i.asked {
		sum += n
	}
	return sum
}

// jwt has the form of a JWT of an issuer; its signature is for the issuers above.
func jwt(claims, signature string) string {
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"ES256"}`)) + "." + encode([]byte(claims)) + "." + signature
}

// render writes the user and the length of the token into one header.
func render(user auth.User, tokens auth.Tokens) auth.Identity {
	return auth.Identity{Headers: []auth.Header{{Name: "X-User", Value: []string{user.ID + " " + tokens.Access.Reveal()}}}}
}

// opaque returns tokens that one issuer is asked about.
func opaque(i *issuer) *bearer.Tokens {
	return bearer.New(bearer.Config{Others: []bearer.Verifier{i}, Render: render, Now: time.Now})
}

// ask is Ask with a bearer token; the answer is the user's name, or what is wrong.
func ask(t testing.TB, tokens *bearer.Tokens, token string) string {
	return askAs(t.Context(), t, tokens, token)
}

func askAs(ctx context.Context, t testing.TB, tokens *bearer.Tokens, token string) string {
	t.Helper()
	user, identity, found, err := tokens.Ask(ctx, auth.Request{Authorization: []string{"Bearer " + token}})
	if !found {
		t.Errorf("BEAR-3 %s: not found", token)
	}
	if err != nil {
		if !user.Nobody() || identity.Headers != nil {
			t.Errorf("AUTHZ-1 %s: a user beside %v", token, err)
		}
		if strings.Contains(err.Error(), token) {
			t.Errorf("LOG-2: the token is in the error %v", err)
		}
		if errors.Is(err, auth.ErrInvalidToken) {
			return "invalid"
		}
		return "cannot tell"
	}
	if want := user.ID + " " + token; identity.Headers[0].Value[0] != want {
		t.Errorf("CON-1: the identity of %s is %v", want, identity)
	}
	return user.ID
}
