package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"sync"
)

// recorder notes what Dex issues while it passes the answers on unchanged.
type recorder struct {
	next http.Handler

	mu   sync.Mutex
	file *os.File
}

// recordIssued wraps next; without a path it returns next as it is.
func recordIssued(path string, next http.Handler) (http.Handler, error) {
	if path == "" {
		return next, nil
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("record of issued tokens: %w", err)
	}
	return &recorder{next: next, file: file}, nil
}

func (r *recorder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	answer := &copied{ResponseWriter: w}
	r.next.ServeHTTP(answer, req)
	r.note(codeIn(w.Header().Get("Location"))...)
	r.note(tokensIn(answer.body.Bytes())...)
}

func (r *recorder) note(secrets ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, secret := range secrets {
		fmt.Fprintln(r.file, secret)
	}
}

// codeIn is the authorization code of a redirect back to a client.
func codeIn(location string) []string {
	target, err := url.Parse(location)
	if err != nil || target.Query().Get("code") == "" {
		return nil
	}
	return []string{target.Query().Get("code")}
}

// tokensIn are the tokens of a token endpoint's answer (RFC 6749 section 5.1).
func tokensIn(body []byte) []string {
	var answer map[string]any
	if json.Unmarshal(body, &answer) != nil {
		return nil
	}
	var tokens []string
	for _, name := range []string{"access_token", "id_token", "refresh_token"} {
		if token, ok := answer[name].(string); ok && token != "" {
			tokens = append(tokens, token)
		}
	}
	return tokens
}

// copied keeps a copy of a body while it is written.
type copied struct {
	http.ResponseWriter
	body bytes.Buffer
}

func (c *copied) Write(p []byte) (int, error) {
	c.body.Write(p)
	return c.ResponseWriter.Write(p)
}
