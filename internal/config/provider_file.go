package config

import (
	"cmp"
	"slices"
	"strings"

	"github.com/doorward/doorward/internal/secret"
)

// providers checks the providers of a file that has some. Their names differ.
func (d *document) providers(s *fileSpec) []Provider {
	var all []Provider
	lines := map[string]int{}
	for _, spec := range s.Providers.entries {
		p := d.provider(&spec)
		if first := lines[p.Name]; first > 0 {
			d.note(spec.place, "has the name %s, as the provider on line %d has; give each a `name` of its own", p.Name, first)
		}
		lines[p.Name] = spec.line
		all = append(all, p)
	}
	return all
}

func (d *document) provider(spec *providerSpec) Provider {
	p := Provider{
		Name:         cmp.Or(d.checked(spec.Name, providerNameProblem), "oidc"),
		Type:         d.providerType(spec.Type),
		Label:        spec.Label.value,
		Line:         spec.line,
		IssuerURL:    d.checked(spec.IssuerURL, issuerProblem),
		ClientID:     d.checked(spec.ClientID, plainProblem),
		ClientSecret: d.secret(spec.ClientSecret, spec.ClientSecretFile),

		Discovery:     spec.Discovery.value || !spec.Discovery.given(),
		DiscoveryURL:  d.checked(spec.DiscoveryURL, endpointProblem),
		AuthURL:       d.checked(spec.AuthURL, endpointProblem),
		TokenURL:      d.checked(spec.TokenURL, endpointProblem),
		JWKSURL:       d.checked(spec.JWKSURL, endpointProblem),
		UserinfoURL:   d.checked(spec.UserinfoURL, endpointProblem),
		EndSessionURL: d.checked(spec.EndSessionURL, endpointProblem),

		UserClaim:    cmp.Or(d.checked(spec.UserClaim, claimProblem), "sub"),
		EmailClaim:   cmp.Or(d.checked(spec.EmailClaim, claimProblem), "email"),
		GroupsClaims: d.groupsClaims(spec.GroupsClaim),

		AuthParams: d.authParams(spec.AuthParams),
		CAFile:     d.checked(spec.CAFile, caProblem),

		NoPushedRequests:             spec.PushedRequests.given() && !spec.PushedRequests.value,
		InsecureSkipTLSVerify:        spec.InsecureSkipTLS.value,
		UntypedLogoutTokens:          spec.UntypedLogout.value,
		InsecureAllowUnverifiedEmail: spec.InsecureEmail.value,
	}
	p.Scopes = d.scopes(spec.Scopes, p.Type)
	d.ofType(spec, &p)
	d.clientAuth(spec, &p)
	d.short(spec.Label)
	d.complete(spec, p)
	return p
}

func (d *document) providerType(t text) string {
	if t.value != "" && !slices.Contains([]string{"oidc", "github", "google", "entra"}, t.value) {
		d.mistake(t.place, "has to be oidc, github, google or entra; most providers are oidc")
		return "oidc"
	}
	return cmp.Or(t.value, "oidc")
}

// complete wants the keys without which no login can be made.
func (d *document) complete(s *providerSpec, p Provider) {
	if !s.given() {
		return
	}
	undiscovered := !p.Discovery && p.Type != "github"
	for _, needed := range []struct {
		key, why string
		missing  bool
	}{
		{"issuer_url", "", p.Type == "oidc" && !s.IssuerURL.given()},
		{"client_id", "", !s.ClientID.given()},
		{"tenants", "; write the ids of those whose users may sign in", p.Type == "entra" && !s.Tenants.given()},
		{"auth_url", ", and discovery is false", undiscovered && !s.AuthURL.given()},
		{"token_url", ", and discovery is false", undiscovered && !s.TokenURL.given()},
		{"jwks_url", ", and discovery is false", undiscovered && !s.JWKSURL.given()},
	} {
		if needed.missing {
			d.note(s.place, "lacks `%s`%s", needed.key, needed.why)
		}
	}
}

func providerNameProblem(text string) string {
	for _, c := range text {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' || len(text) > 32 {
			return "has to be made of at most 32 of a-z, 0-9, - and _, because it is part of addresses"
		}
	}
	return ""
}

// plainProblem refuses white space at the ends, which is never meant.
func plainProblem(text string) string {
	if strings.TrimSpace(text) != text || hasControl(text) {
		return "has white space at its ends, or a control character; remove it"
	}
	return ""
}

// secret returns the secret, or what its file holds; "" when there is none.
func (d *document) secret(direct, file text) secret.Secret {
	switch {
	case direct.given() && file.given():
		d.mistake(file.place, "is there together with `client_secret`; keep one of them")
	case file.value != "":
		content, problem := secretFile(file.value)
		if problem != "" {
			d.mistake(file.place, "%s", problem)
		}
		return secret.Secret(content)
	}
	return secret.Secret(direct.value)
}

// scopes are nil where the type of provider knows its own.
func (d *document) scopes(s textOrList, kind string) []string {
	if !s.given() && kind != "oidc" {
		return nil
	}
	if !s.given() {
		return []string{"openid", "email", "profile"}
	}
	scopes := d.each(s.list, func(text string) string {
		if !isScope(text) {
			return "is not a scope; write each as an entry of the list"
		}
		return ""
	})
	if kind != "github" && len(scopes) > 0 && !slices.Contains(scopes, "openid") {
		d.mistake(s.place, "lacks openid, without which there is no OpenID Connect login; add it")
	}
	return scopes
}

func (d *document) groupsClaims(s textOrList) []string {
	if !s.given() {
		return []string{"groups"}
	}
	return d.each(s.list, claimProblem)
}

func (d *document) authParams(t table[text]) map[string]string {
	params := map[string]string{}
	for _, row := range t.rows {
		if slices.Contains(ownParams, row.key.value) {
			d.mistake(row.key.place, "is a parameter that Doorward sets itself; remove it")
		}
		params[row.key.value] = row.value.value
	}
	return params
}
