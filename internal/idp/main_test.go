package idp

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/doorward/doorward/internal/idp/idptest"
	"github.com/doorward/doorward/internal/secret"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const redirectURI = "https://auth.example.com/callback"

// startOP returns a provider for one test.
func startOP(t *testing.T) *idptest.Provider {
	t.Helper()
	op := idptest.New()
	t.Cleanup(op.Close)
	return op
}

// rp returns a relying party of op. Its log is searched for secrets at the end.
func rp(t *testing.T, op *idptest.Provider, change ...func(*Config)) *Provider {
	t.Helper()
	log := &logBuffer{}
	conf := Config{
		Name:         "oidc",
		IssuerURL:    op.Issuer(),
		ClientID:     op.ClientID,
		ClientSecret: secret.Secret(op.ClientSecret),
		Discovery:    true,
		Log:          logTo(log),
	}
	for _, c := range change {
		c(&conf)
	}
	p, err := New(conf)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.client.CloseIdleConnections()
		assertNoSecrets(t, op, log.String())
	})
	return p
}

// assertNoSecrets is the test of LOG-2 that every login of this package runs.
func assertNoSecrets(t *testing.T, op *idptest.Provider, text string) {
	t.Helper()
	for _, s := range op.Secrets() {
		if strings.Contains(text, s) {
			t.Errorf("LOG-2: a secret of the login is in the log or in an error: %s", text)
			return
		}
	}
}

// newFlow returns a flow as the session package makes it.
func newFlow() Flow {
	return Flow{State: rand.Text(), Nonce: rand.Text(), Verifier: secret.Secret(rand.Text() + rand.Text())}
}

// callback sends the browser to the provider and reads the way back.
func callback(t *testing.T, op *idptest.Provider, p *Provider, f Flow) Callback {
	t.Helper()
	address, err := p.AuthURL(context.Background(), f, redirectURI, nil)
	if err != nil {
		t.Fatal(err)
	}
	back, err := op.SignIn(address)
	if err != nil {
		t.Fatal(err)
	}
	cb, err := ParseCallback(back.RawQuery)
	if err != nil {
		t.Fatal(err)
	}
	return cb
}

// signIn is a whole login.
func signIn(t *testing.T, op *idptest.Provider, p *Provider) (Login, error) {
	t.Helper()
	f := newFlow()
	login, err := p.Login(context.Background(), f, callback(t, op, p, f), redirectURI)
	if err != nil {
		assertNoSecrets(t, op, err.Error())
	}
	return login, err
}

// reason is the reason of an InvalidError; other errors are told by their kind.
func reason(err error) string {
	var invalid *InvalidError
	var rejected *RejectedError
	var unavailable *UnavailableError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &invalid):
		return invalid.Reason
	case errors.As(err, &rejected):
		return "rejected: " + rejected.Code
	case errors.As(err, &unavailable):
		return "unavailable: " + unavailable.Part
	default:
		return "untyped: " + err.Error()
	}
}

// logTo returns a logger that writes everything.
func logTo(b *logBuffer) *slog.Logger {
	return slog.New(slog.NewJSONHandler(b, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// logBuffer is a log that tests read while it is written.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
