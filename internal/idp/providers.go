package idp

// Providers are all providers at which people sign in, in the order in which they
// are offered. There is at least one.
type Providers []*Provider

// Named returns the provider of a configured name.
func (ps Providers) Named(name string) (*Provider, bool) {
	for _, p := range ps {
		if p.Name() == name {
			return p, true
		}
	}
	return nil, false
}

// OfIssuer returns the first provider whose tokens name an issuer.
func (ps Providers) OfIssuer(issuer string) (*Provider, bool) {
	for _, p := range ps {
		if p.issues(claims{"iss": issuer}) {
			return p, true
		}
	}
	return nil, false
}

// issues reports whether tokens with the claims c would be this provider's own, if
// they were verified.
func (p *Provider) issues(c claims) bool {
	want, err := p.kind.issuer(p, c)
	issuer, _ := c.text("iss")
	return p.kind.openID() && err == nil && issuer != "" && issuer == want
}

// Label is what people read for the provider of a name, which is the name itself
// where that is no longer configured.
func (ps Providers) Label(name string) string {
	if p, ok := ps.Named(name); ok {
		return p.Label()
	}
	return name
}
