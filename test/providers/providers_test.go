// Package providers runs Doorward with the providers that people run: Keycloak,
// Dex, and oidc-provider as a second opinion. All of them are the real programs,
// nginx or Envoy asks Doorward, and Chromium is the person.
package providers

import "testing"

// TestProviders is one test, so that Keycloak is started once.
func TestProviders(t *testing.T) {
	h := newHouse(t)
	for _, part := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"sign-in", h.testSignIn},
		{"step-up", h.testStepUp},
		{"the administrator ends sessions", h.testAdmin},
		{"another address inside the cluster", h.testSplit},
		{"Istio with /oauth2", h.testIstio},
	} {
		t.Run(part.name, part.run)
	}
}
