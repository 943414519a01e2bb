package config

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// Rule is one rule of the configuration file, or the one that DOORWARD_ALLOW*
// makes. Exactly one of Public, Deny and Allow is set.
type Rule struct {
	Name string // unique; "rule 3" for the third when it has none of its own

	// Where it begins in the file, from 1; 0 for the rule of DOORWARD_ALLOW*.
	Line   int
	Column int

	Hosts   []string // lower case, exact or "*.example.com"; none: Config.Hosts
	Paths   []string // canonical; `*` is one segment, `**` at the end the rest; none: all
	Methods []string // upper case; none: all

	Public bool
	Deny   bool
	Allow  *Allow

	ACR      []string      // any of them satisfies; none: whatever the provider did
	MaxAge   time.Duration // since the provider last saw the user prove who they are; 0: any
	Provider string        // the name of a configured provider; "": any
	Redirect bool          // false: nobody is sent to a login
	CORS     []string      // origins whose preflights pass, as browsers write them

	// Shadow marks a rule that is evaluated beside the others and not enforced.
	Shadow bool

	Title string // of the card in the portal; "": the host
	Icon  string // address of a picture, or ""
}

// called is how messages call the rule from elsewhere.
func (r *Rule) called() string {
	if r.Line == 0 {
		return r.Name
	}
	return fmt.Sprintf("%s (line %d)", r.label(), r.Line)
}

func (r *Rule) label() string {
	if strings.HasPrefix(r.Name, "rule ") {
		return shown(r.Name)
	}
	return fmt.Sprintf("rule %q", shown(r.Name))
}

// Allow says whom a rule admits. Either Any is true and everything else is
// empty, or all that is set must hold: (one of Emails or EmailDomains), one of
// Groups, each claim, one of Networks, and When.
type Allow struct {
	Any          bool
	Emails       []string            // domain in lower case
	EmailDomains []string            // lower case
	Groups       []string            // byte for byte
	Claims       map[string][]string // a dotted path, and its alternatives as text
	Networks     []netip.Prefix

	// When is the source of a CEL expression, and its first character stands at
	// WhenLine and WhenColumn of the file, both counted from 1. See WhenAt.
	When       string
	WhenLine   int
	WhenColumn int
}

// WhenAt returns where the line and column of the expression, both counted from
// 1, stand in the file.
func (a *Allow) WhenAt(line, column int) (fileLine, fileColumn int) {
	return a.WhenLine + line - 1, a.WhenColumn + column - 1
}
