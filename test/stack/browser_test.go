package stack

import (
	"context"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// TestBrowser shows the app to a real browser, without a gateway.
func TestBrowser(t *testing.T) {
	addresses, err := FreeAddresses(0)
	if err != nil {
		t.Fatal(err)
	}
	app := &App{AppURL: "http://" + addresses[0]}
	if err := app.Start(addresses[0]); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = app.Stop() })
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	tab, closeBrowser, err := NewBrowser(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer closeBrowser()

	if err := chromedp.Do(tab,
		chromedp.Navigate("http://"+addresses[0]+"/a%20b?x=1"),
		chromedp.Click("#fetch"),
		chromedp.WaitVisible("#fetched:not(:empty)"),
	); err != nil {
		t.Fatal(err)
	}
	for expression, want := range map[string]string{
		`document.getElementById('request').textContent`: "GET /a%20b?x=1",
		`document.getElementById('fetched').value`:       "200",
	} {
		got, err := chromedp.Run(tab, chromedp.Evaluate[string](expression))
		if err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("%s is %q, want %q", expression, got, want)
		}
	}
}
