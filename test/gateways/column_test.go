package gateways

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/test/stack"
)

// patience is how long anything may take before the run gives up on it.
const patience = 90 * time.Second

// column is a gateway of the matrix with everything behind it running.
type column struct {
	name    string // the constants of rows_test.go
	gateway stack.Gateway
	replace [][2]string    // beyond the addresses
	version []string       // the command that prints it
	number  *regexp.Regexp // the version in what it prints

	printed string // the version
	parts   *stack.Stack
	checks  *relay // in front of what the gateway asks
	ada     string // the Cookie header of somebody who may enter
	eve     string // and of somebody who may not

	cookies int // the most Set-Cookie lines that any answer of a check had
}

// columns are all gateways, in the order of the matrix.
func columns() []*column {
	some := versionNumber()
	return []*column{
		{name: "nginx", gateway: stack.PlainNginx, version: []string{"nginx", "-v"}, number: some},
		{name: "ingress-nginx", gateway: stack.IngressNginx, version: []string{"nginx", "-v"}, number: some},
		{name: "Traefik, ingress-nginx provider", gateway: stack.TraefikIngress, version: []string{"traefik", "version"}, number: some},
		{name: "Traefik", gateway: stack.Traefik, version: []string{"traefik", "version"}, number: some},
		{name: "Caddy", gateway: stack.Caddy, version: []string{"caddy", "version"}, number: some},
		{name: "Envoy, HTTP", gateway: stack.EnvoyHTTP, version: []string{"envoy", "--version"}, number: some},
		{name: "Envoy, gRPC", gateway: stack.EnvoyGRPC, version: []string{"envoy", "--version"}, number: some},
		{name: "HAProxy", gateway: stack.HAProxy, version: []string{"haproxy", "-v"}, number: some},
	}
}

func versionNumber() *regexp.Regexp { return regexp.MustCompile(`\d+\.\d+\.\d+`) }

// start starts everything and signs both people in.
func (c *column) start(t *testing.T, binary string) {
	t.Helper()
	c.printed = c.readVersion(t)
	c.layOut(t, binary)
	front := c.parts.Front
	if c.gateway == stack.EnvoyGRPC {
		c.checks = newRelay(t, front.DoorwardGRPC)
		front.DoorwardGRPC = c.checks.address
	} else {
		c.checks = newRelay(t, front.Doorward)
		front.Doorward = c.checks.address
	}
	if c.gateway == stack.IngressNginx {
		// The very annotations that Traefik's provider gets.
		front.Replace = [][2]string{{"127.0.0.1:4180/auth/nginx", c.checks.address + "/auth"}}
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := c.parts.Start(ctx); err != nil {
		t.Fatal(err)
	}
	c.ada, c.eve = c.signIn(t, stack.Ada), c.signIn(t, stack.Eve)
}

// publicAndPeople are the rules behind every gateway.
const publicAndPeople = `
rules:
  - name: public
    paths: [/public]
    public: true
  - name: people
    allow:
      email_domains: [example.com]
tokens: # of an issuer that nobody reaches
  - issuer_url: http://127.0.0.1:1
    audiences: [api]
`

// layOut makes the parts, which stop with the test.
func (c *column) layOut(t *testing.T, binary string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "gateway-") // the name of a test is not for every configuration
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	rules := filepath.Join(dir, "rules.yaml")
	if err := os.WriteFile(rules, []byte(publicAndPeople), 0o600); err != nil {
		t.Fatal(err)
	}
	c.parts, err = stack.New(stack.Config{
		Dir: dir, Binary: binary, Gateway: c.gateway, Domain: "example.com", TLS: true,
		Env: map[string]string{
			"DOORWARD_LOG_LEVEL": "debug", "DOORWARD_CONFIG_FILE": rules, "DOORWARD_ALLOWED_EMAIL_DOMAINS": "",
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	c.parts.Front.Replace = c.replace
	t.Cleanup(func() {
		if err := c.parts.Stop(); err != nil {
			t.Error(err)
		}
	})
}

func (c *column) readVersion(t *testing.T) string {
	t.Helper()
	binary, err := stack.Tool(c.version[0])
	if err != nil { // not one of ours: Debian's
		if binary, err = exec.LookPath(c.version[0]); err != nil {
			binary = "/usr/sbin/" + c.version[0]
		}
	}
	output, err := exec.CommandContext(t.Context(), binary, c.version[1:]...).CombinedOutput()
	number := c.number.FindString(string(output))
	if err != nil || number == "" {
		t.Fatalf("%s: %v: %s", c.name, err, output)
	}
	return number
}

// signIn returns the session cookie of somebody who went through the login.
func (c *column) signIn(t *testing.T, email string) string {
	t.Helper()
	cookie := ""
	visitor := stack.NewVisitor(c.parts.CA)
	visitor.Watch = func(_ *http.Request, res *http.Response) {
		for _, set := range res.Cookies() {
			if set.Name == "__Secure-doorward" {
				cookie = set.Name + "=" + set.Value
			}
		}
	}
	page, err := visitor.Open(t.Context(), c.parts.AppURL+"/")
	if err == nil {
		page, err = visitor.SignIn(t.Context(), page, email)
	}
	if err != nil || cookie == "" {
		t.Fatalf("%s: %s could not sign in: %v; ended at %s with %d\n%s\n%s", c.name, email, err, page.URL, page.Status,
			c.parts.Doorward.Process().Log(), c.parts.Front.Process().Log())
	}
	return cookie
}

// ask is a request of a browser or of something that is none.
type ask struct {
	method string // GET
	target string // /x
	host   string // the app's, with its port
	header []string
	body   string
}

// The two ways in which a browser asks. Both take JSON from the app, which then
// says what it saw.
func navigation(more ...string) []string {
	return append([]string{"Accept: text/html,application/json;q=0.5", "Sec-Fetch-Mode: navigate"}, more...)
}

func fetch(more ...string) []string {
	return append([]string{"Accept: application/json", "Sec-Fetch-Mode: cors"}, more...)
}

// answer is what came back. Seen is set when the app was reached.
type answer struct {
	*http.Response
	body string
	seen *stack.Seen
}

// send writes a request as it is and reads the answer to it.
func (c *column) send(t *testing.T, a ask) answer {
	t.Helper()
	conn, err := tls.Dial("tcp", c.parts.Front.Listen, &tls.Config{ServerName: c.parts.Front.AppHost, RootCAs: c.parts.CA.Pool})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, c.write(a)); err != nil {
		t.Fatal(err)
	}
	method := a.method
	if method == "" {
		method = http.MethodGet
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%s %s: %v", method, a.target, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	c.cookies = max(c.cookies, len(res.Header["Set-Cookie"]))
	got := answer{Response: res, body: string(body)}
	var seen stack.Seen
	if json.Unmarshal(body, &seen) == nil && seen.URI != "" {
		got.seen = &seen
	}
	return got
}

func (c *column) write(a ask) string {
	if a.method == "" {
		a.method = http.MethodGet
	}
	if a.target == "" {
		a.target = "/x"
	}
	if a.host == "" {
		a.host = c.host()
	}
	text := a.method + " " + a.target + " HTTP/1.1\r\nHost: " + a.host + "\r\nConnection: close\r\n"
	for _, line := range a.header {
		text += line + "\r\n"
	}
	if a.body != "" || a.method == http.MethodPost {
		text += fmt.Sprintf("Content-Length: %d\r\n", len(a.body))
	}
	return text + "\r\n" + a.body
}

// host is the app's with its port, as a browser writes it.
func (c *column) host() string {
	_, port, _ := net.SplitHostPort(c.parts.Front.Listen)
	return c.parts.Front.AppHost + ":" + port
}

// signInFor returns the address to come back to, when the answer leads to the
// sign-in, and "" otherwise.
func (c *column) signInFor(a answer) string {
	location, err := url.Parse(a.Header.Get("Location"))
	if err != nil || !strings.HasPrefix(location.String(), c.parts.AuthURL+"/start?") {
		return ""
	}
	return location.Query().Get("rd")
}
