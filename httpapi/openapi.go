package httpapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"countersign"
	"countersign/web"
)

// operation is what the OpenAPI document says of a route beyond what the route itself says. Bodies and answers are
// the Go types that the handler decodes into and encodes from, so they cannot drift apart.
type operation struct {
	id, tag, summary, description string

	in     reflect.Type // nil: no body
	needed bool         // a request without a body is an error
	query  []queryParam

	status  int
	out     reflect.Type // nil: no body
	outType string       // its media type; application/json by default
	answer  string       // what the answer is

	fails      []countersign.Kind // beyond those that every route of its access has
	idempotent bool               // takes an Idempotency-Key
}

type queryParam struct {
	name, description string
	schema            *huma.Schema
}

// document makes the OpenAPI 3.1 document of the routes.
func document(publicURL, version string, routes []route) ([]byte, error) {
	registry := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	doc := &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info:    &huma.Info{Title: "Countersign", Version: orElse(version, "dev"), Description: apiIntro},
		Servers: []*huma.Server{{URL: publicURL}},
		Tags:    tags(routes),
		Components: &huma.Components{
			Schemas: registry,
			SecuritySchemes: map[string]*huma.SecurityScheme{
				"secret_key":      {Type: "http", Scheme: "bearer", Description: "`sk_…`, for servers: everything."},
				"publishable_key": {Type: "http", Scheme: "bearer", Description: "`pk_…`, for browsers and phones, from the app's allowed origins: start, check, send again and read one's own verification."},
				"access_token":    {Type: "http", Scheme: "bearer", BearerFormat: "JWT", Description: "Of a session, for 900 seconds."},
				"cookie":          {Type: "apiKey", In: "cookie", Name: accessCookie, Description: "The same as a cookie, from the instance's own site only."},
			},
		},
	}
	for _, rt := range routes {
		if rt.doc != nil {
			doc.AddOperation(rt.describe(registry))
		}
	}
	b, err := doc.MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("making the OpenAPI document: %w", err)
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, b, "", "  "); err != nil {
		return nil, fmt.Errorf("making the OpenAPI document: %w", err)
	}
	return indented.Bytes(), nil
}

func renderDocs(pages *web.Pages, document []byte) ([]byte, error) {
	var b bytes.Buffer
	if err := pages.Docs(&b, document); err != nil {
		return nil, fmt.Errorf("rendering the API reference: %w", err)
	}
	return b.Bytes(), nil
}

func orElse(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

func (rt route) describe(registry huma.Registry) *huma.Operation {
	d := rt.doc
	op := &huma.Operation{
		Method: rt.method, Path: rt.path, OperationID: d.id, Tags: []string{d.tag}, Summary: d.summary, Description: d.description,
		Parameters: rt.parameters(), Responses: map[string]*huma.Response{}, Security: rt.security(),
	}
	if d.in != nil {
		op.RequestBody = &huma.RequestBody{
			Required: d.needed,
			Content:  map[string]*huma.MediaType{"application/json": {Schema: registry.Schema(d.in, true, d.id+"Body")}},
		}
	}
	success := &huma.Response{Description: d.answer, Headers: rt.answerHeaders()}
	if d.out != nil {
		success.Content = map[string]*huma.MediaType{orElse(d.outType, "application/json"): {Schema: registry.Schema(d.out, true, d.id+"Answer")}}
	}
	op.Responses[strconv.Itoa(d.status)] = success
	rt.describeFailures(registry, op)
	return op
}

// describeFailures lists each status once, with the codes that come under it.
func (rt route) describeFailures(registry huma.Registry, op *huma.Operation) {
	schema := registry.Schema(reflect.TypeFor[problem](), true, "Problem")
	byStatus := map[int][]string{}
	for _, kind := range rt.failures() {
		status := kinds[kind].status
		if text := "`" + string(kind) + "`: " + kinds[kind].meaning; !slices.Contains(byStatus[status], text) {
			byStatus[status] = append(byStatus[status], text)
		}
	}
	for status, texts := range byStatus {
		op.Responses[strconv.Itoa(status)] = &huma.Response{
			Description: strings.Join(texts, "\n\n"),
			Content:     map[string]*huma.MediaType{"application/problem+json": {Schema: schema}},
		}
	}
}

// failures are the kinds that a route can answer with.
func (rt route) failures() []countersign.Kind {
	list := slices.Clone(rt.doc.fails)
	if rt.access != public {
		list = append(list, countersign.ErrInvalidRequest, countersign.ErrUnauthorized, countersign.ErrForbidden, countersign.ErrUnavailable, countersign.ErrInternal)
	}
	if rt.doc.in != nil {
		list = append(list, countersign.ErrInvalidRequest, countersign.ErrPayloadTooLarge, countersign.ErrUnsupportedMediaType)
	}
	if rt.doc.idempotent {
		list = append(list, countersign.ErrInvalidRequest, countersign.ErrIdempotencyInProgress, countersign.ErrIdempotencyMismatch)
	}
	if rt.limits != "" {
		list = append(list, countersign.ErrRateLimited)
	}
	return list
}

func (rt route) security() []map[string][]string {
	switch rt.access {
	case anyKey:
		return []map[string][]string{{"secret_key": {}}, {"publishable_key": {}}}
	case keyOrPerson:
		return []map[string][]string{{"secret_key": {}}, {"publishable_key": {}}, {"access_token": {}}, {"cookie": {}}}
	case person:
		return []map[string][]string{{"access_token": {}}, {"cookie": {}}}
	case secretKey:
		return []map[string][]string{{"secret_key": {}}}
	}
	return []map[string][]string{}
}

func (rt route) parameters() []*huma.Param {
	var list []*huma.Param
	if strings.Contains(rt.path, "{id}") {
		list = append(list, &huma.Param{Name: "id", In: "path", Required: true, Description: "The id.", Schema: &huma.Schema{Type: huma.TypeString}})
	}
	for _, q := range rt.doc.query {
		list = append(list, &huma.Param{Name: q.name, In: "query", Description: q.description, Schema: q.schema})
	}
	if rt.doc.idempotent {
		one, most := 1, maxIdempotencyKey
		list = append(list, &huma.Param{
			Name: "Idempotency-Key", In: "header",
			Description: "1 to 255 visible ASCII characters of your own. The same key with the same body gives the first answer back and does nothing again.",
			Schema:      &huma.Schema{Type: huma.TypeString, MinLength: &one, MaxLength: &most, Pattern: "^[!-~]+$"},
		})
	}
	return list
}

func (rt route) answerHeaders() map[string]*huma.Param {
	text := &huma.Schema{Type: huma.TypeString}
	h := map[string]*huma.Param{"X-Request-Id": {Description: "Names this request in our log.", Schema: text}}
	if rt.limits != "" {
		h["RateLimit-Policy"] = &huma.Param{Description: "The quotas of the phone (IETF draft).", Schema: text}
		h["RateLimit"] = &huma.Param{Description: "What remains of them (IETF draft).", Schema: text}
	}
	if rt.doc.status == http.StatusCreated {
		h["Location"] = &huma.Param{Description: "Where the verification can be read.", Schema: text}
	}
	if rt.doc.idempotent {
		h["Idempotent-Replayed"] = &huma.Param{Description: "true where this is the first answer, given again.", Schema: text}
	}
	return h
}

// tags are those of the routes, in the routes' order.
func tags(routes []route) []*huma.Tag {
	var list []*huma.Tag
	for _, rt := range routes {
		if rt.doc != nil && !slices.ContainsFunc(list, func(t *huma.Tag) bool { return t.Name == rt.doc.tag }) {
			list = append(list, &huma.Tag{Name: rt.doc.tag, Description: tagIntro[rt.doc.tag]})
		}
	}
	return list
}
