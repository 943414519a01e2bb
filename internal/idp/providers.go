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
		if p.issues(issuer) {
			return p, true
		}
	}
	return nil, false
}

// issues reports whether the provider has tokens that name an issuer. It is Issuer,
// except for providers with several tenants.
func (p *Provider) issues(issuer string) bool {
	return issuer != "" && p.kind.openID() && p.kind.answersAs(p, issuer)
}

// Label is what people read for the provider of a name, which is the name itself
// where that is no longer configured.
func (ps Providers) Label(name string) string {
	if p, ok := ps.Named(name); ok {
		return p.Label()
	}
	return name
}
