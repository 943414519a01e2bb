package providers

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/doorward/doorward/test/stack"
)

// visitor is a client with a session, which can show its cookie to any replica.
type visitor struct {
	*stack.Visitor
	gateway *stack.Visitor // asks Doorward itself

	mu     sync.Mutex
	cookie string // the last session that was set
}

// sessionCookie is the session's name with a cookie domain, over TLS.
const sessionCookie = "__Secure-doorward"

// signedIn is somebody who has signed in at Keycloak.
func signedIn(t *testing.T, s *stack.Stack) *visitor {
	t.Helper()
	v := &visitor{Visitor: stack.NewVisitor(s.CA), gateway: stack.NewVisitor(nil)}
	v.Watch = func(_ *http.Request, res *http.Response) {
		for _, cookie := range res.Cookies() {
			if cookie.Name == sessionCookie && cookie.Value != "" {
				v.mu.Lock()
				v.cookie = cookie.Value
				v.mu.Unlock()
			}
		}
	}
	page, err := v.Open(t.Context(), s.AppURL+"/")
	if err == nil {
		page, err = v.Submit(t.Context(), page, url.Values{"username": {stack.Ada}, "password": {stack.Password}})
	}
	if err != nil {
		t.Fatal(err)
	}
	if page.Status != http.StatusOK || !strings.HasPrefix(page.URL.String(), s.AppURL) || v.cookie == "" {
		t.Fatalf("the login ends at %s%s with %d", page.URL.Host, page.URL.Path, page.Status)
	}
	return v
}

// at is what one Doorward says about the session, asked as nginx asks.
func (v *visitor) at(t *testing.T, d *stack.Doorward, app string) int {
	t.Helper()
	page, err := v.gateway.Fetch(t.Context(), "http://"+d.Listen+"/auth/nginx", http.Header{
		"X-Original-Url": {app + "/"}, "X-Original-Method": {http.MethodGet}, "Cookie": {sessionCookie + "=" + v.cookie},
	})
	if err != nil {
		t.Fatal(err)
	}
	return page.Status
}

// testAdmin: the administrator of Keycloak ends a session, or signs somebody out,
// and every Doorward says 401 within two seconds.
func (h *house) testAdmin(t *testing.T) {
	t.Run("cookie store", func(t *testing.T) {
		s := h.layOut(t)
		h.atRealm(t, s, stack.Realm{Name: stack.TestRealm, AuthURL: s.AuthURL})
		start(t, s)
		h.endByAdmin(t, s, s.Doorward)
	})
	t.Run("Redis, two replicas", func(t *testing.T) {
		s := h.layOut(t)
		addresses, err := stack.FreeAddresses(0, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		redis := &stack.Redis{Dir: s.Doorward.Dir, Listen: addresses[0]}
		stopAtEnd(t, redis.Stop)
		begin(t, redis.Start)
		h.atRealm(t, s, stack.Realm{Name: stack.TestRealm, AuthURL: s.AuthURL})
		maps.Copy(s.Doorward.Env, map[string]string{
			"DOORWARD_SESSION_STORE": "redis", "DOORWARD_REDIS_URL": redis.URL(),
		})
		other := &stack.Doorward{
			Binary: h.binary, Dir: t.TempDir(), Listen: addresses[1], AdminListen: addresses[2], Env: s.Doorward.Env,
		}
		stopAtEnd(t, other.Stop)
		start(t, s)
		begin(t, other.Start)
		h.endByAdmin(t, s, s.Doorward, other)
	})
}

func (h *house) endByAdmin(t *testing.T, s *stack.Stack, replicas ...*stack.Doorward) {
	t.Helper()
	for _, way := range []struct {
		name string
		end  func(context.Context) error
	}{
		{"ends the session", func(ctx context.Context) error {
			ids, err := h.keycloak.Sessions(ctx, stack.TestRealm, stack.Ada)
			for _, id := range ids {
				if err == nil {
					err = h.keycloak.EndSession(ctx, stack.TestRealm, id)
				}
			}
			return err
		}},
		{"signs the user out", func(ctx context.Context) error { return h.keycloak.LogOut(ctx, stack.TestRealm, stack.Ada) }},
	} {
		var took []time.Duration
		for range 5 {
			took = append(took, h.endOnce(t, s, way.end, replicas))
		}
		slices.Sort(took)
		t.Logf("the administrator %s: 401 on %d replicas, median %v, worst %v of %d", way.name, len(replicas),
			took[len(took)/2].Round(time.Millisecond), took[len(took)-1].Round(time.Millisecond), len(took))
		if worst := took[len(took)-1]; worst > 2*time.Second {
			t.Errorf("OUT-3: the administrator %s: 401 after %v, want two seconds at most", way.name, worst)
		}
	}
}

// endOnce returns the time from the end of what the administrator does until all
// replicas refuse the session, which all of them knew.
func (h *house) endOnce(t *testing.T, s *stack.Stack, end func(context.Context) error, replicas []*stack.Doorward) time.Duration {
	t.Helper()
	v := signedIn(t, s)
	for _, d := range replicas {
		if status := v.at(t, d, s.AppURL); status != http.StatusAccepted {
			t.Fatalf("%s does not know the session: %d", filepath.Base(d.Dir), status)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := end(ctx); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for _, d := range replicas {
		for v.at(t, d, s.AppURL) != http.StatusUnauthorized {
			<-ticker.C
			if time.Since(began) > patience {
				t.Fatalf("%v after the administrator ended the session it is still good", patience)
			}
		}
	}
	return time.Since(began)
}

// stopAtEnd stops a part when the test has ended.
func stopAtEnd(t *testing.T, stop func() error) {
	t.Helper()
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}
