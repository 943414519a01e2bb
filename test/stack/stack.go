package stack

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
)

// Config says which parts to start and where.
type Config struct {
	Dir     string // for files and logs; it must exist
	Binary  string // Doorward, see BuildDoorward
	Gateway Gateway

	Domain string // the app is app.Domain, Doorward is auth.Domain
	TLS    bool   // between the browser and the gateway
	Port   int    // the gateway's, preferred when it is free; 0 takes any
	DexAt  int    // Dex's port, likewise

	// Env changes or adds variables of Doorward; an empty value takes one away.
	Env map[string]string
}

// Stack is everything running: browser → gateway → (Doorward, App), Doorward → Dex.
type Stack struct {
	AppURL  string // origins, as a browser writes them
	AuthURL string
	CA      *CA // nil without TLS

	App      *App
	Dex      *Dex
	Doorward *Doorward
	Front    *Front
}

// New lays out a stack without starting any of it, so that a test can change a
// part first.
func New(c Config) (*Stack, error) {
	addresses, err := FreeAddresses(c.Port, c.DexAt, 0, 0, 0, 0)
	if err != nil {
		return nil, err
	}
	front, dexAt, appAt := addresses[0], addresses[1], addresses[2]
	doorwardAt, adminAt, grpcAt := addresses[3], addresses[4], addresses[5]
	_, port, err := net.SplitHostPort(front)
	if err != nil {
		return nil, err
	}
	scheme := "http"
	if c.TLS {
		scheme = "https"
	}
	s := &Stack{}
	s.AppURL = scheme + "://app." + c.Domain + ":" + port
	s.AuthURL = scheme + "://auth." + c.Domain + ":" + port
	s.App = &App{AuthURL: s.AuthURL, AppURL: s.AppURL}
	s.Dex = NewDex(c.Dir, dexAt, s.AuthURL+"/callback")
	s.Doorward = &Doorward{Binary: c.Binary, Dir: c.Dir, Listen: doorwardAt, AdminListen: adminAt, Env: s.env(c)}
	if c.Gateway == EnvoyGRPC {
		s.Doorward.Env["DOORWARD_GRPC_LISTEN"] = grpcAt
	}
	s.Front = &Front{
		Dir: c.Dir, Gateway: c.Gateway, Listen: front,
		AppHost: "app." + c.Domain, AuthHost: "auth." + c.Domain, AuthURL: s.AuthURL,
		App: appAt, Doorward: doorwardAt, DoorwardGRPC: grpcAt,
	}
	if c.TLS {
		return s, s.certify(c.Dir)
	}
	return s, nil
}

// env is Doorward's configuration: people of example.com may pass.
func (s *Stack) env(c Config) map[string]string {
	env := map[string]string{
		"DOORWARD_PUBLIC_URL":            s.AuthURL,
		"DOORWARD_COOKIE_DOMAINS":        c.Domain,
		"DOORWARD_COOKIE_SECRET":         CookieSecret(),
		"DOORWARD_OIDC_ISSUER_URL":       s.Dex.Issuer(),
		"DOORWARD_OIDC_CLIENT_ID":        ClientID,
		"DOORWARD_OIDC_CLIENT_SECRET":    s.Dex.ClientSecret,
		"DOORWARD_ALLOWED_EMAIL_DOMAINS": "example.com",
		"DOORWARD_SHUTDOWN_DELAY":        "0s",
	}
	if !c.TLS {
		env["DOORWARD_COOKIE_INSECURE"] = "true"
	}
	maps.Copy(env, c.Env)
	maps.DeleteFunc(env, func(_, value string) bool { return value == "" })
	return env
}

func (s *Stack) certify(dir string) error {
	ca, err := NewCA(dir)
	if err != nil {
		return err
	}
	s.CA = ca
	s.Front.CertFile, s.Front.KeyFile, err = ca.Issue(s.Front.AppHost, s.Front.AuthHost)
	return err
}

// Start starts all parts and waits for each. After an error nothing runs.
func (s *Stack) Start(ctx context.Context) error {
	err := s.App.Start(s.Front.App)
	for _, start := range []func(context.Context) error{s.Dex.Start, s.Doorward.Start, s.Front.Start} {
		if err == nil {
			err = start(ctx)
		}
	}
	if err != nil {
		return errors.Join(err, s.Stop())
	}
	return nil
}

// Stop stops all parts, those that never started included.
func (s *Stack) Stop() error {
	return errors.Join(s.Front.Stop(), s.Doorward.Stop(), s.Dex.Stop(), s.App.Stop())
}

// Logs are the logs of everything that ran, by file name: the output of every
// program, and nginx's access log.
func (s *Stack) Logs() (map[string]string, error) {
	files, err := filepath.Glob(filepath.Join(s.Front.Dir, "*.log"))
	if err != nil {
		return nil, err
	}
	logs := make(map[string]string)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("stack: read logs: %w", err)
		}
		logs[filepath.Base(file)] = string(text)
	}
	return logs, nil
}
