package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// fileSpec is the configuration file as it comes. The tags are the reference of
// what exists: reading, suggestions and the JSON Schema are made from them.
type fileSpec struct {
	place
	Providers list[providerSpec] `key:"providers" desc:"Where users sign in, instead of DOORWARD_OIDC_*."`
	Rules     list[ruleSpec]     `key:"rules" desc:"Who may enter. The first rule that matches decides; without a match the answer is 403."`
	Tokens    list[tokenSpec]    `key:"tokens" desc:"Bearer tokens of API clients that are believed."`
	Headers   table[text]        `key:"headers" desc:"Identity headers besides those of DOORWARD_IDENTITY_HEADERS: a name, and user, email, preferred_username, name, groups or claims.PATH."`
}

type providerSpec struct {
	place
	Name             text        `key:"name" desc:"Name in addresses, rules and sessions. Default: oidc."`
	Label            text        `key:"label" desc:"Name that people see."`
	Type             text        `key:"type" desc:"Kind of provider. Default: oidc, which is OpenID Connect; github is GitHub and Gitea." enum:"oidc,github,google,entra"`
	IssuerURL        text        `key:"issuer_url" desc:"The issuer, exactly as the provider writes it. For github the address of the server, for entra that of the cloud; both and google know theirs."`
	ClientID         text        `key:"client_id" desc:"The id under which the provider knows Doorward."`
	ClientSecret     text        `key:"client_secret" desc:"Secret of the client; better in a file of its own. A public client has none."`
	ClientSecretFile text        `key:"client_secret_file" desc:"File with the secret of the client."`
	ClientAuth       text        `key:"client_auth" desc:"How the client proves itself. Default: by what is configured, and with a secret as the provider asks for it." enum:"client_secret_basic,client_secret_post,none,private_key_jwt,tls_client_auth,federated_token"`
	ClientKeyFile    text        `key:"client_key_file" desc:"File with the private key of the client, PEM or JWK, for private_key_jwt and tls_client_auth. Read again when it changes."`
	ClientKeyID      text        `key:"client_key_id" desc:"Key id in the assertions of private_key_jwt. Default: that of the JWK, or none."`
	ClientCertFile   text        `key:"client_cert_file" desc:"File with the certificate of the client, PEM, for tls_client_auth; for private_key_jwt its thumbprint names the key."`
	ClientTokenFile  text        `key:"client_token_file" desc:"File with a token that proves the client, such as that of a Kubernetes service account. Read for each use."`
	ClientAudience   text        `key:"client_assertion_audience" desc:"Audience of the assertions of private_key_jwt. Default: the issuer, and for entra the token endpoint."`
	PushedRequests   flag        `key:"pushed_requests" desc:"false: authorization requests are not pushed, also where the provider offers it."`
	Tenants          list[text]  `key:"tenants" desc:"For entra: ids of the tenants whose users may sign in."`
	HostedDomains    list[text]  `key:"hosted_domains" desc:"For google: Workspace domains of which an account has to be. Default: any account."`
	GroupsFrom       text        `key:"groups_from" desc:"For google: where groups are asked for. Default: nowhere, so that they are unknown." enum:"directory,cloud_identity,cloud_identity_direct"`
	ServiceAccount   text        `key:"service_account_file" desc:"For google: key file of the service account that asks for groups."`
	ServiceSubject   text        `key:"service_account_subject" desc:"For google: the administrator in whose name the service account asks."`
	APIURL           text        `key:"api_url" desc:"For github, google and entra: where their API is. For github one that ends with /api/v1 is that of Gitea."`
	Scopes           textOrList  `key:"scopes" desc:"Scopes to ask for. Default: openid, email, profile; other types know theirs."`
	DiscoveryURL     text        `key:"discovery_url" desc:"Where the discovery document is, when that is not below the issuer."`
	Discovery        flag        `key:"discovery" desc:"false: nothing is discovered, and auth_url, token_url and jwks_url are required."`
	AuthURL          text        `key:"auth_url" desc:"Authorization endpoint, instead of the discovered one."`
	TokenURL         text        `key:"token_url" desc:"Token endpoint, instead of the discovered one."`
	JWKSURL          text        `key:"jwks_url" desc:"Signing keys, instead of the discovered address."`
	UserinfoURL      text        `key:"userinfo_url" desc:"Userinfo endpoint, instead of the discovered one."`
	EndSessionURL    text        `key:"end_session_url" desc:"Where a sign-out goes on, instead of the discovered address."`
	UserClaim        text        `key:"user_claim" desc:"Claim that names the user, a dotted path. Default: sub."`
	EmailClaim       text        `key:"email_claim" desc:"Claim with the e-mail address, a dotted path. Default: email."`
	GroupsClaim      textOrList  `key:"groups_claim" desc:"Claims with groups, dotted paths. Default: groups."`
	AuthParams       table[text] `key:"auth_params" desc:"Extra parameters of the authorization request."`
	CAFile           text        `key:"ca_file" desc:"PEM certificates to trust besides those of the system."`
	InsecureSkipTLS  flag        `key:"insecure_skip_tls_verify" desc:"Do not verify the provider's certificate."`
	UntypedLogout    flag        `key:"untyped_logout_tokens" desc:"Take back-channel logout tokens that do not say logout+jwt, as Keycloak before 25 and some others send them."`
	InsecureEmail    flag        `key:"insecure_allow_unverified_email" desc:"Believe e-mail addresses that the provider has not verified."`
}

type ruleSpec struct {
	place
	Name     text       `key:"name" desc:"Name in logs and explanations, unique."`
	Hosts    list[text] `key:"hosts" desc:"Hosts, exact or *.example.com for every host below. Default: every host of the cookie domains and of the public URLs."`
	Paths    list[text] `key:"paths" desc:"Paths, exact; * is one segment, and ** at the end the rest. Default: all."`
	Methods  list[text] `key:"methods" desc:"Methods in upper case. Default: all."`
	Public   flag       `key:"public" desc:"No login needed." enum:"true"`
	Deny     flag       `key:"deny" desc:"Nobody may pass." enum:"true"`
	Allow    allowSpec  `key:"allow" desc:"Who may pass: any, or conditions that must all hold."`
	ACR      list[text] `key:"acr" desc:"Authentication contexts, of which the session must have one; another login is asked for when it has none."`
	MaxAge   text       `key:"max_age" desc:"How long ago the user may have proved who they are, as 15m." pattern:"^([0-9]+(\\.[0-9]+)?(h|m|s))+$"`
	Provider text       `key:"provider" desc:"Name of the provider that must have signed the user in."`
	Redirect flag       `key:"redirect" desc:"false: nobody is sent to a login; the answer is 401."`
	CORS     corsSpec   `key:"cors" desc:"Preflights of these origins pass without a login."`
	Shadow   flag       `key:"shadow" desc:"true: the rule is evaluated beside the others and logged, and not enforced."`
	Title    text       `key:"title" desc:"Title of the card in the portal."`
	Icon     text       `key:"icon" desc:"Address of a picture for the card in the portal."`
}

type corsSpec struct {
	place
	Origins list[text] `key:"origins" desc:"Origins, as https://app.example.com."`
}

type conditionSpec struct {
	place
	Emails       list[text]          `key:"emails" desc:"Verified e-mail addresses."`
	EmailDomains list[text]          `key:"email_domains" desc:"Domains of verified e-mail addresses."`
	Groups       list[text]          `key:"groups" desc:"Groups of which the user is in one."`
	Claims       table[list[scalar]] `key:"claims" desc:"Claims, dotted paths, and the values of which each must have one."`
	Networks     list[text]          `key:"networks" desc:"Networks and addresses from which the client may come."`
	When         text                `key:"when" desc:"CEL expression over request, user and claims."`
}

// allowSpec is the word any, or conditions.
type allowSpec struct {
	conditionSpec
	any bool
}

type tokenSpec struct {
	place
	IssuerURL        text       `key:"issuer_url" desc:"Issuer of JWT access tokens, exactly as the provider writes it."`
	Audiences        list[text] `key:"audiences" desc:"Audiences of which a token must name one; required beside issuer_url."`
	LegacyIDTokens   flag       `key:"legacy_id_tokens" desc:"true: ID tokens of this issuer count as access tokens."`
	IntrospectionURL text       `key:"introspection_url" desc:"Endpoint that is asked about each token (RFC 7662)."`
	ClientID         text       `key:"client_id" desc:"Name of the client at the introspection endpoint."`
	ClientSecret     text       `key:"client_secret" desc:"Secret of the client; better in a file of its own."`
	ClientSecretFile text       `key:"client_secret_file" desc:"File with the secret of the client."`
	KeysFile         text       `key:"keys_file" desc:"File with API keys."`
	UserClaim        text       `key:"user_claim" desc:"Claim that names the user, a dotted path. Default: sub."`
	EmailClaim       text       `key:"email_claim" desc:"Claim with the e-mail address, a dotted path. Default: email."`
	GroupsClaim      textOrList `key:"groups_claim" desc:"Claims with groups, dotted paths. Default: groups."`
	CAFile           text       `key:"ca_file" desc:"PEM certificates to trust besides those of the system."`
}

func (s *fileSpec) read(d *document, n ast.Node, at place)      { d.fields(s, n, at) }
func (s *providerSpec) read(d *document, n ast.Node, at place)  { d.fields(s, n, at) }
func (s *ruleSpec) read(d *document, n ast.Node, at place)      { d.fields(s, n, at) }
func (s *corsSpec) read(d *document, n ast.Node, at place)      { d.fields(s, n, at) }
func (s *conditionSpec) read(d *document, n ast.Node, at place) { d.fields(s, n, at) }
func (s *tokenSpec) read(d *document, n ast.Node, at place)     { d.fields(s, n, at) }

func (s *allowSpec) read(d *document, n ast.Node, at place) {
	if word, ok := n.(*ast.StringNode); ok {
		s.any = word.Value == "any"
		if !s.any {
			d.mistake(at, "has to be any, or a mapping of conditions such as groups and emails")
		}
		return
	}
	d.fields(&s.conditionSpec, n, at)
}

func (s *providerSpec) label(d *document, n ast.Node, entry int) string {
	return d.nameOf(n, "provider", entry)
}

func (s *ruleSpec) label(d *document, n ast.Node, entry int) string {
	return d.nameOf(n, "rule", entry)
}

func (s *tokenSpec) label(_ *document, _ ast.Node, entry int) string {
	return fmt.Sprintf("token %d", entry)
}

// nameOf is how messages call a mapping: by its name when it has one.
func (d *document) nameOf(n ast.Node, noun string, entry int) string {
	return d.calledBy("name", n, noun, entry)
}

// calledBy is nameOf where the name stands under another key.
func (d *document) calledBy(naming string, n ast.Node, noun string, entry int) string {
	if mapping, ok := n.(*ast.MappingNode); ok {
		for _, pair := range mapping.Values {
			key, isKey := pair.Key.(*ast.StringNode)
			name, isText := d.resolve(pair.Value).(*ast.StringNode)
			if isKey && isText && key.Value == naming && strings.TrimSpace(name.Value) != "" {
				return fmt.Sprintf("%s %q", noun, shown(name.Value))
			}
		}
	}
	return fmt.Sprintf("%s %d", noun, entry)
}

// fields reads a mapping into the struct spec, whose first field is a place.
func (d *document) fields(spec value, n ast.Node, at place) {
	mapping, ok := n.(*ast.MappingNode)
	switch {
	case !ok:
		d.mistake(at, "has to be a mapping and is %s; write each entry as key: value", kind(n))
		return
	case len(mapping.Values) == 0:
		d.mistake(at, "is an empty mapping; write what belongs into it, or leave it out")
		return
	}
	target := reflect.ValueOf(spec).Elem()
	known := d.keysOf(target.Type())
	d.pairs(mapping, at, func(key text, n ast.Node) {
		i := slices.Index(known, key.value)
		if i < 0 {
			d.note(key.place, "unknown key `%s`%s", shown(key.value), hint(key.value, known, target.Type()))
			return
		}
		key.key = key.value
		d.into(target.Field(i+1).Addr().Interface().(value), n, key.place)
	})
}

// keysOf is keysOf, each time but the first out of memory: a file has thousands of
// mappings and a handful of types.
func (d *document) keysOf(spec reflect.Type) []string {
	keys, known := d.keys[spec]
	if !known {
		if d.keys == nil {
			d.keys = map[reflect.Type][]string{}
		}
		keys = keysOf(spec)
		d.keys[spec] = keys
	}
	return keys
}

// keysOf are the keys of a spec, in the order of its fields after the place.
func keysOf(spec reflect.Type) []string {
	var keys []string
	for i := 1; i < spec.NumField(); i++ {
		keys = append(keys, spec.Field(i).Tag.Get("key"))
	}
	return keys
}

// hint says which key was most likely meant, or where an unknown one belongs.
func hint(key string, known []string, spec reflect.Type) string {
	if closest := closest(key, known); closest != "" {
		return "; did you mean `" + closest + "`?"
	}
	for i := 1; i < spec.NumField(); i++ {
		inner := spec.Field(i)
		if inner.Type == reflect.TypeFor[allowSpec]() && slices.Contains(keysOf(reflect.TypeFor[conditionSpec]()), key) ||
			inner.Type == reflect.TypeFor[corsSpec]() && slices.Contains(keysOf(inner.Type), key) {
			return "; it belongs below `" + inner.Tag.Get("key") + "`"
		}
	}
	return "; known here are " + strings.Join(known, ", ")
}

// closest is the known word that is a few letters away from word, or whose last
// part it is; "" when none is.
func closest(word string, known []string) string {
	word = strings.ReplaceAll(strings.ToLower(word), "-", "_")
	if len(word) > 64 {
		return ""
	}
	best, found := max(2, len(word)/3+1), ""
	for _, other := range known {
		if d := distance(word, other); d < best {
			best, found = d, other
		}
	}
	if found != "" || len(word) < 4 {
		return found
	}
	for _, other := range known {
		if strings.HasSuffix(other, "_"+word) || strings.HasPrefix(other, word+"_") {
			return other
		}
	}
	return ""
}
