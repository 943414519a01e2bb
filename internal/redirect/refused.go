package redirect

// Refused says why an address may not be returned to. Code is stable, for logs
// and metrics; Text is a sentence for a person. Neither holds any part of the
// address, so both may be logged and shown as they are.
type Refused struct {
	Code string
	Text string
}

func (r *Refused) Error() string { return "redirect: " + r.Text }

// The reasons of every refusal.
var (
	errRepeated  = &Refused{"repeated", "the return address is given more than once"}
	errMalformed = &Refused{"malformed", "the return address is not percent-encoded as a query parameter has to be"}

	errEmpty     = &Refused{"empty", "the return address is empty"}
	errTooLong   = &Refused{"too_long", "the return address is longer than 2,048 bytes"}
	errBytes     = &Refused{"bytes", "the return address has a space, a backslash, a control character or a byte beyond ASCII"}
	errForm      = &Refused{"form", "the return address is neither a path with one leading slash nor an absolute address of http or https"}
	errAuthority = &Refused{"authority", "the return address has a user name, or a host or port that is malformed"}
	errScheme    = &Refused{"scheme", "the return address has another scheme than the public URL"}
	errHost      = &Refused{"host", "the return address is on a host that is not allowed"}
	errPort      = &Refused{"port", "the return address has a port that is neither the default one nor one of a public URL"}
	errPath      = &Refused{"path", "the path of the return address can be read as another host, as a path above the root or with control characters in it"}
	errOwn       = &Refused{"own_endpoint", "the return address is an endpoint of Doorward"}
)
