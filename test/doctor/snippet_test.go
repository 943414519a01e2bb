package doctor

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/doorward/doorward/test/stack"
)

// TestSnippet has each gateway read what `doorward snippet` prints for it, with
// values that are all different from the example's.
func TestSnippet(t *testing.T) {
	binary, err := stack.BuildDoorward(t.Context(), t.TempDir(), false)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		gateway string
		read    func(dir string) *exec.Cmd // nil: it is YAML, and no program here reads it
	}{
		{"nginx", func(dir string) *exec.Cmd {
			return exec.Command("/usr/sbin/nginx", "-t", "-q", "-e", "stderr", "-p", dir, "-c", filepath.Join(dir, "nginx.conf"))
		}},
		{"caddy", func(dir string) *exec.Cmd {
			return exec.Command(tool(t, "caddy"), "validate", "--adapter", "caddyfile", "--config", filepath.Join(dir, "Caddyfile"))
		}},
		{"envoy", envoyValidate(t, "envoy-http.yaml")},
		{"envoy-grpc", envoyValidate(t, "envoy-grpc.yaml")},
		{"haproxy", func(dir string) *exec.Cmd {
			return exec.Command("/usr/sbin/haproxy", "-c", "-f", filepath.Join(dir, "haproxy.cfg"))
		}},
		{"traefik", nil},
		{"ingress-nginx", nil},
		{"traefik-kubernetes", nil},
		{"istio", nil},
		{"envoy-gateway", nil},
	} {
		t.Run(tt.gateway, func(t *testing.T) {
			dir := t.TempDir()
			text := snippet(t, binary, tt.gateway)
			if tt.read == nil {
				for document := range strings.SplitSeq(strings.ReplaceAll(text, "\n# ==== ", "\n---\n# ==== "), "\n---\n") {
					var into map[string]any
					if err := yaml.UnmarshalStrict([]byte(document), &into); err != nil {
						t.Errorf("%v\n%s", err, document)
					}
				}
				return
			}
			place(t, dir, text)
			cmd := tt.read(dir)
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
			if output, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s\n%s", err, output, text)
			}
		})
	}
}

func snippet(t *testing.T, binary, gateway string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, "snippet", gateway,
		"--host", "one.corp.test", "--host", "two.corp.test", "--upstream", "127.0.0.9:3000")
	cmd.Env = []string{
		"DOORWARD_LISTEN=127.0.0.7:4444", "DOORWARD_GRPC_LISTEN=127.0.0.7:4445", "DOORWARD_PUBLIC_URL=https://login.corp.test:8443",
		"DOORWARD_COOKIE_DOMAINS=corp.test", "DOORWARD_PATH_PREFIX=/oauth2", "DOORWARD_COOKIE_SECRET=" + stack.CookieSecret(),
		"DOORWARD_OIDC_ISSUER_URL=https://id.corp.test", "DOORWARD_OIDC_CLIENT_ID=doorward", "DOORWARD_ALLOW_ANY_USER=true",
		"DOORWARD_IDENTITY_HEADERS=remote,x-forwarded,x-auth-request", "DOORWARD_PASS_ID_TOKEN=true", "DOORWARD_PASS_ACCESS_TOKEN=true",
	}
	output, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	return string(output)
}

// place cuts the text at the headings, and writes each file where its gateway
// looks for it, with certificates that exist.
func place(t *testing.T, dir, text string) {
	t.Helper()
	ca, err := stack.NewCA(dir)
	if err != nil {
		t.Fatal(err)
	}
	cert, key, err := ca.Issue("corp.test")
	if err != nil {
		t.Fatal(err)
	}
	pem := filepath.Join(dir, "both.pem")
	var both []byte
	for _, file := range []string{cert, key} {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		both = append(both, content...)
	}
	files := map[string]string{"both.pem": string(both)}
	name := "Caddyfile" // the one without a heading that is not YAML
	if strings.Contains(text, "static_resources:") {
		name = "envoy-http.yaml"
		if strings.Contains(text, "doorward_grpc") {
			name = "envoy-grpc.yaml"
		}
	}
	for line := range strings.Lines(text) {
		if heading, ok := strings.CutSuffix(strings.TrimSpace(line), " ===="); ok {
			_, heading, _ = strings.Cut(heading, "==== ")
			_, name, _ = strings.Cut(heading, "/") // without the gateway's directory
			continue
		}
		files[name] += line
	}
	files["nginx.conf"] = "pid nginx.pid;\nevents {}\nhttp {\n\tinclude doorward.conf;\n}\n"
	replace := strings.NewReplacer("crt /etc/ssl/example.com.pem", "crt "+pem,
		"/etc/ssl/example.com.pem", cert, "/etc/ssl/example.com.key", key, "/etc/haproxy/", dir+"/")
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(replace.Replace(content)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func envoyValidate(t *testing.T, name string) func(dir string) *exec.Cmd {
	return func(dir string) *exec.Cmd {
		return exec.Command(tool(t, "envoy"), "--mode", "validate", "--config-path", filepath.Join(dir, name))
	}
}

func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := stack.Tool(name)
	if err != nil {
		t.Fatal(err)
	}
	return path
}
