// Package deploy holds the files with which each gateway asks Doorward. They are
// in the program as they are in this directory, and Values fills them in.
package deploy

import (
	"embed"
	"errors"
	"fmt"
	"slices"
	"strings"
)

//go:embed nginx ingress-nginx traefik caddy envoy envoy-gateway istio haproxy
var files embed.FS

// Read returns a file as shipped, by its path in this directory:
// "nginx/doorward.conf".
func Read(name string) (string, error) {
	text, err := files.ReadFile(name)
	if err != nil {
		return "", fmt.Errorf("deploy: %w", err)
	}
	return string(text), nil
}

// Render replaces every pair's first by its second; where two begin at the same
// place, the earlier pair wins. A first that does not occur is an error: the
// file has changed, and what fills it in has not.
func Render(text string, pairs [][2]string) (string, error) {
	var flat []string
	for _, pair := range pairs {
		if !strings.Contains(text, pair[0]) {
			return "", errors.New("does not contain " + pair[0])
		}
		flat = append(flat, pair[0], pair[1])
	}
	return strings.NewReplacer(flat...).Replace(text), nil
}

// Values stand in the files in place of the example's. All fields but Prefix,
// Upstream and CookieDomain are required.
type Values struct {
	Hosts        []string // of the apps
	SignInHost   string   // where people sign in; none of Hosts
	PublicURL    string   // its origin, as a browser writes it
	CookieDomain string
	Cookie       string   // the whole name of the session cookie
	Prefix       string   // of Doorward's paths, "" or "/oauth2"
	Identity     []string // the names of the identity headers

	Doorward string // host:port, or unix:/path; for Kubernetes "" is the shipped Service
	GRPC     string // host:port; needed for envoy-grpc only
	Upstream string // host:port; for Kubernetes service:port; "" is the example's
}

// File is a file that is filled in.
type File struct {
	Name string // its path in this directory
	Text string
}

// Gateways are the names that Files knows.
func Gateways() []string {
	var names []string
	for _, r := range recipes() {
		names = append(names, r.gateway)
	}
	return names
}

// Kubernetes reports whether the files of a gateway are manifests.
func Kubernetes(gateway string) bool {
	return slices.ContainsFunc(recipes(), func(r recipe) bool { return r.gateway == gateway && r.kubernetes })
}

// Files returns the files of a gateway, filled in.
func (v Values) Files(gateway string) ([]File, error) {
	for _, r := range recipes() {
		if r.gateway != gateway {
			continue
		}
		if r.fixed && v.Doorward != "" {
			return nil, fmt.Errorf("deploy: the files of %s name the Service doorward in the namespace doorward; leave out its address and change the names in them", gateway)
		}
		if strings.HasPrefix(v.Doorward, "unix:") && gateway != "nginx" && gateway != "caddy" {
			return nil, fmt.Errorf("deploy: the files of %s are for a Doorward that listens on host:port, not on a socket", gateway)
		}
		var all []File
		for _, part := range r.parts {
			text, err := v.fill(part, r.kubernetes)
			if err != nil {
				return nil, fmt.Errorf("deploy: %s: %w", part.file, err)
			}
			all = append(all, File{part.file, text})
		}
		return all, nil
	}
	return nil, fmt.Errorf("deploy: there is no gateway %q; there are %s", gateway, strings.Join(Gateways(), ", "))
}

func (v Values) fill(p part, kubernetes bool) (string, error) {
	text, err := Read(p.file)
	if err != nil {
		return "", err
	}
	if p.identity {
		if text, err = identity(text, v.Identity); err != nil {
			return "", err
		}
	}
	pairs := p.pairs(v)
	for _, pair := range v.common(kubernetes) { // each file has some of them
		if strings.Contains(text, pair[0]) {
			pairs = append(pairs, pair)
		}
	}
	return Render(text, pairs)
}

// service is where Doorward is inside a cluster.
const service = "doorward.doorward.svc.cluster.local:4180"

func (v Values) service() string {
	if v.Doorward != "" {
		return v.Doorward
	}
	return service
}

// common are the values that many files have.
func (v Values) common(kubernetes bool) [][2]string {
	pairs := [][2]string{
		{"https://auth.example.com", v.PublicURL},
		{"auth.example.com", v.SignInHost},
		{"DOORWARD_COOKIE_DOMAINS=example.com", "DOORWARD_COOKIE_DOMAINS=" + v.CookieDomain},
		{"__Secure-doorward", v.Cookie},
	}
	if kubernetes {
		if v.Doorward != "" {
			pairs = append(pairs, [2]string{service, v.Doorward})
		}
		return pairs
	}
	pairs = append(pairs, [2]string{"127.0.0.1:4180", v.Doorward}, [2]string{"127.0.0.1:4182", v.GRPC})
	if v.Upstream != "" {
		pairs = append(pairs, [2]string{"127.0.0.1:8080", v.Upstream})
	}
	return pairs
}

// isComment is true in every language of the files.
func isComment(line string) bool {
	line = strings.TrimSpace(line)
	return strings.HasPrefix(line, "#") || strings.HasPrefix(line, "--")
}
