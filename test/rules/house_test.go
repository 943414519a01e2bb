package rules

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/idp/idptest"
	"github.com/doorward/doorward/internal/policy/policytest"
	"github.com/doorward/doorward/test/stack"
)

// patience is how long anything may take before the run gives up on it.
const patience = 90 * time.Second

// house is Doorward, and a gateway and an app when there are any.
type house struct {
	t        *testing.T
	dir      string
	provider *idptest.Provider
	doorward *stack.Doorward
	front    *stack.Front
	logFile  string
	endpoint string
}

// newHouse lays out Doorward and its provider, with the file for the rules.
func newHouse(t *testing.T, binary, ruleFile string) *house {
	t.Helper()
	h := &house{t: t, provider: idptest.New()}
	t.Cleanup(h.provider.Close)
	var err error
	if h.dir, err = os.MkdirTemp("", "rules-"); err != nil { // the name of a test is not for every configuration
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(h.dir) })
	addresses, err := stack.FreeAddresses(0, 0, 0, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	h.logFile = filepath.Join(h.dir, "doorward.log")
	h.front = &stack.Front{
		Dir: h.dir, Listen: addresses[0], AppHost: "app.example.com", AuthHost: "auth.example.com",
		App: addresses[1], Doorward: addresses[2], DoorwardGRPC: addresses[4],
	}
	h.front.AuthURL = "http://auth.example.com" + h.front.Listen[strings.LastIndexByte(h.front.Listen, ':'):]
	h.doorward = &stack.Doorward{Binary: binary, Dir: h.dir, Listen: addresses[2], AdminListen: addresses[3], Env: map[string]string{
		"DOORWARD_PUBLIC_URL":         h.front.AuthURL,
		"DOORWARD_COOKIE_DOMAINS":     "example.com",
		"DOORWARD_COOKIE_INSECURE":    "true",
		"DOORWARD_COOKIE_SECRET":      stack.CookieSecret(),
		"DOORWARD_OIDC_ISSUER_URL":    h.provider.Issuer(),
		"DOORWARD_OIDC_CLIENT_ID":     h.provider.ClientID,
		"DOORWARD_OIDC_CLIENT_SECRET": h.provider.ClientSecret,
		"DOORWARD_CONFIG_FILE":        ruleFile,
		"DOORWARD_GRPC_LISTEN":        addresses[4],
		"DOORWARD_REASON_HEADER":      "true",
		"DOORWARD_TRUSTED_PROXIES":    "127.0.0.1/32", // the rest of loopback are clients
		"DOORWARD_SHUTDOWN_DELAY":     "0s",
	}}
	return h
}

// start starts Doorward.
func (h *house) start() {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), patience)
	defer cancel()
	h.t.Cleanup(func() { _ = h.doorward.Stop() })
	if err := h.doorward.Start(ctx); err != nil {
		h.t.Fatal(err)
	}
}

// open starts Doorward, the app and a gateway that serves every host.
func open(t *testing.T, binary string, gateway stack.Gateway, hosts [2]string) *house {
	t.Helper()
	file, err := filepath.Abs(ruleFile)
	if err != nil {
		t.Fatal(err)
	}
	h := newHouse(t, binary, file)
	h.front.Gateway, h.front.Replace = gateway, [][2]string{hosts}
	app := &stack.App{AuthURL: h.front.AuthURL}
	if err := app.Start(h.front.App); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = app.Stop() })
	h.start()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	t.Cleanup(func() { _ = h.front.Stop() })
	if err := h.front.Start(ctx); err != nil {
		t.Fatal(err)
	}
	return h
}

// answer is what a client got.
type answer struct {
	status  int
	header  http.Header
	reached bool   // the app
	user    string // that the app was told
}

// ask sends a request byte for byte from an address.
func (h *house) ask(t *testing.T, from, method, host, target string, header ...string) answer {
	t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: patience}
	conn, err := dialer.DialContext(t.Context(), "tcp", h.front.Listen)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	lines := append([]string{method + " " + target + " HTTP/1.1", "Host: " + host, "Connection: close", "Content-Length: 0"}, header...)
	if _, err := io.WriteString(conn, strings.Join(lines, "\r\n")+"\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%s %s%s: %v", method, host, target, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	got := answer{status: res.StatusCode, header: res.Header, reached: res.Header.Get("X-App") != ""}
	if got.reached && len(body) > 0 {
		var seen stack.Seen
		if err := json.Unmarshal(body, &seen); err != nil {
			t.Fatalf("%v: %s", err, body)
		}
		got.user = strings.Join(seen.Headers["X-Auth-Request-User"], "|")
	}
	return got
}

// signInAll signs every user of the table in through the gateway and returns
// their Cookie headers.
func (h *house) signInAll(table *policytest.Table) map[string]string {
	cookies := map[string]string{}
	for name, user := range table.Users {
		h.provider.Set(func(b *idptest.Behaviour) {
			b.User = user.Claims
			b.Claims = func(claims map[string]any) {
				claims["auth_time"] = time.Now().Add(-user.Age).Unix()
				if user.NoTime {
					delete(claims, "auth_time")
				}
			}
		})
		cookies[name] = h.signIn(name)
	}
	return cookies
}

func (h *house) signIn(name string) string {
	h.t.Helper()
	person := []string{"Accept: text/html", "Sec-Fetch-Mode: navigate"}
	host := strings.TrimPrefix(h.front.AuthURL, "http://")
	began := h.ask(h.t, "127.0.0.2", "GET", host, "/start?rd=/", person...)
	back, err := h.provider.SignIn(began.header.Get("Location"))
	if err != nil {
		h.t.Fatalf("%s: %d: %v", name, began.status, err)
	}
	ended := h.ask(h.t, "127.0.0.2", "GET", host, back.RequestURI(), append(person, "Cookie: "+cookies(began))...)
	if ended.status != http.StatusFound {
		h.t.Fatalf("%s: the login ended with %d\n%s", name, ended.status, h.log())
	}
	for _, cookie := range (&http.Response{Header: ended.header}).Cookies() {
		if cookie.Name == "doorward" {
			return cookie.Name + "=" + cookie.Value
		}
	}
	h.t.Fatalf("%s has no session: %v", name, ended.header)
	return ""
}

// cookies is a Cookie header of what an answer set.
func cookies(a answer) string {
	var all []string
	for _, cookie := range (&http.Response{Header: a.header}).Cookies() {
		all = append(all, cookie.Name+"="+cookie.Value)
	}
	return strings.Join(all, "; ")
}

// admin is what a path of the admin listener says.
func (h *house) admin(t *testing.T, path string) (int, string) {
	t.Helper()
	address := url.URL{Scheme: "http", Host: h.doorward.AdminListen, Path: path}
	res, err := http.Get(address.String())
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

var checksLine = regexp.MustCompile(`(?m)^doorward_checks_total(\{.*\}) (\d+)$`)

// counts are the checks so far, by their labels.
func (h *house) counts(t *testing.T) map[string]string {
	t.Helper()
	_, text := h.admin(t, "/metrics")
	counts := map[string]string{}
	for _, line := range checksLine.FindAllStringSubmatch(text, -1) {
		counts[line[1]] = line[2]
	}
	return counts
}

// difference are the labels whose counts differ.
func difference(before, after map[string]string) string {
	var labels []string
	for _, label := range slices.Sorted(maps.Keys(after)) {
		if after[label] != before[label] {
			labels = append(labels, label)
		}
	}
	return strings.Join(labels, " ")
}

// until waits for a condition, which says what is in its way.
func (h *house) until(t *testing.T, what string, missing func() string) {
	t.Helper()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(10 * time.Second); ; <-ticker.C {
		last := missing()
		if last == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s; there is %s", what, fmt.Sprintf("%.2000s", last))
		}
	}
}
