package config

import (
	"net/url"
	"strings"
)

// ofType reads the keys that only some types of providers have, and refuses those
// that the type of this one has not.
func (d *document) ofType(s *providerSpec, p *Provider) {
	p.Tenants = d.each(s.Tenants, tenantProblem)
	p.HostedDomains = d.domains(s.HostedDomains)
	p.GroupsFrom = d.checked(s.GroupsFrom, groupsFromProblem)
	p.ServiceAccountFile = d.checked(s.ServiceAccount, accountProblem)
	p.ServiceAccountSubject = d.checked(s.ServiceSubject, emailProblem)
	p.APIURL = d.checked(s.APIURL, endpointProblem)
	for _, key := range []struct {
		place
		types string
	}{
		{s.Tenants.place, "entra"},
		{s.HostedDomains.place, "google"},
		{s.GroupsFrom.place, "google"},
		{s.ServiceAccount.place, "google"},
		{s.ServiceSubject.place, "google"},
		{s.APIURL.place, "github google entra"},
		{s.Discovery.place, "oidc google entra"},
		{s.DiscoveryURL.place, "oidc google entra"},
		{s.JWKSURL.place, "oidc google entra"},
		{s.UserinfoURL.place, "oidc google"},
		{s.PushedRequests.place, "oidc google entra"},
		{s.UntypedLogout.place, "oidc google entra"},
	} {
		if key.given() && !strings.Contains(key.types, p.Type) {
			d.mistake(key.place, "has no effect for a provider of the type %s; remove it", p.Type)
		}
	}
	if s.DiscoveryURL.given() && !p.Discovery {
		d.mistake(s.DiscoveryURL.place, "has no effect beside `discovery: false`; keep one of them")
	}
	if u, err := url.Parse(p.IssuerURL); p.Type == "entra" && err == nil && strings.Trim(u.Path, "/") != "" {
		d.mistake(s.IssuerURL.place, "has a path, and for entra it is the address of the cloud alone; write the tenant into `tenants`, and leave this out for the public cloud")
	}
	d.serviceAccount(s)
}

// serviceAccount wants what the place of the groups needs, and nothing else.
func (d *document) serviceAccount(s *providerSpec) {
	from, account, subject := s.GroupsFrom, s.ServiceAccount.given(), s.ServiceSubject.given()
	switch {
	case from.value == "directory" && !account:
		d.note(from.place, "is directory, which needs `service_account_file` beside it")
	case from.value == "directory" && !subject:
		d.note(from.place, "is directory, which needs `service_account_subject` beside it, an administrator of the domain")
	case !from.given() && account:
		d.mistake(s.ServiceAccount.place, "has no effect without `groups_from`; write it, or remove this")
	case !account && subject:
		d.mistake(s.ServiceSubject.place, "has no effect without `service_account_file`; write it, or remove this")
	}
}

func tenantProblem(text string) string {
	digits := strings.ReplaceAll(strings.ToLower(text), "-", "")
	if len(text) != 36 || len(digits) != 32 || strings.Trim(digits, "0123456789abcdef") != "" {
		return "is not the id of a tenant; write it as 8-4-4-4-12 hexadecimal digits, as the portal shows it, and neither a domain nor common"
	}
	return ""
}

func groupsFromProblem(text string) string {
	switch text {
	case "directory", "cloud_identity", "cloud_identity_direct":
		return ""
	}
	return "has to be directory, cloud_identity or cloud_identity_direct"
}

func accountProblem(path string) string {
	content, problem := secretFile(path)
	if problem == "" && !strings.Contains(content, `"service_account"`) {
		return shownPath(path) + " holds no key of a service account; write the path of the JSON file that Google gave out"
	}
	return problem
}
