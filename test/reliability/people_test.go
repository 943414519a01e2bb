package reliability

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/idp/idptest"
)

// TestManyLogins is L8: ten thousand people sign in within a minute.
func TestManyLogins(t *testing.T) {
	t.Run("cookie", func(t *testing.T) { manyLogins(t, newHouse(t, "", nil).start("/readyz")) })
	t.Run("redis", func(t *testing.T) { one, _ := twins(t, nil); manyLogins(t, one) })
}

func manyLogins(t *testing.T, h *house) {
	t.Helper()
	h.provider.Set(func(b *idptest.Behaviour) { b.Algorithm = "ES256" }) // one processor signs for all of them
	h.signIn()
	const people = 10_000
	before, began := h.resident(), time.Now()
	largest := make(chan int, people)
	logins := atOnce(people, 64, func(int) (answer, error) {
		cookie, end, err := h.login()
		largest <- len(cookie)
		return end, err
	})
	elapsed, after := time.Since(began), h.resident()
	close(largest)
	size := 0
	for n := range largest {
		size = max(size, n)
	}
	t.Logf("L8: %d logins in %v (wanted: 60s): %v; %d KiB resident before and %d after (wanted: 100 MB more); cookies of at most %d bytes",
		people, elapsed.Round(time.Millisecond), logins, before, after, size)
	if !logins.only(http.StatusFound) {
		t.Errorf("L8: %v", logins)
	}
	if size > 4096 || after-before > 100<<10 {
		t.Errorf("L8: cookies of %d bytes, %d KiB more", size, after-before)
	}
}

// TestCrashDuringLogins is L12: kill -9 while people sign in. Who is signed in
// stays so, and who was at the provider comes back to a login that works.
func TestCrashDuringLogins(t *testing.T) {
	t.Run("cookie", func(t *testing.T) { crashDuringLogins(t, newHouse(t, "", nil).start("/readyz")) })
	t.Run("redis", func(t *testing.T) { one, _ := twins(t, nil); crashDuringLogins(t, one) })
}

func crashDuringLogins(t *testing.T, h *house) {
	t.Helper()
	session := h.signIn()
	type flow struct{ cookie, callback string }
	var flows []flow
	for range 50 {
		cookie, callback, err := h.begin()
		if err != nil {
			t.Fatal(err)
		}
		flows = append(flows, flow{cookie, callback})
	}
	h.doorward.Kill()
	if _, err := h.check(session); err == nil {
		t.Fatal("it answers though it was killed")
	}
	h.start("/readyz")
	if a, err := h.check(session); err != nil || a.status != http.StatusAccepted {
		t.Errorf("L12: the check of a session is %d, %v", a.status, err)
	}
	ended := atOnce(len(flows), 8, func(i int) (answer, error) {
		return h.ask(flows[i].callback, navigation(flows[i].cookie))
	})
	t.Logf("L12: logins that began before the crash: %v", ended)
	if !ended.only(http.StatusFound) {
		t.Errorf("L12: %v", ended)
	}
}

// TestClientsGoAway is L21: a tenth of the clients do not wait for their answer.
func TestClientsGoAway(t *testing.T) {
	h := newHouse(t, "", nil).start("/readyz")
	cookie := h.signIn()
	atOnce(500, 16, func(int) (answer, error) { return h.check(cookie) }) // as many connections as will stay
	goroutines := h.metric("go_goroutines")
	leaver := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}} // connections of its own
	stayed := atOnce(5000, 16, func(i int) (answer, error) {
		if i%10 != 0 {
			return h.check(cookie)
		}
		ctx, leave := context.WithTimeout(t.Context(), time.Duration(i%100)*10*time.Microsecond)
		defer leave()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+h.doorward.Listen+"/auth/nginx", nil)
		if err != nil {
			return answer{}, err
		}
		req.Header = question(navigation(cookie))
		if res, err := leaver.Do(req); err == nil {
			_ = res.Body.Close()
		}
		return answer{status: http.StatusAccepted}, nil
	})
	if !stayed.only(http.StatusAccepted) {
		t.Errorf("L21: %v", stayed)
	}
	leaver.CloseIdleConnections()
	h.await("L21: nothing is left of them", func() bool { return h.metric("go_goroutines") <= goroutines+5 })
	if errors := regexp.MustCompile(`"level":"ERROR"`).FindAllString(h.doorward.Process().Log(), -1); len(errors) > 0 {
		t.Errorf("L21: %d lines of errors", len(errors))
	}
	t.Logf("L21: who stayed: %v", stayed)
}

// resident is the memory of Doorward in KiB.
func (h *house) resident() int {
	h.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", h.doorward.Process().ID()))
	if err != nil {
		h.t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^VmRSS:\s+(\d+) kB$`).FindSubmatch(text)
	if found == nil {
		h.t.Fatal("the kernel does not say how much memory is resident")
	}
	kib, err := strconv.Atoi(string(found[1]))
	if err != nil {
		h.t.Fatal(err)
	}
	return kib
}
