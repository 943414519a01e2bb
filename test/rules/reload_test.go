package rules

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/doorward/doorward/test/stack"
)

// Two files that agree in nothing but what is public: what one lets pass the
// other denies, and each sends a header of its own.
const (
	one = `
rules:
  - {name: one, hosts: [app.example.com], paths: [/one], allow: any}
  - {name: everybody, hosts: [app.example.com], paths: [/public], public: true}
  - {name: one closes, hosts: [app.example.com], deny: true}
headers: {X-One: user}
`
	other = `
rules:
  - {name: everybody, hosts: [app.example.com], paths: [/public], public: true}
  - {name: other closes, hosts: [app.example.com], paths: [/one], deny: true}
  - {name: other, hosts: [app.example.com], allow: any}
headers: {X-Other: user}
`
	unknownKey   = "rules:\n  - {name: other, allow: any}\n  - name: broken\n    pubic: true\n"
	badCondition = "rules:\n  - name: broken\n    allow:\n      when: usr.id == 'ada'\n"
)

// reloading is Doorward with a file that changes, as Kubernetes mounts one: a link
// into a directory that is itself behind a link, which is what is replaced.
type reloading struct {
	*house
	client *http.Client
	cookie string
	mount  string
	swaps  int
}

func newReloading(t *testing.T) *reloading {
	t.Helper()
	binary, err := stack.BuildDoorward(t.Context(), t.TempDir(), true)
	if err != nil {
		t.Fatal(err)
	}
	r := &reloading{mount: t.TempDir(), client: &http.Client{Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: 8}}}
	t.Cleanup(r.client.CloseIdleConnections)
	r.house = newHouse(t, binary, filepath.Join(r.mount, "doorward.yaml"))
	r.swap(one)
	if err := os.Symlink("..data/doorward.yaml", filepath.Join(r.mount, "doorward.yaml")); err != nil {
		t.Fatal(err)
	}
	r.start()
	r.front.Listen = r.doorward.Listen
	r.cookie = r.signIn("ada")
	return r
}

// swap puts a text in place as the kubelet does.
func (r *reloading) swap(text string) {
	r.t.Helper()
	r.swaps++
	version := fmt.Sprintf("..version-%d", r.swaps)
	for _, err := range []error{
		os.Mkdir(filepath.Join(r.mount, version), 0o700),
		os.WriteFile(filepath.Join(r.mount, version, "doorward.yaml"), []byte(text), 0o600),
		os.Symlink(version, filepath.Join(r.mount, "..data_tmp")),
		os.Rename(filepath.Join(r.mount, "..data_tmp"), filepath.Join(r.mount, "..data")),
	} {
		if err != nil {
			r.t.Fatal(err)
		}
	}
}

// replace puts a file of its own in place, as editors do.
func (r *reloading) replace(text string) {
	r.t.Helper()
	name := filepath.Join(r.mount, "doorward.yaml")
	if err := os.WriteFile(name+".new", []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
	if err := os.Rename(name+".new", name); err != nil {
		r.t.Fatal(err)
	}
}

// rewrite writes into the file as it is, in two steps.
func (r *reloading) rewrite(text string) {
	r.t.Helper()
	file, err := os.OpenFile(filepath.Join(r.mount, "doorward.yaml"), os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		r.t.Fatal(err)
	}
	defer file.Close()
	for _, half := range []string{text[:len(text)/2], text[len(text)/2:]} {
		if _, err := file.WriteString(half); err != nil {
			r.t.Fatal(err)
		}
	}
}

// hangup replaces the file and does not wait until that is noticed.
func (r *reloading) hangup(text string) {
	r.t.Helper()
	r.replace(text)
	if err := r.doorward.Process().Signal(syscall.SIGHUP); err != nil {
		r.t.Fatal(err)
	}
}

// verdict is the file that an answer is of: "one", "other", or what is wrong with
// it.
func (r *reloading) verdict(path string) string {
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodGet, "http://"+r.doorward.Listen+"/auth/nginx", nil)
	if err != nil {
		return err.Error()
	}
	req.Header.Set("X-Original-Url", "http://app.example.com"+path)
	req.Header.Set("X-Original-Method", "GET")
	req.Header.Set("Cookie", r.cookie)
	res, err := r.client.Do(req)
	if err != nil {
		return err.Error()
	}
	defer res.Body.Close()
	_, isOne := res.Header["X-One"]
	_, isOther := res.Header["X-Other"]
	switch answer := fmt.Sprintf("%s %d %v %v", path, res.StatusCode, isOne, isOther); answer {
	case "/one 202 true false", "/other 403 false false", "/public 202 true false":
		return "one"
	case "/one 403 false false", "/other 202 false true", "/public 202 false true":
		return "other"
	default:
		return answer
	}
}

// inForce waits until a file is.
func (r *reloading) inForce(t *testing.T, name string) {
	t.Helper()
	r.until(t, name+" is in force", func() string {
		if got := r.verdict("/public"); got != name {
			return got
		}
		return ""
	})
}

// TestReload changes the file in every way while gateways ask: no check fails, and
// none is judged by one file and answered by the other.
func TestReload(t *testing.T) {
	r := newReloading(t)
	const workers, checks = 4, 500
	var seen sync.Map
	var asked atomic.Int64
	var load sync.WaitGroup
	for range workers {
		load.Go(func() {
			pace := time.NewTicker(6 * time.Millisecond)
			defer pace.Stop()
			for i := range checks {
				verdict := r.verdict([]string{"/one", "/other", "/public"}[i%3])
				if verdict != "one" && verdict != "other" {
					t.Errorf("a check was answered: %s", verdict)
				}
				seen.Store(verdict, true)
				asked.Add(1)
				<-pace.C
			}
		})
	}
	for _, change := range []struct {
		how  func(string)
		text string
		name string
	}{
		{r.swap, other, "other"},
		{r.swap, one, "one"},
		{r.replace, other, "other"},
		{r.rewrite, one, "one"},
		{r.hangup, other, "other"},
		{r.hangup, one, "one"},
		{r.hangup, other, "other"},
	} {
		change.how(change.text)
		r.inForce(t, change.name)
	}
	load.Wait()
	for _, name := range []string{"one", "other"} {
		if _, ok := seen.Load(name); !ok {
			t.Errorf("no check was judged by %s", name)
		}
	}
	if asked.Load() != workers*checks {
		t.Errorf("%d checks", asked.Load())
	}
	for _, path := range []string{"/one", "/other", "/public"} {
		if got := r.verdict(path); got != "other" {
			t.Errorf("at the end: %s", got)
		}
	}
	if strings.Contains(r.log(), "mistakes") {
		t.Error("a file was read while it was being written")
	}
}

// TestReloadUnchanged: SIGHUP reads the file again also when it has not changed,
// and what changes beside it is nobody's business.
func TestReloadUnchanged(t *testing.T) {
	r := newReloading(t)
	if err := r.doorward.Process().Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	r.until(t, "the file was read again", func() string { return r.missing(t, `doorward_config_reloads_total{result="success"} 1`) })
	if err := os.WriteFile(filepath.Join(r.mount, "notes"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.swap(other)
	r.inForce(t, "other")
	if missing := r.missing(t, `doorward_config_reloads_total{result="success"} 2`); missing != "" {
		t.Error(missing)
	}
}

// TestReloadBusyDirectory: the file is noticed although something else in its
// directory never rests.
func TestReloadBusyDirectory(t *testing.T) {
	r := newReloading(t)
	done := make(chan struct{})
	var noise sync.WaitGroup
	noise.Go(func() {
		ticker := time.NewTicker(20 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				if err := os.WriteFile(filepath.Join(r.mount, "app.log"), []byte(time.Now().String()), 0o600); err != nil {
					t.Error(err)
				}
			}
		}
	})
	r.replace(other)
	r.inForce(t, "other")
	close(done)
	noise.Wait()
}

// TestReloadMistakes: a file with mistakes changes nothing, and everything that
// an operator looks at says so.
func TestReloadMistakes(t *testing.T) {
	r := newReloading(t)
	for i, broken := range []struct {
		name        string
		how         func(string)
		text, place string
	}{
		{"an unknown key", r.swap, unknownKey, "doorward.yaml:4:5: "},
		{"a condition that does not compile", r.swap, badCondition, "doorward.yaml:4:13: "},
		{"no YAML", r.replace, "rules: [", "doorward.yaml:1:"},
		{"nothing at all", r.hangup, "", "doorward.yaml"},
	} {
		t.Run(broken.name, func(t *testing.T) {
			logged := len(r.log())
			broken.how(broken.text)
			r.until(t, "the metrics say so", func() string {
				return r.missing(t, "doorward_config_stale 1", fmt.Sprintf(`doorward_config_reloads_total{result="mistakes"} %d`, i+1))
			})
			r.until(t, "the log says where", func() string {
				if lines := r.log()[logged:]; !strings.Contains(lines, broken.place) || !strings.Contains(lines, `"event":"reload"`) {
					return lines
				}
				return ""
			})
			status, text := r.admin(t, "/readyz")
			if status != http.StatusOK || !strings.Contains(text, "configuration file") || !strings.Contains(text, broken.place) {
				t.Errorf("/readyz: %d %s", status, text)
			}
			for _, path := range []string{"/one", "/other", "/public"} {
				if got := r.verdict(path); got != "one" {
					t.Errorf("judged by another file: %s", got)
				}
			}
		})
	}
	r.replace(other)
	r.inForce(t, "other")
	r.until(t, "the metrics say that it is mended", func() string { return r.missing(t, "doorward_config_stale 0") })
	if status, text := r.admin(t, "/readyz"); status != http.StatusOK || strings.TrimSpace(text) != "ok" {
		t.Errorf("/readyz: %d %s", status, text)
	}
}

// missing are the lines of the metrics that are not there.
func (r *reloading) missing(t *testing.T, lines ...string) string {
	t.Helper()
	_, text := r.admin(t, "/metrics")
	for _, line := range lines {
		if !regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(line) + `$`).MatchString(text) {
			return "no " + line + " in\n" + strings.Join(regexp.MustCompile(`(?m)^doorward_config.*$`).FindAllString(text, -1), "\n")
		}
	}
	return ""
}
