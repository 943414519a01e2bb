package stack

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
)

// Root is the directory of the repository, found upwards from the working
// directory.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "deploy", "nginx", "doorward.conf")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("stack: the working directory is not inside the repository")
		}
		dir = parent
	}
}

// Tool is the path of a program that `go run ./tools` built.
func Tool(name string) (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	path := filepath.Join(root, ".tools", "bin", name)
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("stack: %s is missing; run: cd %s && go run ./tools", name, filepath.Join(root, "test"))
	}
	return path, nil
}

// FreeAddresses are loopback addresses, host:port, that nobody listens on, one
// for each preferred port. A port that is taken is replaced by a free one; 0
// prefers none.
func FreeAddresses(preferred ...int) ([]string, error) {
	var addresses []string
	for _, port := range preferred {
		listener, err := listenAt(port)
		if err != nil {
			return nil, fmt.Errorf("stack: find a free port: %w", err)
		}
		defer listener.Close() // at the end, so that no two are the same
		addresses = append(addresses, listener.Addr().String())
	}
	return addresses, nil
}

// listenAt listens at a port, or at one below those that the kernel hands out to
// clients: it may be a minute until the program listens that it is meant for.
func listenAt(port int) (listener net.Listener, err error) {
	for range 100 {
		if port == 0 {
			port = 12000 + rand.IntN(20000)
		}
		if listener, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			return listener, nil
		}
		port = 0
	}
	return nil, err
}

// answers returns a condition for Await: the address answers a GET with 200.
func answers(url string) func(context.Context) error {
	return func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		if res.StatusCode != http.StatusOK {
			return fmt.Errorf("%s answers %s", url, res.Status)
		}
		return nil
	}
}

// accepts returns a condition for Await: the address takes connections.
func accepts(address string) func(context.Context) error {
	return func(ctx context.Context) error {
		var dialer net.Dialer
		conn, err := dialer.DialContext(ctx, "tcp", address)
		if err != nil {
			return err
		}
		return conn.Close()
	}
}
