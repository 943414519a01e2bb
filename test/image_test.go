package test

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/doorward/doorward/test/stack"
)

// TestImage runs the program of the image among exactly the files of the image,
// as its user: what the Dockerfile copies into scratch is copied into an empty
// root here.
func TestImage(t *testing.T) {
	root, entrypoint := emptyRoot(t)

	t.Run("version", func(t *testing.T) {
		output, err := inRoot(t, root, entrypoint, nil, "version").CombinedOutput()
		if err != nil || !strings.HasPrefix(string(output), "doorward ") {
			t.Fatalf("%s version: %v\n%s", entrypoint, err, output)
		}
	})

	t.Run("serves, and trusts the certificates of the image", func(t *testing.T) {
		var discovered atomic.Int64
		provider := httptest.NewTLSServer(discovery(&discovered))
		t.Cleanup(provider.Close)
		trust(t, root, provider)
		addresses, err := stack.FreeAddresses(0, 0)
		if err != nil {
			t.Fatal(err)
		}
		serve := inRoot(t, root, entrypoint, map[string]string{
			"DOORWARD_LISTEN":             addresses[0],
			"DOORWARD_ADMIN_LISTEN":       addresses[1],
			"DOORWARD_PUBLIC_URL":         "https://auth.example.com",
			"DOORWARD_COOKIE_SECRET":      stack.CookieSecret(),
			"DOORWARD_OIDC_ISSUER_URL":    provider.URL,
			"DOORWARD_OIDC_CLIENT_ID":     stack.ClientID,
			"DOORWARD_OIDC_CLIENT_SECRET": "s3cret",
			"DOORWARD_ALLOW_ANY_USER":     "true",
			"DOORWARD_SHUTDOWN_DELAY":     "0s",
		})
		var log bytes.Buffer
		serve.Stdout, serve.Stderr = &log, &log
		if err := serve.Start(); err != nil {
			t.Fatal(err)
		}
		ready := waitFor(t, "http://"+addresses[1]+"/readyz")
		_ = serve.Process.Signal(syscall.SIGTERM)
		if err := serve.Wait(); err != nil {
			t.Errorf("after SIGTERM: %v", err)
		}
		if !ready || discovered.Load() == 0 {
			t.Errorf("ready: %v; %d discovery requests over TLS\n%s", ready, discovered.Load(), log.String())
		}
	})
}

// TestImageIsEmptyOtherwise: the root holds what the image is said to hold.
func TestImageIsEmptyOtherwise(t *testing.T) {
	root, _ := emptyRoot(t)
	var files []string
	err := filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			files = append(files, strings.TrimPrefix(path, root))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	want := "/doorward /etc/passwd /etc/ssl/certs/ca-certificates.crt"
	if got := strings.Join(files, " "); got != want {
		t.Errorf("the image holds %s, want %s", got, want)
	}
}

var (
	copyLine  = regexp.MustCompile(`(?m)^COPY --from=build (\S+) (\S+)$`)
	entryLine = regexp.MustCompile(`(?m)^ENTRYPOINT \["(\S+)"\]$`)
	userLine  = regexp.MustCompile(`(?m)^USER (\d+):(\d+)$`)
	echoLine  = regexp.MustCompile(`(?m)^RUN echo '(.*)' > /src/bin/passwd$`)
)

// emptyRoot builds the program as the Dockerfile does and lays out the image's
// last stage in a new directory. It returns that and the program's path inside.
func emptyRoot(t *testing.T) (dir, entrypoint string) {
	t.Helper()
	dockerfile := string(read(t, "../Dockerfile"))
	_, last, found := strings.Cut(dockerfile, "\nFROM scratch\n")
	if !found {
		t.Fatal("the Dockerfile's last stage is not FROM scratch")
	}
	source := t.TempDir() // /src in the Dockerfile's first stage
	build := exec.CommandContext(t.Context(), "make", "-C", "..", "build", "BINARY="+filepath.Join(source, "bin", "doorward"))
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("make build: %v\n%s", err, output)
	}
	passwd := one(t, echoLine, dockerfile)[1]
	if err := os.WriteFile(filepath.Join(source, "bin", "passwd"), []byte(passwd+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}

	dir = t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil { // the image's user looks in
		t.Fatal(err)
	}
	copies := copyLine.FindAllStringSubmatch(last, -1)
	if all := regexp.MustCompile(`(?m)^(COPY|ADD) `).FindAllString(last, -1); len(all) != len(copies) {
		t.Fatalf("%d lines of the last stage copy, understood %d", len(all), len(copies))
	}
	for _, line := range copies {
		from := line[1]
		if below, inSource := strings.CutPrefix(from, "/src"); inSource {
			from = filepath.Join(source, below)
		}
		copyFile(t, from, filepath.Join(dir, line[2]))
	}
	return dir, one(t, entryLine, last)[1]
}

// one is the only match.
func one(t *testing.T, pattern *regexp.Regexp, text string) []string {
	t.Helper()
	all := pattern.FindAllStringSubmatch(text, -1)
	if len(all) != 1 {
		t.Fatalf("%d lines of the Dockerfile match %s, want 1", len(all), pattern)
	}
	return all[0]
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	content := read(t, from)
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, content, 0o755); err != nil {
		t.Fatal(err)
	}
}

// inRoot is a command of the image: its root, its user, no environment but env.
// A test that is not root makes a user namespace of its own for that.
func inRoot(t *testing.T, root, path string, env map[string]string, args ...string) *exec.Cmd {
	t.Helper()
	user := one(t, userLine, string(read(t, "../Dockerfile")))
	uid, _ := strconv.Atoi(user[1]) // digits by the pattern
	gid, _ := strconv.Atoi(user[2])
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Err = nil // it is not there outside of the root
	cmd.Dir = "/"
	cmd.Env = []string{}
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() == 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		return cmd
	}
	cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER
	cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: uid, HostID: os.Geteuid(), Size: 1}}
	cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: gid, HostID: os.Getegid(), Size: 1}}
	return cmd
}

// trust adds the certificate of a server to those of the image.
func trust(t *testing.T, root string, server *httptest.Server) {
	t.Helper()
	bundle := filepath.Join(root, "etc", "ssl", "certs", "ca-certificates.crt")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(bundle, append(read(t, bundle), block...), 0o600); err != nil {
		t.Fatal(err)
	}
}

// discovery answers as much as it takes to be a provider that is there.
func discovery(asked *atomic.Int64) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		issuer := "https://" + r.Host
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{
			"issuer":                                issuer,
			"authorization_endpoint":                issuer + "/authorize",
			"token_endpoint":                        issuer + "/token",
			"jwks_uri":                              issuer + "/keys",
			"response_types_supported":              []string{"code"},
			"subject_types_supported":               []string{"public"},
			"id_token_signing_alg_values_supported": []string{"RS256"},
		})
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"keys":[]}`) })
	return mux
}

// waitFor reports whether the address answers 200 within half a minute.
func waitFor(t *testing.T, address string) bool {
	t.Helper()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.After(30 * time.Second); ; {
		if res, err := http.Get(address); err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return true
			}
		}
		select {
		case <-deadline:
			return false
		case <-ticker.C:
		}
	}
}
