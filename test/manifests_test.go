package test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	kjson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"

	"github.com/doorward/doorward/test/stack"
)

const manifests = "../deploy/ingress-nginx"

// TestManifestsDecode reads every manifest as the API server does, and refuses
// what it would silently drop: a misspelt field.
func TestManifestsDecode(t *testing.T) {
	files, err := filepath.Glob(manifests + "/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no manifests in %s: %v", manifests, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			if err := decode(read(t, file)); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestManifestsDecodeIsStrict(t *testing.T) {
	service := read(t, manifests+"/service.yaml")
	if err := decode(bytes.Replace(service, []byte("targetPort"), []byte("targetport"), 1)); err == nil {
		t.Error("targetport was taken for a field of a Service")
	}
}

// decode reads one manifest strictly into the type of its kind.
func decode(text []byte) error {
	var kind struct{ APIVersion, Kind string }
	if err := yaml.Unmarshal(text, &kind); err != nil {
		return err
	}
	types := map[string]any{
		"v1/Namespace":                                  &corev1.Namespace{},
		"v1/Secret":                                     &corev1.Secret{},
		"v1/Service":                                    &corev1.Service{},
		"apps/v1/Deployment":                            &appsv1.Deployment{},
		"networking.k8s.io/v1/Ingress":                  &networkingv1.Ingress{},
		"networking.k8s.io/v1/NetworkPolicy":            &networkingv1.NetworkPolicy{},
		"policy/v1/PodDisruptionBudget":                 &policyv1.PodDisruptionBudget{},
		"kustomize.config.k8s.io/v1beta1/Kustomization": &kustomization{},
	}
	into, known := types[kind.APIVersion+"/"+kind.Kind]
	if !known {
		return fmt.Errorf("no type for %s %s", kind.APIVersion, kind.Kind)
	}
	asJSON, err := yaml.YAMLToJSONStrict(text)
	if err != nil {
		return err
	}
	strict, err := kjson.UnmarshalStrict(asJSON, into) // cares about case, unlike encoding/json
	return errors.Join(append(strict, err)...)
}

// kustomization is what ours uses of kustomize's.
type kustomization struct {
	APIVersion string   `json:"apiVersion"`
	Kind       string   `json:"kind"`
	Namespace  string   `json:"namespace"`
	Resources  []string `json:"resources"`
	Images     []struct {
		Name   string `json:"name"`
		NewTag string `json:"newTag"`
	} `json:"images"`
	Labels []struct {
		Pairs map[string]string `json:"pairs"`
	} `json:"labels"`
}

// TestManifestsKustomization: everything is applied but the examples.
func TestManifestsKustomization(t *testing.T) {
	var k kustomization
	load(t, "kustomization.yaml", &k)
	want := []string{"kustomization.yaml"}
	want = append(want, k.Resources...)
	files, err := filepath.Glob(manifests + "/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		if example := strings.Contains(name, ".example."); example == slices.Contains(want, name) {
			t.Errorf("%s: example %v, applied %v", name, example, !example)
		}
	}
	if len(files) != len(want)+2 {
		t.Errorf("%d files, but %d are applied and 2 are examples", len(files), len(want))
	}
}

// TestManifestsAgree checks what one manifest says about another.
func TestManifestsAgree(t *testing.T) {
	var deployment appsv1.Deployment
	var service corev1.Service
	var app networkingv1.Ingress
	load(t, "deployment.yaml", &deployment)
	load(t, "service.yaml", &service)
	load(t, "app-ingress.example.yaml", &app)
	pod := deployment.Spec.Template

	for label, want := range service.Spec.Selector {
		if pod.Labels[label] != want || deployment.Spec.Selector.MatchLabels[label] != want {
			t.Errorf("the service selects %s=%s, the pods have %q", label, want, pod.Labels[label])
		}
	}
	url := fmt.Sprintf("http://%s.%s.svc.cluster.local:%d/auth/nginx", service.Name, service.Namespace, service.Spec.Ports[0].Port)
	if got := app.Annotations["nginx.ingress.kubernetes.io/auth-url"]; got != url {
		t.Errorf("auth-url %q, want %q", got, url)
	}
	container := pod.Spec.Containers[0]
	signIn := environment(container)["DOORWARD_PUBLIC_URL"] + "/start"
	if got := app.Annotations["nginx.ingress.kubernetes.io/auth-signin"]; got != signIn {
		t.Errorf("auth-signin %q, want %q", got, signIn)
	}
	ports := map[string]int32{}
	for _, port := range container.Ports {
		ports[port.Name] = port.ContainerPort
	}
	if ports["http"] != 4180 || ports["admin"] != 4181 {
		t.Errorf("ports %v, want Doorward's defaults", ports)
	}
	for name, probe := range map[string]*corev1.Probe{"/healthz": container.LivenessProbe, "/readyz": container.ReadinessProbe} {
		if probe == nil || probe.HTTPGet.Path != name || probe.HTTPGet.Port.StrVal != "admin" {
			t.Errorf("the probe of %s is %v", name, probe)
		}
	}
	if links := pod.Spec.EnableServiceLinks; links == nil || *links {
		t.Error("service links are on: they put DOORWARD_PORT into the environment")
	}
}

// TestManifestsConfigureDoorward runs `doorward check` with the environment of the
// Deployment and the keys of the example Secret.
func TestManifestsConfigureDoorward(t *testing.T) {
	var deployment appsv1.Deployment
	var secret corev1.Secret
	load(t, "deployment.yaml", &deployment)
	load(t, "secret.example.yaml", &secret)
	values := map[string]string{"cookie-secret": stack.CookieSecret(), "client-secret": "s3cret"}
	mounted := t.TempDir()
	for key := range secret.StringData {
		if err := os.WriteFile(filepath.Join(mounted, key), []byte(values[key]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	binary, err := stack.BuildDoorward(t.Context(), t.TempDir(), false)
	if err != nil {
		t.Fatal(err)
	}
	container := deployment.Spec.Template.Spec.Containers[0]
	check := exec.CommandContext(t.Context(), binary, "check")
	check.Env = []string{}
	for name, value := range environment(container) {
		if below, found := strings.CutPrefix(value, container.VolumeMounts[0].MountPath); found {
			value = path.Join(mounted, below)
		}
		check.Env = append(check.Env, name+"="+value)
	}
	output, err := check.CombinedOutput()
	if err != nil || strings.Contains(strings.ToLower(string(output)), "warn") {
		t.Errorf("doorward check: %v\n%s", err, output)
	}
}

func environment(container corev1.Container) map[string]string {
	env := map[string]string{}
	for _, variable := range container.Env {
		env[variable.Name] = variable.Value
	}
	return env
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func load(t *testing.T, name string, into any) {
	t.Helper()
	text, err := yaml.YAMLToJSON(read(t, filepath.Join(manifests, name)))
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}
