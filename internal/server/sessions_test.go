package server_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/idp/idptest"
	"github.com/doorward/doorward/internal/redis/redistest"
)

const (
	firefox = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0"
	chrome  = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36"
)

// signInFrom signs in with a program at an address.
func (b *browser) signInFrom(agent, client string) {
	b.h.t.Helper()
	b.get(b.atProvider(b.get("/start")), "User-Agent", agent, "X-Forwarded-For", client)
}

// end posts the form of the sessions page.
func (b *browser) end(which string, pairs ...string) answer {
	b.h.t.Helper()
	form := url.Values{"end": {which}}
	return b.post("/sessions", form.Encode(), append([]string{"Origin", b.h.url}, pairs...)...)
}

// post sends a form.
func (b *browser) post(path, form string, pairs ...string) answer {
	b.h.t.Helper()
	return b.sendBody(http.MethodPost, path, form, append([]string{"Content-Type", "application/x-www-form-urlencoded"}, pairs...)...)
}

// rows are the sessions of a browser's user, as scripts get them.
func (b *browser) rows() []map[string]any {
	b.h.t.Helper()
	a := b.get("/sessions", "Accept", "application/json")
	if a.status != http.StatusOK || a.header.Get("Content-Type") != "application/json" {
		b.h.t.Fatalf("%d %s", a.status, a.body)
	}
	var rows []map[string]any
	list, _ := a.json(b.h.t)["sessions"].([]any)
	for _, one := range list {
		row, _ := one.(map[string]any)
		rows = append(rows, row)
	}
	return rows
}

var buttons = regexp.MustCompile(`name="end" value="([^"]*)"`)

// endable are the values of the buttons on the page.
func (b *browser) endable() []string {
	b.h.t.Helper()
	var ids []string
	for _, found := range buttons.FindAllStringSubmatch(b.get("/sessions").body, -1) {
		ids = append(ids, found[1])
	}
	return ids
}

func (b *browser) signedIn() bool { return b.check(deepLink).status == http.StatusAccepted }

func TestSessions(t *testing.T) {
	h := newHouse(t, options{redis: redistest.Start(t)})
	desk, phone := h.browser(), h.browser()
	desk.signInFrom(firefox, "203.0.113.9")
	h.clock.advance(90 * time.Minute / 2)
	phone.signInFrom(chrome, "2001:db8::7")
	began := h.clock.Now().UTC().Truncate(time.Second)

	page := desk.get("/sessions")
	t.Run("the page", func(t *testing.T) {
		if page.status != http.StatusOK || page.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%d %v", page.status, page.header)
		}
		for _, want := range []string{
			"Firefox on Windows", "Chrome on Android", "203.0.113.9", "2001:db8::7", "this browser", "End all others",
			began.Format("2 Jan 2006, 15:04 UTC"), began.Add(-45 * time.Minute).Format("2 Jan 2006, 15:04 UTC"), "<dd>now</dd>", "<dd>less than a minute ago</dd>",
			`<form method="post" action="https://auth.example.com/sessions">`, `content="strict-origin"`,
		} {
			if !strings.Contains(page.body, want) {
				t.Errorf("%q is not there:\n%s", want, page.body)
			}
		}
		if here, other := strings.Index(page.body, "Firefox on"), strings.Index(page.body, "Chrome on"); here > other {
			t.Error("this browser is not the first")
		}
		if policy := page.header.Get("Content-Security-Policy"); !strings.HasSuffix(policy, "form-action 'self'") || strings.Contains(page.body, "<script") {
			t.Errorf("HTTP-2: %s", policy)
		}
	})
	t.Run("for scripts", func(t *testing.T) {
		rows := desk.rows()
		if len(rows) != 2 || rows[0]["current"] != true || rows[1]["current"] != false {
			t.Fatalf("%v", rows)
		}
		want := map[string]any{
			"id": rows[1]["id"], "current": false, "device": "Chrome on Android", "address": "2001:db8::7", "site": "example.com",
			"signed_in_at": began.Format(time.RFC3339), "last_used_at": began.Format(time.RFC3339), "expires_at": began.Add(time.Hour).Format(time.RFC3339),
		}
		for name, value := range want {
			if rows[1][name] != value {
				t.Errorf("%s is %v, want %v", name, rows[1][name], value)
			}
		}
		if len(rows[1]) != len(want) || !strings.Contains(h.log.String(), rows[1]["id"].(string)) {
			t.Errorf("%v, by a name that the log does not have", rows[1])
		}
	})
	t.Run("HEAD is like GET, without effect", func(t *testing.T) {
		if a := desk.send(http.MethodHead, "/sessions?end=others"); a.status != http.StatusOK || !phone.signedIn() {
			t.Errorf("%d", a.status)
		}
		if a := desk.send(http.MethodPut, "/sessions"); a.status != http.StatusMethodNotAllowed || a.header.Get("Allow") != "GET, POST" {
			t.Errorf("%d %v", a.status, a.header)
		}
	})
	t.Run("linked from the front page", func(t *testing.T) {
		if body := desk.get("/").body; !strings.Contains(body, `href="https://auth.example.com/sessions"`) {
			t.Errorf("%s", body)
		}
	})
	t.Run("nobody", func(t *testing.T) {
		stranger := h.browser()
		if a := stranger.get("/sessions"); a.status != http.StatusOK || !strings.Contains(a.body, "You are not signed in") ||
			!strings.Contains(a.body, `/start?rd=https%3A%2F%2Fauth.example.com%2Fsessions`) {
			t.Errorf("%d %s", a.status, a.body)
		}
		if a := stranger.get("/sessions", "Accept", "*/*"); a.status != http.StatusUnauthorized {
			t.Errorf("%d", a.status)
		}
		if a := stranger.end("others"); a.status != http.StatusSeeOther || a.header.Get("Location") != "https://auth.example.com/sessions" {
			t.Errorf("%d", a.status)
		}
		if a := stranger.end("others", "Accept", "*/*"); a.status != http.StatusUnauthorized {
			t.Errorf("%d", a.status)
		}
	})
	t.Run("another host of the site leads to the public one", func(t *testing.T) {
		if a := desk.get("https://app.example.com/sessions"); a.status != http.StatusFound || a.header.Get("Location") != "https://auth.example.com/sessions" {
			t.Errorf("%d %v", a.status, a.header)
		}
	})
}

func TestEndSessions(t *testing.T) {
	h := newHouse(t, options{redis: redistest.Start(t)})
	desk := h.browser()
	desk.signInFrom(firefox, "203.0.113.9")
	var others []*browser
	for range 3 {
		b := h.browser()
		b.signInFrom(chrome, "203.0.113.10")
		others = append(others, b)
	}
	h.provider.Set(func(b *idptest.Behaviour) { b.User = map[string]any{"sub": "eve"} })
	eve := h.browser()
	eve.signInFrom("curl/8", "203.0.113.66")
	idOf := func(b *browser) string {
		for _, row := range b.rows() {
			if row["current"] == true {
				return row["id"].(string)
			}
		}
		return "none"
	}
	first, own := idOf(others[0]), idOf(desk)

	t.Run("OUT-2 not by another page, nor by a link", func(t *testing.T) {
		for _, tt := range []struct {
			name   string
			a      answer
			status int
		}{
			{"no origin", desk.end("others", "Origin", "-"), http.StatusForbidden},
			{"null", desk.end("others", "Origin", "null"), http.StatusForbidden},
			{"foreign", desk.end("others", "Origin", "https://evil.test"), http.StatusForbidden},
			{"an app of the site", desk.end(first, "Origin", "https://app.example.com"), http.StatusForbidden},
			{"foreign, a script", desk.end("others", "Origin", "https://evil.test", "Accept", "*/*"), http.StatusForbidden},
			{"a link", desk.get("/sessions?end=others", "Sec-Fetch-Site", "same-origin"), http.StatusOK},
			{"the query of a form", desk.post("/sessions?end=others", "", "Origin", h.url), http.StatusBadRequest},
			{"nothing", desk.post("/sessions", "", "Origin", h.url), http.StatusBadRequest},
			{"two", desk.post("/sessions", "end=others&end="+first, "Origin", h.url), http.StatusBadRequest},
			{"LIM-1 huge", desk.post("/sessions", "end="+strings.Repeat("x", 1<<20), "Origin", h.url), http.StatusBadRequest},
			{"JSON", desk.end("others", "Content-Type", "application/json"), http.StatusBadRequest},
		} {
			if tt.a.status != tt.status {
				t.Errorf("%s: %d, want %d", tt.name, tt.a.status, tt.status)
			}
		}
		for i, b := range append(others, desk, eve) {
			if !b.signedIn() {
				t.Errorf("%d is signed out", i)
			}
		}
	})
	t.Run("nobody ends the session of somebody else", func(t *testing.T) {
		for _, which := range []string{first, own, "others"} {
			if a := eve.end(which); a.status != http.StatusSeeOther {
				t.Errorf("%d", a.status)
			}
		}
		if !others[0].signedIn() || !desk.signedIn() || !eve.signedIn() {
			t.Error("somebody is signed out")
		}
		if body := eve.get("/sessions").body; strings.Contains(body, first) || strings.Contains(body, "203.0.113.9") {
			t.Error("eve sees somebody else's")
		}
	})
	t.Run("one", func(t *testing.T) {
		if got := desk.endable(); len(got) != 4 {
			t.Fatalf("%v", got)
		}
		if a := desk.end(first); a.status != http.StatusSeeOther || a.header.Get("Location") != "https://auth.example.com/sessions" {
			t.Errorf("%d %v", a.status, a.header)
		}
		if others[0].signedIn() || !others[1].signedIn() || !desk.signedIn() {
			t.Error("OUT-1: not that one has ended")
		}
		if log := h.log.String(); !strings.Contains(log, `"kind":"user_elsewhere"`) || !strings.Contains(log, `"session":"`+first+`","by_session":"`+own+`"`) {
			t.Error("it is not in the log")
		}
		if a := desk.end(first, "Accept", "application/json"); a.status != http.StatusOK || a.json(t)["ended"] != 0.0 {
			t.Errorf("again: %d %s", a.status, a.body)
		}
	})
	t.Run("not the own one", func(t *testing.T) {
		if a := desk.end(own, "Accept", "application/json"); a.json(t)["ended"] != 0.0 || !desk.signedIn() {
			t.Errorf("%d %s", a.status, a.body)
		}
	})
	t.Run("all others", func(t *testing.T) {
		if a := desk.end("others", "Accept", "application/json"); a.status != http.StatusOK || a.json(t)["ended"] != 2.0 {
			t.Errorf("%d %s", a.status, a.body)
		}
		if others[1].signedIn() || others[2].signedIn() || !desk.signedIn() || !eve.signedIn() {
			t.Error("not those have ended")
		}
		if body := desk.get("/sessions").body; !strings.Contains(body, "and nowhere else") || strings.Contains(body, "<form") {
			t.Errorf("%s", body)
		}
		if got := h.metric(`doorward_sign_outs_total{kind="user_elsewhere",provider="oidc"}`); !strings.HasSuffix(got, " 3") {
			t.Errorf("%q", got)
		}
	})
}

// TestSessionsWithoutAList: in the cookie store nobody knows them.
func TestSessionsWithoutAList(t *testing.T) {
	h := newHouse(t, options{})
	b := h.browser()
	b.signIn("/")
	if body := b.get("/").body; strings.Contains(body, "/sessions") {
		t.Error("it is linked")
	}
	if a := b.get("/sessions"); a.status != http.StatusOK || !strings.Contains(a.body, "no list of them") || strings.Contains(a.body, "<form") {
		t.Errorf("%d %s", a.status, a.body)
	}
	for _, a := range []answer{b.get("/sessions", "Accept", "*/*"), b.end("others", "Accept", "*/*")} {
		if a.status != http.StatusNotImplemented || a.json(t)["error"] != "sessions_not_listed" {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	if a := b.end("others"); a.status != http.StatusOK || !b.signedIn() {
		t.Errorf("%d", a.status)
	}
}

// TestSessionsWhenRedisIsAway: that it cannot be told is no empty list (SES-4).
func TestSessionsWhenRedisIsAway(t *testing.T) {
	server := redistest.Start(t)
	h := newHouse(t, options{redis: server})
	b := h.browser()
	b.signIn("/")
	server.Kill()
	for _, a := range []answer{b.get("/sessions"), b.end("others"), b.get("/sessions", "Accept", "*/*")} {
		if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" || len(a.cookies()) != 0 {
			t.Errorf("%d %v", a.status, a.header)
		}
	}
}

// TestManySessionsOfOne is L20 through the page.
func TestManySessionsOfOne(t *testing.T) {
	h := newHouse(t, options{redis: redistest.Start(t)})
	h.provider.Set(func(b *idptest.Behaviour) { b.Algorithm = "ES256" })
	var b *browser
	for range 60 {
		b = h.browser()
		b.signInFrom(firefox, "203.0.113.9")
	}
	body := b.get("/sessions").body
	if n := strings.Count(body, `class="device"`); n != 50 || !strings.Contains(body, "10 more are not shown") || !strings.Contains(body, "End all others (59)") {
		t.Errorf("LIM-2: %d of 60 are shown", n)
	}
	if n := len(b.rows()); n != 60 {
		t.Errorf("%d", n)
	}
}
