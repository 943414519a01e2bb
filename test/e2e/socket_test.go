package e2e

import (
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/doorward/doorward/test/stack"
)

// testOtherGateways signs in and out through the gateways that hand a denial to
// the browser as it is. What else they do is in test/gateways; here it is that a
// real browser gets along with them.
func (h *house) testOtherGateways(t *testing.T) {
	for _, gateway := range []struct {
		name string
		file stack.Gateway
	}{
		{"Traefik", stack.Traefik},
		{"Caddy", stack.Caddy},
		{"Envoy over HTTP", stack.EnvoyHTTP},
		{"Envoy over gRPC", stack.EnvoyGRPC},
	} {
		t.Run(gateway.name, func(t *testing.T) {
			v := &visit{house: h, s: h.start(t, gateway.file, nil)}
			v.testSocket(t)
		})
	}
}

// testSocket: a page, its WebSocket and the way out.
func (v *visit) testSocket(t *testing.T) {
	b := v.person(t)
	v.arrive(t, b, stack.Ada, v.s.AppURL+"/x?a=1&b=%26")
	if got := b.echo("hello"); got != "hello" {
		t.Errorf("the WebSocket answers %q", got)
	}
	b.click("#sign-out")
	v.atProvider(t, b)
	b.open(v.s.AppURL + "/")
	v.atProvider(t, b)
}

// echo sends a text over a WebSocket of the page and returns what comes back.
func (b *tab) echo(text string) string {
	b.t.Helper()
	script := `new Promise(resolve => {
		const socket = new WebSocket(location.origin.replace("http", "ws") + "/socket");
		socket.onopen = () => socket.send(` + "`" + text + "`" + `);
		socket.onmessage = e => { socket.close(); resolve(e.data); };
		socket.onerror = () => resolve("an error");
	})`
	return b.eval(script, chromedp.EvalAwaitPromise)
}
