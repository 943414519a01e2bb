package gateways

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
	kjson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

// schema is as much of an OpenAPI schema as a custom resource needs.
type schema struct {
	Type                 string
	Properties           map[string]*schema
	AdditionalProperties *schema
	Items                *schema
	Enum                 []any
	Required             []string
	PreserveUnknown      bool `json:"x-kubernetes-preserve-unknown-fields"`
	IntOrString          bool `json:"x-kubernetes-int-or-string"`
}

// known are the schemas of resources, by "apiVersion/kind".
type known map[string]*schema

func schemas(t *testing.T) known {
	t.Helper()
	k := known{}
	for module, files := range map[string][]string{
		istio: {"kubernetes/customresourcedefinitions.gen.yaml"},
		envoyGateway: {
			"charts/gateway-crds-helm/templates/generated/gateway.envoyproxy.io_securitypolicies.yaml",
			"charts/gateway-crds-helm/templates/standard-gatewayapi-crds.yaml",
		},
	} {
		dir := moduleDir(t, module)
		for _, file := range files {
			for _, text := range documents(t, filepath.Join(dir, file)) {
				k.add(t, text)
			}
		}
	}
	return k
}

func (k known) add(t *testing.T, text string) {
	t.Helper()
	var crd struct {
		Kind string
		Spec struct {
			Group    string
			Names    struct{ Kind string }
			Versions []struct {
				Name   string
				Schema struct{ OpenAPIV3Schema *schema }
			}
		}
	}
	if err := yaml.Unmarshal([]byte(text), &crd); err != nil {
		t.Fatal(err)
	}
	if crd.Kind != "CustomResourceDefinition" {
		return
	}
	for _, version := range crd.Spec.Versions {
		k[crd.Spec.Group+"/"+version.Name+"/"+crd.Spec.Names.Kind] = version.Schema.OpenAPIV3Schema
	}
}

// check reads a resource against the schema or the type of its kind.
func (k known) check(text string) error {
	asJSON, err := yaml.YAMLToJSONStrict([]byte(text))
	if err != nil {
		return err
	}
	var kind struct{ APIVersion, Kind string }
	if err := json.Unmarshal(asJSON, &kind); err != nil {
		return err
	}
	name := kind.APIVersion + "/" + kind.Kind
	into, typed := map[string]any{
		"networking.k8s.io/v1/Ingress":     &networkingv1.Ingress{},
		"traefik.io/v1alpha1/IngressRoute": &ingressRoute{},
		"traefik.io/v1alpha1/Middleware":   &middleware{},
	}[name]
	if typed {
		strict, err := kjson.UnmarshalStrict(asJSON, into)
		return errors.Join(append(strict, err)...)
	}
	s := k[name]
	if s == nil {
		return fmt.Errorf("no schema for %s", name)
	}
	// The schema leaves these to the server.
	s.Properties["apiVersion"], s.Properties["kind"] = &schema{Type: "string"}, &schema{Type: "string"}
	s.Properties["metadata"] = &schema{Type: "object", PreserveUnknown: true}
	var value any
	if err := json.Unmarshal(asJSON, &value); err != nil {
		return err
	}
	return s.check(kind.Kind, value)
}

func (s *schema) check(path string, value any) error {
	if s.Enum != nil && !slices.ContainsFunc(s.Enum, func(one any) bool { return reflect.DeepEqual(one, value) }) {
		return fmt.Errorf("%s: %v is none of %v", path, value, s.Enum)
	}
	switch value := value.(type) {
	case map[string]any:
		return s.checkObject(path, value)
	case []any:
		if s.Type != "array" {
			return fmt.Errorf("%s: a list, want %s", path, s.Type)
		}
		var errs []error
		for i, item := range value {
			errs = append(errs, s.Items.check(fmt.Sprintf("%s[%d]", path, i), item))
		}
		return errors.Join(errs...)
	}
	got := map[reflect.Kind]string{reflect.String: "string", reflect.Bool: "boolean", reflect.Float64: "number"}[reflect.TypeOf(value).Kind()]
	if s.IntOrString || s.Type == got || s.Type == "integer" && got == "number" {
		return nil
	}
	return fmt.Errorf("%s: a %s, want %s", path, got, s.Type)
}

func (s *schema) checkObject(path string, value map[string]any) error {
	if s.Type != "object" {
		return fmt.Errorf("%s: an object, want %s", path, s.Type)
	}
	var errs []error
	for _, name := range s.Required {
		if _, there := value[name]; !there {
			errs = append(errs, fmt.Errorf("%s: %s is missing", path, name))
		}
	}
	for name, field := range value {
		switch of := s.Properties[name]; {
		case of != nil:
			errs = append(errs, of.check(path+"."+name, field))
		case s.AdditionalProperties != nil:
			errs = append(errs, s.AdditionalProperties.check(path+"."+name, field))
		case !s.PreserveUnknown:
			errs = append(errs, fmt.Errorf("%s: no field %s", path, name))
		}
	}
	return errors.Join(errs...)
}
