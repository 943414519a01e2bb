package bearer_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/bearer"
	"github.com/doorward/doorward/internal/secret"
)

func TestAsk(t *testing.T) {
	first, second, jwts := &issuer{}, &issuer{}, &issuer{}
	tokens := bearer.New(bearer.Config{
		Issuers: map[string]bearer.Verifier{"https://id.test": jwts},
		Others:  []bearer.Verifier{first, second},
		Render:  render, Now: time.Now,
	})
	for _, tt := range []struct {
		name  string
		token string
		want  string
		asked [3]int // first, second, jwts
	}{
		{"opaque", "good-ada", "ada", [3]int{1, 0, 0}},
		{"opaque and bad", "bad-x", "invalid", [3]int{1, 1, 0}},
		{"SES-4 opaque, and the issuer is down", "down-x", "cannot tell", [3]int{1, 1, 0}},
		{"BEAR-5 a user without a subject", "empty-x", "invalid", [3]int{1, 1, 0}},
		{"TOK-6 a panic", "panic-0123456789", "cannot tell", [3]int{1, 0, 0}},
		{"TOK-6 an index out of range", "index-0123456789", "cannot tell", [3]int{1, 0, 0}},
		{"JWT", jwt(`{"iss":"https://id.test"}`, "good-ada"), "ada", [3]int{0, 0, 1}},
		{"BEAR-1 a bad JWT is shown to nobody else", jwt(`{"iss":"https://id.test"}`, "bad-x"), "invalid", [3]int{0, 0, 1}},
		{"SES-4 JWT, and the keys are out of reach", jwt(`{"iss":"https://id.test"}`, "down-x"), "cannot tell", [3]int{0, 0, 1}},
		{"JWT of another issuer", jwt(`{"iss":"https://other.test"}`, "good-eve"), "eve", [3]int{1, 0, 0}},
		{"BEAR-1 the issuer with a slash is another one", jwt(`{"iss":"https://id.test/"}`, "good-eve"), "eve", [3]int{1, 0, 0}},
		{"TOK-4 ISS is not iss", jwt(`{"ISS":"https://id.test"}`, "good-eve"), "eve", [3]int{1, 0, 0}},
		{"JWT without an issuer", jwt(`{}`, "good-eve"), "eve", [3]int{1, 0, 0}},
		{"iss is a list", jwt(`{"iss":["https://id.test"]}`, "good-eve"), "eve", [3]int{1, 0, 0}},
		{"three parts and no JSON", jwt(`x`, "good-eve"), "eve", [3]int{1, 0, 0}},
		{"three parts and no base64", "a.!.good-eve", "invalid", [3]int{0, 0, 0}},
		{"four parts", jwt(`{"iss":"https://id.test"}`, "good-ada") + ".x", "invalid", [3]int{1, 1, 0}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := ask(t, tokens, tt.token); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			if asked := [3]int{first.times(tt.token), second.times(tt.token), jwts.times(tt.token)}; asked != tt.asked {
				t.Errorf("asked %v, want %v", asked, tt.asked)
			}
		})
	}
}

// One issuer that is down does not hide another that knows the token, nor the
// other way round.
func TestOneOfTwoIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down, up := &issuer{hold: make(chan struct{})}, &issuer{}
		for _, order := range [][]bearer.Verifier{{down, up}, {up, down}} {
			tokens := bearer.New(bearer.Config{Others: order, Render: render, Now: time.Now})
			begin := time.Now()
			if got := ask(t, tokens, "bad-x"); got != "cannot tell" {
				t.Errorf("SES-4: %s, and one of two issuers was not heard", got)
			}
			if got := ask(t, tokens, "good-ada"); got != "ada" {
				t.Errorf("SES-4: %s, and one of two issuers knows the token", got)
			}
			if took := time.Since(begin); took > 5*time.Second { // half of it for each, twice at most
				t.Errorf("SES-4: one of two issuers took %v", took)
			}
		}
	})
}

func TestNobodyIsConfigured(t *testing.T) {
	tokens := bearer.New(bearer.Config{Issuers: map[string]bearer.Verifier{"https://id.test": &issuer{}}, Render: render, Now: time.Now})
	for _, token := range []string{"good-ada", jwt(`{"iss":"https://other.test"}`, "good-ada"), jwt(`{"iss":""}`, "good-ada")} {
		if got := ask(t, tokens, token); got != "invalid" {
			t.Errorf("BEAR-1 %s: %s", token, got)
		}
	}
}

func TestAskWithoutBearer(t *testing.T) {
	tokens := opaque(&issuer{})
	for _, lines := range [][]string{nil, {"Basic YTpi"}} {
		if user, identity, found, err := tokens.Ask(t.Context(), auth.Request{Authorization: lines}); !user.Nobody() || identity.Headers != nil || found || err != nil {
			t.Errorf("BEAR-3 %v: %v, %v, %v, %v", lines, user, identity, found, err)
		}
	}
	if _, _, found, err := tokens.Ask(t.Context(), auth.Request{Authorization: []string{"Bearer a b"}}); !found || err == nil {
		t.Errorf("BEAR-3: %v, %v", found, err)
	}
}

func TestVerdictsAreRemembered(t *testing.T) {
	for _, tt := range []struct {
		name     string
		token    string
		lifetime time.Duration
		until    time.Duration // how long no one is asked again
	}{
		{"BEAR-4 good", "good-ada", time.Hour, 60 * time.Second},
		{"BEAR-4 good, and the end is not known", "good-ada", 0, 60 * time.Second},
		{"BEAR-4 no longer than the token", "good-ada", 20 * time.Second, 20 * time.Second},
		{"BEAR-4 bad", "bad-x", 0, 5 * time.Second},
		{"BEAR-4 a token within the skew", "good-ada", -time.Second, 0},
		{"BEAR-4 nobody could tell", "down-x", 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				i := &issuer{lifetime: tt.lifetime}
				tokens := opaque(i)
				want := ask(t, tokens, tt.token)
				if tt.until > 0 {
					time.Sleep(tt.until - time.Nanosecond) // of the bubble's clock
					if got := ask(t, tokens, tt.token); got != want || i.times("") != 1 {
						t.Errorf("%s and asked %d times before %v", got, i.times(""), tt.until)
					}
					time.Sleep(time.Nanosecond)
				}
				if got := ask(t, tokens, tt.token); got != want || i.times("") != 2 {
					t.Errorf("%s and asked %d times after %v", got, i.times(""), tt.until)
				}
			})
		})
	}
}

func TestJunkPushesOutNoGoodToken(t *testing.T) {
	i := &issuer{}
	tokens := opaque(i)
	ask(t, tokens, "good-ada")
	for n := range 10_000 {
		if got := ask(t, tokens, fmt.Sprintf("bad-%d", n)); got != "invalid" {
			t.Fatal(got)
		}
	}
	if got := ask(t, tokens, "good-ada"); got != "ada" || i.times("good-ada") != 1 {
		t.Errorf("BEAR-4: %s, asked %d times", got, i.times("good-ada"))
	}
	if ask(t, tokens, "bad-0"); i.times("bad-0") != 2 {
		t.Error("LIM-2: every one of 10,000 bad tokens is remembered")
	}
	for n := range 5000 {
		ask(t, tokens, fmt.Sprintf("good-%d", n))
	}
	if ask(t, tokens, "good-ada"); i.times("good-ada") != 2 {
		t.Error("LIM-2: every one of 5,000 good tokens is remembered")
	}
}

// A token may become good: its verdict of before is not in the way for longer
// than it holds, and not the other way round.
func TestVerdictChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		word := "bad"
		tokens := bearer.New(bearer.Config{Others: []bearer.Verifier{verifierFunc(func() (auth.User, error) {
			if word == "bad" {
				return auth.User{}, auth.ErrInvalidToken
			}
			return auth.User{Subject: "ada", ID: "ada"}, nil
		})}, Render: render, Now: time.Now})
		for _, want := range []string{"bad", "good", "bad", "good"} {
			word = want
			time.Sleep(time.Minute)
			if got := ask(t, tokens, "x"); (got == "ada") != (want == "good") {
				t.Errorf("BEAR-4: %s, and the token is %s", got, want)
			}
		}
	})
}

type verifierFunc func() (auth.User, error)

func (f verifierFunc) Verify(context.Context, secret.Secret) (auth.User, time.Time, error) {
	user, err := f()
	return user, time.Time{}, err
}

func TestOneVerificationForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{hold: make(chan struct{})}
		tokens := opaque(i)
		left, leave := context.WithCancel(t.Context())
		var group sync.WaitGroup
		group.Go(func() {
			if got := askAs(left, t, tokens, "good-ada"); got != "cannot tell" {
				t.Errorf("who left got %s", got)
			}
		})
		synctest.Wait()
		for range 99 {
			group.Go(func() {
				if got := ask(t, tokens, "good-ada"); got != "ada" {
					t.Errorf("CON-2: %s", got)
				}
			})
		}
		synctest.Wait()
		leave()
		synctest.Wait()
		close(i.hold)
		group.Wait()
		if n := i.times("good-ada"); n != 1 {
			t.Errorf("CON-2: %d verifications for 100 requests", n)
		}
	})
}

// Who comes at the very end of a verification does not begin another one.
func TestOneVerificationInTheRush(t *testing.T) {
	i := &issuer{}
	tokens := opaque(i)
	const rounds = 500
	var list []string
	for n := range rounds { // each takes a while to look at, before it is verified
		list = append(list, jwt(`{"x":"`+strings.Repeat("x", 8<<10)+`"}`, fmt.Sprintf("good-%d", n)))
	}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for _, token := range list {
				ask(t, tokens, token)
			}
		})
	}
	group.Wait()
	if n := i.times(""); n != rounds {
		t.Errorf("CON-2: %d verifications of %d tokens", n, rounds)
	}
}

func TestSlowIssuer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow, quick := &issuer{hold: make(chan struct{})}, &issuer{}
		tokens := bearer.New(bearer.Config{
			Issuers: map[string]bearer.Verifier{"https://id.test": quick},
			Others:  []bearer.Verifier{slow}, Render: render, Now: time.Now,
		})
		begin := time.Now()
		var group sync.WaitGroup
		for n := range 3000 {
			group.Go(func() {
				if got := ask(t, tokens, fmt.Sprintf("good-%d", n)); got != "cannot tell" {
					t.Errorf("SES-4: %s", got)
				}
			})
		}
		synctest.Wait()
		if n := slow.times(""); n != 1024 {
			t.Errorf("LIM-2: %d verifications at once", n)
		}
		if got := ask(t, tokens, jwt(`{"iss":"https://id.test"}`, "good-ada")); got != "ada" {
			t.Errorf("LIM-2: another issuer's token while one is slow: %s", got)
		}
		group.Wait()
		if took := time.Since(begin); took != 5*time.Second {
			t.Errorf("SES-4: an issuer that does not answer holds a check up for %v", took)
		}
		close(slow.hold)
		if got := ask(t, tokens, "good-1"); got != "1" {
			t.Errorf("SES-4: afterwards %s", got)
		}
	})
}

func TestUsersAreNeverSwapped(t *testing.T) {
	i := &issuer{}
	tokens := opaque(i)
	var group sync.WaitGroup
	for n := range 200 {
		name := fmt.Sprintf("user%d", n)
		group.Go(func() {
			for range 50 {
				if got := ask(t, tokens, "good-"+name); got != name {
					t.Errorf("CON-1: %s is taken for %s", name, got)
				}
			}
		})
	}
	group.Wait()
}
