package idp

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/secret"
)

const (
	maxName  = 1024 // bytes of a user claim, a name or a group
	maxEmail = 254  // bytes of an address (RFC 5321 4.5.3.1)

	gatherTimeout = 20 * time.Second // for all that is asked about one user
)

// user makes the user out of what a login or a refresh brought: a verified ID
// token, the zero idToken for kinds without one, and the access token, with which
// the provider may be asked for more. At a refresh without an ID token, id holds
// the subject that the session has. The error is as that of Login.
func (p *Provider) user(ctx context.Context, meta *metadata, id idToken, access secret.Secret) (auth.User, error) {
	known, err := p.gather(ctx, meta, id, access)
	if err != nil {
		return auth.User{}, err
	}
	return p.userOf(id, known)
}

// userOf makes the user out of what was found out.
func (p *Provider) userOf(id idToken, known knowledge) (auth.User, error) {
	name, err := p.userID(known.sources)
	if err != nil {
		return auth.User{}, err
	}
	groups, unknown := p.groups(known.sources, known.subject)
	return auth.User{
		Provider:          p.conf.Name,
		Issuer:            p.conf.IssuerURL,
		Subject:           known.subject,
		ID:                name,
		Email:             p.firstEmail(known.sources, p.conf.EmailClaim),
		PreferredUsername: firstText(known.sources, "preferred_username"),
		Name:              firstText(known.sources, "name"),
		Groups:            groups,
		GroupsUnknown:     unknown || known.groupsUnknown,
		Claims:            p.keep(known.sources),
		ClaimsAsked:       p.keeps(),
		ACR:               id.acr,
		AuthTime:          id.authTime,
	}, nil
}

// userID reads the claim that names the user. One that holds the e-mail address
// must be verified like that: otherwise anybody could take somebody's name.
func (p *Provider) userID(sources []claims) (string, error) {
	path := p.conf.UserClaim
	if path == p.conf.EmailClaim || path == "email" {
		if address := p.firstEmail(sources, path); address != "" {
			return address, nil
		}
		return "", invalid(ReasonUserClaim, "the claim %s holds no verified e-mail address", path)
	}
	if name := firstText(sources, path); name != "" {
		return name, nil
	}
	return "", invalid(ReasonUserClaim, "the claim %s is missing, or no string of at most %d bytes", path, maxName)
}

// firstText returns the claim of the first source that has it, and "" for one
// that is no string or too long to be a name.
func firstText(sources []claims, path string) string {
	for _, source := range sources {
		if value, there := source.lookup(path); there {
			text, _ := value.(string)
			if len(text) > maxName {
				return ""
			}
			return text
		}
	}
	return ""
}

func (p *Provider) firstEmail(sources []claims, path string) string {
	for _, source := range sources {
		if address, settled := p.email(source, path); settled {
			return address
		}
	}
	return ""
}

// email returns the verified address of one source, and whether that source
// settles the question. The address and the claim that it is verified are taken
// from the same source only. Verified means the boolean true in the claim beside
// it: email_verified for email, work.mail_verified for work.mail. Other claims
// have no such neighbour in OpenID Connect, and then nothing vouches for them
// (a upn or preferred_username can be anybody's choice).
func (p *Provider) email(source claims, path string) (address string, settled bool) {
	value, there := source.lookup(path)
	if !there {
		return "", false
	}
	verified, said := source.lookup(path + "_verified")
	if !said && !p.conf.InsecureAllowUnverifiedEmail {
		return "", false
	}
	if verified != true && !p.conf.InsecureAllowUnverifiedEmail {
		return "", true
	}
	text, _ := value.(string)
	address, err := canonicalEmail(text)
	if err != nil {
		p.log.Warn("an e-mail address was refused and counts as none", "claim", path, "cause", err)
		return "", true
	}
	return address, true
}

// canonicalEmail returns an address with its domain in lower case, or an error
// for one that two programs might read differently (AUTHZ-2): exactly one @, a
// local part without quotes, spaces and signs that only a quoted one may have,
// and a domain of letters, digits, hyphens and dots. The error repeats no part of it.
func canonicalEmail(address string) (string, error) {
	local, domain, found := strings.Cut(address, "@")
	switch {
	case len(address) > maxEmail:
		return "", fmt.Errorf("longer than %d bytes", maxEmail)
	case !found || local == "":
		return "", errors.New("no @ with text before it")
	case strings.ContainsFunc(local, unfitForLocal):
		return "", errors.New("a character before the @ is not accepted")
	}
	for label := range strings.SplitSeq(domain, ".") {
		if label == "" || len(label) > 63 || strings.ContainsFunc(label, unfitForLabel) {
			return "", errors.New("the part after the @ is not a domain")
		}
	}
	return local + "@" + strings.Map(lowerASCII, domain), nil
}

func unfitForLocal(r rune) bool {
	if r > unicode.MaxASCII {
		return !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsDigit(r) || r == unicode.ReplacementChar
	}
	return r <= ' ' || r == 0x7f || strings.ContainsRune(`"(),:;<>@[\]`, r)
}

func unfitForLabel(r rune) bool {
	r = lowerASCII(r)
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-'
}

func lowerASCII(r rune) rune {
	if r >= 'A' && r <= 'Z' {
		return r + ('a' - 'A')
	}
	return r
}

// groups merges the groups claims in their configured order, each group once. A
// claim that is no string and no array of strings is refused as a whole and
// counts as none, and so is one that the provider keeps elsewhere (AUTHZ-4,
// AUTHZ-5). Each refusal is logged, since it locks people out, and makes the
// groups unknown.
func (p *Provider) groups(sources []claims, subject string) (groups []string, unknown bool) {
	seen := map[string]bool{}
	for _, path := range p.conf.GroupsClaims {
		list, err := groupsAt(sources, path)
		if err != nil {
			unknown = true
			p.log.Warn("a groups claim was refused and counts as none", "claim", path, "cause", err, "subject", subject)
		}
		for _, group := range list {
			if group != "" && !seen[group] {
				seen[group] = true
				groups = append(groups, group)
			}
		}
	}
	return groups, unknown
}

func groupsAt(sources []claims, path string) ([]string, error) {
	for _, source := range sources {
		if overage(source, path) {
			return nil, errors.New("the user has more groups than the provider puts into a token; let it send those that matter")
		}
		value, there := source.lookup(path)
		if !there {
			continue
		}
		list, ok := stringList(value)
		if !ok {
			return nil, errors.New("neither a string nor an array of strings")
		}
		for _, group := range list {
			if len(group) > maxName {
				return nil, fmt.Errorf("a group has more than %d bytes", maxName)
			}
		}
		return list, nil
	}
	return nil, nil
}

// overage reports whether the provider says that the claim exists, and not what
// it holds: a distributed claim (OpenID Connect Core 5.6.2), or the marks that
// Entra sets instead of groups.
func overage(source claims, path string) bool {
	first, _, _ := strings.Cut(path, ".")
	names, _ := source["_claim_names"].(map[string]any)
	for _, name := range []string{path, first} {
		if _, there := names[name]; there {
			return true
		}
	}
	if first != "groups" {
		return false
	}
	if has := source["hasgroups"]; has == true || has == "true" {
		return true
	}
	for name := range source {
		if strings.HasPrefix(name, "groups:src") {
			return true
		}
	}
	return false
}
