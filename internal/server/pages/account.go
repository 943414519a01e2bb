package pages

import (
	"io"
	"time"
)

// Account is the page that says who is signed in. What is empty is not shown.
type Account struct {
	Account  string // empty when nobody is signed in
	Name     string
	Email    string
	Groups   []string
	Provider string    // its label
	Expires  time.Time // when the session ends; shown in UTC

	Apps []App // that the account may open

	SignOutURL  string
	SessionsURL string // where all sessions of the account are; empty when nobody knows them
	SignInURL   string // offered when nobody is signed in
}

// App is a place to go to.
type App struct {
	Title string
	Host  string // shown below the title when it says something else
	URL   string
	Icon  string // address of a picture, may be empty; name it to Policy
}

// Account writes the page of the account, or of nobody.
func (s *Set) Account(w io.Writer, p Account) error { return write(w, s.account, p) }
