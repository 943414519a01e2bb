package pages

import "io"

// NotAllowed is the page of a 403: somebody is known, but may not pass. What is
// empty is not shown.
type NotAllowed struct {
	Account  string // empty when nobody is signed in
	Provider string // its label
	Host     string // what was to be opened; empty: "this page"

	Reason     string // a sentence for the reader, auth.Reason.Text
	ReasonCode string // auth.Reason.Code
	RequestID  string

	OtherAccountURL string // begins a login at which another account can be chosen
	OtherProvider   string // its label, when that login has to be at another one
	SignOutURL      string

	// Operator says what the person who runs Doorward can do about it. It is
	// shown to everybody, so it names settings and no values.
	Operator string
}

// NotAllowed writes the page of a 403.
func (s *Set) NotAllowed(w io.Writer, p NotAllowed) error { return write(w, s.notAllowed, p) }

// Problem is the page for everything that went wrong. It carries no internals:
// Code is what the reader quotes and the operator finds in the log.
type Problem struct {
	Title string // a short statement, the heading of the page
	Text  string // what it means for the reader, and what to do
	Code  string // request id and reason code

	RetryURL   string // may be empty
	RetryLabel string // "Try again" when empty
	HomeURL    string // may be empty
}

// Problem writes the page of an error.
func (s *Set) Problem(w io.Writer, p Problem) error { return write(w, s.problem, p) }
