package doctor

import "github.com/doorward/doorward/test/stack"

// appHost is the app's host in these tests.
const appHost = "app.doorward.localhost"

// others are the gateways besides nginx.
func others() []patient {
	return []patient{
		{name: "traefik", gateway: stack.Traefik, mistakes: traefikMistakes()},
		{name: "traefik-ingress", gateway: stack.TraefikIngress, mistakes: annotationMistakes()},
		{name: "traefik-kubernetes", gateway: stack.TraefikKubernetes, mistakes: []mistake{
			{
				name: "host not gated", replace: [][2]string{{"      middlewares:\n        - name: doorward\n", ""}},
				check: "gated", says: "open to everybody",
			},
		}},
		{name: "caddy", gateway: stack.Caddy, mistakes: caddyMistakes()},
		{name: "envoy-http", gateway: stack.EnvoyHTTP, mistakes: append(envoyMistakes(),
			notCopied([2]string{"                              - exact: x-auth-request-email\n", ""}),
			passing([2]string{"                              - exact: x-auth-request-groups\n", ""}),
		)},
		{name: "envoy-grpc", gateway: stack.EnvoyGRPC, mistakes: append(envoyMistakes(),
			notCopied([2]string{envoyApp, envoyAppHost + envoyAppIndent + "request_headers_to_remove: [x-auth-request-email]\n"}),
		)},
		{name: "haproxy", gateway: stack.HAProxy, mistakes: haproxyMistakes()},
	}
}

// notCopied and passing are the mistakes that only a session shows, each made by
// a change of the gateway's file.
func notCopied(replace ...[2]string) mistake {
	return mistake{
		name: "identity header not copied", replace: replace,
		session: true, check: "identity", says: "does not get X-Auth-Request-Email",
	}
}

func passing(replace ...[2]string) mistake {
	return mistake{
		name: "client header passing through", replace: replace,
		session: true, check: "passing", says: "X-Auth-Request-Groups reaches the app",
	}
}

func traefikMistakes() []mistake {
	return []mistake{
		{
			name: "host not gated", replace: [][2]string{{"      middlewares: [doorward]\n", ""}},
			check: "gated", says: "open to everybody",
		},
		notCopied([2]string{"          - X-Auth-Request-Email\n", ""}),
		passing([2]string{"          - X-Auth-Request-Groups\n", ""}),
		{
			name: "X-Forwarded-Proto missing behind TLS",
			replace: [][2]string{
				{"middlewares: [doorward]", "middlewares: [plain, doorward]"},
				{"trustForwardHeader: false", "trustForwardHeader: true"},
				{"  middlewares:\n", "  middlewares:\n    plain:\n      headers:\n        customRequestHeaders:\n          X-Forwarded-Proto: http\n"},
			},
			check: "scheme", says: "the gateway tells Doorward that it is not",
		},
		{
			name:    "asked at the endpoint of another kind of gateway",
			replace: [][2]string{{"/auth/forwarded", "/auth/nginx"}},
			check:   "gated", says: "the gateway asks at the wrong endpoint",
		},
	}
}

func annotationMistakes() []mistake {
	const before = "X-Auth-Request-User,X-Auth-Request-Email,X-Auth-Request-Preferred-Username,X-Auth-Request-Name,X-Auth-Request-Groups"
	return []mistake{
		notCopied([2]string{before, "X-Auth-Request-User,X-Auth-Request-Preferred-Username,X-Auth-Request-Name,X-Auth-Request-Groups"}),
		passing([2]string{before, "X-Auth-Request-User,X-Auth-Request-Email,X-Auth-Request-Preferred-Username,X-Auth-Request-Name"}),
	}
}

func caddyMistakes() []mistake {
	return []mistake{
		{
			name: "host not gated", replace: [][2]string{{"\timport doorward\n", ""}},
			check: "gated", says: "open to everybody",
		},
		notCopied([2]string{"\t\t\tX-Auth-Request-Email\n", ""}),
		passing([2]string{"\t\t\tX-Auth-Request-Groups\n", ""}),
		{
			name:    "X-Forwarded-Proto missing behind TLS",
			replace: [][2]string{{"\t\turi /auth/forwarded?", "\t\theader_up -X-Forwarded-Proto\n\t\turi /auth/forwarded?"}},
			check:   "gated", says: "X-Forwarded-Proto is the one that is missing",
		},
		{
			name:    "X-Forwarded-Proto wrong behind TLS",
			replace: [][2]string{{"\t\turi /auth/forwarded?", "\t\theader_up X-Forwarded-Proto http\n\t\turi /auth/forwarded?"}},
			check:   "scheme", says: "the gateway tells Doorward that it is not",
		},
		{
			name:    "client header believed",
			replace: [][2]string{{"\t\turi /auth/forwarded?", "\t\theader_up X-Forwarded-Uri {http.request.header.X-Original-Uri}{uri}\n\t\turi /auth/forwarded?"}},
			check:   "forged_original", says: "is believed",
		},
	}
}

const (
	envoyApp       = "                      domains: [app.example.com]\n"
	envoyAppHost   = "                      domains: [" + appHost + "]\n"
	envoyAppIndent = "                      "
)

func envoyMistakes() []mistake {
	return []mistake{
		{
			name: "host not gated",
			replace: [][2]string{{envoyApp, envoyAppHost + envoyAppIndent + "typed_per_filter_config: { envoy.filters.http.ext_authz: " +
				`{ "@type": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute, disabled: true } }` + "\n"}},
			check: "gated", says: "open to everybody",
		},
		{
			name:    "X-Forwarded-Proto missing behind TLS",
			replace: [][2]string{{envoyApp, envoyAppHost + envoyAppIndent + "request_headers_to_remove: [x-forwarded-proto]\n"}},
			session: true, check: "app_scheme", says: "X-Forwarded-Proto is missing",
		},
		{
			name: "client header passing through in another spelling", replace: [][2]string{{"DROP_HEADER", "ALLOW"}},
			session: true, check: "passing", says: "X_auth_request_user",
		},
	}
}

func haproxyMistakes() []mistake {
	const ask = "\thttp-request lua.doorward http://127.0.0.1:4180/auth/forwarded if app_host\n"
	return []mistake{
		{
			name: "host not gated", replace: [][2]string{{ask, ""}},
			check: "gated", says: "open to everybody",
		},
		notCopied([2]string{"\t# A renewed session cookie", "\thttp-request del-header x-auth-request-email\n\t# A renewed session cookie"}),
		passing(
			[2]string{"\t# An app that needs a login. Ask", "\thttp-request set-var(txn.groups) req.hdr(x-auth-request-groups)\n\t# An app that needs a login. Ask"},
			[2]string{"\t# A renewed session cookie", "\thttp-request set-header x-auth-request-groups %[var(txn.groups)]\n\t# A renewed session cookie"},
		),
		{
			name:    "X-Forwarded-Proto missing behind TLS",
			replace: [][2]string{{"\thttp-request set-header X-Forwarded-Proto https if { ssl_fc }\n", ""}},
			session: true, check: "app_scheme", says: "the app is told that it is http ",
		},
	}
}
