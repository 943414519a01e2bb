package deploy

import (
	"net"
	"strings"
)

// recipe is what a gateway needs.
type recipe struct {
	gateway    string
	kubernetes bool
	fixed      bool // names Doorward's Service by its parts, which no address fills in
	parts      []part
}

// part is one file of a recipe.
type part struct {
	file     string
	identity bool                       // names the identity headers
	pairs    func(v Values) [][2]string // what it has besides the common values; all have to occur
}

func recipes() []recipe {
	return []recipe{
		{gateway: "nginx", parts: []part{
			{file: "nginx/doorward.conf", pairs: nginxMain},
			{file: "nginx/snippets/doorward-server.conf", pairs: nginxServer},
			{file: "nginx/snippets/doorward-protect.conf", identity: true, pairs: nothing},
		}},
		{gateway: "ingress-nginx", kubernetes: true, parts: []part{
			{file: "ingress-nginx/ingress.yaml", pairs: nothing},
			{file: "ingress-nginx/app-ingress.example.yaml", identity: true, pairs: appIngress},
		}},
		{gateway: "traefik", parts: []part{
			{file: "traefik/dynamic.yaml", identity: true, pairs: traefikRules},
			{file: "traefik/traefik.yaml", pairs: nothing},
		}},
		{gateway: "traefik-kubernetes", kubernetes: true, parts: []part{
			{file: "traefik/kubernetes.yaml", identity: true, pairs: traefikKubernetes},
		}},
		{gateway: "caddy", parts: []part{
			{file: "caddy/Caddyfile", identity: true, pairs: caddyfile},
		}},
		{gateway: "envoy", parts: []part{
			{file: "envoy/envoy-http.yaml", identity: true, pairs: envoyHTTP},
		}},
		{gateway: "envoy-grpc", parts: []part{
			{file: "envoy/envoy-grpc.yaml", pairs: envoyGRPC},
		}},
		{gateway: "haproxy", parts: []part{
			{file: "haproxy/haproxy.cfg", pairs: haproxy},
			{file: "haproxy/doorward.lua", identity: true, pairs: haproxyScript},
		}},
		{gateway: "istio", kubernetes: true, parts: []part{
			{file: "istio/mesh-config.yaml", identity: true, pairs: istioMesh},
			{file: "istio/authorization-policy.yaml", pairs: istioPolicy},
		}},
		{gateway: "envoy-gateway", kubernetes: true, fixed: true, parts: []part{
			{file: "envoy-gateway/security-policy.yaml", identity: true, pairs: envoyGateway},
		}},
	}
}

func nothing(Values) [][2]string { return nil }

func nginxMain(v Values) [][2]string {
	return [][2]string{
		{"server_name app.example.com;", "server_name " + strings.Join(v.Hosts, " ") + ";"},
		{"location = /auth {", "location = " + v.Prefix + "/auth {"},
		{"location /auth/ {", "location " + v.Prefix + "/auth/ {"},
		{"location = /denied {", "location = " + v.Prefix + "/denied {"},
	}
}

func nginxServer(v Values) [][2]string {
	const hint = " With\n# DOORWARD_PATH_PREFIX set, put the prefix before /auth/nginx and /denied."
	done := ""
	if v.Prefix == "" {
		done = hint
	}
	return [][2]string{
		{hint, done},
		{"http://doorward/auth/nginx", "http://doorward" + v.Prefix + "/auth/nginx"},
		{"rewrite ^ /denied?", "rewrite ^ " + v.Prefix + "/denied?"},
	}
}

func appIngress(v Values) [][2]string {
	return append(ingressHosts(v),
		[2]string{service + "/auth/nginx", v.service() + v.Prefix + "/auth/nginx"},
	)
}

// ingressHosts repeats the rule of an Ingress for each host.
func ingressHosts(v Values) [][2]string {
	app, port := "app", "80"
	if name, number, err := net.SplitHostPort(v.Upstream); err == nil {
		app, port = name, number
	}
	const backend = "                name: app\n                port:\n                  number: 80\n"
	const rule = "    - host: app.example.com\n      http:\n        paths:\n          - path: /\n            pathType: Prefix\n" +
		"            backend:\n              service:\n" + backend
	filled := strings.NewReplacer("name: app", "name: "+app, "number: 80", "number: "+port).Replace(rule)
	var rules strings.Builder
	for _, host := range v.Hosts {
		rules.WriteString(strings.ReplaceAll(filled, "app.example.com", host))
	}
	return [][2]string{
		{"hosts: [app.example.com]", "hosts: [" + strings.Join(v.Hosts, ", ") + "]"},
		{rule, rules.String()},
		{"https://auth.example.com/start", v.PublicURL + v.Prefix + "/start"},
	}
}

func traefikRules(v Values) [][2]string {
	return append(traefikPaths(v), check(v))
}

// check is the address that is asked, of gateways on Doorward's own machine.
func check(v Values) [2]string {
	return [2]string{"127.0.0.1:4180/auth/forwarded", v.Doorward + v.Prefix + "/auth/forwarded"}
}

func traefikKubernetes(v Values) [][2]string {
	pairs := append(traefikPaths(v), [2]string{service + "/auth/forwarded", v.service() + v.Prefix + "/auth/forwarded"})
	if name, number, err := net.SplitHostPort(v.Upstream); err == nil {
		pairs = append(pairs, [2]string{"name: app\n          port: 80", "name: " + name + "\n          port: " + number})
	}
	return pairs
}

func traefikHosts(v Values) string {
	var hosts []string
	for _, host := range v.Hosts {
		hosts = append(hosts, "Host(`"+host+"`)")
	}
	return strings.Join(hosts, " || ")
}

func traefikPaths(v Values) [][2]string {
	return [][2]string{
		{"Host(`app.example.com`)", traefikHosts(v)},
		{"!Path(`/auth`)", "!Path(`" + v.Prefix + "/auth`)"},
		{"!PathPrefix(`/auth/`)", "!PathPrefix(`" + v.Prefix + "/auth/`)"},
		{"!Path(`/denied`)", "!Path(`" + v.Prefix + "/denied`)"},
	}
}

func caddyfile(v Values) [][2]string {
	return [][2]string{
		{"127.0.0.1:4180", strings.Replace(v.Doorward, "unix:", "unix/", 1)},
		{"uri /auth/forwarded?", "uri " + v.Prefix + "/auth/forwarded?"},
		{"path /auth /auth/* /denied", "path " + v.Prefix + "/auth " + v.Prefix + "/auth/* " + v.Prefix + "/denied"},
		{"app.example.com {", strings.Join(v.Hosts, ", ") + " {"},
	}
}

func envoyHTTP(v Values) [][2]string {
	return append(envoyStatic(v),
		[2]string{"path_prefix: /auth/envoy", "path_prefix: " + v.Prefix + "/auth/envoy"},
		[2]string{"uri: http://127.0.0.1:4180", "uri: http://" + v.Doorward},
	)
}

func envoyGRPC(v Values) [][2]string {
	return append(envoyStatic(v), [2]string{"address: 127.0.0.1, port_value: 4182", socket(v.GRPC)})
}

func envoyStatic(v Values) [][2]string {
	pairs := [][2]string{
		{"domains: [app.example.com]", "domains: [" + strings.Join(v.Hosts, ", ") + "]"},
		{"match: { path: /auth }", "match: { path: " + v.Prefix + "/auth }"},
		{"match: { prefix: /auth/ }", "match: { prefix: " + v.Prefix + "/auth/ }"},
		{"match: { path: /denied }", "match: { path: " + v.Prefix + "/denied }"},
		{"address: 127.0.0.1, port_value: 4180", socket(v.Doorward)},
	}
	if v.Upstream != "" {
		pairs = append(pairs, [2]string{"address: 127.0.0.1, port_value: 8080", socket(v.Upstream)})
	}
	return pairs
}

// socket is a host:port as Envoy writes it.
func socket(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "address: " + address
	}
	return "address: " + host + ", port_value: " + port
}

func haproxy(v Values) [][2]string {
	return append(haproxyScript(v), [][2]string{
		{"host_only -i app.example.com", "host_only -i " + strings.Join(v.Hosts, " ")},
		{"{ path /auth /denied }", "{ path " + v.Prefix + "/auth " + v.Prefix + "/denied }"},
		{"{ path_beg /auth/ }", "{ path_beg " + v.Prefix + "/auth/ }"},
	}...)
}

func haproxyScript(v Values) [][2]string {
	return [][2]string{check(v)}
}

func istioMesh(v Values) [][2]string {
	host, port, _ := net.SplitHostPort(v.service())
	return [][2]string{
		{"service: doorward.doorward.svc.cluster.local\n        port: 4180", "service: " + host + "\n        port: " + port},
		{"pathPrefix: /auth/envoy", "pathPrefix: " + v.Prefix + "/auth/envoy"},
	}
}

func istioPolicy(v Values) [][2]string {
	host, port, _ := net.SplitHostPort(v.service())
	return [][2]string{
		{"host: doorward.doorward.svc.cluster.local\n            port:\n              number: 4180", "host: " + host + "\n            port:\n              number: " + port},
		{"paths: [/auth, /auth/*, /denied]", "paths: [" + v.Prefix + "/auth, " + v.Prefix + "/auth/*, " + v.Prefix + "/denied]"},
	}
}

func envoyGateway(v Values) [][2]string {
	return [][2]string{
		{"path: /auth/envoy", "path: " + v.Prefix + "/auth/envoy"},
		{"type: PathPrefix, value: /auth }", "type: PathPrefix, value: " + v.Prefix + "/auth }"},
		{"value: /denied }", "value: " + v.Prefix + "/denied }"},
	}
}
