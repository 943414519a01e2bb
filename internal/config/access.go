package config

import "strings"

const allowAnyUser = "DOORWARD_ALLOW_ANY_USER"

// access reads who may enter by DOORWARD_ALLOW*.
func (r *reader) access(s *spec, c *Config) {
	before := len(r.mistakes)
	c.AllowAnyUser = r.boolean(allowAnyUser, s.AllowAnyUser)
	c.AllowedEmails = r.emails(s.AllowedEmails)
	c.AllowedEmailDomains = r.emailDomains(s.AllowedEmailDomains)
	c.AllowedGroups = r.groups(s.AllowedGroups)
	if c.restricted() && c.AllowAnyUser && len(r.mistakes) == before {
		r.mistake(allowAnyUser, "is true, but there are lists of who may pass; unset the one or the other")
	}
}

// requireSomebody refuses nobody at all as much as everybody by accident.
func (r *reader) requireSomebody(c *Config) {
	for _, mistake := range r.mistakes {
		if strings.HasPrefix(mistake, "DOORWARD_ALLOWED_") || strings.HasPrefix(mistake, allowAnyUser) {
			return // it was meant to say who may pass
		}
	}
	if !c.restricted() && !c.AllowAnyUser {
		r.mistake(allowAnyUser, "nobody could pass; set DOORWARD_ALLOWED_EMAILS, DOORWARD_ALLOWED_EMAIL_DOMAINS or DOORWARD_ALLOWED_GROUPS, or set this to true to let in everybody whom the provider signs in")
	}
}

// restricted reports whether DOORWARD_ALLOWED_* name who may pass.
func (c *Config) restricted() bool {
	return len(c.AllowedEmails)+len(c.AllowedEmailDomains)+len(c.AllowedGroups) > 0
}

// emails come back with their domain in lower case.
func (r *reader) emails(text string) []string {
	const name = "DOORWARD_ALLOWED_EMAILS"
	var emails []string
	for i, entry := range r.restriction(name, text) {
		local, domain, _ := strings.Cut(entry, "@")
		switch {
		case entry == "*":
			r.mistake(name, "entry %d is *; to let in everybody set %s=true instead", i+1, allowAnyUser)
		case local == "" && isHostName(strings.ToLower(domain)):
			r.mistake(name, "entry %d is a domain; write it without the @ into DOORWARD_ALLOWED_EMAIL_DOMAINS", i+1)
		case !isEmail(entry):
			r.mistake(name, "entry %d is not an e-mail address; write one as ada@example.com", i+1)
		default:
			emails = append(emails, local+"@"+strings.ToLower(domain))
		}
	}
	return emails
}

// isEmail accepts what can be read in one way only (SECURITY.md AUTHZ-2).
func isEmail(text string) bool {
	if len(text) > 254 || strings.Count(text, "@") != 1 || strings.ContainsFunc(text, notPrintable) || strings.Contains(text, `"`) {
		return false
	}
	local, domain, _ := strings.Cut(text, "@")
	return local != "" && isHostName(strings.ToLower(domain))
}

func (r *reader) emailDomains(text string) []string {
	const name = "DOORWARD_ALLOWED_EMAIL_DOMAINS"
	var domains []string
	for i, entry := range r.restriction(name, text) {
		if entry == "*" {
			r.mistake(name, "entry %d is *; to let in everybody set %s=true instead", i+1, allowAnyUser)
			continue
		}
		if strings.Contains(entry, "@") {
			r.mistake(name, "entry %d has an @; write only what follows it, as example.com", i+1)
			continue
		}
		domain, problem := parseHost(entry, false)
		if problem != "" {
			r.mistake(name, "entry %d %s", i+1, problem)
			continue
		}
		domains = append(domains, domain)
	}
	return domains
}

// groups are compared byte for byte, and a name may be anything but white space
// at its ends and commas.
func (r *reader) groups(text string) []string {
	const name = "DOORWARD_ALLOWED_GROUPS"
	groups := r.restriction(name, text)
	for i, group := range groups {
		switch {
		case group == "*":
			r.mistake(name, "entry %d is *; to let in everybody set %s=true instead", i+1, allowAnyUser)
		case strings.ContainsFunc(group, isControl):
			r.mistake(name, "entry %d has a control character in it; remove it", i+1)
		}
	}
	return groups
}

func isControl(c rune) bool { return c < ' ' || c == 0x7f }

const redirectHosts = "DOORWARD_ALLOWED_REDIRECT_HOSTS"

func (r *reader) redirectHosts(text string) []string {
	var hosts []string
	for i, entry := range r.list(redirectHosts, text) {
		host, problem := parseHost(entry, true)
		if strings.HasPrefix(entry, ".") {
			problem = "begins with a dot; write *. for all hosts below a domain"
		}
		if problem != "" {
			r.mistake(redirectHosts, "entry %d %s", i+1, problem)
			continue
		}
		hosts = append(hosts, host)
	}
	return hosts
}
