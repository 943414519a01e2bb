package gateway

import (
	"net/url"
	"strings"

	"github.com/doorward/doorward/internal/auth"
)

// narrowing reads the parameters by which a check's own query restricts its
// rule, as oauth2-proxy has them: allowed_groups, allowed_emails and
// allowed_email_domains, each a list with commas. Everything else in the query
// is passed over, because some gateways append the client's query to it. What
// cannot be decoded admits nobody.
func narrowing(rawQuery string) auth.Narrowing {
	var n auth.Narrowing
	if rawQuery == "" {
		return n
	}
	for pair := range strings.SplitSeq(rawQuery, "&") {
		key, value, _ := strings.Cut(pair, "=")
		if unescaped, err := url.QueryUnescape(key); err == nil {
			key = unescaped
		}
		switch key {
		case "allowed_groups":
			n.Groups = append(n.Groups, alternatives(value))
		case "allowed_emails":
			n.Emails = append(n.Emails, alternatives(value))
		case "allowed_email_domains":
			n.EmailDomains = append(n.EmailDomains, alternatives(value))
		}
	}
	return n
}

// alternatives returns the values of a list, none when there is nothing to read.
func alternatives(value string) []string {
	unescaped, err := url.QueryUnescape(value)
	if err != nil {
		return nil
	}
	var values []string
	for v := range strings.SplitSeq(unescaped, ",") {
		if v = strings.TrimSpace(v); v != "" {
			values = append(values, v)
		}
	}
	return values
}
