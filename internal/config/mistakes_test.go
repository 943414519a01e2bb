package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/config"
)

// TestMistakes changes a good configuration in one point and wants exactly one
// mistake, which begins with the name of the variable and says what is wrong.
func TestMistakes(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	empty, text, key := file("empty", "\n"), file("text", "no certificate"), file("key", key1+"\n")
	large := file("large", strings.Repeat("x", 64<<10+1))
	for _, tt := range []struct {
		name string
		env  env
		want string // "NAME: and what is somewhere behind it"
	}{
		{"CFG-1 no public URL", env{"PUBLIC_URL": unset}, "PUBLIC_URL: is missing"},
		{"CFG-1 public URL is a host", env{"PUBLIC_URL": "auth.example.com"}, "PUBLIC_URL: entry 1 is not an address"},
		{"CFG-1 public URL of another scheme", env{"PUBLIC_URL": "ftp://auth.example.com"}, "PUBLIC_URL: entry 1 is not an address"},
		{"CFG-1 public URL with a path", env{"PUBLIC_URL": "https://auth.example.com/oauth2"}, "PUBLIC_URL: entry 1 has a path; put it into DOORWARD_PATH_PREFIX"},
		{"CFG-1 public URL with a query", env{"PUBLIC_URL": "https://auth.example.com?x"}, "PUBLIC_URL: entry 1 has a query"},
		{"CFG-1 public URL with an empty query", env{"PUBLIC_URL": "https://auth.example.com?"}, "PUBLIC_URL: entry 1 has a query"},
		{"CFG-1 public URL with a fragment", env{"PUBLIC_URL": "https://auth.example.com#"}, "PUBLIC_URL: entry 1 has a query or a fragment"},
		{"CFG-1 public URL with a user", env{"PUBLIC_URL": "https://u:p@auth.example.com"}, "PUBLIC_URL: entry 1 has a user name"},
		{"CFG-1 public URL on IPv6", env{"PUBLIC_URL": "https://[::1]:4180"}, "PUBLIC_URL: entry 1 is an IPv6 address"},
		{"CFG-1 public URL with a final dot", env{"PUBLIC_URL": "https://auth.example.com."}, "PUBLIC_URL: entry 1 has a host that ends with a dot"},
		{"CFG-1 public URL with an empty label", env{"PUBLIC_URL": "https://auth..example.com"}, "PUBLIC_URL: entry 1 has a host that is not a host name"},
		{"CFG-1 public URL beyond ASCII", env{"PUBLIC_URL": "https://bücher.example"}, "PUBLIC_URL: entry 1 has a host that has letters beyond ASCII"},
		{"CFG-1 public URL with a star inside", env{"PUBLIC_URL": "https://a.*.example.com"}, "PUBLIC_URL: entry 1 has a host that is not a host name"},
		{"CFG-1 public URL with port 0", env{"PUBLIC_URL": "https://auth.example.com:0"}, "PUBLIC_URL: entry 1 has a port"},
		{"CFG-1 public URL with a port too large", env{"PUBLIC_URL": "https://auth.example.com:65536"}, "PUBLIC_URL: entry 1 has a port"},
		{"RED-3 public URL over a public suffix", env{"PUBLIC_URL": "https://*.co.uk"}, "PUBLIC_URL: entry 1 has a host that is a wildcard over a public suffix"},
		{"CFG-1 public URL over an address", env{"PUBLIC_URL": "https://*.127.0.0.1"}, "PUBLIC_URL: entry 1 has a host that is a wildcard over an IP address"},
		{"CFG-1 the second public URL", env{"PUBLIC_URL": "https://a.x.org,b.x.org"}, "PUBLIC_URL: entry 2 is not an address"},
		{"CFG-1 public URL list ends in a comma", env{"PUBLIC_URL": "https://a.x.org,"}, "PUBLIC_URL: entry 2 is empty"},
		{"CFG-1 two public URLs on a host", env{"PUBLIC_URL": "https://a.x.org,https://a.x.org:8443"}, "PUBLIC_URL: entries 1 and 2 are on the same host"},
		{"CFG-1 http", env{"PUBLIC_URL": "http://localhost"}, "PUBLIC_URL: is http, so that anybody on the way can read the cookie; use https, or for localhost set DOORWARD_COOKIE_INSECURE=true"},
		{"CFG-1 insecure cookies with https", env{"COOKIE_INSECURE": "true"}, "COOKIE_INSECURE: is true, but the public URL is https"},
		{"CFG-1 http and https", env{"PUBLIC_URL": "https://a.x.org,http://b.x.org"}, "PUBLIC_URL: mixes http and https"},
		{"CFG-1 http and https, insecure", env{"PUBLIC_URL": "https://a.x.org,http://b.x.org", "COOKIE_INSECURE": "true"}, "PUBLIC_URL: mixes http and https"},

		{"CFG-1 cookie domain without a public URL", env{"COOKIE_DOMAINS": "example.com,x.org"}, "COOKIE_DOMAINS: entry 2 has no public URL"},
		{"CFG-1 public URL without a cookie domain", env{"PUBLIC_URL": "https://a.example.com,https://b.x.org", "COOKIE_DOMAINS": "example.com"}, "PUBLIC_URL: entry 2 is in none of the cookie domains"},
		{"RED-3 public URL beside the cookie domain", env{"PUBLIC_URL": "https://a.example.com,https://badexample.com", "COOKIE_DOMAINS": "example.com"}, "PUBLIC_URL: entry 2 is in none of the cookie domains"},
		{"CFG-1 two public URLs in a cookie domain", env{"PUBLIC_URL": "https://a.example.com,https://b.example.com", "COOKIE_DOMAINS": "example.com"}, "PUBLIC_URL: entries 1 and 2 are in the same cookie domain"},
		{"RED-3 cookie domain com", env{"COOKIE_DOMAINS": "com"}, "COOKIE_DOMAINS: entry 1 is a public suffix"},
		{"RED-3 cookie domain co.uk", env{"COOKIE_DOMAINS": "co.uk"}, "COOKIE_DOMAINS: entry 1 is a public suffix"},
		{"RED-3 cookie domain of a hoster", env{"COOKIE_DOMAINS": "github.io"}, "COOKIE_DOMAINS: entry 1 is a public suffix"},
		{"CFG-1 cookie domain localhost", env{"COOKIE_DOMAINS": "localhost"}, "COOKIE_DOMAINS: entry 1 is a public suffix"},
		{"CFG-1 cookie domain with a star", env{"COOKIE_DOMAINS": "*.example.com"}, "COOKIE_DOMAINS: entry 1 begins with *.; write the domain alone"},
		{"CFG-1 cookie domain is a URL", env{"COOKIE_DOMAINS": "https://example.com"}, "COOKIE_DOMAINS: entry 1 is an address and not a host"},
		{"CFG-1 cookie domain is an address", env{"COOKIE_DOMAINS": "127.0.0.1"}, "COOKIE_DOMAINS: entry 1 is an IP address"},
		{"CFG-1 cookie domain twice", env{"COOKIE_DOMAINS": "example.com,.Example.com"}, "COOKIE_DOMAINS: entry 2 is there twice"},

		{"CFG-1 path prefix /", env{"PATH_PREFIX": "/"}, "PATH_PREFIX: is /"},
		{"CFG-1 path prefix without a slash", env{"PATH_PREFIX": "oauth2"}, "PATH_PREFIX: has to begin with a slash"},
		{"CFG-1 path prefix with a final slash", env{"PATH_PREFIX": "/oauth2/"}, "PATH_PREFIX: ends with a slash"},
		{"CFG-1 path prefix with two slashes", env{"PATH_PREFIX": "//oauth2"}, "PATH_PREFIX: has to be made of"},
		{"CFG-1 path prefix with a dot segment", env{"PATH_PREFIX": "/a/../b"}, "PATH_PREFIX: has to be made of"},
		{"CFG-1 path prefix with an escape", env{"PATH_PREFIX": "/a%20b"}, "PATH_PREFIX: has to be made of"},

		{"KEY-1 no cookie secret", env{"COOKIE_SECRET": unset}, "COOKIE_SECRET: is missing; make one with `doorward secret`"},
		{"KEY-1 too short", env{"COOKIE_SECRET": "c2hvcnQ="}, "COOKIE_SECRET: entry 1 is not base64 of exactly 32 bytes; make one with `doorward secret`"},
		{"KEY-1 31 bytes", env{"COOKIE_SECRET": "sdOvmfGTqcZpDR7fyKXtDGF4S8wJ0R9Qh3bWmDnE4g=="}, "COOKIE_SECRET: entry 1 is not base64 of exactly 32 bytes"},
		{"KEY-1 33 bytes", env{"COOKIE_SECRET": "sdOvmfGTqcZpDR7fyKXtDGF4S8wJ0R9Qh3bWmDnE4kcA"}, "COOKIE_SECRET: entry 1 is not base64 of exactly 32 bytes"},
		{"KEY-1 bits left over", env{"COOKIE_SECRET": strings.Replace(key1, "c=", "d=", 1)}, "COOKIE_SECRET: entry 1 is not base64 of exactly 32 bytes"},
		{"KEY-1 raw text of 44 characters", env{"COOKIE_SECRET": "correct horse battery staple correct horse!!"}, "COOKIE_SECRET: entry 1 is not base64"},
		{"KEY-1 raw text of 32 characters", env{"COOKIE_SECRET": "0123456789abcdefghijklmnopqrstuv"}, "COOKIE_SECRET: entry 1 is 32 characters of text"},
		{"KEY-1 hexadecimal", env{"COOKIE_SECRET": strings.Repeat("0123456789abcdef", 4)}, "COOKIE_SECRET: entry 1 is hexadecimal"},
		{"KEY-1 hexadecimal of 32 characters", env{"COOKIE_SECRET": strings.Repeat("0123456789abcdef", 2)}, "COOKIE_SECRET: entry 1 is hexadecimal"},
		{"KEY-1 zeros", env{"COOKIE_SECRET": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}, "COOKIE_SECRET: entry 1 is one byte repeated"},
		{"KEY-1 the second one", env{"COOKIE_SECRET": key1 + ",x"}, "COOKIE_SECRET: entry 2 is not base64"},
		{"KEY-1 the second one is missing", env{"COOKIE_SECRET": key1 + ","}, "COOKIE_SECRET: entry 2 is empty"},
		{"KEY-1 twice the same", env{"COOKIE_SECRET": key1 + "," + strings.TrimSuffix(key1, "=")}, "COOKIE_SECRET: entry 2 repeats entry 1"},
		{"CFG-1 secret and its file", env{"COOKIE_SECRET_FILE": key}, "COOKIE_SECRET_FILE: is set together with DOORWARD_COOKIE_SECRET"},
		{"CFG-1 secret file is not there", env{"COOKIE_SECRET": unset, "COOKIE_SECRET_FILE": "/nowhere/key"}, `COOKIE_SECRET_FILE: cannot read "/nowhere/key": no such file or directory`},
		{"CFG-1 secret file is empty", env{"COOKIE_SECRET": unset, "COOKIE_SECRET_FILE": empty}, `COOKIE_SECRET_FILE: "` + empty + `" is empty`},
		{"CFG-1 secret file is a directory", env{"COOKIE_SECRET": unset, "COOKIE_SECRET_FILE": dir}, `COOKIE_SECRET_FILE: cannot read "` + dir + `": is a directory`},
		{"CFG-1 secret file is large", env{"COOKIE_SECRET": unset, "COOKIE_SECRET_FILE": large}, "COOKIE_SECRET_FILE: cannot read"},
		{"CFG-1 client secret and its file", env{"OIDC_CLIENT_SECRET": "x", "OIDC_CLIENT_SECRET_FILE": key}, "OIDC_CLIENT_SECRET_FILE: is set together with DOORWARD_OIDC_CLIENT_SECRET"},
		{"CFG-1 client secret file is empty", env{"OIDC_CLIENT_SECRET_FILE": empty}, "OIDC_CLIENT_SECRET_FILE: "},
		{"LOG-2 the secret in place of its path", env{"COOKIE_SECRET": unset, "COOKIE_SECRET_FILE": "/" + key1[1:]}, "COOKIE_SECRET_FILE: cannot read the file (its path is not shown"},

		{"CFG-1 cookie name with a prefix", env{"COOKIE_NAME": "__Host-doorward"}, "COOKIE_NAME: begins with a prefix"},
		{"CFG-1 cookie name with a prefix in other case", env{"COOKIE_NAME": "__SECURE-x"}, "COOKIE_NAME: begins with a prefix"},
		{"CFG-1 cookie name with a semicolon", env{"COOKIE_NAME": "a;b"}, "COOKIE_NAME: has to be made of"},
		{"CFG-1 cookie name with a space", env{"COOKIE_NAME": "a b"}, "COOKIE_NAME: has to be made of letters, digits and - _ . ! # $ % &"},
		{"CFG-1 cookie name too long", env{"COOKIE_NAME": strings.Repeat("a", 65)}, "COOKIE_NAME: is longer"},
		{"CFG-1 no boolean", env{"COOKIE_PERSIST": "maybe"}, "COOKIE_PERSIST: is neither true nor false"},
		{"CFG-1 no boolean for discovery", env{"OIDC_DISCOVERY": "off"}, "OIDC_DISCOVERY: is neither true nor false"},
		{"CFG-1 days", env{"SESSION_LIFETIME": "7d"}, "SESSION_LIFETIME: is not a duration; write for example 90s, 30m or 168h"},
		{"CFG-1 negative lifetime", env{"SESSION_LIFETIME": "-1h"}, "SESSION_LIFETIME: is too short"},
		{"CFG-1 no lifetime", env{"SESSION_LIFETIME": "0s"}, "SESSION_LIFETIME: is too short"},
		{"CFG-1 recheck of every page", env{"SESSION_RECHECK": "59s"}, "SESSION_RECHECK: is too short"},
		{"CFG-1 recheck that is no time", env{"SESSION_RECHECK": "often"}, "SESSION_RECHECK: "},
		{"CFG-1 negative idle timeout", env{"SESSION_IDLE_TIMEOUT": "-1s"}, "SESSION_IDLE_TIMEOUT: is too short"},
		{"CFG-1 negative delay", env{"SHUTDOWN_DELAY": "-1s"}, "SHUTDOWN_DELAY: is too short"},
		{"CFG-1 unknown store", env{"SESSION_STORE": "memory"}, "SESSION_STORE: has to be cookie or redis"},
		{"CFG-1 Redis without an address", env{"SESSION_STORE": "redis"}, "REDIS_URL: is missing"},
		{"CFG-1 Redis address in a file that is not there", env{"REDIS_URL_FILE": "/nowhere/x"}, "REDIS_URL_FILE: cannot read"},
		{"CFG-1 Redis address twice", env{"REDIS_URL": "redis://x", "REDIS_URL_FILE": "/x"}, "REDIS_URL_FILE: is set together"},
		{"CFG-1 Redis without a scheme", env{"REDIS_URL": "redis:6379"}, "REDIS_URL: has to begin with redis://"},
		{"CFG-1 Redis with another scheme", env{"REDIS_URL": "http://redis"}, "REDIS_URL: has to begin with redis://"},
		{"CFG-1 Redis without a host", env{"REDIS_URL": "redis://"}, "REDIS_URL: host 1 is not one"},
		{"CFG-1 Redis with an odd port", env{"REDIS_URL": "redis://x:port"}, "REDIS_URL: host 1 is not one"},
		{"CFG-1 two hosts of one Redis", env{"REDIS_URL": "redis://a,b"}, "REDIS_URL: has several hosts"},
		{"CFG-1 Redis with an odd database", env{"REDIS_URL": "redis://x/main"}, "REDIS_URL: needs a number as its database"},
		{"CFG-1 Sentinels without a master", env{"REDIS_URL": "redis+sentinel://a,b"}, "REDIS_URL: needs the name of the master"},
		{"CFG-1 a Cluster with a database", env{"REDIS_URL": "redis+cluster://a/1"}, "REDIS_URL: has a database"},
		{"CFG-1 a socket without a path", env{"REDIS_URL": "unix://x"}, "REDIS_URL: needs the path of a socket"},
		{"CFG-1 Redis user without a password", env{"REDIS_URL": "redis://u@x"}, "REDIS_URL: has a user name without a password"},
		{"CFG-1 Redis password with a stray percent", env{"REDIS_URL": "redis://:a%b@x"}, "REDIS_URL: has a user name or password with a stray %"},
		{"CFG-1 Redis with an unknown option", env{"REDIS_URL": "redis://x?tls=1"}, "REDIS_URL: has an option that is not known"},
		{"CFG-1 Redis with an odd prefix", env{"REDIS_URL": "redis://x?prefix={a}"}, "REDIS_URL: has a prefix with other"},
		{"CFG-1 Redis with a certificate and no TLS", env{"REDIS_URL": "redis://x?ca_file=/x"}, "REDIS_URL: has a certificate and no TLS"},
		{"CFG-1 Redis with a certificate that is none", env{"REDIS_URL": "rediss://x?ca_file=/etc/hostname"}, "REDIS_URL: names a ca_file that"},
		{"CFG-1 Redis grace", env{"SESSION_OUTAGE_GRACE": "-1s"}, "SESSION_OUTAGE_GRACE: is too short"},
		{"gRPC on a taken address", env{"GRPC_LISTEN": ":4180"}, "GRPC_LISTEN: is the same as"},
		{"gRPC certificate without key", env{"GRPC_LISTEN": ":4182", "GRPC_TLS_CERT_FILE": "/nowhere.pem"}, "GRPC_TLS_CERT_FILE: and DOORWARD_GRPC_TLS_KEY_FILE go together"},
		{"gRPC certificate that cannot be read", env{"GRPC_LISTEN": ":4182", "GRPC_TLS_CERT_FILE": "/etc/hostname", "GRPC_TLS_KEY_FILE": "/etc/hostname"}, "GRPC_TLS_CERT_FILE: is no certificate"},
		{"CFG-1 gRPC client CA without TLS", env{"GRPC_LISTEN": ":4182", "GRPC_CLIENT_CA_FILE": "/nowhere.pem"}, "GRPC_CLIENT_CA_FILE: needs"},
		{"CFG-1 gRPC certificate without listener", env{"GRPC_TLS_CERT_FILE": "/nowhere.pem"}, "GRPC_TLS_CERT_FILE: has no effect"},
		{"CFG-1 file is not there", env{"CONFIG_FILE": "/nowhere/doorward.yaml"}, `CONFIG_FILE: cannot read "/nowhere/doorward.yaml": no such file or directory`},
		{"CFG-1 file is a directory", env{"CONFIG_FILE": dir}, `CONFIG_FILE: cannot read "` + dir + `": is a directory`},
		{"LOG-2 a secret in place of the file", env{"CONFIG_FILE": key1}, "CONFIG_FILE: cannot read the file (its path is not shown"},

		{"CFG-1 no issuer", env{"OIDC_ISSUER_URL": unset}, "OIDC_ISSUER_URL: is missing"},
		{"CFG-1 issuer is a host", env{"OIDC_ISSUER_URL": "id.example.com"}, "OIDC_ISSUER_URL: is not an address"},
		{"CFG-1 issuer with a query", env{"OIDC_ISSUER_URL": "https://id.example.com?x=1"}, "OIDC_ISSUER_URL: has a query"},
		{"CFG-1 issuer with an empty query", env{"OIDC_ISSUER_URL": "https://id.example.com?"}, "OIDC_ISSUER_URL: has a query"},
		{"CFG-1 issuer with a fragment", env{"OIDC_ISSUER_URL": "https://id.example.com#"}, "OIDC_ISSUER_URL: has a fragment"},
		{"CFG-1 issuer with a user", env{"OIDC_ISSUER_URL": "https://u@id.example.com"}, "OIDC_ISSUER_URL: has a user name"},
		{"CFG-1 no client id", env{"OIDC_CLIENT_ID": unset}, "OIDC_CLIENT_ID: is missing"},
		{"CFG-1 scopes without openid", env{"OIDC_SCOPES": "email"}, "OIDC_SCOPES: lacks openid"},
		{"CFG-1 odd scope", env{"OIDC_SCOPES": `openid,a"b`}, "OIDC_SCOPES: entry 2 is not a scope"},
		{"CFG-1 endpoint is a path", env{"OIDC_USERINFO_URL": "/userinfo"}, "OIDC_USERINFO_URL: is not an address"},
		{"CFG-1 endpoint with a user", env{"OIDC_END_SESSION_URL": "https://u:p@x"}, "OIDC_END_SESSION_URL: has a user name"},
		{"CFG-1 no discovery, no keys", env{"OIDC_DISCOVERY": "false", "OIDC_AUTH_URL": "http://a/a", "OIDC_TOKEN_URL": "http://a/t"}, "OIDC_JWKS_URL: is missing, and DOORWARD_OIDC_DISCOVERY is false"},
		{"CFG-1 no discovery, no token endpoint", env{"OIDC_DISCOVERY": "0", "OIDC_AUTH_URL": "http://a/a", "OIDC_JWKS_URL": "http://a/j"}, "OIDC_TOKEN_URL: is missing"},
		{"CFG-1 no discovery, no authorization endpoint", env{"OIDC_DISCOVERY": "false", "OIDC_TOKEN_URL": "http://a/t", "OIDC_JWKS_URL": "http://a/j"}, "OIDC_AUTH_URL: is missing"},
		{"CFG-1 claim with a hole", env{"OIDC_USER_CLAIM": "a..b"}, "OIDC_USER_CLAIM: is not a claim"},
		{"CFG-1 claim with a space", env{"OIDC_GROUPS_CLAIM": "groups,a b"}, "OIDC_GROUPS_CLAIM: entry 2 is not a claim"},
		{"CFG-1 parameter without a value", env{"OIDC_AUTH_PARAMS": "prompt"}, "OIDC_AUTH_PARAMS: entry 1 has to be name:value"},
		{"OIDC-1 parameter of Doorward", env{"OIDC_AUTH_PARAMS": "a:b,code_challenge_method:plain"}, "OIDC_AUTH_PARAMS: entry 2 is a parameter that Doorward sets itself"},
		{"CFG-1 parameter twice", env{"OIDC_AUTH_PARAMS": "a:b,a:c"}, "OIDC_AUTH_PARAMS: entry 2 has a name that is there already"},
		{"CFG-1 CA file is not there", env{"OIDC_CA_FILE": "/nowhere/ca.pem"}, `OIDC_CA_FILE: cannot read "/nowhere/ca.pem"`},
		{"CFG-1 CA file without a certificate", env{"OIDC_CA_FILE": text}, "OIDC_CA_FILE: "},

		{"CFG-1 nobody could pass", env{"ALLOWED_GROUPS": unset}, "ALLOW_ANY_USER: nobody could pass; set DOORWARD_ALLOWED_EMAILS"},
		{"CFG-1 everybody and a list", env{"ALLOW_ANY_USER": "true"}, "ALLOW_ANY_USER: is true, but there are lists"},
		{"CFG-1 empty e-mails (CVE-2021-21411)", env{"ALLOWED_EMAILS": ""}, "ALLOWED_EMAILS: is set but empty"},
		{"CFG-1 empty domains", env{"ALLOWED_EMAIL_DOMAINS": " "}, "ALLOWED_EMAIL_DOMAINS: is set but empty"},
		{"CFG-1 empty groups", env{"ALLOWED_GROUPS": ""}, "ALLOWED_GROUPS: is set but empty"},
		{"CFG-1 empty groups, everybody", env{"ALLOWED_GROUPS": "", "ALLOW_ANY_USER": "true"}, "ALLOWED_GROUPS: is set but empty"},
		{"CFG-1 empty entry", env{"ALLOWED_GROUPS": "a,,b"}, "ALLOWED_GROUPS: entry 2 is empty"},
		{"AUTHZ-2 no @", env{"ALLOWED_EMAILS": "ada"}, "ALLOWED_EMAILS: entry 1 is not an e-mail address"},
		{"AUTHZ-2 two @", env{"ALLOWED_EMAILS": "a@x@example.com"}, "ALLOWED_EMAILS: entry 1 is not an e-mail address"},
		{"AUTHZ-2 final dot", env{"ALLOWED_EMAILS": "a@example.com."}, "ALLOWED_EMAILS: entry 1 is not an e-mail address"},
		{"AUTHZ-2 quoted", env{"ALLOWED_EMAILS": `"a"@example.com`}, "ALLOWED_EMAILS: entry 1 is not an e-mail address"},
		{"AUTHZ-2 beyond ASCII", env{"ALLOWED_EMAILS": "a@exampleſ.com"}, "ALLOWED_EMAILS: entry 1 is not an e-mail address"},
		{"AUTHZ-2 space", env{"ALLOWED_EMAILS": "a b@example.com"}, "ALLOWED_EMAILS: entry 1 is not an e-mail address"},
		{"AUTHZ-2 too long", env{"ALLOWED_EMAILS": strings.Repeat("a", 250) + "@x.org"}, "ALLOWED_EMAILS: entry 1 is not an e-mail address"},
		{"AUTHZ-2 domain among e-mails", env{"ALLOWED_EMAILS": "@example.com"}, "ALLOWED_EMAILS: entry 1 is a domain; write it without the @ into DOORWARD_ALLOWED_EMAIL_DOMAINS"},
		{"AUTHZ-2 star among e-mails", env{"ALLOWED_EMAILS": "*"}, "ALLOWED_EMAILS: entry 1 is *; to let in everybody set DOORWARD_ALLOW_ANY_USER=true"},
		{"AUTHZ-2 domain with @", env{"ALLOWED_EMAIL_DOMAINS": "@example.com"}, "ALLOWED_EMAIL_DOMAINS: entry 1 has an @; write only what follows it"},
		{"AUTHZ-2 star among domains", env{"ALLOWED_EMAIL_DOMAINS": "*"}, "ALLOWED_EMAIL_DOMAINS: entry 1 is *; to let in everybody set DOORWARD_ALLOW_ANY_USER=true"},
		{"AUTHZ-2 wildcard domain", env{"ALLOWED_EMAIL_DOMAINS": "*.example.com"}, "ALLOWED_EMAIL_DOMAINS: entry 1 begins with *."},
		{"AUTHZ-2 domain with a leading dot", env{"ALLOWED_EMAIL_DOMAINS": ".example.com"}, "ALLOWED_EMAIL_DOMAINS: entry 1 is not a host name"},
		{"AUTHZ-2 domain with a final dot", env{"ALLOWED_EMAIL_DOMAINS": "example.com."}, "ALLOWED_EMAIL_DOMAINS: entry 1 ends with a dot"},
		{"CFG-1 star among groups", env{"ALLOWED_GROUPS": "*"}, "ALLOWED_GROUPS: entry 1 is *"},
		{"CFG-1 group with a newline", env{"ALLOWED_GROUPS": "a\nb"}, "ALLOWED_GROUPS: entry 1 has a control character"},

		{"RED-3 redirect to *.com", env{"ALLOWED_REDIRECT_HOSTS": "*.com"}, "ALLOWED_REDIRECT_HOSTS: entry 1 is a wildcard over a public suffix"},
		{"RED-3 redirect to *.co.uk", env{"ALLOWED_REDIRECT_HOSTS": "x.org,*.co.uk"}, "ALLOWED_REDIRECT_HOSTS: entry 2 is a wildcard over a public suffix"},
		{"RED-3 redirect to everything", env{"ALLOWED_REDIRECT_HOSTS": "*"}, "ALLOWED_REDIRECT_HOSTS: entry 1 is not a host name"},
		{"RED-3 redirect to *.", env{"ALLOWED_REDIRECT_HOSTS": "*."}, "ALLOWED_REDIRECT_HOSTS: entry 1 is not a host name"},
		{"RED-3 redirect with a leading dot", env{"ALLOWED_REDIRECT_HOSTS": ".x.org"}, "ALLOWED_REDIRECT_HOSTS: entry 1 begins with a dot; write *."},
		{"RED-3 redirect to a URL", env{"ALLOWED_REDIRECT_HOSTS": "https://x.org"}, "ALLOWED_REDIRECT_HOSTS: entry 1 is an address and not a host"},
		{"RED-3 redirect with a port", env{"ALLOWED_REDIRECT_HOSTS": "x.org:8443"}, "ALLOWED_REDIRECT_HOSTS: entry 1 is not a host name"},
		{"HDR-2 no proxies", env{"TRUSTED_PROXIES": ""}, "TRUSTED_PROXIES: is empty"},
		{"HDR-2 proxy is a name", env{"TRUSTED_PROXIES": "10.0.0.0/8,proxy"}, "TRUSTED_PROXIES: entry 2 is neither a network nor an address"},
		{"HDR-2 prefix too long", env{"TRUSTED_PROXIES": "10.0.0.0/33"}, "TRUSTED_PROXIES: entry 1 is neither"},
		{"HDR-2 IPv4 inside IPv6", env{"TRUSTED_PROXIES": "::ffff:10.0.0.0/104"}, "TRUSTED_PROXIES: entry 1 is neither"},
		{"HDR-2 zone", env{"TRUSTED_PROXIES": "fe80::1%eth0"}, "TRUSTED_PROXIES: entry 1 is neither"},
		{"CFG-1 force scheme", env{"FORCE_SCHEME": "wss"}, "FORCE_SCHEME: has to be https or http"},
		{"CFG-1 header family", env{"IDENTITY_HEADERS": "x-auth-request,x-foo"}, "IDENTITY_HEADERS: entry 2 has to be"},
		{"CFG-1 allow status", env{"ALLOW_STATUS": "204"}, "ALLOW_STATUS: has to be 200 or 202"},
		{"CFG-1 log level", env{"LOG_LEVEL": "verbose"}, "LOG_LEVEL: has to be debug or info or warn or error"},
		{"CFG-1 log format", env{"LOG_FORMAT": "logfmt"}, "LOG_FORMAT: has to be json or text"},
		{"CFG-1 listen on a port", env{"LISTEN": "4180"}, "LISTEN: is no address to listen on; write for example :4180"},
		{"CFG-1 listen on a large port", env{"LISTEN": ":65536"}, "LISTEN: has a port"},
		{"CFG-1 listen on a named port", env{"LISTEN": ":http"}, "LISTEN: has a port"},
		{"CFG-1 listen on an odd host", env{"LISTEN": "a b:4180"}, "LISTEN: has a host"},
		{"CFG-1 listen on a relative socket", env{"LISTEN": "unix:doorward.sock"}, "LISTEN: has to name a socket by its whole path"},
		{"HTTP-6 both on one address", env{"ADMIN_LISTEN": ":4180"}, "ADMIN_LISTEN: is the same as DOORWARD_LISTEN"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg, _, err := load(t, tt.env)
			found := mistakes(t, err)
			if cfg != nil || len(found) != 1 || !strings.HasPrefix(found[0], "DOORWARD_"+tt.want) {
				t.Errorf("mistakes:\n%s\nwant one: DOORWARD_%s…", strings.Join(found, "\n"), tt.want)
			}
			if strings.Contains(strings.Join(found, ""), "\n") {
				t.Errorf("a mistake is longer than a line: %q", found)
			}
		})
	}
}

// CFG-1: everything that is wrong is said at once.
func TestAllMistakesAtOnce(t *testing.T) {
	wrong := env{"PUBLIC_URL": unset, "COOKIE_SECRET": unset, "OIDC_ISSUER_URL": unset, "OIDC_CLIENT_ID": unset, "ALLOWED_GROUPS": unset}
	for _, v := range config.Variables() {
		name := strings.TrimPrefix(v.Name, "DOORWARD_")
		switch {
		case wrong[name] != "" || name == "OIDC_CLIENT_SECRET" || name == "OIDC_CLIENT_SECRET_FILE" || name == "COOKIE_SECRET_FILE" || name == "REDIS_URL":
		default:
			wrong[name] = "/\x01/"
		}
	}
	wrong["OIDC_CLIENT_SECRET_FILE"] = "/nowhere/secret"
	_, _, err := load(t, wrong)
	found := mistakes(t, err)
	for _, v := range config.Variables() {
		switch v.Name {
		case "DOORWARD_OIDC_CLIENT_SECRET", "DOORWARD_COOKIE_SECRET_FILE", "DOORWARD_REDIS_URL", // right when unset
			"DOORWARD_ALLOWED_GROUPS": // stands behind the lists that are wrong
			continue
		}
		if !strings.Contains("\n"+found.Error(), "\n"+v.Name+": ") {
			t.Errorf("nothing is said about %s", v.Name)
		}
	}
}
