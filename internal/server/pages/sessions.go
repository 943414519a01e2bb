package pages

import (
	"io"
	"time"
)

// Sessions is the page on which somebody sees where they are signed in.
type Sessions struct {
	Account  string
	Sessions []Session // the one of this browser first
	More     int       // that are not shown
	Others   int       // in all

	ActionURL  string // where a session is ended: a form with `end`, its ID or "others"
	SignOutURL string // ends the session of this browser
	HomeURL    string

	// Unlisted says that nobody knows what sessions there are.
	Unlisted bool
}

// Session is a line of the list.
type Session struct {
	ID      string
	Device  string
	Client  string    // address; empty when it is not known
	Site    string    // where it is good, when that is not the same for all
	Created time.Time // shown in UTC
	Used    string    // when, in words
	Here    bool      // the session of this browser
}

// Sessions writes the page of the sessions of an account.
func (s *Set) Sessions(w io.Writer, p Sessions) error { return write(w, s.sessions, p) }
