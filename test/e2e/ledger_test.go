package e2e

import (
	"encoding/json"
	"fmt"
	"github.com/doorward/doorward/test/stack"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// ledger is every value of the run that nobody may write down, with what it is.
type ledger struct {
	mu    sync.Mutex
	kinds map[string]string // by value
}

func newLedger() *ledger { return &ledger{kinds: map[string]string{}} }

// add takes a value, and leaves out what is too short to be secret and would be
// found by chance.
func (l *ledger) add(kind, value string) {
	if len(value) < 10 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, known := l.kinds[value]; !known {
		l.kinds[value] = kind
	}
}

// address takes what is secret in the query of an address.
func (l *ledger) address(raw string) {
	address, err := url.Parse(raw)
	if err != nil {
		return
	}
	for _, name := range []string{"code", "state", "nonce", "code_challenge", "id_token_hint"} {
		for _, value := range address.Query()[name] {
			l.add(name+" of an address", value)
		}
	}
}

// cookies takes the values of Set-Cookie lines.
func (l *ledger) cookies(lines ...string) {
	for _, line := range lines {
		if cookie, err := http.ParseSetCookie(line); err == nil {
			l.add("cookie "+cookie.Name, cookie.Value)
		}
	}
}

// count is how many values of a kind are known.
func (l *ledger) count(kind string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, k := range l.kinds {
		if strings.HasPrefix(k, kind) {
			n++
		}
	}
	return n
}

// leaks names what stands in a log and in which line, without repeating it.
func (l *ledger) leaks(log string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []string
	for value, kind := range l.kinds {
		for _, form := range forms(value) {
			if at := strings.Index(log, form); at >= 0 {
				found = append(found, fmt.Sprintf("line %d: %s", 1+strings.Count(log[:at], "\n"), kind))
				break
			}
		}
	}
	slices.Sort(found)
	return found
}

// forms are what to look for: a long value may have been cut anywhere, and any
// may have been escaped.
func forms(value string) []string {
	const enough = 16
	var all []string
	for from := 0; ; from += enough {
		part := value[max(0, min(from, len(value)-enough)):min(from+enough, len(value))]
		all = append(all, part, url.QueryEscape(part))
		if from+enough >= len(value) {
			return all
		}
	}
}

// wholeSessions names the lines whose session is more than the eight bytes that
// may be written down. What a whole one looks like is known to Doorward alone.
func wholeSessions(log string) []string {
	var found []string
	number := 0
	for line := range strings.Lines(log) {
		number++
		var entry struct {
			Session any `json:"session"`
		}
		if json.Unmarshal([]byte(line), &entry) != nil || entry.Session == nil {
			continue
		}
		if id, ok := entry.Session.(string); !ok || len(id) != 16 {
			found = append(found, fmt.Sprintf("line %d: a whole session id", number))
		}
	}
	return found
}

// TestLedger: what is in a log is found, cut and escaped, and not repeated.
func TestLedger(t *testing.T) {
	l := newLedger()
	const token = "eyJhbGciOiJSUzI1NiIsImtpZCI6IjEifQ.eyJzdWIiOiIxIn0.c2lnbmF0dXJlLWFuZC1tb3JlLW9mLWl0"
	l.add("token", token)
	l.address("https://auth.test/callback?code=mtjxglqhkj3t&state=PLX%2BQEJOLB2UEA-1")
	l.cookies("__Secure-doorward=AXyz012345678901234567890123456789; Path=/", "gone=; Max-Age=0")
	for _, tt := range []struct {
		name, log string
		want      []string
	}{
		{"nothing", "a\nb state=ok\n", nil},
		{"whole", "a\nb " + token + "\n", []string{"line 2: token"}},
		{"its beginning", "cut " + token[:40] + "…", []string{"line 1: token"}},
		{"its middle", "cut …" + token[3:67] + "…", []string{"line 1: token"}},
		{"its end", "cut …" + token[40:], []string{"line 1: token"}},
		{"code and state", `"GET /callback?code=mtjxglqhkj3t&state=PLX%2BQEJOLB2UEA-1"`, []string{"line 1: code of an address", "line 1: state of an address"}},
		{"state as it is", "PLX+QEJOLB2UEA-1", []string{"line 1: state of an address"}},
		{"session", `{"msg":"in","session":"8b5e4457d2145d9e"}`, nil},
		{"whole session", `{"msg":"in","session":"8b5e4457d2145d9e30cc4f97dd3fc38f"}`, []string{"line 1: a whole session id"}},
		{"whole session, in numbers", "{}\n" + `{"session":[139,94,68]}`, []string{"line 2: a whole session id"}},
		{"cookie", "Cookie: __Secure-doorward=AXyz012345678901234567890123456789", []string{"line 1: cookie __Secure-doorward"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := append(l.leaks(tt.log), wholeSessions(tt.log)...); !slices.Equal(got, tt.want) {
				t.Errorf("found %q, want %q", got, tt.want)
			}
		})
	}
}

// checkLogs looks for everything secret in what Doorward and nginx wrote. Access
// logs of nginx are the operator's own: they hold whole addresses.
func (h *house) checkLogs(t *testing.T) {
	t.Helper()
	if len(h.stacks) == 0 {
		return // -run asked for no part
	}
	for _, s := range h.stacks {
		issued, err := s.Dex.Issued()
		if err != nil {
			t.Error(err)
		}
		for _, value := range issued {
			h.secret.add("code or token of Dex", value)
		}
	}
	for _, kind := range []string{"client secret", "cookie secret", "code or token of Dex", "code of an address",
		"state of an address", "nonce of an address", "cookie __Secure-doorward", "cookie __Host-doorward_flow_"} {
		n := h.secret.count(kind)
		t.Logf("%4d × %s", n, kind)
		if n == 0 {
			t.Errorf("no %s was recorded, so none was looked for", kind)
		}
	}
	for _, s := range h.stacks {
		names := []string{"doorward.log"}
		if s.Front.Gateway == stack.PlainNginx || s.Front.Gateway == stack.IngressNginx {
			names = append(names, "nginx.log") // errors only; others log whole addresses, as they are told to
		}
		for _, name := range names {
			file := filepath.Join(s.Front.Dir, name)
			log, err := os.ReadFile(file)
			if err != nil || len(log) == 0 {
				t.Errorf("%s: %d bytes, %v", file, len(log), err)
			}
			for _, leak := range append(h.secret.leaks(string(log)), wholeSessions(string(log))...) {
				t.Errorf("%s/%s, %s", filepath.Base(s.Front.Dir), name, leak)
			}
		}
	}
}
