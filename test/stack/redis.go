package stack

import (
	"context"
	"fmt"
	"net"
	"os/exec"
)

// Redis is a single Redis without a password, which writes nothing to disk.
type Redis struct {
	Dir    string
	Listen string // host:port

	process *Process
}

// URL is what DOORWARD_REDIS_URL takes.
func (r *Redis) URL() string { return "redis://" + r.Listen }

// Start starts Redis and waits until it takes connections.
func (r *Redis) Start(ctx context.Context) error {
	binary, err := exec.LookPath("redis-server")
	if err != nil {
		return fmt.Errorf("stack: redis-server is missing; run in test/: go run ./tools: %w", err)
	}
	host, port, err := net.SplitHostPort(r.Listen)
	if err != nil {
		return fmt.Errorf("stack: redis: %w", err)
	}
	r.process, err = Start(Command{
		Name: "redis", Dir: r.Dir, Path: binary,
		Args: []string{"--bind", host, "--port", port, "--save", "", "--appendonly", "no", "--dir", r.Dir},
	})
	if err != nil {
		return err
	}
	return r.process.Await(ctx, accepts(r.Listen))
}

// Stop stops Redis.
func (r *Redis) Stop() error {
	if r.process == nil {
		return nil
	}
	return r.process.Stop()
}
