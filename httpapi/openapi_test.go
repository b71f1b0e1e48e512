package httpapi_test

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"

	"countersign"
	"countersign/httpapi"
)

// apiDocument is the part of an OpenAPI document that these tests look at.
type apiDocument struct {
	OpenAPI    string                                  `json:"openapi"`
	Paths      map[string]map[string]apiOperation      `json:"paths"`
	Components struct{ Schemas map[string]*apiSchema } `json:"components"`
}

type apiOperation struct {
	OperationID string `json:"operationId"`
	RequestBody *struct {
		Content map[string]struct{ Schema *apiSchema }
	} `json:"requestBody"`
	Responses map[string]struct {
		Content map[string]struct{ Schema *apiSchema }
	} `json:"responses"`
}

type apiSchema struct {
	Ref                  string                `json:"$ref"`
	Type                 any                   `json:"type"`
	Properties           map[string]*apiSchema `json:"properties"`
	AdditionalProperties any                   `json:"additionalProperties"`
	Required             []string              `json:"required"`
	Items                *apiSchema            `json:"items"`
	Enum                 []any                 `json:"enum"`
}

// fits says what is wrong with a value, if anything.
func (d *apiDocument) fits(s *apiSchema, value any, at string) []string {
	if s.Ref != "" {
		return d.fits(d.Components.Schemas[strings.TrimPrefix(s.Ref, "#/components/schemas/")], value, at)
	}
	var names []string
	switch t := s.Type.(type) {
	case string:
		names = []string{t}
	case []any:
		for _, one := range t {
			names = append(names, one.(string))
		}
	}
	kind := map[bool]string{true: "null"}[value == nil]
	switch value.(type) {
	case string:
		kind = "string"
	case float64:
		kind = "integer"
	case bool:
		kind = "boolean"
	case []any:
		kind = "array"
	case map[string]any:
		kind = "object"
	}
	if !slices.Contains(names, kind) {
		return []string{at + " is a " + kind + ", not " + strings.Join(names, " or ")}
	}
	if value != nil && len(s.Enum) > 0 && !slices.Contains(s.Enum, value) {
		return []string{at + " is not in the list"}
	}
	var wrong []string
	if m, ok := value.(map[string]any); ok {
		for _, name := range s.Required {
			if _, ok := m[name]; !ok {
				wrong = append(wrong, at+"/"+name+" is missing")
			}
		}
		for name, member := range m {
			if p, ok := s.Properties[name]; ok {
				wrong = append(wrong, d.fits(p, member, at+"/"+name)...)
			} else if len(s.Properties) > 0 {
				wrong = append(wrong, at+"/"+name+" is not described")
			}
		}
	}
	if list, ok := value.([]any); ok {
		for _, member := range list {
			wrong = append(wrong, d.fits(s.Items, member, at+"/-")...)
		}
	}
	return wrong
}

// documentCall is a call that the document describes.
type documentCall struct{ method, pattern, path, body string }

// documentCalls are good and bad calls of every operation.
func documentCalls(full, id, other string) []documentCall {
	one, two := "/v1/verifications/"+id, "/v1/verifications/"+other
	return []documentCall{
		{"POST", "/v1/verifications", "/v1/verifications", full},
		{"POST", "/v1/verifications", "/v1/verifications", `{"to":"x"}`},
		{"POST", "/v1/verifications", "/v1/verifications", `{"to":"` + number + `","reference":""}`},
		{"GET", "/v1/verifications", "/v1/verifications?limit=1", ""},
		{"GET", "/v1/verifications", "/v1/verifications?limit=0", ""},
		{"GET", "/v1/verifications/{id}", one, ""},
		{"GET", "/v1/verifications/{id}", "/v1/verifications/none", ""},
		{"POST", "/v1/verifications/{id}/sends", one + "/sends", `{"channel":"voice"}`},
		{"POST", "/v1/verifications/{id}/checks", one + "/checks", `{"code":"000000"}`},
		{"POST", "/v1/verifications/{id}/checks", one + "/checks", `{"code":"0"}`},
		{"POST", "/v1/verifications/{id}/checks", one + "/checks", `{"code":"123456"}`},
		{"POST", "/v1/verifications/{id}/checks", one + "/checks", `{"code":"123456"}`},
		{"POST", "/v1/verifications/{id}/cancel", two + "/cancel", ""},
		{"POST", "/v1/checks", "/v1/checks", `{"to":"` + number + `","code":"123456"}`},
		{"GET", "/.well-known/jwks.json", "/.well-known/jwks.json", ""},
		{"GET", "/healthz", "/healthz", ""},
		{"GET", "/readyz", "/readyz", ""},
		{"GET", "/dev/inbox.json", "/dev/inbox.json", ""},
		{"POST", "/dev/clock", "/dev/clock", `{"advance":"1s"}`},
		{"POST", "/dev/clock", "/dev/clock", `{"advance":"x"}`},
		{"DELETE", "/dev/limits", "/dev/limits", ""},
		{"DELETE", "/dev/inbox.json", "/dev/inbox.json", ""},
	}
}

// TestOpenAPIDescribesEveryAnswer makes every call of the document and checks its answers, good and bad, against it.
func TestOpenAPIDescribesEveryAnswer(t *testing.T) {
	f, _ := newSandbox(t)
	f.inbox.list = []httpapi.InboxMessage{{ID: "msg_1", To: number, Code: "123456"}}
	doc := f.document()
	if doc.OpenAPI != "3.1.0" {
		t.Errorf("version %s", doc.OpenAPI)
	}
	full := `{"to":"` + number + `","reference":"r","metadata":{"k":"v"},"purpose":"transaction","transaction":{"payee":"ACME AB","amount":"49.90","currency":"EUR"}}`
	id := f.ask("POST", "/v1/verifications", full, as(secret)).want(201, "").json()["id"].(string)
	other := f.start()
	made := map[string]bool{"streamInbox": true} // a stream does not end; TestInboxEvents reads it
	for _, c := range documentCalls(full, id, other) {
		if c.pattern == "/v1/checks" {
			f.start() // what it finds
		}
		op, ok := doc.Paths[c.pattern][strings.ToLower(c.method)]
		if !ok {
			t.Errorf("%s %s is not in the document", c.method, c.pattern)
			continue
		}
		made[op.OperationID] = true
		a := f.ask(c.method, c.path, c.body, as(secret))
		for _, wrong := range doc.describes(op, a) {
			t.Errorf("%s %s %d: %s", c.method, c.pattern, a.status, wrong)
		}
	}
	for pattern, item := range doc.Paths {
		for method, op := range item {
			if !made[op.OperationID] {
				t.Errorf("%s %s is described and was not called", method, pattern)
			}
		}
	}
}

func (f *face) document() *apiDocument {
	f.t.Helper()
	var doc apiDocument
	if err := json.Unmarshal([]byte(f.ask("GET", "/openapi.json", "").want(200, "").body), &doc); err != nil {
		f.t.Fatal(err)
	}
	return &doc
}

// describes says what of an answer the operation does not describe.
func (d *apiDocument) describes(op apiOperation, a *answer) []string {
	response, ok := op.Responses[strconv.Itoa(a.status)]
	if !ok {
		return []string{"the status is not described"}
	}
	if len(response.Content) == 0 {
		if a.body != "" {
			return []string{"a body that is not described"}
		}
		return nil
	}
	content, ok := response.Content[a.header.Get("Content-Type")]
	if !ok {
		return []string{"the content type " + a.header.Get("Content-Type") + " is not described"}
	}
	return d.fits(content.Schema, a.json(), "")
}

// TestOpenAPIRequestBodies: what the document lists, the decoder knows, and the object is closed in both.
func TestOpenAPIRequestBodies(t *testing.T) {
	f := newFace(t)
	doc := f.document()
	body := doc.Components.Schemas["StartBody"]
	if body == nil || body.AdditionalProperties != false || len(body.Required) != 0 {
		t.Fatalf("the body of a start is %+v", body)
	}
	for name, s := range body.Properties {
		value := `"x"`
		switch {
		case name == "to":
			continue
		case s.Ref != "" || s.Type == "object":
			value = `{}`
		case s.Type == "boolean":
			value = `true`
		}
		a := f.ask("POST", "/v1/verifications", `{"to":"`+number+`","`+name+`":`+value+`}`, as(secret))
		if a.status == 400 && strings.Contains(a.body, "no such member") {
			t.Errorf("%s is described and refused", name)
		}
	}
	if len(body.Properties) != 14 || body.Properties["channel"].Enum[0] != string(countersign.ChannelSMS) {
		t.Errorf("the body has %d members", len(body.Properties))
	}
}
