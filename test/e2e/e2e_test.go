// Package e2e runs Doorward as it is run in real life: nginx asks it, Dex signs
// people in, and Chromium is the person. Nothing is simulated; a part that is
// missing fails the test by name.
package e2e

import "testing"

// TestEndToEnd is one test, so that what is looked at last, the logs and the
// processes of the whole run, is looked at whatever part of it was asked for.
func TestEndToEnd(t *testing.T) {
	h := newHouse(t)
	for _, part := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"gateways", h.testGateways},
		{"other gateways", h.testOtherGateways},
		{"checks share connections", h.testConnections},
		{"provider down at start", h.testProviderDown},
		{"provider forgets its keys", h.testProviderForgets},
		{"crash", h.testCrash},
		{"key rotation", h.testKeyRotation},
		{"shutdown", h.testShutdown},
		{"pages", h.testPages},
	} {
		t.Run(part.name, part.run)
	}
	h.close(t)
}
