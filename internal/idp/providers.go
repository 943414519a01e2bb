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

// Label is what people read for the provider of a name, which is the name itself
// where that is no longer configured.
func (ps Providers) Label(name string) string {
	if p, ok := ps.Named(name); ok {
		return p.Label()
	}
	return name
}
