package config_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/config"
)

func TestCookieSecrets(t *testing.T) {
	raw, err := base64.StdEncoding.DecodeString(key1)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		text string
	}{
		{"KEY-1 standard alphabet", base64.StdEncoding.EncodeToString(raw)},
		{"KEY-1 standard alphabet, no padding", base64.RawStdEncoding.EncodeToString(raw)},
		{"KEY-1 URL alphabet", base64.URLEncoding.EncodeToString(raw)},
		{"KEY-1 URL alphabet, no padding", base64.RawURLEncoding.EncodeToString(raw)},
		{"KEY-1 white space around it", " " + key1 + "\n"},
		{"KEY-1 a second one behind it", key1 + ", " + key2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := good(t, env{"COOKIE_SECRET": tt.text})
			if !bytes.Equal(cfg.CookieSecrets[0], raw) {
				t.Error("the first secret is another one")
			}
			if want := strings.Count(tt.text, ",") + 1; len(cfg.CookieSecrets) != want {
				t.Errorf("%d secrets, want %d", len(cfg.CookieSecrets), want)
			}
		})
	}
}

func TestSecretFiles(t *testing.T) {
	for _, tt := range []struct {
		name    string
		content string
		want    string
	}{
		{"no newline", "s3cret", "s3cret"},
		{"one newline", "s3cret\n", "s3cret"},
		{"one newline of Windows", "s3cret\r\n", "s3cret"},
		{"only one newline is trimmed", "s3cret\n\n", "s3cret\n"},
		{"white space belongs to it", " s3 cret ", " s3 cret "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "secret")
			if err := os.WriteFile(path, []byte(tt.content), 0o600); err != nil {
				t.Fatal(err)
			}
			cfg := good(t, env{"OIDC_CLIENT_SECRET": "", "OIDC_CLIENT_SECRET_FILE": path})
			if got := cfg.Providers[0].ClientSecret.Reveal(); got != tt.want {
				t.Errorf("secret %q, want %q", got, tt.want)
			}
		})
	}
}

// LOG-2: a whole Config can be printed in every way and shows no secret.
func TestConfigPrintsNoSecret(t *testing.T) {
	const clientSecret = "client-s3cret-marker"
	cfg := good(t, env{"COOKIE_SECRET": key1 + "," + key2, "OIDC_CLIENT_SECRET": clientSecret})
	asJSON, err := json.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var lines bytes.Buffer
	slog.New(slog.NewJSONHandler(&lines, nil)).Info("x", "config", cfg, "keys", cfg.CookieSecrets, "whole", *cfg)
	slog.New(slog.NewTextHandler(&lines, nil)).Info("x", "config", cfg, "keys", cfg.CookieSecrets, "whole", *cfg)
	for name, text := range map[string]string{
		"%v": fmt.Sprintf("%v", *cfg), "%+v": fmt.Sprintf("%+v", cfg), "%#v": fmt.Sprintf("%#v", cfg),
		"%x": fmt.Sprintf("%x", cfg.CookieSecrets), "%d": fmt.Sprintf("%d", cfg.CookieSecrets),
		"%q": fmt.Sprintf("%q", cfg.CookieSecrets), "Sprint": fmt.Sprint(cfg.CookieSecrets), "String": cfg.CookieSecrets.String(),
		"GoString": cfg.CookieSecrets.GoString(), "JSON": string(asJSON), "slog": lines.String(),
	} {
		for _, form := range spellings(clientSecret, cfg.CookieSecrets) {
			if strings.Contains(text, form) {
				t.Errorf("%s shows a secret", name)
			}
		}
		if !strings.Contains(text, "[redacted]") {
			t.Errorf("%s hides that there is a secret: %s", name, text)
		}
	}
}

// spellings are the ways in which the secrets could come out.
func spellings(clientSecret string, keys config.Keys) []string {
	forms := []string{clientSecret, fmt.Sprintf("%x", clientSecret), base64.StdEncoding.EncodeToString([]byte(clientSecret))}
	for _, key := range keys {
		forms = append(forms, string(key), fmt.Sprintf("%x", key), fmt.Sprintf("%d", key), strings.Trim(fmt.Sprintf("%d", key), "[]"),
			strings.Trim(fmt.Sprintf("%#v", key), "[]byte{}"), base64.RawStdEncoding.EncodeToString(key), base64.RawURLEncoding.EncodeToString(key))
	}
	return forms
}

// LOG-2: no mistake and no warning repeats a value, whatever is wrong with it.
func TestMistakesRepeatNoValue(t *testing.T) {
	values := []string{
		"marker", "marker,marker", "https://marker:marker@marker/marker?marker#marker", "marker\nmarker", "*.marker.", "unix:marker",
		"marker@marker@marker", "10.0.0.0/marker", "http://marker\x7f", "https://%zzmarker", "%smarker%d", "marker:marker",
	}
	for _, v := range config.Variables() {
		name := strings.TrimPrefix(v.Name, "DOORWARD_")
		for _, value := range values {
			_, warnings, err := load(t, env{name: value})
			text := strings.Join(append(warnings, fmt.Sprint(err)), "\n")
			if strings.Contains(text, "marker") {
				t.Errorf("%s = %q is repeated: %s", name, value, text)
			}
			if strings.Contains(text, "%!") {
				t.Errorf("%s = %q breaks a format: %s", name, value, text)
			}
		}
	}
}
