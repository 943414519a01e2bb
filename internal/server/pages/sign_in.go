package pages

import "io"

// SignIn is the page on which a login begins. With several providers it is the
// chooser.
type SignIn struct {
	Host      string // the host that asks, app.example.com; may be empty
	Providers []Provider
}

// Provider is one way to sign in.
type Provider struct {
	Label string // as people know it: "Company login"
	URL   string // begins the login
	Last  bool   // this browser's last login was there; the page names it first
}

// SignIn writes the sign-in page.
func (s *Set) SignIn(w io.Writer, p SignIn) error { return write(w, s.signIn, p) }
