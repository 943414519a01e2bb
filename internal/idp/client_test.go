package idp

import (
	"context"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func server(t *testing.T, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return s
}

func TestClientAnswers(t *testing.T) {
	s := server(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/redirect":
			http.Redirect(w, r, "/ok", http.StatusFound)
		case "/full":
			_, _ = w.Write(make([]byte, maxBody))
		case "/large":
			_, _ = w.Write(make([]byte, maxBody+1))
		case "/cut":
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte("short"))
		}
	})
	for _, tt := range []struct {
		path string
		want string
		size int
	}{
		{"/ok", "", 0},
		{"/full", "", maxBody},
		{"/large", "longer than 1048576 bytes", 0},
		{"/cut", "unexpected EOF", 0},
		{"/redirect", "answered 302", 0},
	} {
		answer, err := get(t.Context(), newClient(nil), s.URL+tt.path, "")
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) || len(answer.body) != tt.size {
			t.Errorf("NET-1 %s: %d bytes, %v", tt.path, len(answer.body), err)
		}
	}
}

func TestClientRefusesLinkLocal(t *testing.T) {
	for _, url := range []string{
		"http://169.254.169.254/latest/meta-data/",
		"http://[::ffff:169.254.169.254]/",
		"http://[fe80::1]/",
		"http://[fe80::1%25lo]/",
		"http://[febf::1]/",
	} {
		if _, err := get(t.Context(), newClient(nil), url, ""); !errors.Is(err, errLinkLocal) {
			t.Errorf("NET-1 %s: %v", url, err)
		}
	}
}

func TestClientUsesNoProxyOfTheEnvironment(t *testing.T) {
	transport, ok := newClient(nil).Transport.(*boundedTransport)
	if !ok || transport.base.Proxy != nil {
		t.Error("NET-1: a proxy is used")
	}
}

func TestClientBoundsRequestsInFlight(t *testing.T) {
	var now, most atomic.Int64
	release := make(chan struct{})
	s := server(t, func(http.ResponseWriter, *http.Request) {
		for n := now.Add(1); ; {
			seen := most.Load()
			if n <= seen || most.CompareAndSwap(seen, n) {
				break
			}
		}
		<-release
		now.Add(-1)
	})
	client := newClient(nil)
	defer client.CloseIdleConnections()
	var group sync.WaitGroup
	for range 3 * maxInFlight {
		group.Go(func() {
			if _, err := get(context.Background(), client, s.URL, ""); err != nil {
				t.Error(err)
			}
		})
	}
	eventually(t, "all slots are taken", func() bool { return now.Load() == maxInFlight })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := get(ctx, client, s.URL, ""); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("L3: one more request: %v", err)
	}
	close(release)
	group.Wait()
	if n := most.Load(); n != maxInFlight {
		t.Errorf("L3: %d requests in flight", n)
	}
}

func TestClientTrust(t *testing.T) {
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.Config.ErrorLog = nil
	s.StartTLS()
	defer s.Close()
	dir := t.TempDir()
	ca, rubbish := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "rubbish.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := errors.Join(os.WriteFile(ca, block, 0o600), os.WriteFile(rubbish, []byte("rubbish"), 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name     string
		file     string
		insecure bool
		works    bool
	}{
		{"unknown issuer", "", false, false},
		{"CA file", ca, false, true},
		{"insecure", "", true, true},
	} {
		conf, err := tlsConfig(tt.file, tt.insecure)
		if err != nil {
			t.Fatal(err)
		}
		client := newClient(conf)
		_, err = get(t.Context(), client, s.URL, "")
		client.CloseIdleConnections()
		var status *statusError
		if errors.As(err, &status) != tt.works {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	for _, file := range []string{rubbish, filepath.Join(dir, "missing")} {
		if _, err := tlsConfig(file, false); err == nil {
			t.Errorf("CFG-1: %s is taken", file)
		}
	}
}
