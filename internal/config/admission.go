package config

import (
	"net/netip"
	"strings"
)

const admitAny = "; to let in everybody who is signed in, write `allow: any`"

// allow checks the conditions of a rule; nil when it has none.
func (d *document) allow(s *allowSpec) *Allow {
	if !s.given() {
		return nil
	}
	return &Allow{
		Any:          s.any,
		Emails:       d.emails(s.Emails),
		EmailDomains: d.domains(s.EmailDomains),
		Groups:       d.each(s.Groups, groupProblem),
		Claims:       d.claims(s.Claims),
		Networks:     d.networks(s.Networks),
		When:         s.When.value,
		WhenLine:     s.When.firstLine,
		WhenColumn:   s.When.firstColumn,
	}
}

// emails come back with their domain in lower case.
func (d *document) emails(l list[text]) []string {
	emails := d.each(l, emailProblem)
	for i, email := range emails {
		local, domain, _ := strings.Cut(email, "@")
		emails[i] = local + "@" + strings.ToLower(domain)
	}
	return emails
}

func emailProblem(text string) string {
	local, domain, _ := strings.Cut(text, "@")
	switch {
	case text == "*":
		return "is *" + admitAny
	case local == "" && isHostName(strings.ToLower(domain)):
		return "is a domain; write it without the @ into `email_domains`"
	case !isEmail(text):
		return "is not an e-mail address; write one as ada@example.com"
	}
	return ""
}

// domains come back in lower case.
func (d *document) domains(l list[text]) []string {
	domains := d.each(l, emailDomainProblem)
	for i := range domains {
		domains[i] = strings.ToLower(domains[i])
	}
	return domains
}

func emailDomainProblem(text string) string {
	switch {
	case text == "*":
		return "is *" + admitAny
	case strings.Contains(text, "@"):
		return "has an @; write only what follows it, as example.com"
	}
	_, problem := parseHost(text, false)
	return problem
}

func groupProblem(text string) string {
	switch {
	case text == "*":
		return "is *" + admitAny
	case text != strings.TrimSpace(text):
		return "begins or ends with white space; remove it"
	case hasControl(text):
		return "has a control character in it; remove it"
	}
	return ""
}

func (d *document) claims(t table[list[scalar]]) map[string][]string {
	if len(t.rows) == 0 {
		return nil
	}
	claims := map[string][]string{}
	for _, row := range t.rows {
		d.checked(row.key, claimProblem)
		for _, entry := range row.value.entries {
			if entry.value != "" {
				claims[row.key.value] = append(claims[row.key.value], entry.value)
			}
		}
	}
	return claims
}

func claimProblem(text string) string {
	if !isDottedPath(text) {
		return "is not a claim; write its name, or for one inside another as realm_access.roles"
	}
	return ""
}

func (d *document) networks(l list[text]) []netip.Prefix {
	var networks []netip.Prefix
	for _, entry := range l.entries {
		if entry.value == "" {
			continue
		}
		network, ok := parsePrefix(entry.value)
		switch {
		case !ok:
			d.mistake(entry.place, "is neither a network nor an address; write for example 10.0.0.0/8 or 192.0.2.7")
			continue
		case network.Bits() == 0:
			d.warn(entry.place, "is every address there is, and restricts nobody of its family")
		}
		networks = append(networks, network)
	}
	return networks
}

func hasControl(text string) bool     { return strings.ContainsFunc(text, isControl) }
func hasSpaceOrMore(text string) bool { return strings.ContainsFunc(text, notPrintable) }
