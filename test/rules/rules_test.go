// Package rules asks Doorward behind real gateways about every case of the table
// that the unit tests of the rules judge.
package rules

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/policy/policytest"
	"github.com/doorward/doorward/test/stack"
)

const (
	caseFile = "cases.txt"
	ruleFile = "rules.yaml"

	shadowRule = `"shadow_rule":"lockdown"` // it denies everything

	// enough is how many cases a gateway has to be asked about: most of the table.
	enough = 200
)

func TestCasesBehindGateways(t *testing.T) {
	table, err := policytest.Read(caseFile)
	if err != nil {
		t.Fatal(err)
	}
	binary, err := stack.BuildDoorward(t.Context(), t.TempDir(), true)
	if err != nil {
		t.Fatal(err)
	}
	for _, gateway := range []struct {
		name     string // of the test
		skipped  string // in the table
		endpoint string // in the metrics
		config   stack.Gateway
		hosts    [2]string // what it serves as shipped, and every host
	}{
		{"nginx", "nginx", "nginx", stack.PlainNginx, [2]string{"server_name app.example.com;", "server_name ~.;"}},
		{"envoy over HTTP", "envoy", "envoy", stack.EnvoyHTTP, [2]string{"domains: [app.example.com]", `domains: ["*"]`}},
		{"envoy over gRPC", "grpc", "grpc", stack.EnvoyGRPC, [2]string{"domains: [app.example.com]", `domains: ["*"]`}},
	} {
		t.Run(gateway.name, func(t *testing.T) {
			h := open(t, binary, gateway.config, gateway.hosts)
			h.endpoint = gateway.endpoint
			cookies := h.signInAll(table)
			before := strings.Count(h.log(), shadowRule)
			asked, shadowed := 0, 0
			for _, c := range table.Cases {
				skip := table.Skipped(c, gateway.skipped)
				switch {
				case skip == nil:
					asked++
					if c.Answer != "403" {
						shadowed++
					}
					t.Run(c.Group+"/"+c.String(), func(t *testing.T) { h.judged(t, c, cookies[c.User]) })
				case skip.Answered():
					t.Run(c.Group+"/"+c.String(), func(t *testing.T) { h.refused(t, c, cookies[c.User]) })
				}
			}
			if asked < enough {
				t.Errorf("only %d of %d cases were asked", asked, len(table.Cases))
			}
			if got := strings.Count(h.log(), shadowRule) - before; got != shadowed {
				t.Errorf("the shadow rule would have changed %d answers, and %d were logged", shadowed, got)
			}
			t.Logf("%d of %d cases", asked, len(table.Cases))
		})
	}
}

// judged asks about a case and demands its answer from the gateway, its reason
// from the metrics and, of a denial, its rule from the log.
func (h *house) judged(t *testing.T, c policytest.Case, cookie string) {
	before, logged := h.counts(t), len(h.log())
	got := h.ask(t, c.Client, c.Method, c.Host, c.Target, headers(c, cookie)...)
	if want := answers[c.Answer]; !strings.Contains(want, fmt.Sprint(got.status)) || got.reached != (c.Answer == "pass") {
		t.Errorf("%d, the app was reached: %v; want %s", got.status, got.reached, want)
	}
	if got.reached && c.Method != "HEAD" && got.user != c.User {
		t.Errorf("the app was told that it is %q", got.user)
	}
	if reason := got.header.Get("X-Doorward-Reason"); !got.reached && h.endpoint != "nginx" && reason != c.Reason { // nginx keeps it to itself
		t.Errorf("X-Doorward-Reason: %q, want %q", reason, c.Reason)
	}
	want := fmt.Sprintf(`{endpoint=%q,reason=%q,verdict=%q}`, h.endpoint, c.Reason, c.Verdict())
	h.until(t, "the check is counted as "+want, func() string {
		counted := difference(before, h.counts(t))
		if counted == want {
			return ""
		}
		return counted
	})
	if c.Answer == "403" {
		want := fmt.Sprintf(`"reason":%q,"rule":%q`, c.Reason, c.Rule)
		h.until(t, "the log has a line with "+want, func() string {
			if lines := h.log()[logged:]; !strings.Contains(lines, want) {
				return lines
			}
			return ""
		})
	}
}

// refused asks about a case that the gateway answers by itself.
func (h *house) refused(t *testing.T, c policytest.Case, cookie string) {
	before := h.counts(t)
	got := h.ask(t, c.Client, c.Method, c.Host, c.Target, headers(c, cookie)...)
	if counted := difference(before, h.counts(t)); got.status != 400 || got.reached || counted != "" {
		t.Errorf("%d, the app was reached: %v, checks: %s", got.status, got.reached, counted)
	}
}

// answers are the statuses of each answer of the table.
var answers = map[string]string{"pass": "200", "login": "302 303", "401": "401", "403": "403"}

// headers are those of a person or a script, with a forged identity.
func headers(c policytest.Case, cookie string) []string {
	mode := "navigate"
	if c.Script {
		mode = "cors"
	}
	lines := []string{"Accept: text/html, application/json", "Sec-Fetch-Mode: " + mode, "X-Auth-Request-User: forged"}
	if cookie != "" {
		lines = append(lines, "Cookie: "+cookie)
	}
	if c.Origin != "" {
		lines = append(lines, "Origin: "+c.Origin)
	}
	if c.Preflight {
		lines = append(lines, "Access-Control-Request-Method: PUT")
	}
	return lines
}

// log is what Doorward has logged so far.
func (h *house) log() string {
	text, err := os.ReadFile(h.logFile)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
