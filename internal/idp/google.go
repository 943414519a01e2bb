package idp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/doorward/doorward/internal/secret"
)

// google is Google, with accounts of configured Workspace domains alone, and with
// groups that are asked for at one of its APIs: no token of Google holds them.
// Groups are called by their e-mail address.
type google struct {
	general
	account *serviceAccount // nil without one
}

// Where the groups of Google's users are.
const (
	GoogleDirectory      = "directory"             // Admin SDK: those that the user is in directly
	GoogleIdentity       = "cloud_identity"        // Cloud Identity: those inside of others too
	GoogleIdentityDirect = "cloud_identity_direct" // Cloud Identity, for editions that know no others
)

const (
	googleIssuer   = "https://accounts.google.com"
	directoryAPI   = "https://admin.googleapis.com"
	identityAPI    = "https://cloudidentity.googleapis.com"
	directoryScope = "https://www.googleapis.com/auth/admin.directory.group.readonly"
	identityScope  = "https://www.googleapis.com/auth/cloud-identity.groups.readonly"
)

func (g *google) prepare(c *Config) {
	if c.IssuerURL == "" {
		c.IssuerURL = googleIssuer
	}
	scope := identityScope
	c.APIURL = strings.TrimSuffix(c.APIURL, "/")
	if c.GroupsFrom == GoogleDirectory {
		scope = directoryScope
	}
	switch {
	case c.APIURL != "":
	case c.GroupsFrom == GoogleDirectory:
		c.APIURL = directoryAPI
	default:
		c.APIURL = identityAPI
	}
	if len(c.Scopes) == 0 {
		c.Scopes = []string{"openid", "email", "profile"}
		if c.GroupsFrom != "" && c.ServiceAccountFile == "" {
			c.Scopes = append(c.Scopes, scope)
		}
	}
	c.HostedDomains = slices.Clone(c.HostedDomains)
	for i, domain := range c.HostedDomains {
		c.HostedDomains[i] = strings.Map(lowerASCII, domain)
	}
	if c.ServiceAccountFile != "" {
		g.account = newServiceAccount(c, scope)
	}
}

func (g *google) check(c *Config) error {
	_, err := parseEndpoint(c.APIURL)
	errs := []error{wrap("API URL", err)}
	if g.account != nil {
		_, _, err := g.account.file.get()
		errs = append(errs, wrap("service account", err))
	}
	switch c.GroupsFrom {
	case "", GoogleIdentity, GoogleIdentityDirect:
	case GoogleDirectory:
		if c.ServiceAccountFile == "" || c.ServiceAccountSubject == "" {
			errs = append(errs, errors.New("the directory is asked by a service account in the name of an administrator, and one of the two is missing"))
		}
	default:
		errs = append(errs, fmt.Errorf("there are no groups from %q", c.GroupsFrom))
	}
	return errors.Join(errs...)
}

// authParams narrows the choice of accounts that Google offers. It is a hint; the
// check is that of the ID token.
func (g *google) authParams(p *Provider) map[string]string {
	switch domains := p.conf.HostedDomains; len(domains) {
	case 0:
		return nil
	case 1:
		return map[string]string{"hd": domains[0]}
	default:
		return map[string]string{"hd": "*"}
	}
}

// vouch wants an account of one of the domains. An account without a domain is
// one that anybody can make.
func (g *google) vouch(p *Provider, c claims) error {
	if len(p.conf.HostedDomains) == 0 {
		return nil
	}
	domain, err := c.text("hd")
	if err != nil || !slices.Contains(p.conf.HostedDomains, strings.Map(lowerASCII, domain)) {
		return invalid(ReasonHostedDomain, "the account is of the domain %q", cut(domain))
	}
	return nil
}

func (g *google) gather(ctx context.Context, p *Provider, meta *metadata, id idToken, access secret.Secret) (knowledge, error) {
	groups, err := g.groups(ctx, p, id, access)
	if later(err) {
		return knowledge{}, err
	}
	if err != nil && p.conf.GroupsFrom != "" {
		p.log.Warn("the user's groups could not be read, and count as unknown", "cause", err, "subject", id.subject)
	}
	list := make([]any, len(groups))
	for i, group := range groups {
		list[i] = group
	}
	found := knowledge{subject: id.subject, sources: []claims{id.claims, {"groups": list}}, groupsUnknown: err != nil}
	return found, p.askUserinfo(ctx, meta, id, access, &found)
}

var errNoGroups = errors.New("no place to ask for groups is configured")

func (g *google) groups(ctx context.Context, p *Provider, id idToken, access secret.Secret) ([]string, error) {
	if p.conf.GroupsFrom == "" {
		return nil, errNoGroups
	}
	if g.account != nil {
		var err error
		if access, err = g.account.token(ctx, p); err != nil {
			return nil, err
		}
	}
	if p.conf.GroupsFrom == GoogleDirectory {
		query := url.Values{"userKey": {id.subject}, "maxResults": {"200"}}
		return g.list(ctx, p, "/admin/directory/v1/groups", query, access, "groups", "email")
	}
	address, _ := p.email(id.claims, "email")
	if address == "" {
		return nil, errors.New("the user has no verified e-mail address, by which Cloud Identity knows people")
	}
	path := "/v1/groups/-/memberships:searchTransitiveGroups"
	if p.conf.GroupsFrom == GoogleIdentityDirect {
		path = "/v1/groups/-/memberships:searchDirectGroups"
	}
	query := url.Values{"pageSize": {"200"}, "query": {fmt.Sprintf(
		"member_key_id == '%s' && 'cloudidentity.googleapis.com/groups.discussion_forum' in labels", strings.ReplaceAll(address, "'", `\'`),
	)}}
	return g.list(ctx, p, path, query, access, "memberships", "groupKey.id")
}

// list reads a list of Google's, whose pages are asked for by a word that the one
// before ends with. A list that has nothing in it is left out of the answer.
func (g *google) list(ctx context.Context, p *Provider, path string, query url.Values, access secret.Secret, member, name string) ([]string, error) {
	address := p.conf.APIURL + path
	return list(p.conf.APIURL, address+"?"+query.Encode(), func(at string) ([]string, string, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
		if err != nil {
			return nil, "", errors.New("an address of the API is not one")
		}
		resp, err := p.askAPI(ctx, req, access)
		if err != nil {
			return nil, "", err
		}
		answer, err := parseClaims(bytes.TrimSpace(resp.body))
		if err != nil {
			return nil, "", err
		}
		entries, there := answer[member]
		if !there {
			entries = []any{}
		}
		found, err := objects(entries)
		if err != nil {
			return nil, "", err
		}
		names, err := namesAt(found, name)
		if err != nil {
			return nil, "", err
		}
		next, err := answer.text("nextPageToken")
		if next == "" || err != nil {
			return names, "", err
		}
		query.Set("pageToken", next)
		return names, address + "?" + query.Encode(), nil
	})
}
