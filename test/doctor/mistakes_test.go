package doctor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/doorward/doorward/test/stack"
)

// patient is a gateway and the mistakes that are planted in its configuration.
type patient struct {
	name     string
	gateway  stack.Gateway
	mistakes []mistake
}

// mistake is a small change that makes a good configuration a bad one.
type mistake struct {
	name    string
	replace [][2]string       // in the gateway's file
	env     map[string]string // of Doorward
	session bool              // seen only with one
	check   string            // that has to find it
	says    string            // part of what it says
}

// everywhere are the mistakes of Doorward's own configuration.
func everywhere(c *clinic) []mistake {
	return []mistake{
		{
			name:  "cookie domain does not fit",
			env:   map[string]string{"DOORWARD_COOKIE_DOMAINS": "auth.doorward.localhost"},
			check: "cookie_domain", says: "app.doorward.localhost is in none of the cookie domains",
		},
		{
			name:  "wrong public URL: nobody is there",
			env:   map[string]string{"DOORWARD_PUBLIC_URL": "https://auth.doorward.localhost"},
			check: "public_url", says: "DOORWARD_PUBLIC_URL",
		},
		{
			name:  "wrong public URL: the app is there",
			env:   map[string]string{"DOORWARD_PUBLIC_URL": c.AppURL},
			check: "public_url", says: "DOORWARD_PUBLIC_URL",
		},
	}
}

func patients(t *testing.T) []patient {
	t.Helper()
	return append([]patient{
		{name: "nginx", gateway: stack.PlainNginx, mistakes: nginxMistakes(t)},
		{name: "ingress-nginx", gateway: stack.IngressNginx, mistakes: ingressNginxMistakes()},
	}, others()...)
}

func nginxMistakes(t *testing.T) []mistake {
	t.Helper()
	const protect, server = "doorward-protect.conf", "doorward-server.conf"
	return []mistake{
		{
			name: "host not gated", replace: inSnippet(t, protect, "auth_request /_doorward;", ""),
			check: "gated", says: "open to everybody",
		},
		notCopied(inSnippet(t, protect, "X-Auth-Request-Email $doorward_email;", `X-Auth-Request-Email "";`)...),
		passing(inSnippet(t, protect, "proxy_set_header X-Auth-Request-Groups $doorward_groups;", "")...),
		{
			name: "client header believed",
			replace: append(inSnippet(t, server, "$scheme://$host$doorward_port", "$scheme://$believed"), [2]string{
				"map $http_upgrade", "map $http_x_forwarded_host $believed { '' $host$doorward_port; default $http_x_forwarded_host; }\nmap $http_upgrade",
			}),
			check: "forged_forwarded", says: "X-Forwarded-Host is believed",
		},
		{
			name:    "scheme missing behind TLS",
			replace: inSnippet(t, server, "X-Original-URL $scheme:", "X-Original-URL http:"),
			check:   "scheme", says: "the gateway tells Doorward that it is not",
		},
		{
			name:    "X-Forwarded-Proto missing behind TLS",
			replace: [][2]string{{"X-Forwarded-Host $host$doorward_port;\n\t\tproxy_set_header X-Forwarded-Proto $scheme;", "X-Forwarded-Host $host;"}},
			session: true, check: "app_scheme", says: "X-Forwarded-Proto is missing",
		},
		{
			name: "header buffer too small",
			replace: [][2]string{{
				"include snippets/doorward-server.conf;",
				"include snippets/doorward-server.conf;\n\tproxy_buffer_size 2k;\n\tproxy_buffers 8 2k;\n\tproxy_busy_buffers_size 4k;",
			}},
			check: "header_block", says: "does not get through",
		},
		{
			name:    "Set-Cookie taken away",
			replace: [][2]string{{"# Where people sign in.\nserver {", "# Where people sign in.\nserver {\n\tproxy_hide_header Set-Cookie;"}},
			check:   "set_cookie", says: "does not reach the browser",
		},
		{
			name:    "no redirect to the sign-in",
			replace: inSnippet(t, protect, "error_page 401 = @doorward_sign_in;", ""),
			check:   "sign_in", says: "is not sent to the sign-in",
		},
	}
}

func ingressNginxMistakes() []mistake {
	return []mistake{
		{
			name: "host not gated", replace: [][2]string{{"auth_request /_external-auth-Lw-Prefix;", ""}},
			check: "gated", says: "open to everybody",
		},
		notCopied([2]string{"'X-Auth-Request-Email' $authHeader1;", "'X-Auth-Request-Email' '';"}),
		passing([2]string{"proxy_set_header 'X-Auth-Request-Groups' $authHeader4;", ""}),
		{
			name:    "X-Forwarded-Proto missing behind TLS",
			replace: [][2]string{{"set $pass_access_scheme $scheme;", "set $pass_access_scheme http;"}},
			check:   "scheme", says: "a login comes back to http",
		},
		{
			name:    "wrong sign-in address in the annotation",
			replace: [][2]string{{"https://auth.example.com/start?rd=", "https://login.example.com/start?rd="}},
			check:   "public_url", says: "https://login.example.com/start",
		},
	}
}

// inSnippet is a change in a snippet of deploy/nginx: it stands in the file that
// includes it, in place of the include.
func inSnippet(t *testing.T, name, old, with string) [][2]string {
	t.Helper()
	root, err := stack.Root()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "deploy/nginx/snippets", name))
	if err != nil || !strings.Contains(string(text), old) {
		t.Fatalf("%s has no %q any more (%v)", name, old, err)
	}
	return [][2]string{{"include snippets/" + name + ";", strings.Replace(string(text), old, with, 1)}}
}
