package stack

import (
	"context"
	"fmt"
	"os/exec"

	"github.com/chromedp/chromedp"
)

// NewBrowser starts Chromium with an empty profile and returns a context for
// chromedp in its first tab. Every host name means loopback, names of the
// outside world do not resolve, and certificates of the run's authority are
// taken. The function closes the browser.
func NewBrowser(ctx context.Context) (context.Context, context.CancelFunc, error) {
	binary, err := exec.LookPath("chromium")
	if err != nil {
		return nil, nil, fmt.Errorf("stack: chromium is missing; run in test/: go run ./tools: %w", err)
	}
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(binary),
		chromedp.Headless,
		chromedp.NoSandbox, // for root
		chromedp.DisableGPU,
		chromedp.NoFirstRun,
		chromedp.NoDefaultBrowserCheck,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.Flag("ignore-certificate-errors", true),
		chromedp.Flag("host-resolver-rules", "MAP * 127.0.0.1"),
	}
	allocator, stopAllocator := chromedp.NewExecAllocator(ctx, options...)
	tab, closeTab := chromedp.NewContext(allocator)
	stop := func() {
		closeTab()
		stopAllocator() // also removes the profile
	}
	if err := chromedp.Do(tab); err != nil { // the first call starts the browser
		stop()
		return nil, nil, fmt.Errorf("stack: start chromium: %w", err)
	}
	return tab, stop, nil
}
