package config

import (
	"encoding/json"
	"reflect"
	"strings"
)

// schema is a JSON Schema, or a part of one.
type schema map[string]any

// Schema returns the JSON Schema (draft 2020-12) of the configuration file, as
// deploy/doorward.schema.json holds it. Some mistakes that Load finds it cannot
// express: what it accepts may still be refused.
func Schema() []byte {
	whole := new(fileSpec).schema()
	whole["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	whole["title"] = "Configuration file of Doorward"
	encoded, err := json.MarshalIndent(whole, "", "  ")
	if err != nil {
		panic("config: " + err.Error()) // it holds nothing but texts, booleans, lists and maps
	}
	return append(encoded, '\n')
}

func (*text) schema() schema   { return schema{"type": "string", "minLength": 1} }
func (*flag) schema() schema   { return schema{"type": "boolean"} }
func (*scalar) schema() schema { return schema{"type": []string{"string", "integer", "boolean"}} }

func (*list[T]) schema() schema {
	return schema{"type": "array", "minItems": 1, "items": any(new(T)).(value).schema()}
}

func (*textOrList) schema() schema {
	return schema{"anyOf": []schema{new(text).schema(), new(list[text]).schema()}}
}

func (*table[T]) schema() schema {
	return schema{"type": "object", "minProperties": 1, "additionalProperties": any(new(T)).(value).schema()}
}

func (s *fileSpec) schema() schema      { return fieldsSchema(s) }
func (s *corsSpec) schema() schema      { return fieldsSchema(s, "origins") }
func (s *conditionSpec) schema() schema { return fieldsSchema(s) }

func (s *providerSpec) schema() schema {
	provider := fieldsSchema(s, "client_id")
	of := func(types ...string) schema {
		return schema{"properties": schema{"type": schema{"enum": types}}, "required": []string{"type"}}
	}
	entra := of("entra")
	entra["required"] = []string{"type", "tenants"}
	provider["anyOf"] = []schema{of("github", "google"), entra, required("issuer_url")}
	return provider
}

func (s *ruleSpec) schema() schema {
	rule := fieldsSchema(s)
	rule["oneOf"] = []schema{required("public"), required("deny"), required("allow")}
	return rule
}

func (s *allowSpec) schema() schema {
	return schema{"oneOf": []schema{{"const": "any"}, s.conditionSpec.schema()}}
}

func (s *tokenSpec) schema() schema {
	token := fieldsSchema(s)
	token["oneOf"] = []schema{
		required("issuer_url", "audiences"), required("introspection_url", "client_id"), required("keys_file"),
	}
	return token
}

func required(keys ...string) schema { return schema{"required": keys} }

// fieldsSchema describes a mapping whose keys are the fields of spec.
func fieldsSchema(spec value, required ...string) schema {
	t := reflect.TypeOf(spec).Elem()
	properties := schema{}
	for i := 1; i < t.NumField(); i++ {
		tag := t.Field(i).Tag
		property := reflect.New(t.Field(i).Type).Interface().(value).schema()
		property["description"] = tag.Get("desc")
		if pattern := tag.Get("pattern"); pattern != "" {
			property["pattern"] = pattern
		}
		if choices := tag.Get("enum"); choices == "true" {
			property["const"] = true
		} else if choices != "" {
			property["enum"] = strings.Split(choices, ",")
		}
		properties[tag.Get("key")] = property
	}
	whole := schema{"type": "object", "properties": properties, "additionalProperties": false, "minProperties": 1}
	if len(required) > 0 {
		whole["required"] = required
	}
	return whole
}
