package idp

import (
	"net/url"

	"github.com/doorward/doorward/internal/secret"
)

// SignOut is what a provider hears when somebody signs out here. What is empty is
// left out.
type SignOut struct {
	ReturnTo string        // where the browser is to come back to; registered at the provider
	State    string        // comes back with it
	IDToken  secret.Secret // with which the provider need not ask the person
}

// maxSignOutURL bounds the address of a sign-out with its ID token, so that the
// answer that holds it passes a gateway with buffers of 4 KiB. A longer token is
// left out.
const maxSignOutURL = 3000

// EndSessionURL returns where to send the browser so that the session at the
// provider ends as well (OpenID Connect RP-Initiated Logout 1.0 section 2), and ""
// when the provider has no such place or has not been discovered. The address may
// hold the ID token: it is for the Location of an answer and nothing else.
func (p *Provider) EndSessionURL(s SignOut) string {
	endpoint := p.conf.EndSessionURL
	if meta := p.meta.Load(); meta != nil {
		endpoint = meta.endSessionURL
	}
	u, err := url.Parse(endpoint)
	if endpoint == "" || err != nil {
		return ""
	}
	query := u.Query()
	query.Set("client_id", p.conf.ClientID)
	for name, value := range map[string]string{
		"post_logout_redirect_uri": s.ReturnTo, "state": s.State, "id_token_hint": s.IDToken.Reveal(),
	} {
		if value != "" {
			query.Set(name, value)
		}
	}
	u.RawQuery = query.Encode()
	if address := u.String(); len(address) <= maxSignOutURL {
		return address
	}
	query.Del("id_token_hint")
	u.RawQuery = query.Encode()
	return u.String()
}

// SessionOrigins are the origins of the pages at which the provider ends its
// sessions, as browsers see them: "https://id.example.com". Its front-channel
// logout shows pages of its clients in frames on them.
func (p *Provider) SessionOrigins() []string {
	places := []string{p.conf.IssuerURL, p.conf.AuthURL, p.conf.EndSessionURL}
	if meta := p.meta.Load(); meta != nil {
		places = append(places, meta.authURL, meta.endSessionURL)
	}
	var origins []string
	known := map[string]bool{}
	for _, place := range places {
		u, err := url.Parse(place)
		if err != nil || u.Host == "" || known[u.Scheme+"://"+u.Host] {
			continue
		}
		origin := u.Scheme + "://" + u.Host
		known[origin] = true
		origins = append(origins, origin)
	}
	return origins
}
