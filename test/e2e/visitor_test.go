package e2e

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/doorward/doorward/test/stack"
)

// sessionCookie is the session's name with a cookie domain, over TLS.
const sessionCookie = "__Secure-doorward"

// visitor is a client that is not a browser, for what browsers do not let one
// send or see.
type visitor struct {
	*stack.Visitor

	mu      sync.Mutex
	answers []answer
}

// answer is one answer that somebody got, redirects included.
type answer struct {
	method, url string
	status      int
	setCookie   []string
}

// visitor is somebody new at a stack.
func (h *house) visitor(s *stack.Stack) *visitor {
	v := &visitor{Visitor: stack.NewVisitor(s.CA)}
	v.Watch = func(req *http.Request, res *http.Response) {
		h.secret.address(req.URL.String())
		h.secret.address(res.Header.Get("Location"))
		h.secret.cookies(res.Header["Set-Cookie"]...)
		v.mu.Lock()
		defer v.mu.Unlock()
		v.answers = append(v.answers, answer{req.Method, req.URL.String(), res.StatusCode, res.Header["Set-Cookie"]})
	}
	return v
}

// signedIn is somebody new who has signed in and is at the address.
func (h *house) signedIn(t *testing.T, s *stack.Stack, email, address string) *visitor {
	t.Helper()
	v := h.visitor(s)
	v.arrive(t, s, v.atProvider(t, s, address), email, address)
	return v
}

// atProvider opens an address and is sent to the provider's sign-in page.
func (v *visitor) atProvider(t *testing.T, s *stack.Stack, address string) stack.Page {
	t.Helper()
	page, err := v.Open(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(page.URL.String(), s.Dex.Issuer()) || page.Status != http.StatusOK {
		t.Fatalf("%s ended at %s with %d, want the provider's sign-in page", address, page.URL.Redacted(), page.Status)
	}
	return page
}

// arrive signs in on the provider's page and expects to come back to an address.
func (v *visitor) arrive(t *testing.T, s *stack.Stack, page stack.Page, email, address string) {
	t.Helper()
	page, err := v.SignIn(t.Context(), page, email)
	if err != nil {
		t.Fatal(err)
	}
	if page.URL.String() != address || page.Status != http.StatusOK {
		t.Fatalf("ended at %s%s with %d, want %s", page.URL.Host, page.URL.Path, page.Status, address)
	}
}

// cookie is the last value that a cookie was given.
func (v *visitor) cookie(t *testing.T, name string) string {
	t.Helper()
	v.mu.Lock()
	defer v.mu.Unlock()
	value := ""
	for _, a := range v.answers {
		for _, line := range a.setCookie {
			if cookie, err := http.ParseSetCookie(line); err == nil && cookie.Name == name {
				value = cookie.Value
			}
		}
	}
	if value == "" {
		t.Fatalf("no cookie %s was ever set", name)
	}
	return value
}

// fetch asks as a script does.
func (v *visitor) fetch(t *testing.T, address string, header http.Header) stack.Page {
	t.Helper()
	page, err := v.Fetch(t.Context(), address, header)
	if err != nil {
		t.Fatal(err)
	}
	return page
}

// seen is the request as the app got it.
func seen(t *testing.T, page stack.Page) stack.Seen {
	t.Helper()
	var request stack.Seen
	if err := json.Unmarshal([]byte(page.Body), &request); err != nil {
		t.Fatalf("%s%s: status %d: %v", page.URL.Host, page.URL.Path, page.Status, err)
	}
	return request
}

// check asks Doorward itself, as nginx does, about a page of the app, over a
// connection of its own.
func check(t *testing.T, s *stack.Stack, session string) int {
	t.Helper()
	return direct(t, s, "/auth/nginx", http.Header{
		"X-Original-Url": {s.AppURL + "/"}, "X-Original-Method": {http.MethodGet},
		"Cookie": {sessionCookie + "=" + session}, "Accept": {"text/html"},
	}).Status
}

// direct asks Doorward without nginx, over a connection of its own.
func direct(t *testing.T, s *stack.Stack, path string, header http.Header) stack.Page {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	v := stack.NewVisitor(nil)
	page, err := v.Fetch(ctx, "http://"+s.Doorward.Listen+path, header)
	if err != nil {
		t.Fatal(err)
	}
	return page
}
