package stack

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"os"
)

// Keycloak is Keycloak itself, with its database in memory: it forgets everything
// when it stops. It takes long to start, so a run starts one and gives each test
// a realm.
type Keycloak struct {
	Dir    string
	Listen string // host:port

	password string // of the administrator
	process  *Process
}

// Start starts Keycloak and waits until it answers.
func (k *Keycloak) Start(ctx context.Context) error {
	program, err := Tool("kc.sh")
	if err != nil {
		return err
	}
	host, port, err := net.SplitHostPort(k.Listen)
	if err != nil {
		return fmt.Errorf("stack: keycloak: %w", err)
	}
	k.password = rand.Text()
	k.process, err = Start(Command{
		Name: "keycloak", Dir: k.Dir, Path: program,
		Args: []string{
			"start", "--optimized", "--http-enabled=true", "--http-host=" + host, "--http-port=" + port,
			// Whoever asks inside is told addresses inside, also where a realm has a
			// frontend: what clusters set.
			"--hostname=" + k.URL(), "--hostname-backchannel-dynamic=true", "--proxy-headers=xforwarded",
		},
		Env: map[string]string{
			"KC_BOOTSTRAP_ADMIN_USERNAME": "admin",
			"KC_BOOTSTRAP_ADMIN_PASSWORD": k.password,
			"JAVA_HOME":                   os.Getenv("JAVA_HOME"),
			// It runs for minutes: code that would be faster later is not worth the wait.
			"JAVA_OPTS_APPEND": "-XX:TieredStopAtLevel=1",
		},
	})
	if err != nil {
		return err
	}
	return k.process.Await(ctx, answers(k.Issuer("master")+"/.well-known/openid-configuration"))
}

// URL is the origin that it listens on.
func (k *Keycloak) URL() string { return "http://" + k.Listen }

// Issuer is what tokens of a realm carry as `iss` when it has no Frontend.
func (k *Keycloak) Issuer(realm string) string { return k.URL() + "/realms/" + realm }

// Process is what Start started last, nil before.
func (k *Keycloak) Process() *Process { return k.process }

// Stop stops Keycloak.
func (k *Keycloak) Stop() error {
	if k.process == nil {
		return nil
	}
	return k.process.Stop()
}
