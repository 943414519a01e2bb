package idp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/doorward/doorward/internal/secret"
)

// entra is Microsoft Entra ID. Its discovery document names an issuer for each
// tenant, which counts only for the tenants that are configured; its e-mail
// addresses are anybody's choice unless the domain's owner is verified; and it
// leaves groups out of tokens when there are many, so that Microsoft Graph has to
// be asked for them.
type entra struct {
	general
	cloud string // where people sign in, without a tenant
}

const (
	entraCloud = "https://login.microsoftonline.com"
	graphAPI   = "https://graph.microsoft.com"
)

func (e *entra) prepare(c *Config) {
	e.cloud = strings.TrimSuffix(c.IssuerURL, "/")
	if e.cloud == "" {
		e.cloud = entraCloud
	}
	c.Tenants = slices.Clone(c.Tenants)
	for i, tenant := range c.Tenants {
		c.Tenants[i] = strings.ToLower(tenant)
	}
	c.IssuerURL = e.cloud + "/organizations/v2.0"
	if len(c.Tenants) == 1 {
		c.IssuerURL = e.of(c.Tenants[0])
	}
	c.APIURL = strings.TrimSuffix(c.APIURL, "/")
	if c.APIURL == "" {
		c.APIURL = graphAPI
	}
	if len(c.Scopes) == 0 {
		c.Scopes = []string{"openid", "email", "profile", "User.Read"}
	}
}

func (e *entra) check(c *Config) error {
	_, err := parseEndpoint(c.APIURL)
	errs := []error{wrap("API URL", err)}
	if len(c.Tenants) == 0 {
		errs = append(errs, errors.New("tenants are missing: without them anybody with a Microsoft account could sign in"))
	}
	for _, tenant := range c.Tenants {
		if !isGUID(tenant) {
			errs = append(errs, fmt.Errorf("the tenant %q is no id as 8-4-4-4-12 hexadecimal digits", cut(tenant)))
		}
	}
	if u, err := url.Parse(e.cloud); err == nil && u.Path != "" {
		errs = append(errs, errors.New("the issuer URL has a path; it is the address of the cloud alone, and tenants are listed beside it"))
	}
	return errors.Join(errs...)
}

func isGUID(text string) bool {
	for i, r := range text {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		if dash != (r == '-') || !dash && (r < '0' || r > '9') && (r < 'a' || r > 'f') {
			return false
		}
	}
	return len(text) == 36
}

// of is the issuer of a tenant's tokens.
func (e *entra) of(tenant string) string { return e.cloud + "/" + tenant + "/v2.0" }

// announced is a template for all tenants where there are several.
func (e *entra) announced(p *Provider) string {
	if len(p.conf.Tenants) == 1 {
		return p.conf.IssuerURL
	}
	return e.of("{tenantid}")
}

// issuer is that of the tenant which the token is of, when it is a configured one.
func (e *entra) issuer(p *Provider, c claims) (string, error) {
	tenant, err := c.text("tid")
	if err != nil || !slices.Contains(p.conf.Tenants, tenant) {
		return "", invalid(ReasonTenant, "the tenant %q is not a configured one", cut(tenant))
	}
	return e.of(tenant), nil
}

func (e *entra) answersAs(p *Provider, issuer string) bool {
	return slices.ContainsFunc(p.conf.Tenants, func(tenant string) bool { return issuer == e.of(tenant) })
}

// subject is sub, behind the tenant where there are several: what tells the users
// of one tenant apart is not promised to do so across all.
func (e *entra) subject(p *Provider, c claims) (string, error) {
	subject, err := c.text("sub")
	if len(p.conf.Tenants) == 1 || err != nil {
		return subject, err
	}
	tenant, err := c.text("tid")
	return tenant + "/" + subject, err
}

// TenantsOf returns a function that reports whether a subject of an earlier login is
// of a tenant that this configuration still has. It is nil where users have none in
// their subjects.
func TenantsOf(cfg Config) func(subject string) bool {
	if kind, err := kindOf(cfg.Type); err == nil {
		kind.prepare(&cfg)
	}
	if cfg.Type != "entra" || len(cfg.Tenants) < 2 {
		return nil
	}
	return func(subject string) bool {
		tenant, _, _ := strings.Cut(subject, "/")
		return slices.Contains(cfg.Tenants, tenant)
	}
}

// audience is the token endpoint, the only one that Entra takes.
func (e *entra) audience(_ *Provider, meta *metadata) string { return meta.tokenURL }

// gather reads the ID token alone. Entra's userinfo knows nothing more, and its
// access tokens are for Graph to read and not for clients.
func (e *entra) gather(ctx context.Context, p *Provider, _ *metadata, id idToken, access secret.Secret) (knowledge, error) {
	known := maps.Clone(id.claims)
	if known == nil {
		known = claims{}
	}
	if _, said := known["email_verified"]; !said {
		if owned, there := known["xms_edov"]; there {
			known["email_verified"] = ownerVerified(owned)
		}
	}
	if slices.Contains(p.conf.GroupsClaims, "groups") && overage(known, "groups") {
		groups, err := e.groups(ctx, p, access)
		switch {
		case later(err):
			return knowledge{}, err
		case err != nil:
			p.log.Warn("the groups of a user with many could not be read from Microsoft Graph, and count as unknown", "cause", err, "subject", id.subject)
		default:
			known = withGroups(known, groups)
		}
	}
	return knowledge{subject: id.subject, sources: []claims{known}}, nil
}

// ownerVerified reads xms_edov, which tokens hold as a boolean, and as 1 for true.
func ownerVerified(value any) bool {
	number, _ := value.(json.Number)
	return value == true || value == "1" || value == "true" || number == "1"
}

// withGroups returns claims that hold the groups instead of saying that they are
// elsewhere.
func withGroups(c claims, groups []string) claims {
	list := make([]any, len(groups))
	for i, group := range groups {
		list[i] = group
	}
	c["groups"] = list
	delete(c, "hasgroups")
	if names, ok := c["_claim_names"].(map[string]any); ok {
		names = maps.Clone(names)
		delete(names, "groups")
		c["_claim_names"] = names
	}
	maps.DeleteFunc(c, func(name string, _ any) bool { return strings.HasPrefix(name, "groups:src") })
	return c
}

// groups asks Graph for the ids of all groups, of those inside of others too, as
// the token would hold them. The address that the token itself names for them is
// never asked (AUTHZ-4): only the configured one gets the access token.
func (e *entra) groups(ctx context.Context, p *Provider, access secret.Secret) ([]string, error) {
	first := p.conf.APIURL + "/v1.0/me/getMemberObjects"
	return list(p.conf.APIURL, first, func(address string) ([]string, string, error) {
		method, body := http.MethodGet, []byte(nil)
		if address == first {
			method, body = http.MethodPost, []byte(`{"securityEnabledOnly":false}`)
		}
		req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
		if err != nil {
			return nil, "", errors.New("an address of the API is not one")
		}
		if body != nil {
			req.Header.Set("Content-Type", "application/json")
		}
		resp, err := p.askAPI(ctx, req, access)
		if err != nil {
			return nil, "", err
		}
		answer, err := parseClaims(bytes.TrimSpace(resp.body))
		if err != nil {
			return nil, "", err
		}
		ids, ok := answer["value"].([]any)
		if !ok {
			return nil, "", errors.New("the answer has no list of ids")
		}
		list, ok := stringList(ids)
		if !ok {
			return nil, "", errors.New("an id of a group is no string")
		}
		next, err := answer.text("@odata.nextLink")
		return list, next, err
	})
}
