// Command demo runs Doorward as in real life: Dex is the provider, nginx or another
// program the gateway, and a small app stands behind it. It installs what is missing, says
// what to open, and stops everything on Ctrl-C. With -check it signs in by itself
// and ends with status 0 when every step went as it should.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/doorward/doorward/test/stack"
)

func main() {
	check := flag.Bool("check", false, "sign in by itself, print each step and exit")
	binary := flag.String("doorward", "", "run this binary instead of building one")
	gateway := flag.String("gateway", "nginx", "nginx, traefik, caddy, envoy or haproxy")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *binary, *gateway, *check)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, binary, gateway string, check bool) error {
	configuration, known := gateways()[gateway]
	if !known {
		return fmt.Errorf("no gateway %q: nginx, traefik, caddy, envoy or haproxy", gateway)
	}
	if err := install(ctx, gateway); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "doorward-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if binary == "" {
		fmt.Println("building Doorward …")
		if binary, err = stack.BuildDoorward(ctx, dir, false); err != nil {
			return err
		}
	} else if binary, err = filepath.Abs(binary); err != nil {
		return err
	}
	parts, err := stack.New(stack.Config{
		Dir:     dir,
		Binary:  binary,
		Gateway: configuration,
		Domain:  "doorward.localhost",
		Port:    8080,
		DexAt:   5556,
	})
	if err != nil {
		return err
	}
	fmt.Println("starting Dex, Doorward,", gateway, "and the app …")
	starting, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := parts.Start(starting); err != nil {
		return err
	}
	if check {
		err = signInAlone(ctx, parts)
	} else {
		err = showAndWait(ctx, parts)
	}
	return errors.Join(err, parts.Stop())
}

// gateways are the configurations of deploy/ by the names of their programs.
func gateways() map[string]stack.Gateway {
	return map[string]stack.Gateway{
		"nginx":   stack.PlainNginx,
		"traefik": stack.Traefik,
		"caddy":   stack.Caddy,
		"envoy":   stack.EnvoyHTTP,
		"haproxy": stack.HAProxy,
	}
}

// install runs test/tools, which says what it does.
func install(ctx context.Context, gateway string) error {
	root, err := stack.Root()
	if err != nil {
		return err
	}
	tools := exec.CommandContext(ctx, "go", "run", "./tools", "demo-"+gateway)
	tools.Dir = filepath.Join(root, "test")
	tools.Stdout, tools.Stderr = os.Stdout, os.Stderr
	return tools.Run()
}

func showAndWait(ctx context.Context, parts *stack.Stack) error {
	fmt.Printf(`
  Open       %s/
  Sign in    %s   password: %s     may enter
             %s   password: %s     may enter
             %s   password: %s     may not: another domain

  Doorward   %s/
  Dex        %s
  Logs       %s

  Browsers find *.localhost on this machine by themselves. Ctrl-C stops everything.

`,
		parts.AppURL,
		stack.Ada, stack.Password, stack.Bob, stack.Password, stack.Eve, stack.Password,
		parts.AuthURL, parts.Dex.Issuer(), filepath.Join(parts.Doorward.Dir, "*.log"))
	select {
	case <-ctx.Done():
		fmt.Println("\nstopping …")
		return nil
	case <-parts.Doorward.Process().Done():
		return fmt.Errorf("doorward ended by itself:\n%s", parts.Doorward.Process().Log())
	}
}
