package idp

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/secret"
)

const partAccount = "token endpoint of the service account"

// serviceAccount is an account of a program at Google, which asks in the name of
// an administrator (domain-wide delegation) or in its own.
type serviceAccount struct {
	file    *watched[accountKey]
	subject string // the administrator; "" for the account itself
	scope   string

	mu     sync.Mutex
	access secret.Secret
	end    time.Time
	change int // which content of the file access was had with
}

// accountKey is what a key file of Google holds.
type accountKey struct {
	privateKey
	email    string
	tokenURL string
}

func newServiceAccount(c *Config, scope string) *serviceAccount {
	log := c.withDefaults().Log
	return &serviceAccount{
		subject: c.ServiceAccountSubject, scope: scope,
		file: &watched[accountKey]{paths: []string{c.ServiceAccountFile}, log: log, parse: func(contents [][]byte) (accountKey, error) {
			return parseAccountKey(contents[0])
		}},
	}
}

// parseAccountKey reads the JSON file that Google gives out. The error repeats
// nothing of it.
func parseAccountKey(content []byte) (accountKey, error) {
	members, err := parseClaims(bytes.TrimSpace(content))
	if err != nil {
		return accountKey{}, errors.New("is no JSON object")
	}
	if members["type"] != "service_account" {
		return accountKey{}, errors.New("is no key of a service account")
	}
	var texts [4]string
	for i, name := range []string{"private_key", "private_key_id", "client_email", "token_uri"} {
		texts[i], _ = members[name].(string)
	}
	key, err := parsePrivateKey([]byte(texts[0]))
	if err != nil || strings.HasPrefix(strings.TrimSpace(texts[0]), "{") {
		return accountKey{}, errors.New("has no usable private_key")
	}
	if _, err := parseEndpoint(texts[3]); err != nil || texts[2] == "" {
		return accountKey{}, errors.New("lacks client_email or token_uri")
	}
	key.kid = texts[1]
	return accountKey{privateKey: key, email: texts[2], tokenURL: texts[3]}, nil
}

// token returns an access token, a new one shortly before the last one ends (RFC
// 7523 2.1).
func (a *serviceAccount) token(ctx context.Context, p *Provider) (secret.Secret, error) {
	key, change, err := a.file.get()
	if err != nil {
		return "", unavailable(partCredentials, err)
	}
	now := p.conf.Now()
	a.mu.Lock()
	access, fresh := a.access, a.change == change && now.Before(a.end.Add(-time.Minute))
	a.mu.Unlock()
	if fresh {
		return access, nil
	}
	about := map[string]any{
		"iss": key.email, "aud": key.tokenURL, "scope": a.scope, "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	}
	if a.subject != "" {
		about["sub"] = a.subject
	}
	assertion, err := key.sign(about)
	if err != nil {
		return "", err
	}
	tokens, err := p.grantAccount(ctx, key.tokenURL, assertion, now)
	if err != nil {
		return "", err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.access, a.end, a.change = tokens.Access, tokens.Expiry, change
	return tokens.Access, nil
}

// grantAccount exchanges the assertion of an account for an access token.
func (p *Provider) grantAccount(ctx context.Context, tokenURL string, assertion secret.Secret, asked time.Time) (auth.Tokens, error) {
	form := url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {assertion.Reveal()}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, tokenURL, strings.NewReader(form.Encode()))
	if err != nil {
		return auth.Tokens{}, errors.New("token_uri is no address")
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := do(p.client, req)
	if err != nil {
		return auth.Tokens{}, endpointError(partAccount, err)
	}
	members, err := resp.members("service account", partAccount)
	if err != nil {
		return auth.Tokens{}, err
	}
	return issued(members, asked)
}
