package web

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// The part of OpenAPI 3.1 (and of JSON Schema 2020-12 in it) that the API reference shows. Whatever else a document
// holds is passed over.

type openapi struct {
	OpenAPI string `json:"openapi"`
	Info    struct {
		Title       string `json:"title"`
		Version     string `json:"version"`
		Description string `json:"description"`
	} `json:"info"`
	Servers []struct {
		URL string `json:"url"`
	} `json:"servers"`
	Tags []struct {
		Name        string `json:"name"`
		Description string `json:"description"`
	} `json:"tags"`
	Security   []map[string][]string `json:"security"`
	Paths      map[string]pathItem   `json:"paths"`
	Components struct {
		Schemas       map[string]*schema   `json:"schemas"`
		Parameters    map[string]parameter `json:"parameters"`
		Responses     map[string]response  `json:"responses"`
		RequestBodies map[string]body      `json:"requestBodies"`
	} `json:"components"`
}

type pathItem struct {
	Parameters []parameter `json:"parameters"`
	Get        *operation  `json:"get"`
	Post       *operation  `json:"post"`
	Put        *operation  `json:"put"`
	Patch      *operation  `json:"patch"`
	Delete     *operation  `json:"delete"`
}

type operation struct {
	ID          string                 `json:"operationId"`
	Summary     string                 `json:"summary"`
	Description string                 `json:"description"`
	Tags        []string               `json:"tags"`
	Deprecated  bool                   `json:"deprecated"`
	Parameters  []parameter            `json:"parameters"`
	Body        *body                  `json:"requestBody"`
	Responses   map[string]response    `json:"responses"`
	Security    *[]map[string][]string `json:"security"`
}

type parameter struct {
	Ref         string  `json:"$ref"`
	Name        string  `json:"name"`
	In          string  `json:"in"`
	Description string  `json:"description"`
	Required    bool    `json:"required"`
	Schema      *schema `json:"schema"`
}

type body struct {
	Ref         string           `json:"$ref"`
	Description string           `json:"description"`
	Content     map[string]media `json:"content"`
}

type response struct {
	Ref         string           `json:"$ref"`
	Description string           `json:"description"`
	Content     map[string]media `json:"content"`
}

type media struct {
	Schema   *schema         `json:"schema"`
	Example  json.RawMessage `json:"example"`
	Examples map[string]struct {
		Value json.RawMessage `json:"value"`
	} `json:"examples"`
}

type schema struct {
	Ref         string             `json:"$ref"`
	Type        typeNames          `json:"type"`
	Format      string             `json:"format"`
	Description string             `json:"description"`
	Properties  map[string]*schema `json:"properties"`
	Required    []string           `json:"required"`
	Items       *schema            `json:"items"`
	Enum        []json.RawMessage  `json:"enum"`
	Const       json.RawMessage    `json:"const"`
	Default     json.RawMessage    `json:"default"`
	Example     json.RawMessage    `json:"example"`
	Examples    []json.RawMessage  `json:"examples"`
	AllOf       []*schema          `json:"allOf"`
	OneOf       []*schema          `json:"oneOf"`
	AnyOf       []*schema          `json:"anyOf"`
	MaxLength   *json.Number       `json:"maxLength"`
	Minimum     *json.Number       `json:"minimum"`
	Maximum     *json.Number       `json:"maximum"`
}

// UnmarshalJSON reads a schema that is a boolean as well: true and false are schemas in JSON Schema 2020-12.
func (s *schema) UnmarshalJSON(b []byte) error {
	if text := string(b); text == "true" || text == "false" {
		*s = schema{}
		return nil
	}
	type plain schema
	return json.Unmarshal(b, (*plain)(s))
}

// typeNames is the value of "type": one name or several.
type typeNames []string

// UnmarshalJSON reads both forms.
func (t *typeNames) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*t = typeNames{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(t))
}

func parseOpenAPI(document []byte) (*openapi, error) {
	var doc openapi
	if err := json.Unmarshal(document, &doc); err != nil {
		return nil, fmt.Errorf("reading the OpenAPI document: %w", err)
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.1") {
		return nil, fmt.Errorf("reading the OpenAPI document: version %q, want 3.1", doc.OpenAPI)
	}
	return &doc, nil
}

// method is an operation with the name of its HTTP method.
type method struct {
	Name string
	*operation
}

// methods gives the operations of a path in the order in which people think of them.
func (p pathItem) methods() []method {
	all := []method{{"GET", p.Get}, {"POST", p.Post}, {"PUT", p.Put}, {"PATCH", p.Patch}, {"DELETE", p.Delete}}
	return slices.DeleteFunc(all, func(m method) bool { return m.operation == nil })
}

func local(ref, section string) string { return strings.TrimPrefix(ref, "#/components/"+section+"/") }

func (d *openapi) parameter(p parameter) parameter {
	if p.Ref == "" {
		return p
	}
	return d.Components.Parameters[local(p.Ref, "parameters")]
}

func (d *openapi) response(r response) response {
	if r.Ref == "" {
		return r
	}
	return d.Components.Responses[local(r.Ref, "responses")]
}

func (d *openapi) body(b *body) body {
	switch {
	case b == nil:
		return body{}
	case b.Ref == "":
		return *b
	}
	return d.Components.RequestBodies[local(b.Ref, "requestBodies")]
}

// maxDepth is how far the reference looks into nested and referenced schemas, so that one that holds itself ends.
const maxDepth = 5

// resolve follows references and joins what allOf puts together. Of alternatives it takes the first that is not null.
func (d *openapi) resolve(s *schema) *schema { return d.resolveWithin(s, maxDepth) }

func (d *openapi) resolveWithin(s *schema, depth int) *schema {
	if s == nil || depth == 0 {
		return &schema{}
	}
	if s.Ref != "" {
		target := *d.resolveWithin(d.Components.Schemas[local(s.Ref, "schemas")], depth-1)
		if s.Description != "" {
			target.Description = s.Description
		}
		return &target
	}
	for _, alternatives := range [][]*schema{s.OneOf, s.AnyOf} {
		for _, a := range alternatives {
			if a != nil && !slices.Equal(a.Type, typeNames{"null"}) {
				return d.resolveWithin(a, depth-1)
			}
		}
	}
	if len(s.AllOf) == 0 {
		return s
	}
	joined := *s
	joined.Properties = map[string]*schema{}
	for _, part := range append(slices.Clone(s.AllOf), &schema{Properties: s.Properties, Required: s.Required}) {
		r := d.resolveWithin(part, depth-1)
		for name, property := range r.Properties {
			joined.Properties[name] = property
		}
		joined.Required = append(joined.Required, r.Required...)
		if len(joined.Type) == 0 {
			joined.Type = r.Type
		}
	}
	return &joined
}

// order lists the properties of an object: the required ones first, as they are listed, then the others by name.
func (s *schema) order() []string {
	var names []string
	for _, name := range s.Required {
		if _, ok := s.Properties[name]; ok && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	var others []string
	for name := range s.Properties {
		if !slices.Contains(names, name) {
			others = append(others, name)
		}
	}
	slices.Sort(others)
	return append(names, others...)
}

// optionalBesides says whether a property may be left out of an object of which others must be there: an example is
// shorter without it, and what excludes it elsewhere need not be known.
func (s *schema) optionalBesides(name string) bool {
	return len(s.Required) > 0 && !slices.Contains(s.Required, name)
}
