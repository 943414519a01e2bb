package main

import (
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"time"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/bearer"
	"github.com/doorward/doorward/internal/config"
	"github.com/doorward/doorward/internal/idp"
)

// keeper is a verifier that can be told which claims its users are to carry.
type keeper interface {
	bearer.Verifier
	Keep(paths []string)
}

// clients are the API clients of one configuration. What the next one has
// unchanged it takes over: a reload forgets neither what was discovered and found
// out about tokens, nor that a key matches its hash.
type clients struct {
	tokens    *bearer.Tokens // nil: the Authorization header means nothing
	keys      *bearer.Keyring
	files     map[string]digest // of keys, and what they held
	verifiers []entry

	// What tokens, apart from keys, are made of besides the verifiers.
	claims  []string
	headers []config.Header
}

// entry is one of `tokens:`, and who verifies such tokens.
type entry struct {
	keeper
	token config.Token // without its line
	ca    digest
}

// newClients makes the clients of a configuration. claims are those that rules and
// headers look at. Tokens of a login provider's own issuer share its keys. Nothing
// changes for those of before, which may be nil, until keep.
func newClients(cfg *config.Config, before *clients, providers idp.Providers, claims []string, render bearer.Render, log *slog.Logger) (*clients, error) {
	c := &clients{claims: claims, headers: cfg.Headers}
	if len(cfg.Tokens) == 0 {
		return c, nil
	}
	if before == nil {
		before = &clients{}
	}
	if err := c.verify(cfg, before, providers, log); err != nil {
		return nil, err
	}
	keys, err := c.readKeys(cfg)
	if err != nil {
		return nil, err
	}
	if len(c.files) > 0 {
		c.keys = bearer.NewKeyring(keys, before.keys, time.Now)
	}
	if before.tokens != nil && c.verifiesAs(before) {
		c.tokens = before.tokens.WithKeys(c.keys)
		return c, nil
	}
	conf := bearer.Config{Issuers: map[string]bearer.Verifier{}, Keys: c.keys, Render: render, Now: time.Now}
	for _, v := range c.verifiers {
		if v.token.IssuerURL != "" {
			conf.Issuers[v.token.IssuerURL] = v
		} else {
			conf.Others = append(conf.Others, v)
		}
	}
	c.tokens = bearer.New(conf)
	return c, nil
}

// verify takes the verifiers over that are unchanged, and makes the others.
func (c *clients) verify(cfg *config.Config, before *clients, providers idp.Providers, log *slog.Logger) error {
	for _, t := range cfg.Tokens {
		if t.KeysFile != "" {
			continue
		}
		v := entry{token: t, ca: digestOf(t.CAFile)}
		v.token.Line = 0
		same := func(old entry) bool { return old.ca == v.ca && reflect.DeepEqual(old.token, v.token) }
		if i := slices.IndexFunc(before.verifiers, same); i >= 0 {
			c.verifiers = append(c.verifiers, before.verifiers[i])
			continue
		}
		made, err := newVerifier(t, providers, log)
		if err != nil {
			return fmt.Errorf("%s:%d: tokens: %w", cfg.File, t.Line, err)
		}
		v.keeper = made
		c.verifiers = append(c.verifiers, v)
	}
	return nil
}

// verifiesAs reports whether every verdict of before, and the headers that it
// became, are what c would come to.
func (c *clients) verifiesAs(before *clients) bool {
	return slices.EqualFunc(c.verifiers, before.verifiers, func(a, b entry) bool { return a.keeper == b.keeper }) &&
		slices.Equal(c.claims, before.claims) && slices.Equal(c.headers, before.headers)
}

// keep tells the verifiers which claims are looked at from now on.
func (c *clients) keep() {
	for _, v := range c.verifiers {
		v.Keep(slices.Clone(c.claims))
	}
}

func newVerifier(t config.Token, providers idp.Providers, log *slog.Logger) (keeper, error) {
	if t.IssuerURL == "" {
		return idp.NewIntrospection(idp.IntrospectionConfig{
			IntrospectionURL: t.IntrospectionURL, ClientID: t.ClientID, ClientSecret: t.ClientSecret,
			Audiences: t.Audiences, UserClaim: t.UserClaim, EmailClaim: t.EmailClaim, GroupsClaims: t.GroupsClaims,
			CAFile: t.CAFile, Log: log,
		})
	}
	conf := idp.AccessTokenConfig{
		IssuerURL: t.IssuerURL, Audiences: t.Audiences, LegacyIDTokens: t.LegacyIDTokens,
		UserClaim: t.UserClaim, EmailClaim: t.EmailClaim, GroupsClaims: t.GroupsClaims, CAFile: t.CAFile, Log: log,
	}
	for _, provider := range providers {
		if t.IssuerURL == provider.Issuer() {
			conf.Provider, conf.Keys = provider.Name(), provider.Keys()
			break
		}
	}
	return idp.NewAccessTokens(conf)
}

// keyIssuer is the issuer of users whom an API key names. It is no address, and so
// nobody else's.
const keyIssuer = "doorward:api-keys"

// readKeys reads the files of API keys. The error lists every mistake of all.
func (c *clients) readKeys(cfg *config.Config) ([]bearer.APIKey, error) {
	var keys []bearer.APIKey
	var mistakes []error
	found := map[string]string{} // the file that has a key, by id
	c.files = map[string]digest{}
	for _, t := range cfg.Tokens {
		if _, again := c.files[t.KeysFile]; t.KeysFile == "" || again {
			continue
		}
		c.files[t.KeysFile] = digestOf(t.KeysFile) // before it is read: what is written meanwhile is a change
		read, err := config.ReadKeys(t.KeysFile)
		mistakes = append(mistakes, err)
		for _, k := range read {
			hash, err := checkKey(t.KeysFile, k)
			if other := found[k.ID]; err == nil && other != "" {
				err = fmt.Errorf("%s:%d: key %q: its id is that of a key in %s", t.KeysFile, k.Line, k.Owner, other)
			}
			mistakes, found[k.ID] = append(mistakes, err), t.KeysFile
			keys = append(keys, bearer.APIKey{User: owner(k, c.claims), Hosts: k.Hosts, Expires: k.Expires, Hash: hash})
		}
	}
	if err := errors.Join(mistakes...); err != nil {
		return nil, err
	}
	return keys, nil
}

// checkKey looks at what the reader of the file does not know about.
func checkKey(file string, k config.APIKey) (bearer.Hash, error) {
	if !bearer.ValidKeyID(k.ID) {
		return bearer.Hash{}, fmt.Errorf("%s:%d: key %q: its id is none that `doorward key new` makes", file, k.Line, k.Owner)
	}
	hash, err := bearer.ParseHash(k.Hash)
	if err != nil {
		return hash, fmt.Errorf("%s:%d:%d: key %q: `hash` %w", file, k.HashLine, k.HashColumn, k.Owner, err)
	}
	return hash, nil
}

// owner is whom a key names. Nobody else is asked about them, so a claim that they
// do not have is known not to be there.
func owner(k config.APIKey, claims []string) auth.User {
	return auth.User{
		Issuer: keyIssuer, Subject: k.ID, ID: k.Owner,
		Email: k.Email, Groups: k.Groups, ClaimsAsked: slices.Clone(claims),
	}
}
