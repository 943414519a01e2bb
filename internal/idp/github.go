package idp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/doorward/doorward/internal/secret"
)

// github are GitHub, GitHub Enterprise, and Gitea with its kin, which speak nearly
// the same: OAuth 2.0 without ID tokens, and an API that tells who the user is. A
// user's key is the number of the account, since names are changed and given to
// others.
//
// What the API tells becomes claims: sub, preferred_username, name, email with
// email_verified, and groups, which are `org` and `org/team`.
type github struct {
	general
	gitea bool
}

const githubCom = "https://github.com"

func (g *github) prepare(c *Config) {
	if c.IssuerURL == "" {
		c.IssuerURL = githubCom
	}
	c.IssuerURL = strings.TrimSuffix(c.IssuerURL, "/")
	c.APIURL = strings.TrimSuffix(c.APIURL, "/")
	if c.APIURL == "" {
		c.APIURL = githubAPI(c.IssuerURL)
	}
	g.gitea = strings.HasSuffix(c.APIURL, "/api/v1")
	c.Discovery = false
	if c.AuthURL == "" {
		c.AuthURL = c.IssuerURL + "/login/oauth/authorize"
	}
	if c.TokenURL == "" {
		c.TokenURL = c.IssuerURL + "/login/oauth/access_token"
	}
	switch {
	case len(c.Scopes) > 0:
	case g.gitea:
		c.Scopes = []string{"read:user", "read:organization"}
	default:
		c.Scopes = []string{"read:user", "user:email", "read:org"}
	}
	if c.ClientAuth == "" && c.ClientSecret != "" {
		c.ClientAuth = AuthPost
	}
}

// githubAPI is where GitHub's own installations have their API.
func githubAPI(server string) string {
	u, err := url.Parse(server)
	switch {
	case server == githubCom:
		return "https://api.github.com"
	case err == nil && strings.HasSuffix(u.Hostname(), ".ghe.com"):
		return u.Scheme + "://api." + u.Host
	default:
		return server + "/api/v3"
	}
}

func (g *github) check(c *Config) error {
	_, err := parseEndpoint(c.APIURL)
	return wrap("API URL", err)
}

func (g *github) openID() bool { return false }

// answersAs also takes the names that these servers have as authorization servers
// (RFC 8414).
func (g *github) answersAs(p *Provider, issuer string) bool {
	rest, ok := strings.CutPrefix(issuer, p.conf.IssuerURL)
	return ok && (rest == "" || rest == "/" || rest == "/login/oauth")
}

func (g *github) gather(ctx context.Context, p *Provider, _ *metadata, id idToken, access secret.Secret) (knowledge, error) {
	account, subject, err := g.account(ctx, p, access)
	if err != nil {
		return knowledge{}, err
	}
	if id.subject != "" && id.subject != subject {
		return knowledge{}, invalid(ReasonUserinfoSub, "the access token is of another account than the session")
	}
	known := claims{"sub": subject, "preferred_username": account["login"], "name": account["name"]}
	if g.gitea {
		known["name"] = account["full_name"]
	}
	address, err := g.email(ctx, p, access)
	if err != nil {
		return knowledge{}, err
	}
	if address != "" {
		known["email"], known["email_verified"] = address, true
	}
	groups, err := g.groups(ctx, p, access)
	if later(err) {
		return knowledge{}, err
	}
	if err != nil {
		p.log.Warn("organisations and teams could not be read, and count as unknown", "cause", err, "subject", subject)
	} else {
		known["groups"] = groups
	}
	return knowledge{subject: subject, sources: []claims{known}, groupsUnknown: err != nil}, nil
}

// account asks who the access token is of.
func (g *github) account(ctx context.Context, p *Provider, access secret.Secret) (account claims, subject string, err error) {
	resp, err := g.get(ctx, p, p.conf.APIURL+"/user", access)
	if later(err) {
		return nil, "", err
	}
	if err != nil {
		return nil, "", invalid(ReasonUserinfo, "the API's answer about the user: %w", err)
	}
	if account, err = parseClaims(bytes.TrimSpace(resp.body)); err != nil {
		return nil, "", invalid(ReasonUserinfo, "the API's answer about the user: %w", err)
	}
	number, _ := account["id"].(json.Number)
	key, err := strconv.ParseInt(number.String(), 10, 64)
	if login, _ := account["login"].(string); err != nil || key <= 0 || login == "" {
		return nil, "", invalid(ReasonUserinfo, "the API's answer about the user has no id or no login")
	}
	return account, strconv.FormatInt(key, 10), nil
}

// email is the primary address when it is verified, and "" otherwise. The one on
// the profile is whatever the user wrote there.
func (g *github) email(ctx context.Context, p *Provider, access secret.Secret) (string, error) {
	primary, err := g.list(ctx, p, "/user/emails", access, func(list []claims) ([]string, error) {
		for _, address := range list {
			if text, _ := address["email"].(string); address["primary"] == true && address["verified"] == true {
				return []string{text}, nil
			}
		}
		return nil, nil
	})
	switch {
	case later(err):
		return "", err
	case err != nil:
		p.log.Warn("the user's e-mail addresses could not be read, and count as none", "cause", err)
	case len(primary) == 1:
		return primary[0], nil
	}
	return "", nil
}

func (g *github) groups(ctx context.Context, p *Provider, access secret.Secret) ([]any, error) {
	org, ofTeam, team := []string{"login"}, []string{"organization.login"}, "slug"
	if g.gitea {
		org, ofTeam, team = []string{"name", "username"}, []string{"organization.name", "organization.username"}, "name"
	}
	orgs, err := g.list(ctx, p, "/user/orgs", access, func(list []claims) ([]string, error) { return namesAt(list, org...) })
	if err != nil {
		return nil, err
	}
	teams, err := g.list(ctx, p, "/user/teams", access, func(list []claims) ([]string, error) {
		owners, err := namesAt(list, ofTeam...)
		if err != nil {
			return nil, err
		}
		names, err := namesAt(list, team)
		for i := range names {
			names[i] = owners[i] + "/" + names[i]
		}
		return names, err
	})
	groups := make([]any, 0, len(orgs)+len(teams))
	for _, group := range append(orgs, teams...) {
		groups = append(groups, group)
	}
	return groups, err
}

// list reads a list of the API page by page.
func (g *github) list(ctx context.Context, p *Provider, path string, access secret.Secret, names func([]claims) ([]string, error)) ([]string, error) {
	first := p.conf.APIURL + path + "?per_page=100"
	if g.gitea {
		first = p.conf.APIURL + path + "?limit=50"
	}
	return list(p.conf.APIURL, first, func(at string) ([]string, string, error) {
		resp, err := g.get(ctx, p, at, access)
		if err != nil {
			return nil, "", err
		}
		value, err := parseJSON(bytes.TrimSpace(resp.body))
		if err != nil {
			return nil, "", err
		}
		entries, err := objects(value)
		if err != nil {
			return nil, "", err
		}
		found, err := names(entries)
		return found, g.next(at, resp.header), err
	})
}

// next is the page behind the one at an address. Gitea names it by the address that
// browsers know, which need not be the one that the API has here.
func (g *github) next(at string, header http.Header) string {
	link := nextLink(header)
	next, err := url.Parse(link)
	if !g.gitea || link == "" || err != nil {
		return link
	}
	own, _, _ := strings.Cut(at, "?")
	return own + "?" + next.RawQuery
}

func (g *github) get(ctx context.Context, p *Provider, address string, access secret.Secret) (reply, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return reply{}, errors.New("an address of the API is not one")
	}
	return p.askAPI(ctx, req, access)
}
