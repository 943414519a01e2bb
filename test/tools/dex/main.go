// Command dex is the Dex server with what the demo and the tests need and no
// more: memory storage, static clients, static users and connectors. Dex's own command links
// SQLite and so a C compiler, which a machine with Go alone does not have.
//
// Its module is separate so that what Dex depends on never mixes with ours.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/dexidp/dex/server"
	"github.com/dexidp/dex/storage"
	"github.com/dexidp/dex/storage/memory"
	"golang.org/x/crypto/bcrypt"
)

// Config is the file named by the only argument.
type Config struct {
	Issuer string `json:"issuer"`
	Listen string `json:"listen"` // host:port

	Clients    []Client    `json:"clients"`
	Users      []User      `json:"users"`
	Connectors []Connector `json:"connectors"` // besides the users' passwords

	// IssuedFile receives every code and token that is handed out, one a line, so
	// that a test can look for them where they must not be.
	IssuedFile string `json:"issued_file"`
}

// Client is a relying party.
type Client struct {
	ID           string   `json:"id"`
	Secret       string   `json:"secret"`
	RedirectURIs []string `json:"redirect_uris"`
}

// User is somebody who can sign in. Dex calls every address verified.
type User struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Email    string `json:"email"`
	Password string `json:"password"`
}

// Connector is a way to sign in, as Dex's own configuration has it.
type Connector struct {
	ID     string          `json:"id"`
	Type   string          `json:"type"`
	Name   string          `json:"name"`
	Config json.RawMessage `json:"config"`
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: dex CONFIG.json")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "dex:", err)
		os.Exit(1)
	}
}

func run(path string) error {
	config, err := load(path)
	if err != nil {
		return err
	}
	logger := slog.New(slog.NewTextHandler(os.Stderr, nil))
	store, err := config.storage(logger)
	if err != nil {
		return err
	}
	refresh, err := server.NewRefreshTokenPolicy(logger, true, "", "", "")
	if err != nil {
		return fmt.Errorf("refresh token policy: %w", err)
	}
	dex, err := server.NewServer(context.Background(), server.Config{
		Issuer:             config.Issuer,
		Storage:            store,
		SkipApprovalScreen: true,
		RefreshTokenPolicy: refresh,
		Logger:             logger,
	})
	if err != nil {
		return err
	}
	handler, err := recordIssued(config.IssuedFile, dex)
	if err != nil {
		return err
	}
	listener := &http.Server{Addr: config.Listen, Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	return listener.ListenAndServe()
}

func load(path string) (Config, error) {
	file, err := os.Open(path)
	if err != nil {
		return Config{}, err
	}
	defer file.Close()
	decoder := json.NewDecoder(file)
	decoder.DisallowUnknownFields()
	var config Config
	if err := decoder.Decode(&config); err != nil {
		return Config{}, fmt.Errorf("%s: %w", path, err)
	}
	return config, nil
}

// storage holds the configured clients and users; everything else that Dex
// remembers ends with the process.
func (c Config) storage(logger *slog.Logger) (storage.Storage, error) {
	var clients []storage.Client
	for _, client := range c.Clients {
		clients = append(clients, storage.Client{
			ID:           client.ID,
			Name:         client.ID,
			Secret:       client.Secret,
			RedirectURIs: client.RedirectURIs,
		})
	}
	var passwords []storage.Password
	for _, user := range c.Users {
		hash, err := bcrypt.GenerateFromPassword([]byte(user.Password), bcrypt.DefaultCost)
		if err != nil {
			return nil, fmt.Errorf("hash the password of %s: %w", user.Email, err)
		}
		passwords = append(passwords, storage.Password{
			Email:    user.Email,
			Hash:     hash,
			Username: user.Name,
			UserID:   user.ID,
		})
	}
	store := storage.WithStaticClients(memory.New(logger), clients)
	store = storage.WithStaticPasswords(store, passwords, logger)
	connectors := []storage.Connector{{ID: server.LocalConnector, Name: "Email", Type: server.LocalConnector}}
	for _, c := range c.Connectors {
		connectors = append(connectors, storage.Connector{ID: c.ID, Name: c.Name, Type: c.Type, Config: c.Config})
	}
	return storage.WithStaticConnectors(store, connectors), nil
}
