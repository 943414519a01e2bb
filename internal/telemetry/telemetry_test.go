package telemetry

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/doorward/doorward/internal/secret"
)

func TestLog(t *testing.T) {
	for _, tt := range []struct {
		name  string
		value any
		want  string // in JSON, decoded
	}{
		{"plain", "a b", "a b"},
		{"LOG-1 line break", "a\r\n{\"level\":\"ERROR\"}", "a\r\n{\"level\":\"ERROR\"}"},
		{"LOG-1 terminal escape", "\x1b[31mred", "\x1b[31mred"},
		{"LOG-1 NUL", "a\x00b", "a\x00b"},
		{"LOG-1 no UTF-8", "a\xffb", "a\uFFFDb"},
		{"LOG-1 an error", errors.New("bad\nthing"), "bad\nthing"},
		{"LOG-1 exactly the limit", strings.Repeat("x", 1024), strings.Repeat("x", 1024)},
		{"LOG-1 cut", strings.Repeat("x", 1025), strings.Repeat("x", 1024) + "…"},
		{"LOG-1 cut between letters", strings.Repeat("x", 1023) + "öö", strings.Repeat("x", 1023) + "…"},
		{"LOG-1 a long error is cut", errors.New(strings.Repeat("e", 5000)), strings.Repeat("e", 1024) + "…"},
		{"LOG-1 a megabyte that is no UTF-8", strings.Repeat("\x80", 1<<20), "…"},
		{"LOG-2 a secret", secret.Secret("hush"), "[redacted]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, with := range []bool{false, true} {
				var lines bytes.Buffer
				log := NewLog(&lines, slog.LevelInfo, "json")
				if with {
					log = log.With("field", tt.value)
					log.Info("message")
				} else {
					log.Info("message", "field", tt.value)
				}
				oneCleanLine(t, lines.String())
				var entry map[string]any
				if err := json.Unmarshal(lines.Bytes(), &entry); err != nil {
					t.Fatal(err)
				}
				if entry["field"] != tt.want || entry["msg"] != "message" || entry["level"] != "INFO" {
					t.Errorf("got %.80q", entry)
				}
			}
			var lines bytes.Buffer
			NewLog(&lines, slog.LevelInfo, "text").Info("message", "field", tt.value)
			oneCleanLine(t, lines.String())
			if lines.Len() > 2*maxField+200 {
				t.Errorf("LOG-1: a line of %d bytes", lines.Len())
			}
		})
	}
}

// oneCleanLine demands one line of valid text without control characters.
func oneCleanLine(t *testing.T, line string) {
	t.Helper()
	body, ended := strings.CutSuffix(line, "\n")
	if !ended || !utf8.ValidString(body) || strings.ContainsFunc(body, func(r rune) bool { return r < ' ' }) {
		t.Errorf("LOG-1: %.200q", line)
	}
}

func TestLevel(t *testing.T) {
	var lines bytes.Buffer
	log := NewLog(&lines, slog.LevelWarn, "json")
	log.Info("no")
	log.Warn("yes")
	if got := lines.String(); strings.Contains(got, `"no"`) || !strings.Contains(got, `"yes"`) {
		t.Errorf("logged %s", got)
	}
}

func TestMetrics(t *testing.T) {
	m := NewMetrics("1.2.3")
	m.Check("/auth", "allow", "admitted")
	m.Check("/auth", "allow", "admitted")
	m.Check("/auth/nginx", "deny", "no_rule")
	m.Login("oidc", "success")
	m.SignOut("oidc", ByUser)
	m.Revocation("oidc", "success")
	m.LogoutRefused(ByBackChannel, "issuer")
	m.Insecure("DOORWARD_COOKIE_INSECURE")
	server := httptest.NewServer(m.Handler())
	defer server.Close()
	answer, err := server.Client().Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`doorward_checks_total{endpoint="/auth",reason="admitted",verdict="allow"} 2`,
		`doorward_checks_total{endpoint="/auth/nginx",reason="no_rule",verdict="deny"} 1`,
		`doorward_logins_total{provider="oidc",result="success"} 1`,
		`doorward_sign_outs_total{kind="user",provider="oidc"} 1`,
		`doorward_token_revocations_total{provider="oidc",result="success"} 1`,
		`doorward_logouts_refused_total{kind="back_channel",reason="issuer"} 1`,
		`doorward_insecure_option{option="DOORWARD_COOKIE_INSECURE"} 1`,
		`version="1.2.3"`,
		`go_goroutines`,
	} {
		if !strings.Contains(string(body), want) {
			t.Errorf("/metrics lacks %s", want)
		}
	}
	if other := NewMetrics("x"); fmt.Sprintf("%p", other.registry) == fmt.Sprintf("%p", m.registry) {
		t.Error("CON-1: two Metrics share a registry")
	}
}

func BenchmarkMetricsCheck(b *testing.B) {
	m := NewMetrics("x")
	b.ReportAllocs()
	for b.Loop() {
		m.Check("/auth", "allow", "admitted")
	}
}
