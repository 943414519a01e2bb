package providers

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/doorward/doorward/test/stack"
)

// tab is a window of Chromium.
type tab struct {
	t   *testing.T
	ctx context.Context
}

// person opens a window with no cookies, which closes with the test.
func (h *house) person(t *testing.T) *tab {
	t.Helper()
	ctx, closeTab := chromedp.NewContext(h.browser, chromedp.WithNewBrowserContext())
	t.Cleanup(closeTab)
	// The first use opens the window, which lasts as long as the context of that use.
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	return &tab{t, ctx}
}

// do runs steps one after the other.
func (b *tab) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.t.Fatalf("%s: %v (at %s)", what, err, b.at())
	}
}

// load runs steps that lead to another page, waits for it and returns its status.
func (b *tab) load(what string, steps ...chromedp.Action[chromedp.Void]) int {
	b.t.Helper()
	began := time.Now()
	defer func() { b.t.Logf("%s: %v, at %s", what, time.Since(began), b.at()) }()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	response, err := chromedp.RunResponse(ctx, steps...)
	if err != nil || response == nil {
		b.t.Fatalf("%s: %v (at %s)", what, err, b.at())
	}
	return int(response.Status)
}

// open goes to an address as if it were typed in.
func (b *tab) open(address string) int {
	b.t.Helper()
	return b.load("open "+address, chromedp.Navigate(address))
}

// click follows a link or sends a form.
func (b *tab) click(selector string) int {
	b.t.Helper()
	return b.load("click "+selector, chromedp.WaitVisible(selector), chromedp.Click(selector))
}

// fill writes into the fields of a form.
func (b *tab) fill(fields map[string]string) {
	b.t.Helper()
	for name, value := range fields {
		selector := fmt.Sprintf("input[name=%q]", name)
		b.do("fill in "+name, chromedp.WaitVisible(selector), chromedp.SetValue(selector, value))
	}
}

// eval is the value of an expression, or of what a promise comes to, as a string.
func (b *tab) eval(expression string) string {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[string](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return value
}

// has reports whether there is something on the page that a selector finds.
func (b *tab) has(selector string) bool {
	b.t.Helper()
	return b.eval(fmt.Sprintf(`String(document.querySelector(%q) !== null)`, selector)) == "true"
}

// at is the page's address without its query, which may hold a code.
func (b *tab) at() string {
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	address, err := chromedp.Run(ctx, chromedp.Location())
	if err != nil {
		return err.Error()
	}
	address, _, _ = strings.Cut(address, "?")
	return address
}

// seen is what the app sees of a request that a script on its page makes.
func (b *tab) seen() stack.Seen {
	b.t.Helper()
	text := b.eval(`fetch('/seen', {headers: {Accept: 'application/json'}}).then(answer => answer.text())`)
	var request stack.Seen
	if err := json.Unmarshal([]byte(text), &request); err != nil {
		b.t.Fatalf("at %s: %v: %.300s", b.at(), err, text)
	}
	return request
}
