package session

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// browser keeps cookies as a browser does, as far as flows need it.
type browser struct {
	t       testing.TB
	flows   *Flows
	cookies []*http.Cookie
}

func newFlows(t testing.TB, c *clock) *Flows {
	t.Helper()
	f, err := NewFlows(keyring(t, secretOf('a')), "doorward", false, c.now)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func (b *browser) request() *http.Request {
	r := httptest.NewRequest("GET", "/", nil)
	for _, c := range b.cookies {
		r.Header.Add("Cookie", c.Name+"="+c.Value)
	}
	if lines := r.Header["Cookie"]; len(lines) > 1 {
		r.Header["Cookie"] = []string{strings.Join(lines, "; ")}
	}
	return r
}

func (b *browser) read(w *httptest.ResponseRecorder) {
	b.t.Helper()
	for _, set := range w.Result().Cookies() {
		kept := b.cookies[:0:0]
		for _, c := range b.cookies {
			if c.Name != set.Name {
				kept = append(kept, c)
			}
		}
		if set.MaxAge >= 0 {
			kept = append(kept, set)
		}
		b.cookies = kept
	}
}

func (b *browser) begin(target string) Flow {
	b.t.Helper()
	flow := b.flows.New("oidc", target, false)
	w := httptest.NewRecorder()
	b.flows.Begin(w, b.request(), flow)
	b.read(w)
	return flow
}

func (b *browser) take(state string) (Flow, bool) {
	b.t.Helper()
	w := httptest.NewRecorder()
	flow, ok := b.flows.Take(w, b.request(), state)
	b.read(w)
	return flow, ok
}

func TestFlow(t *testing.T) {
	cl := newClock()
	b := &browser{t: t, flows: newFlows(t, cl)}
	begun := b.begin("https://app.example.com/a%20b?x=1&y=%26")
	if len(begun.State) < 26 || len(begun.Nonce) < 26 || len(begun.Verifier.Reveal()) < 43 || begun.State[:26] == begun.Nonce {
		t.Errorf("OIDC-2: state %d, nonce %d, verifier %d bytes", len(begun.State), len(begun.Nonce), len(begun.Verifier.Reveal()))
	}
	if len(b.cookies) != 1 {
		t.Fatalf("%d cookies", len(b.cookies))
	}
	cookie := *b.cookies[0]
	if strings.Contains(cookie.Name+cookie.Value, begun.State) {
		t.Error("OIDC-2: the cookie tells the state")
	}
	cookie.Name, cookie.Value, cookie.Raw = "", "", ""
	want := http.Cookie{Path: "/", MaxAge: 600, Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode}
	if diff := cmp.Diff(want, cookie); diff != "" {
		t.Errorf("COOK-1 (-want +got)\n%s", diff)
	}
	if !strings.HasPrefix(b.cookies[0].Name, "__Host-doorward_flow_") {
		t.Errorf("COOK-1: the name is %q", b.cookies[0].Name)
	}
	replay := *b
	got, ok := b.take(begun.State)
	if diff := cmp.Diff(begun, got); !ok || diff != "" {
		t.Errorf("%v (-want +got)\n%s", ok, diff)
	}
	if len(b.cookies) != 0 {
		t.Error("OIDC-2: the cookie stays after its use")
	}
	if _, ok := b.take(begun.State); ok {
		t.Error("OIDC-2: used twice")
	}
	if other := b.flows.New("oidc", "/", false); other.State == begun.State || other.Nonce == begun.Nonce || other.Verifier == begun.Verifier {
		t.Error("OIDC-2: two flows share something")
	}
	cl.move(10*time.Minute + time.Second)
	if _, ok := replay.take(begun.State); ok || len(replay.cookies) != 0 {
		t.Errorf("OIDC-2: expired, and taken %v with %d cookies left", ok, len(replay.cookies))
	}
}

func TestTake(t *testing.T) {
	cl := newClock()
	flows := newFlows(t, cl)
	mine := &browser{t: t, flows: flows}
	first, second := mine.begin("/1"), mine.begin("/2")
	one, two := line(mine.cookies[0]), line(mine.cookies[1])
	oneName, twoName := mine.cookies[0].Name, mine.cookies[1].Name
	sessionCookie := create(t, store(t, config(t, cl)), alone, user("ada"))
	retired, err := NewFlows(keyring(t, secretOf('z')), "doorward", false, cl.now)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		flows  *Flows
		cookie string
		state  string
		after  time.Duration
		target string // "" when there is no such flow
		gone   string // the cookie that is taken away
	}{
		{"OIDC-3 first tab", flows, one + "; " + two, first.State, 0, "/1", oneName},
		{"OIDC-3 second tab", flows, one + "; " + two, second.State, 0, "/2", twoName},
		{"OIDC-2 just in time", flows, one, first.State, 10 * time.Minute, "/1", oneName},
		{"OIDC-2 too late", flows, one, first.State, 10*time.Minute + time.Second, "", oneName},
		{"L17 the clock steps back", flows, one, first.State, -time.Hour, "/1", oneName},
		{"OIDC-2 another browser", flows, "", first.State, 0, "", ""},
		{"OIDC-2 another login of this browser", flows, two, first.State, 0, "", ""},
		{"OIDC-2 no state", flows, one, "", 0, "", ""},
		{"OIDC-2 state cut", flows, one, first.State[:10], 0, "", ""},
		{"OIDC-2 the value of another flow", flows, oneName + "=" + after(two), first.State, 0, "", oneName},
		{"OIDC-2 another flow sealed under this name", flows, oneName + "=" + flows.seal(oneName, second), first.State, 0, "", oneName},
		{"COOK-2 the value of a session", flows, oneName + "=" + sessionCookie.Value, first.State, 0, "", oneName},
		{"COOK-2 tampered", flows, one[:len(one)-2] + "!!", first.State, 0, "", oneName},
		{"COOK-2 cut", flows, one[:len(one)-9], first.State, 0, "", oneName},
		{"COOK-2 the value of a sealed target", flows, oneName + "=" + flows.SealTarget("/"), first.State, 0, "", oneName},
		{"KEY-1 sealed with a key that is gone", retired, one, first.State, 0, "", oneName},
		{"COOK-4 junk of its name before", flows, oneName + "=junk; " + oneName + "=; " + one, first.State, 0, "/1", oneName},
		{"COOK-2 nothing is taken out of another cookie's value", flows, "a=1," + one + ",b=2", first.State, 0, "", ""},
		{"COOK-3 without the prefix", flows, strings.TrimPrefix(one, "__Host-"), first.State, 0, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cl.move(tt.after)
			defer cl.move(-tt.after)
			r := httptest.NewRequest("GET", "/callback", nil)
			r.Header.Set("Cookie", tt.cookie)
			w := httptest.NewRecorder()
			tt.flows.used.Purge() // each row is the first use
			flow, ok := tt.flows.Take(w, r, tt.state)
			if ok != (tt.target != "") || flow.Target != tt.target {
				t.Errorf("took %q, %v; want %q", flow.Target, ok, tt.target)
			}
			gone := ""
			for _, c := range w.Result().Cookies() {
				if c.MaxAge >= 0 || c.Value != "" {
					t.Errorf("sets %v", c)
				}
				gone += c.Name
			}
			if gone != tt.gone {
				t.Errorf("OIDC-2: took the cookie %q away, want %q", gone, tt.gone)
			}
		})
	}
}

// TestFlowIsNoSession: the value of a flow signs nobody in.
func TestFlowIsNoSession(t *testing.T) {
	cl := newClock()
	b := &browser{t: t, flows: newFlows(t, cl)}
	b.begin("/")
	c := store(t, config(t, cl))
	if got := who(t, c, "alone.test", "__Host-doorward="+b.cookies[0].Value); got != "" {
		t.Errorf("COOK-2: %q is signed in", got)
	}
}

// TestRoom opens more and more tabs.
func TestRoom(t *testing.T) {
	for _, tt := range []struct {
		name   string
		target int // bytes
		live   int // flows that are left of twelve
	}{
		{"OIDC-3 five at most", 20, 5},
		{"OIDC-3 4 KB at most", 700, 3},
		{"OIDC-3 the longest target", 2048, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cl := newClock()
			b := &browser{t: t, flows: newFlows(t, cl), cookies: []*http.Cookie{{Name: "theme", Value: "dark"}}}
			var begun []Flow
			for range 12 {
				begun = append(begun, b.begin("/"+strings.Repeat("x", tt.target)))
				cl.move(time.Second)
				size, count := 0, 0
				for _, c := range b.cookies {
					if strings.HasPrefix(c.Name, "__Host-doorward_flow_") {
						size, count = size+len(c.Name)+len(c.Value), count+1
					}
				}
				if size > 4096 || count > 5 {
					t.Fatalf("OIDC-3: %d flows of %d bytes together", count, size)
				}
			}
			if len(b.cookies) != tt.live+1 || b.cookies[0].Name != "theme" {
				t.Errorf("%d flows are left, want %d", len(b.cookies)-1, tt.live)
			}
			for i, flow := range begun {
				if _, ok := b.take(flow.State); ok != (i >= len(begun)-tt.live) {
					t.Errorf("flow %d is live: %v", i, ok)
				}
			}
		})
	}
	t.Run("COOK-4 junk goes first", func(t *testing.T) {
		cl := newClock()
		b := &browser{t: t, flows: newFlows(t, cl)}
		first := b.begin("/")
		for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
			b.cookies = append(b.cookies, &http.Cookie{Name: "__Host-doorward_flow_" + name, Value: "junk"})
		}
		cl.move(time.Minute)
		b.begin("/")
		if _, ok := b.take(first.State); !ok {
			t.Error("a flow went before junk")
		}
	})
}

func TestRestarted(t *testing.T) {
	f := newFlows(t, newClock())
	for _, tt := range []struct {
		name  string
		state string
		want  bool
	}{
		{"first try", f.New("oidc", "/", false).State, false},
		{"second try", f.New("oidc", "/", true).State, true},
		{"none", "", false},
		{"forged", "x-2", true},
	} {
		t.Run("COOK-4 "+tt.name, func(t *testing.T) {
			if got := Restarted(tt.state); got != tt.want {
				t.Errorf("Restarted(%q) = %v", tt.state, got)
			}
		})
	}
}

func TestInsecureFlow(t *testing.T) {
	cl := newClock()
	f := newFlows(t, cl)
	f.Insecure = true
	b := &browser{t: t, flows: f}
	flow := b.begin("/x")
	if c := b.cookies[0]; c.Secure || !strings.HasPrefix(c.Name, "doorward_flow_") {
		t.Errorf("COOK-1: %v", c)
	}
	if got, ok := b.take(flow.State); !ok || got.Target != "/x" {
		t.Errorf("took %v, %v", got.Target, ok)
	}
}

func TestSealTarget(t *testing.T) {
	cl := newClock()
	f := newFlows(t, cl)
	b := &browser{t: t, flows: f}
	b.begin("/")
	other, err := NewFlows(keyring(t, secretOf('z')), "doorward", false, cl.now)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, sealed, want string
		ok                 bool
	}{
		{"OUT-6 the same", f.SealTarget("/a?b=c"), "/a?b=c", true},
		{"OUT-6 empty", f.SealTarget(""), "", true},
		{"OUT-6 plain text", "/a", "", false},
		{"OUT-6 none", "", "", false},
		{"OUT-6 another key", other.SealTarget("/a"), "", false},
		{"OUT-6 the value of a flow", b.cookies[0].Value, "", false},
		{"OUT-6 the value of a session", create(t, store(t, config(t, cl)), alone, user("ada")).Value, "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got, ok := f.OpenTarget(tt.sealed); got != tt.want || ok != tt.ok {
				t.Errorf("OpenTarget = %q, %v", got, ok)
			}
		})
	}
}

// FuzzFlowCookie: no cookie and no state panic or open a flow that was not begun.
func FuzzFlowCookie(f *testing.F) {
	cl := newClock()
	flows := newFlows(f, cl)
	flow := Flow{State: "STATE-1", Nonce: "NONCE", Verifier: "VERIFIER", Provider: "oidc", Target: "/x", Started: cl.now()}
	name := flows.cookie(flow.State)
	sent := name + "=" + sealFixed(f, flows.sealer, flowRecord{
		flow.State, flow.Nonce, flow.Verifier.Reveal(), flow.Provider, flow.Target, flow.Started.Unix(), 0,
	}, name)
	genuine := &http.Request{Header: http.Header{"Cookie": {sent}}}
	if got, ok := flows.Take(httptest.NewRecorder(), genuine, flow.State); !ok || got.Target != "/x" {
		f.Fatal("the genuine cookie does not open")
	}
	f.Add(sent, flow.State)
	f.Add(sent[:len(sent)-1], flow.State)
	f.Add(name+"=junk", flow.State)
	f.Add("", "")
	f.Add(sent+"; "+sent, "x-2")
	f.Fuzz(func(t *testing.T, cookies, state string) {
		r := &http.Request{Header: http.Header{"Cookie": {cookies}}}
		w := httptest.NewRecorder()
		got, ok := flows.Take(w, r, state)
		if ok && (state != flow.State || !strings.Contains(cookies, sent) || got.Target != "/x") {
			t.Errorf("OIDC-2: %q with state %q opens %+v", cookies, state, got.Target)
		}
		for _, set := range w.Result().Cookies() {
			if set.MaxAge >= 0 {
				t.Errorf("Take sets %v", set)
			}
		}
		flows.Begin(httptest.NewRecorder(), r, flow)
		_ = Restarted(state)
	})
}

// TestStore: the store is a sessions.Store of gorilla/sessions.
func TestStore(t *testing.T) {
	c := store(t, config(t, newClock()))
	cookie := create(t, c, alone, user("ada"))
	for _, tt := range []struct {
		name  string
		sent  string
		isNew bool
		want  string
	}{
		{"a session", line(cookie), false, "ada"},
		{"SES-1 none", "", true, ""},
		{"SES-1 junk is no error", cookie.Name + "=junk", true, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/", nil)
			r.Header.Set("Cookie", tt.sent)
			for range 2 {
				s, err := c.at(alone).Get(r, cookie.Name)
				if err != nil || s.IsNew != tt.isNew {
					t.Fatalf("new %v, error %v", s.IsNew, err)
				}
				if got, _ := s.Values[sessionValue].(Session); got.User.Subject != tt.want {
					t.Errorf("%q, want %q", got.User.Subject, tt.want)
				}
			}
		})
	}
	t.Run("the codec takes sessions only", func(t *testing.T) {
		k := codec{c.sealer, "alone.test"}
		if _, err := k.Encode("n", "text"); err == nil {
			t.Error("encodes a string")
		}
		if err := k.Decode("__Host-doorward", cookie.Value, new(string)); err == nil {
			t.Error("decodes into a string")
		}
		if value := c.sealer.seal([]byte{0xff}, string(k.binding(nil, "n"))); k.Decode("n", value, new(Session)) == nil {
			t.Error("SES-1: decodes what is no CBOR")
		}
		if value := c.sealer.seal([]byte{0xa0}, string(k.binding(nil, "__Host-doorward"))); who(t, c, "alone.test", "__Host-doorward="+value) != "" {
			t.Error("SES-1: a session without a subject is somebody's")
		}
	})
}

// after is the value of a cookie, name=value.
func after(cookie string) string {
	_, value, _ := strings.Cut(cookie, "=")
	return value
}

// TestTakenOnceAtOnce: of many callbacks of one flow at the same time, one goes on.
func TestTakenOnceAtOnce(t *testing.T) {
	flows, err := NewFlows(keyring(t, secretOf(9)), "doorward", false, (&clock{at: time.Unix(1_700_000_000, 0)}).now)
	if err != nil {
		t.Fatal(err)
	}
	flow := flows.New("oidc", "/x", false)
	w := httptest.NewRecorder()
	flows.Begin(w, httptest.NewRequest("GET", "/start", nil), flow)
	cookie := w.Result().Cookies()[0]
	var taken atomic.Int32
	var group sync.WaitGroup
	for range 100 {
		group.Go(func() {
			r := httptest.NewRequest("GET", "/callback", nil)
			r.AddCookie(&http.Cookie{Name: cookie.Name, Value: cookie.Value})
			if _, ok := flows.Take(httptest.NewRecorder(), r, flow.State); ok {
				taken.Add(1)
			}
		})
	}
	group.Wait()
	if taken.Load() != 1 {
		t.Errorf("OIDC-2: %d callbacks took the flow", taken.Load())
	}
}

// TestTakenOnce is OIDC-2 for a client that keeps the cookie which it was told to
// drop.
func TestTakenOnce(t *testing.T) {
	flows, err := NewFlows(keyring(t, secretOf(9)), "doorward", false, (&clock{at: time.Unix(1_700_000_000, 0)}).now)
	if err != nil {
		t.Fatal(err)
	}
	flow := flows.New("oidc", "/x", false)
	w := httptest.NewRecorder()
	flows.Begin(w, httptest.NewRequest("GET", "/start", nil), flow)
	cookie := w.Result().Cookies()[0]
	for i, want := range []bool{true, false, false} {
		r := httptest.NewRequest("GET", "/callback", nil)
		r.AddCookie(&http.Cookie{Name: cookie.Name, Value: cookie.Value})
		if _, ok := flows.Take(httptest.NewRecorder(), r, flow.State); ok != want {
			t.Errorf("use %d: %v", i+1, ok)
		}
	}
}
