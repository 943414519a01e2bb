package stack

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"os/exec"
	"path/filepath"
)

// BuildDoorward builds the product into dir and returns the path of the binary.
func BuildDoorward(ctx context.Context, dir string, race bool) (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	binary := filepath.Join(dir, "doorward")
	args := []string{"build", "-o", binary}
	if race {
		args = append(args, "-race")
	}
	build := exec.CommandContext(ctx, "go", append(args, "./cmd/doorward")...)
	build.Dir = root
	if output, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("stack: build doorward: %w\n%s", err, output)
	}
	return binary, nil
}

// CookieSecret is a new value for DOORWARD_COOKIE_SECRET.
func CookieSecret() string {
	var key [32]byte
	_, _ = rand.Read(key[:]) // never fails
	return base64.StdEncoding.EncodeToString(key[:])
}

// Doorward is the product. Change Env between Stop and Start to restart it with
// another configuration.
type Doorward struct {
	Binary      string
	Dir         string
	Listen      string // host:port, or unix:/path
	AdminListen string // host:port
	Env         map[string]string

	process *Process
}

// Start starts Doorward and waits until it is ready to decide, which takes the
// provider.
func (d *Doorward) Start(ctx context.Context) error { return d.StartUntil(ctx, "/readyz") }

// StartUntil starts Doorward and waits until the path of its admin listener
// answers 200: "/healthz" when the provider is down on purpose.
func (d *Doorward) StartUntil(ctx context.Context, path string) error {
	env := map[string]string{"DOORWARD_LISTEN": d.Listen, "DOORWARD_ADMIN_LISTEN": d.AdminListen}
	for name, value := range d.Env {
		env[name] = value
	}
	process, err := Start(Command{Name: "doorward", Dir: d.Dir, Path: d.Binary, Args: []string{"serve"}, Env: env})
	if err != nil {
		return err
	}
	d.process = process
	return process.Await(ctx, answers("http://"+d.AdminListen+path))
}

// Process is what Start started last, nil before.
func (d *Doorward) Process() *Process { return d.process }

// Stop stops Doorward as an orchestrator would.
func (d *Doorward) Stop() error {
	if d.process == nil {
		return nil
	}
	return d.process.Stop()
}

// Kill ends Doorward as a crash would; Start brings it back.
func (d *Doorward) Kill() { d.process.Kill() }
