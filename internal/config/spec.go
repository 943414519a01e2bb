package config

// spec is the environment as it comes: one text for each variable. envconfig
// stops at the first text that it cannot convert, and its message repeats the
// text; so it converts none, and all of them are resolved in one pass. The tags
// are the reference of what exists, which Variables hands out.
type spec struct {
	Listen      string `split_words:"true" default:":4180" desc:"main listener; unix:/path for a socket"`
	AdminListen string `split_words:"true" default:":4181" desc:"health and metrics"`

	GRPCListen       string `split_words:"true" default:"off" desc:"Envoy gRPC ext_authz, for example :4182; off: none"`
	GRPCTlsCertFile  string `split_words:"true" desc:"certificate of the gRPC listener, PEM; with the key it speaks TLS"`
	GRPCTlsKeyFile   string `split_words:"true" desc:"private key of the gRPC listener, PEM"`
	GRPCClientCaFile string `split_words:"true" desc:"authorities of which Envoy has to show a certificate, PEM"`

	PublicURL     string `split_words:"true" desc:"required; where browsers reach /start and /callback; a list, one for each cookie domain; https://*.example.com when every such host serves them itself"`
	PathPrefix    string `split_words:"true" desc:"path below which all endpoints are, for example /oauth2"`
	CookieDomains string `split_words:"true" desc:"domains that share a login, a list; none: one login for each host"`

	CookieSecret     string `split_words:"true" desc:"required; base64 of 32 bytes, from doorward secret; a list, the first seals, all open"`
	CookieSecretFile string `split_words:"true" desc:"file with the cookie secret"`
	CookieName       string `split_words:"true" default:"doorward" desc:"base name; __Host- or __Secure- is put before it"`
	CookiePersist    string `split_words:"true" default:"true" desc:"false: the cookie ends with the browser"`
	CookieInsecure   string `split_words:"true" default:"false" desc:"cookies over plain http, for localhost"`

	SignInPage         string `split_words:"true" default:"false" desc:"show the sign-in page even when there is one provider"`
	SessionLifetime    string `split_words:"true" default:"168h" desc:"a session ends after this time, used or not"`
	SessionIdleTimeout string `split_words:"true" default:"off" desc:"a session ends when it was not used for this time"`
	SessionRecheck     string `split_words:"true" default:"off" desc:"how old groups and other claims may be, at least 1m; older ones are asked for again at the provider"`
	SessionStore       string `split_words:"true" default:"cookie" desc:"where sessions are kept: cookie or redis"`
	SessionOutageGrace string `split_words:"true" default:"60s" desc:"how long sessions that are known go on while Redis is away"`
	RedisURL           string `split_words:"true" desc:"redis://, rediss://, redis+sentinel://, redis+cluster:// or unix://; with the cookie store it shares sign-outs among replicas"`
	RedisURLFile       string `split_words:"true" desc:"file with the address of Redis"`

	OIDC oidcSpec

	AllowAnyUser        string `split_words:"true" default:"false" desc:"anyone whom the provider signs in may pass"`
	AllowedEmails       string `split_words:"true" desc:"e-mail addresses that may pass, a list"`
	AllowedEmailDomains string `split_words:"true" desc:"domains whose e-mail addresses may pass, a list"`
	AllowedGroups       string `split_words:"true" desc:"groups that may pass, a list; besides the e-mail address when that is restricted too"`

	AllowedRedirectHosts string `split_words:"true" desc:"hosts besides the cookie domains and public URLs to which a login may return, a list; *. for subdomains"`
	TrustedProxies       string `split_words:"true" default:"127.0.0.0/8,::1/128,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fc00::/7" desc:"networks of the gateways, whose headers are believed; a list"`
	ForceScheme          string `split_words:"true" desc:"https behind a load balancer that ends TLS"`

	IdentityHeaders string `split_words:"true" default:"x-auth-request" desc:"families of identity headers, a list of x-auth-request, x-forwarded and remote"`
	PassAccessToken string `split_words:"true" default:"false" desc:"the access token as X-Auth-Request-Access-Token"`
	PassIDToken     string `split_words:"true" default:"false" desc:"the ID token as Authorization: Bearer"`
	AllowStatus     string `split_words:"true" default:"202" desc:"status of an allow; 200 for auth-keepalive of ingress-nginx"`
	ReasonHeader    string `split_words:"true" default:"false" desc:"X-Doorward-Reason on whatever does not pass, with the code of the reason"`

	LogLevel      string `split_words:"true" default:"info" desc:"debug, info, warn or error"`
	LogFormat     string `split_words:"true" default:"json" desc:"json or text"`
	ShutdownDelay string `split_words:"true" default:"5s" desc:"how long to go on serving, not ready any more, after SIGTERM"`

	ConfigFile string `split_words:"true" desc:"YAML file with rules per host and path, tokens of API clients, headers and providers; read again on change and on SIGHUP"`
}

type oidcSpec struct {
	IssuerURL        string `split_words:"true" desc:"required; the issuer, exactly as the provider writes it"`
	ClientID         string `split_words:"true" desc:"required"`
	ClientSecret     string `split_words:"true" desc:"empty for a public client"`
	ClientSecretFile string `split_words:"true" desc:"file with the client secret"`
	Scopes           string `split_words:"true" default:"openid,email,profile" desc:"a list"`

	Discovery     string `split_words:"true" default:"true" desc:"false: nothing is discovered, and the first three addresses below are required"`
	AuthURL       string `split_words:"true" desc:"authorization endpoint, instead of the discovered one"`
	TokenURL      string `split_words:"true" desc:"token endpoint, instead of the discovered one"`
	JwksURL       string `split_words:"true" desc:"signing keys, instead of the discovered address"`
	UserinfoURL   string `split_words:"true" desc:"userinfo endpoint, instead of the discovered one"`
	EndSessionURL string `split_words:"true" desc:"where a sign-out goes on, instead of the discovered address"`

	UserClaim   string `split_words:"true" default:"sub" desc:"claim that names the user, a dotted path"`
	EmailClaim  string `split_words:"true" default:"email" desc:"claim with the e-mail address, a dotted path"`
	GroupsClaim string `split_words:"true" default:"groups" desc:"claims with groups, a list of dotted paths"`
	AuthParams  string `split_words:"true" desc:"extra parameters of the authorization request, a list of name:value"`

	CAFile                       string `split_words:"true" desc:"PEM certificates to trust besides those of the system"`
	InsecureSkipTLSVerify        string `split_words:"true" default:"false" desc:"do not verify the provider's certificate"`
	UntypedLogoutTokens          string `split_words:"true" default:"false" desc:"take back-channel logout tokens that do not say logout+jwt"`
	InsecureAllowUnverifiedEmail string `split_words:"true" default:"false" desc:"believe e-mail addresses that the provider has not verified"`
}
