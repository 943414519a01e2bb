package stack

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// TestStack starts everything and lets somebody in, through each gateway.
func TestStack(t *testing.T) {
	binaries := t.TempDir()
	binary, err := BuildDoorward(t.Context(), binaries, false)
	if err != nil {
		t.Fatal(err)
	}
	for _, gateway := range []Gateway{PlainNginx, IngressNginx} {
		t.Run(string(gateway), func(t *testing.T) {
			s := started(t, Config{Binary: binary, Gateway: gateway, Domain: "example.com", TLS: true})
			const deepLink = "/a%20b/c?x=1&y=%26&z=a+b;c,d"
			ada := NewVisitor(s.CA)
			page, err := ada.Open(t.Context(), s.AppURL+deepLink)
			if err != nil {
				t.Fatal(err)
			}
			page, err = ada.SignIn(t.Context(), page, Ada)
			if err != nil {
				t.Fatal(err)
			}
			if page.URL.String() != s.AppURL+deepLink || page.Status != 200 {
				t.Fatalf("ended at %s with %d\n%s", page.URL, page.Status, s.Doorward.Process().Log())
			}
			if got := seenBy(t, ada, s.AppURL).Headers.Get("X-Auth-Request-Email"); got != Ada {
				t.Errorf("the app sees %q, want %q", got, Ada)
			}
			issued, err := s.Dex.Issued()
			if err != nil || len(issued) < 3 {
				t.Errorf("issued %d codes and tokens (%v), want a code and two tokens at least", len(issued), err)
			}
		})
	}
}

// started is a stack that ends with the test.
func started(t *testing.T, c Config) *Stack {
	t.Helper()
	c.Dir = t.TempDir()
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := s.Start(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func seenBy(t *testing.T, v *Visitor, origin string) Seen {
	t.Helper()
	page, err := v.Fetch(t.Context(), origin+"/data", nil)
	if err != nil {
		t.Fatal(err)
	}
	var seen Seen
	if err := json.Unmarshal([]byte(page.Body), &seen); err != nil {
		t.Fatalf("status %d: %v", page.Status, err)
	}
	return seen
}

// TestStackSaysWhatIsWrong: an error of a part names it and leaves nothing running.
func TestStackSaysWhatIsWrong(t *testing.T) {
	s, err := New(Config{
		Dir: t.TempDir(), Gateway: PlainNginx, Domain: "example.com",
		Binary: "/bin/false", // ends before it is ready
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err = s.Start(ctx)
	if err == nil || !strings.Contains(err.Error(), "doorward ended") {
		t.Errorf("error %v, want one that names doorward", err)
	}
	select {
	case <-s.Dex.process.Done():
	default:
		t.Error("dex still runs")
	}
}
