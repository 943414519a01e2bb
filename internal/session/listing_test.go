package session

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/redis/redistest"
)

// signInWith signs subject in with a program at an address, and returns the cookie
// and what the log has of the session.
func signInWith(t testing.TB, c Store, site auth.Site, s Session, agent string) (cookie, id string) {
	t.Helper()
	w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/callback", nil)
	r.Header.Set("User-Agent", agent)
	made, err := c.Create(w, r, site, s)
	if err != nil {
		t.Fatal(err)
	}
	return line(onlyCookie(t, w)), made.ID.String()
}

// listed are the sessions of subject by ID, in their order.
func listed(t testing.TB, c Listing, subject string) []string {
	t.Helper()
	all, err := c.Listed(t.Context(), Whose{Subject: subject})
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, l := range all {
		ids = append(ids, l.ID)
	}
	return ids
}

func TestListed(t *testing.T) {
	server := redistest.Start(t)
	cl := newClock()
	cfg := config(t, cl)
	cfg.Idle = 2 * time.Hour
	c := inRedis(t, server, cfg)
	began := cl.now()
	ada := user("ada")
	ada.Client, ada.User.ID = "203.0.113.9", "Ada"
	phone, first := signInWith(t, c, shared, ada, "phone\x00\xff"+strings.Repeat("x", 300))
	cl.move(time.Minute)
	_, second := signInWith(t, c, alone, ada, "")
	_, eves := signInWith(t, c, alone, user("eve"), "curl/8")

	t.Run("what is said of one", func(t *testing.T) {
		all, err := c.Listed(t.Context(), Whose{Subject: "ada"})
		if err != nil || len(all) != 2 {
			t.Fatalf("%d, %v", len(all), err)
		}
		got := all[1]
		got.member = member{}
		want := Listed{
			ID: first, User: "Ada", Agent: "phone\x00?" + strings.Repeat("x", maxAgent-7), Client: "203.0.113.9", Site: "example.com",
			Created: began.Local(), Used: began.Local(), Expires: began.Add(24 * time.Hour).Local(),
		}
		if got != want {
			t.Errorf("got  %v\nwant %v", got, want)
		}
	})
	t.Run("the last used first, and nobody else's", func(t *testing.T) {
		if got := fmt.Sprint(listed(t, c, "ada")); got != fmt.Sprint([]string{second, first}) {
			t.Errorf("%v", got)
		}
		cl.move(time.Minute)
		load(t, c, "alone.test", phone)
		load(t, c, "auth.example.com", phone)
		c.flushUses(t.Context())
		if got := fmt.Sprint(listed(t, c, "ada")); got != fmt.Sprint([]string{first, second}) {
			t.Errorf("after a use: %v", got)
		}
		if got := listed(t, c, "eve"); len(got) != 1 || got[0] != eves {
			t.Errorf("%v", got)
		}
		if got := listed(t, c, ""); len(got) != 0 {
			t.Errorf("nobody: %v", got)
		}
	})
	t.Run("SES-5 nothing of it is in a dump", func(t *testing.T) {
		for _, key := range keysOf(server, "p") {
			for _, word := range []string{"203.0.113.9", "phone", "Ada", first} {
				if strings.Contains(server.Must("HGETALL", key), word) {
					t.Errorf("%q is there in the clear", word)
				}
			}
		}
	})
	t.Run("SES-7 what has idled or ended is not listed", func(t *testing.T) {
		cl.move(2*time.Hour + 30*time.Second)
		if got := listed(t, c, "ada"); len(got) != 1 || got[0] != first {
			t.Errorf("%v, want the one that was used within two hours", got)
		}
		server.Must(append([]string{"DEL"}, keysOf(server, "s")...)...)
		if got := listed(t, c, "ada"); len(got) != 0 {
			t.Errorf("%v are listed although Redis lost them", got)
		}
	})
}

func TestEndListed(t *testing.T) {
	server := redistest.Start(t)
	cl := newClock()
	c, replica := inRedis(t, server, config(t, cl)), inRedis(t, server, config(t, cl))
	var cookies, ids []string
	for range 3 {
		cookie, id := signInWith(t, c, alone, user("ada"), "")
		cookies, ids = append(cookies, cookie), append(ids, id)
	}
	eve := line(create(t, c, alone, user("eve")))
	for _, cookie := range append(cookies, eve) {
		load(t, replica, "alone.test", cookie)
	}
	all, err := c.Listed(t.Context(), Whose{Subject: "ada"})
	if err != nil || len(all) != 3 {
		t.Fatalf("%v, %v", all, err)
	}
	for _, l := range all {
		if l.ID == ids[0] {
			if err := c.EndListed(t.Context(), []Listed{l, l}); err != nil {
				t.Fatal(err)
			}
		}
	}
	eventually(t, "L19: the one has ended at another replica", func() bool { return who(t, replica, "alone.test", cookies[0]) == "" })
	if who(t, c, "alone.test", cookies[0]) != "" || who(t, c, "alone.test", cookies[1]) != "ada" {
		t.Error("another one than that of the list has ended")
	}
	_, hidden := signInWith(t, c, alone, user("ada"), "")
	server.Must("DEL", keysOf(server, "p")[0], keysOf(server, "p")[1])
	ended, err := c.EndOthers(t.Context(), load(t, c, "alone.test", cookies[1]))
	if err != nil || len(ended) != 0 {
		t.Errorf("%v, %v: what is lost cannot be named", ended, err)
	}
	eventually(t, "L19: the others have ended", func() bool { return who(t, replica, "alone.test", cookies[2]) == "" })
	if hidden == "" || len(keysOf(server, "s")) != 2 {
		t.Errorf("%d sessions are left", len(keysOf(server, "s")))
	}
	for _, still := range []struct{ cookie, want string }{{cookies[1], "ada"}, {eve, "eve"}} {
		if got := who(t, replica, "alone.test", still.cookie); got != still.want {
			t.Errorf("%q is signed in, want %q", got, still.want)
		}
	}
}

// TestEndOthersWhileMoving: sessions that are still in cookies are others.
func TestEndOthersWhileMoving(t *testing.T) {
	server := redistest.Start(t)
	cl := newClock()
	old := store(t, config(t, cl))
	m, err := NewMoving(old, inRedis(t, server, config(t, cl)), true)
	if err != nil {
		t.Fatal(err)
	}
	inCookie, inRedis := line(create(t, old, alone, user("ada"))), line(create(t, m, alone, user("ada")))
	another := line(create(t, m, alone, user("ada")))
	if _, err := m.EndOthers(t.Context(), load(t, m, "alone.test", inCookie)); err != nil {
		t.Fatal(err)
	}
	if who(t, m, "alone.test", inCookie) != "ada" || who(t, m, "alone.test", inRedis) != "" || who(t, m, "alone.test", another) != "" {
		t.Error("by one in a cookie: that one has ended, or those in Redis have not")
	}
	inRedis = line(create(t, m, alone, user("ada")))
	if _, err := m.EndOthers(t.Context(), load(t, m, "alone.test", inRedis)); err != nil {
		t.Fatal(err)
	}
	if who(t, m, "alone.test", inCookie) != "" || who(t, m, "alone.test", inRedis) != "ada" {
		t.Error("by one in Redis: it has ended, or the one in the cookie has not")
	}
}

func TestCalled(t *testing.T) {
	server := redistest.Start(t)
	c := inRedis(t, server, config(t, newClock()))
	for _, u := range []auth.User{
		{Issuer: "https://a", Subject: "1", ID: "ada", Email: "Ada@example.com"},
		{Issuer: "https://a", Subject: "1", ID: "ada", Email: "ada@example.com"},
		{Issuer: "https://a", Subject: "2", ID: "ada"},
		{Issuer: "https://b", Subject: "3", ID: "ada"},
		{Issuer: "https://a", Subject: "4", ID: "4"},
	} {
		create(t, c, alone, Session{User: u})
	}
	for _, tt := range []struct {
		issuer, name string
		want         string
	}{
		{"https://a", "ada", "1,2"},
		{"https://a", "ADA@example.com", "1"},
		{"https://b", "ada", "3"},
		{"https://b", "ada@example.com", ""},
		{"https://a", "4", "4"},
		{"https://a", "", ""},
	} {
		t.Run(tt.issuer+" "+tt.name, func(t *testing.T) {
			found, err := c.Called(t.Context(), tt.issuer, tt.name)
			var subjects []string
			for _, whose := range found {
				subjects = append(subjects, whose.Subject)
				if whose.Issuer != tt.issuer {
					t.Errorf("issuer %q", whose.Issuer)
				}
			}
			if got := strings.Join(subjects, ","); err != nil || got != tt.want {
				t.Errorf("%q, %v, want %q", got, err, tt.want)
			}
		})
	}
	for _, key := range keysOf(server, "n") {
		if server.Must("PTTL", key) == "-1" || strings.Contains(server.Must("HGETALL", key), "ada") {
			t.Errorf("SES-6: %s stays for ever, or says who it is", key)
		}
	}
}

// TestManySessions is L20: a thousand sessions of one user are listed and ended
// within a second.
func TestManySessions(t *testing.T) {
	server := redistest.Start(t)
	c := inRedis(t, server, config(t, newClock()))
	var cookie string
	for range 1000 {
		cookie = line(create(t, c, alone, user("ada")))
	}
	began := time.Now()
	if n := len(listed(t, c, "ada")); n != 1000 {
		t.Fatalf("%d", n)
	}
	took := time.Since(began)
	began = time.Now()
	ended, err := c.EndOthers(t.Context(), load(t, c, "alone.test", cookie))
	if err != nil || len(ended) != 999 {
		t.Fatalf("%d, %v", len(ended), err)
	}
	took2 := time.Since(began)
	began = time.Now()
	if err := c.RevokeAll(t.Context(), Whose{Subject: "ada"}); err != nil || who(t, c, "alone.test", cookie) != "" {
		t.Fatalf("%v", err)
	}
	t.Logf("L20: of 1,000 sessions of one user: listed in %v, all others ended in %v, the last in %v (wanted: 1s)", took, took2, time.Since(began))
	if took > 10*time.Second || took2 > 10*time.Second {
		t.Error("L20: far too slow")
	}
}
