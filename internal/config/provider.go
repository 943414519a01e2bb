package config

import (
	"crypto/x509"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/doorward/doorward/internal/secret"
)

// Provider is where people sign in.
type Provider struct {
	Name         string // as it is in addresses and sessions
	Type         string // "oidc", "github", "google" or "entra"
	Label        string // as it is shown to people; "" when none is configured
	Line         int    // in the configuration file; 0 when it comes from the environment
	IssuerURL    string // byte for byte as configured; "" where the type knows it
	ClientID     string
	ClientSecret secret.Secret // empty for a client that has none
	Scopes       []string      // empty where the type knows them

	// ClientAuth is how the client proves itself, "" when the provider's metadata
	// decide. The files that it needs were readable when it was checked.
	ClientAuth      string
	ClientKeyFile   string
	ClientKeyID     string
	ClientCertFile  string
	ClientTokenFile string
	ClientAudience  string

	NoPushedRequests bool

	// For some types only, as the keys of the file say.
	Tenants               []string
	HostedDomains         []string // lower case
	GroupsFrom            string
	ServiceAccountFile    string
	ServiceAccountSubject string
	APIURL                string

	// Discovery is false when nothing is to be discovered; then the first three
	// addresses are set. Each address that is set goes before a discovered one.
	Discovery     bool
	DiscoveryURL  string // "" for the place below the issuer
	AuthURL       string
	TokenURL      string
	JWKSURL       string
	UserinfoURL   string
	EndSessionURL string

	// Claims are dotted paths. Of GroupsClaims all that are there count.
	UserClaim    string
	EmailClaim   string
	GroupsClaims []string

	AuthParams map[string]string // extra parameters of the authorization request
	CAFile     string            // PEM certificates, readable when it was checked; "" for those of the system alone

	InsecureSkipTLSVerify        bool
	InsecureAllowUnverifiedEmail bool

	// UntypedLogoutTokens takes logout tokens that do not say that they are ones.
	UntypedLogoutTokens bool
}

func (r *reader) provider(s *oidcSpec) Provider {
	secretText, _ := r.secretText("DOORWARD_OIDC_CLIENT_SECRET", s.ClientSecret, s.ClientSecretFile)
	p := Provider{
		Name:                         "oidc",
		Type:                         "oidc",
		IssuerURL:                    r.issuer(s.IssuerURL),
		ClientID:                     r.plain("DOORWARD_OIDC_CLIENT_ID", s.ClientID),
		ClientSecret:                 secret.Secret(secretText),
		Scopes:                       r.scopes(s.Scopes),
		Discovery:                    r.boolean("DOORWARD_OIDC_DISCOVERY", s.Discovery),
		AuthURL:                      r.endpoint("DOORWARD_OIDC_AUTH_URL", s.AuthURL),
		TokenURL:                     r.endpoint("DOORWARD_OIDC_TOKEN_URL", s.TokenURL),
		JWKSURL:                      r.endpoint("DOORWARD_OIDC_JWKS_URL", s.JwksURL),
		UserinfoURL:                  r.endpoint("DOORWARD_OIDC_USERINFO_URL", s.UserinfoURL),
		EndSessionURL:                r.endpoint("DOORWARD_OIDC_END_SESSION_URL", s.EndSessionURL),
		UserClaim:                    r.claim("DOORWARD_OIDC_USER_CLAIM", s.UserClaim),
		EmailClaim:                   r.claim("DOORWARD_OIDC_EMAIL_CLAIM", s.EmailClaim),
		GroupsClaims:                 r.claims("DOORWARD_OIDC_GROUPS_CLAIM", s.GroupsClaim),
		AuthParams:                   r.authParams(s.AuthParams),
		CAFile:                       r.caFile(s.CAFile),
		InsecureSkipTLSVerify:        r.boolean("DOORWARD_OIDC_INSECURE_SKIP_TLS_VERIFY", s.InsecureSkipTLSVerify),
		UntypedLogoutTokens:          r.boolean("DOORWARD_OIDC_UNTYPED_LOGOUT_TOKENS", s.UntypedLogoutTokens),
		InsecureAllowUnverifiedEmail: r.boolean("DOORWARD_OIDC_INSECURE_ALLOW_UNVERIFIED_EMAIL", s.InsecureAllowUnverifiedEmail),
	}
	if secretText != strings.TrimSpace(secretText) {
		r.warn("DOORWARD_OIDC_CLIENT_SECRET", "begins or ends with white space, which is seldom meant")
	}
	if p.ClientID == "" {
		r.mistake("DOORWARD_OIDC_CLIENT_ID", "is missing; write the id under which the provider knows Doorward")
	}
	if !p.Discovery {
		r.requireEndpoints(p)
	}
	return p
}

// requireEndpoints wants the addresses without which no login can be made.
func (r *reader) requireEndpoints(p Provider) {
	for _, needed := range []struct{ name, url string }{
		{"DOORWARD_OIDC_AUTH_URL", p.AuthURL},
		{"DOORWARD_OIDC_TOKEN_URL", p.TokenURL},
		{"DOORWARD_OIDC_JWKS_URL", p.JWKSURL},
	} {
		if needed.url == "" {
			r.mistake(needed.name, "is missing, and DOORWARD_OIDC_DISCOVERY is false; set it, or let it be discovered")
		}
	}
}

func (r *reader) issuer(text string) string {
	const name = "DOORWARD_OIDC_ISSUER_URL"
	text = r.plain(name, text)
	if text == "" {
		r.mistake(name, "is missing; write the issuer of your provider, for example https://id.example.com/realms/main")
		return ""
	}
	if problem := issuerProblem(text); problem != "" {
		r.mistake(name, "%s", problem)
	}
	return text
}

func issuerProblem(text string) string {
	problem := endpointProblem(text)
	if problem == "" && strings.Contains(text, "?") {
		return "has a query, and an issuer has none; remove it"
	}
	return problem
}

func (r *reader) endpoint(name, text string) string {
	text = r.plain(name, text)
	if problem := endpointProblem(text); text != "" && problem != "" {
		r.mistake(name, "%s", problem)
	}
	return text
}

// endpointProblem wants an absolute address of http or https without user name
// and fragment (RFC 6749, 3.1 and 3.2).
func endpointProblem(text string) string {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return "is not an address; write for example https://id.example.com/token"
	case u.User != nil:
		return "has a user name; remove it"
	case strings.Contains(text, "#"):
		return "has a fragment; remove it"
	}
	return ""
}

// scopes are separated by commas or, as OAuth writes them, by spaces.
func (r *reader) scopes(text string) []string {
	const name = "DOORWARD_OIDC_SCOPES"
	text = r.plain(name, text)
	if !strings.Contains(text, ",") {
		text = strings.Join(strings.Fields(text), ",")
	}
	scopes := r.list(name, text)
	for i, scope := range scopes {
		if !isScope(scope) {
			r.mistake(name, "entry %d is not a scope; separate scopes by commas", i+1)
		}
	}
	if !slices.Contains(scopes, "openid") {
		r.mistake(name, "lacks openid, without which there is no OpenID Connect login; add it")
	}
	return scopes
}

// isScope follows RFC 6749, 3.3.
func isScope(text string) bool {
	return !strings.ContainsFunc(text, notPrintable) && !strings.ContainsAny(text, `"\\`)
}

func (r *reader) claim(name, text string) string {
	text = r.plain(name, text)
	if !isDottedPath(text) {
		r.mistake(name, "is not a claim; write its name, or for one inside another as realm_access.roles")
	}
	return text
}

func (r *reader) claims(name, text string) []string {
	claims := r.list(name, text)
	for i, claim := range claims {
		if !isDottedPath(claim) {
			r.mistake(name, "entry %d is not a claim; write its name, or for one inside another as realm_access.roles", i+1)
		}
	}
	return claims
}

func isDottedPath(text string) bool {
	for part := range strings.SplitSeq(text, ".") {
		if part == "" || strings.ContainsFunc(part, notPrintable) {
			return false
		}
	}
	return true
}

// ownParams are parameters of the authorization request that Doorward sets.
var ownParams = []string{
	"response_type", "response_mode", "client_id", "redirect_uri", "scope", "state", "nonce",
	"code_challenge", "code_challenge_method", "request", "request_uri",
}

func (r *reader) authParams(text string) map[string]string {
	const name = "DOORWARD_OIDC_AUTH_PARAMS"
	params := map[string]string{}
	for i, entry := range r.list(name, text) {
		key, value, found := strings.Cut(entry, ":")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		_, repeated := params[key]
		switch {
		case !found || key == "":
			r.mistake(name, "entry %d has to be name:value", i+1)
		case slices.Contains(ownParams, key):
			r.mistake(name, "entry %d is a parameter that Doorward sets itself; remove it", i+1)
		case repeated:
			r.mistake(name, "entry %d has a name that is there already; remove it", i+1)
		default:
			params[key] = value
		}
	}
	return params
}

func (r *reader) caFile(text string) string {
	const name = "DOORWARD_OIDC_CA_FILE"
	path := r.plain(name, text)
	if path == "" {
		return ""
	}
	if problem := caProblem(path); problem != "" {
		r.mistake(name, "%s", problem)
	}
	return path
}

func caProblem(path string) string {
	content, err := readFile(path)
	if err != nil {
		return fmt.Sprintf("cannot read %s: %v", shownPath(path), err)
	}
	if !x509.NewCertPool().AppendCertsFromPEM(content) {
		return shownPath(path) + " holds no certificate in PEM form"
	}
	return ""
}

func notPrintable(c rune) bool { return c <= ' ' || c > '~' }
