package gateways

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	meshv1alpha1 "istio.io/api/mesh/v1alpha1"
	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/yaml"
)

const deploy = "../../deploy"

// The modules whose schemas say which fields a resource has.
const (
	istio        = "istio.io/api@v1.31.1"
	envoyGateway = "github.com/envoyproxy/gateway@v1.9.1"
)

// TestManifests reads every resource of the new directories as strictly as a
// server with validation does: a misspelt field is an error. Traefik's own
// resources have no published schema at hand; they are held to the few fields
// that ours use, and the tests run them.
func TestManifests(t *testing.T) {
	s := schemas(t)
	for _, file := range []string{
		"traefik/kubernetes.yaml", "traefik/ingress-nginx-provider.yaml",
		"istio/authorization-policy.yaml", "istio/oauth2-proxy.yaml", "envoy-gateway/security-policy.yaml",
	} {
		for i, text := range documents(t, filepath.Join(deploy, file)) {
			t.Run(fmt.Sprintf("%s/%d", file, i+1), func(t *testing.T) {
				if err := s.check(text); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func TestManifestsAreReadStrictly(t *testing.T) {
	s := schemas(t)
	for _, tt := range []struct{ file, right, wrong string }{
		{"traefik/kubernetes.yaml", "trustForwardHeader", "trustForwardedHeader"},
		{"traefik/kubernetes.yaml", "secretName", "secretname"},
		{"traefik/ingress-nginx-provider.yaml", "pathType", "pathtype"},
		{"istio/authorization-policy.yaml", "notHosts", "nothosts"},
		{"istio/authorization-policy.yaml", "action: CUSTOM", "action: CUSTOMS"},
		{"envoy-gateway/security-policy.yaml", "failOpen: false", "failOpen: no-thanks"},
		{"envoy-gateway/security-policy.yaml", "headersToBackend", "headerToBackend"},
		{"envoy-gateway/security-policy.yaml", "hostnames", "hosts"},
	} {
		t.Run(tt.wrong, func(t *testing.T) {
			for _, text := range documents(t, filepath.Join(deploy, tt.file)) {
				if !strings.Contains(text, tt.right) {
					continue
				}
				if err := s.check(strings.Replace(text, tt.right, tt.wrong, 1)); err == nil {
					t.Error("nobody noticed")
				}
				return
			}
			t.Errorf("%s does not contain %s", tt.file, tt.right)
		})
	}
}

// TestMeshConfig reads the provider with Istio's published types.
func TestMeshConfig(t *testing.T) {
	text := read(t, filepath.Join(deploy, "istio/mesh-config.yaml"))
	mesh, err := meshConfig(text)
	if err != nil {
		t.Fatal(err)
	}
	var policy struct {
		Spec struct{ Provider struct{ Name string } }
	}
	if err := yaml.Unmarshal([]byte(documents(t, filepath.Join(deploy, "istio/authorization-policy.yaml"))[0]), &policy); err != nil {
		t.Fatal(err)
	}
	if name := mesh.ExtensionProviders[0].Name; name != policy.Spec.Provider.Name {
		t.Errorf("the provider is %q, the policy wants %q", name, policy.Spec.Provider.Name)
	}
	if _, err := meshConfig(strings.Replace(text, "pathPrefix", "path_prefixes", 1)); err == nil {
		t.Error("a misspelt field was not noticed")
	}
}

func meshConfig(text string) (*meshv1alpha1.MeshConfig, error) {
	var values struct {
		MeshConfig json.RawMessage `json:"meshConfig"`
	}
	if err := yaml.UnmarshalStrict([]byte(text), &values); err != nil {
		return nil, err
	}
	mesh := &meshv1alpha1.MeshConfig{}
	return mesh, protojson.Unmarshal(values.MeshConfig, mesh)
}

// TestSameAnnotations: who moves from ingress-nginx to Traefik changes one word.
func TestSameAnnotations(t *testing.T) {
	read := func(file string, document int) map[string]string {
		var ingress networkingv1.Ingress
		if err := yaml.UnmarshalStrict([]byte(documents(t, filepath.Join(deploy, file))[document]), &ingress); err != nil {
			t.Fatal(err)
		}
		return ingress.Annotations
	}
	before := read("ingress-nginx/app-ingress.example.yaml", 0)
	const url = "nginx.ingress.kubernetes.io/auth-url"
	before[url] = strings.TrimSuffix(before[url], "/nginx")
	if after := read("traefik/ingress-nginx-provider.yaml", 1); !maps.Equal(before, after) {
		t.Errorf("%v; want %v", after, before)
	}
}

// TestDockerLabels: the labels say what dynamic.yaml says.
func TestDockerLabels(t *testing.T) {
	var compose struct {
		Services map[string]struct{ Labels map[string]string }
	}
	if err := yaml.Unmarshal([]byte(read(t, filepath.Join(deploy, "traefik/docker-labels.yaml"))), &compose); err != nil {
		t.Fatal(err)
	}
	labels := compose.Services["doorward"].Labels
	maps.Copy(labels, compose.Services["app"].Labels)
	var file map[string]any
	if err := yaml.Unmarshal([]byte(read(t, filepath.Join(deploy, "traefik/dynamic.yaml"))), &file); err != nil {
		t.Fatal(err)
	}
	for name, label := range labels {
		path := strings.Split(name, ".")[1:]
		if path[0] != "http" || path[1] == "services" {
			continue // Docker's own
		}
		want := at(file, path)
		if path[len(path)-1] == "address" {
			want = strings.Replace(fmt.Sprint(want), "127.0.0.1", "doorward", 1)
		}
		if lines, ok := want.([]any); ok {
			want = strings.ReplaceAll(strings.Trim(fmt.Sprint(lines), "[]"), " ", ",")
		}
		if number, ok := want.(float64); ok {
			want = int(number)
		}
		if label != fmt.Sprint(want) {
			t.Errorf("%s: %s; dynamic.yaml has %v", name, label, want)
		}
	}
}

func at(value any, path []string) any {
	for _, name := range path {
		fields, _ := value.(map[string]any)
		value = fields[name]
	}
	return value
}

// What ours use of Traefik's resources.
type (
	meta struct {
		Name      string `json:"name"`
		Namespace string `json:"namespace"`
	}
	ingressRoute struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
		Metadata   meta   `json:"metadata"`
		Spec       struct {
			EntryPoints []string `json:"entryPoints"`
			Routes      []struct {
				Kind        string `json:"kind"`
				Match       string `json:"match"`
				Middlewares []meta `json:"middlewares"`
				Services    []struct {
					Name string `json:"name"`
					Port any    `json:"port"`
				} `json:"services"`
			} `json:"routes"`
			TLS struct {
				SecretName string `json:"secretName"`
			} `json:"tls"`
		} `json:"spec"`
	}
	middleware struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
		Metadata   meta   `json:"metadata"`
		Spec       struct {
			ForwardAuth struct {
				Address                  string   `json:"address"`
				TrustForwardHeader       bool     `json:"trustForwardHeader"`
				AuthResponseHeaders      []string `json:"authResponseHeaders"`
				AddAuthCookiesToResponse []string `json:"addAuthCookiesToResponse"`
				MaxResponseBodySize      int      `json:"maxResponseBodySize"`
			} `json:"forwardAuth"`
		} `json:"spec"`
	}
)

// moduleDir is where a published module lies, as the Go command fetches it.
func moduleDir(t *testing.T, module string) string {
	t.Helper()
	download := exec.CommandContext(t.Context(), "go", "mod", "download", "-json", module)
	download.Dir = t.TempDir() // no module of ours is asked
	output, err := download.Output()
	var got struct{ Dir string }
	if err := errors.Join(err, json.Unmarshal(output, &got)); err != nil || got.Dir == "" {
		t.Fatalf("%s is missing: %v\n%s", module, err, output)
	}
	return got.Dir
}

var (
	separator = regexp.MustCompile(`(?m)^---\s*$`)
	template  = regexp.MustCompile(`(?m)^\s*\{\{.*\}\}\s*$`) // Helm's lines in published files
	comments  = regexp.MustCompile(`(?m)^\s*(#.*)?$`)
)

// documents are the resources in a file.
func documents(t *testing.T, file string) []string {
	t.Helper()
	var all []string
	for _, text := range separator.Split(template.ReplaceAllString(read(t, file), ""), -1) {
		if strings.TrimSpace(comments.ReplaceAllString(text, "")) != "" {
			all = append(all, text)
		}
	}
	return all
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
