package pages

import "io"

// SignedOut is the page at which a sign-out ends.
type SignedOut struct {
	// StillAt is the label of the provider whose own session may go on. Empty
	// when it ended too: then the page does not speak of it.
	StillAt string

	SignInURL    string
	ContinueURL  string // the app, may be empty
	ContinueHost string // names the app in the link, may be empty
}

// SignedOut writes the page after a sign-out.
func (s *Set) SignedOut(w io.Writer, p SignedOut) error { return write(w, s.signedOut, p) }

// ConfirmSignOut is the question before a sign-out that another site may have
// asked for.
type ConfirmSignOut struct {
	Account   string // may be empty
	ActionURL string // signs out
	ByLink    bool   // with a GET: the browser says itself where a link was followed; otherwise with a POST
	CancelURL string // may be empty
}

// ConfirmSignOut writes the question.
func (s *Set) ConfirmSignOut(w io.Writer, p ConfirmSignOut) error {
	return write(w, s.confirmSignOut, p)
}
