package e2e

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/doorward/doorward/test/stack"
)

// tab is a page of Chromium, and what the browser sent and got for it.
type tab struct {
	t      *testing.T
	ctx    context.Context
	secret *ledger

	mu       sync.Mutex
	requests []request
	answers  map[network.RequestID][]answer // in the order of the requests of one id
	problems []string                       // that the browser reported: a policy that was broken
}

// request is one request of a tab. Redirects have the id of the first.
type request struct {
	id          network.RequestID
	method, url string
}

// person opens a window with no cookies, which closes with the test.
func (h *house) person(t *testing.T) *tab {
	t.Helper()
	ctx, closeTab := chromedp.NewContext(h.browser, chromedp.WithNewBrowserContext())
	return newTab(ctx, t, closeTab, h.secret)
}

// another opens a second tab beside this one, with the same cookies.
func (b *tab) another() *tab {
	b.t.Helper()
	ctx, closeTab := chromedp.NewContext(b.ctx)
	return newTab(ctx, b.t, closeTab, b.secret)
}

func newTab(ctx context.Context, t *testing.T, closeTab context.CancelFunc, secret *ledger) *tab {
	t.Helper()
	t.Cleanup(closeTab)
	b := &tab{t: t, ctx: ctx, secret: secret, answers: map[network.RequestID][]answer{}}
	if err := chromedp.Listen(ctx, b.note); err != nil { // also opens the tab
		t.Fatal(err)
	}
	return b
}

// note records an event of the browser.
func (b *tab) note(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		b.secret.address(e.Request.URL)
		b.requests = append(b.requests, request{e.RequestID, e.Request.Method, e.Request.URL})
	case *network.EventRequestWillBeSentExtraInfo:
		for _, c := range e.AssociatedCookies {
			b.secret.add("cookie "+c.Cookie.Name, c.Cookie.Value)
		}
	case *network.EventResponseReceivedExtraInfo:
		a := answer{status: int(e.StatusCode)}
		for name, value := range e.Headers {
			if strings.EqualFold(name, "Set-Cookie") {
				a.setCookie = strings.Split(fmt.Sprint(value), "\n")
			}
		}
		b.secret.cookies(a.setCookie...)
		b.answers[e.RequestID] = append(b.answers[e.RequestID], a)
	case *log.EventEntryAdded:
		if e.Entry.Source == log.EntrySourceSecurity {
			b.problems = append(b.problems, e.Entry.Text)
		}
	}
}

// mark is a point in what the tab did; see since.
func (b *tab) mark() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.requests)
}

// since is what the tab asked for after a mark, with the answers so far; status
// 0 is for none.
func (b *tab) since(mark int) []answer {
	b.mu.Lock()
	defer b.mu.Unlock()
	next := map[network.RequestID]int{}
	var all []answer
	for i, r := range b.requests {
		a := answer{}
		if got, n := b.answers[r.id], next[r.id]; n < len(got) {
			a = got[n]
		}
		next[r.id]++
		if i >= mark {
			a.method, a.url = r.method, r.url
			all = append(all, a)
		}
	}
	return all
}

// do runs steps one after the other.
func (b *tab) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.t.Fatalf("%s: %v (at %s)", what, err, where(b.location()))
	}
}

// load runs steps that lead to another page, waits for it and returns its
// status.
func (b *tab) load(what string, steps ...chromedp.Action[chromedp.Void]) int {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	response, err := chromedp.RunResponse(ctx, steps...)
	if err != nil || response == nil {
		b.t.Fatalf("%s: %v (at %s)", what, err, where(b.location()))
	}
	return int(response.Status)
}

// open goes to an address as if it were typed in.
func (b *tab) open(address string) int {
	b.t.Helper()
	return b.load("open "+address, chromedp.Navigate(address))
}

// click follows a link or sends a form, and returns the status of the page that
// comes of it.
func (b *tab) click(selector string) int {
	b.t.Helper()
	return b.load("click "+selector, chromedp.Click(selector))
}

// back presses the back button and waits for what it leads to, be it asked for
// again or a copy that the browser kept.
func (b *tab) back() {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	b.eval(`window.left = 'behind'`)
	history, err := chromedp.Run(ctx, chromedp.NavigationEntries())
	if err != nil || history.CurrentIndex < 1 {
		b.t.Fatalf("there is no way back from %s: %v", where(b.location()), err)
	}
	entry := history.Entries[history.CurrentIndex-1].ID
	if _, err := chromedp.Call(ctx, page.NavigateToHistoryEntry, page.NavigateToHistoryEntryParams{EntryID: entry}); err != nil {
		b.t.Fatal(err)
	}
	until(b.t, "the browser has gone back", func() bool {
		// While one page takes the place of another there is nothing to ask.
		there, err := chromedp.Run(ctx, chromedp.Evaluate[bool](`window.left === undefined && document.readyState === 'complete' && location.protocol !== 'about:'`))
		return err == nil && there
	})
}

// signIn fills in the provider's page and returns the status of the page that
// comes after.
func (b *tab) signIn(email string) int {
	b.t.Helper()
	b.do("fill in the provider's page",
		chromedp.WaitVisible(`input[name=login]`),
		chromedp.SetValue(`input[name=login]`, email),
		chromedp.SetValue(`input[name=password]`, stack.Password),
	)
	return b.click(`button[type=submit]`)
}

// text is the text of the first element that a selector finds.
func (b *tab) text(selector string) string {
	b.t.Helper()
	return b.eval(fmt.Sprintf(`document.querySelector(%q)?.textContent ?? ''`, selector))
}

// eval is the value of an expression that is a string.
func (b *tab) eval(expression string, options ...chromedp.EvaluateOption) string {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[string](expression, options...))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return value
}

func (b *tab) location() string {
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	address, err := chromedp.Run(ctx, chromedp.Location())
	if err != nil {
		return err.Error()
	}
	return address
}

// where is an address without its query, which may hold a code.
func where(address string) string {
	address, _, _ = strings.Cut(address, "?")
	return address
}
