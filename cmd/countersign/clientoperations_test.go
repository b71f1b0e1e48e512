package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"countersign/client"
)

// This file holds the Go client against the OpenAPI document: every method is called, by reflection, with everything in
// its arguments filled in, and is answered with everything that the document has for it. So an operation, a member of a
// body, a parameter or a member of an answer that the client lacks is found, and so is one that the API does not have.

// apiDocument is what the tests read of the OpenAPI document.
type apiDocument struct {
	Paths      map[string]map[string]json.RawMessage
	Components struct{ Schemas map[string]*apiSchema }

	operations []*apiOperation
}

type apiOperation struct {
	name       string // method and path
	method     string
	path       []string
	query      []string
	body       *apiSchema
	status     int
	media      string
	answer     *apiSchema
	reached    bool
	Parameters []struct{ In, Name string }
	Body       struct {
		Content map[string]struct{ Schema *apiSchema }
	} `json:"requestBody"`
	Responses map[string]struct {
		Content map[string]struct{ Schema *apiSchema }
	}
}

type apiSchema struct {
	Ref        string `json:"$ref"`
	Type       any
	Format     string
	Enum       []any
	Properties map[string]*apiSchema
	Items      *apiSchema
	Values     any  `json:"additionalProperties"`
	ReadOnly   bool `json:"readOnly"`
}

func readDocument(t *testing.T, text string) *apiDocument {
	t.Helper()
	d := &apiDocument{}
	if err := json.Unmarshal([]byte(text), d); err != nil {
		t.Fatal(err)
	}
	for path, methods := range d.Paths {
		for _, method := range []string{"get", "put", "post", "delete", "patch"} {
			raw, ok := methods[method]
			if !ok {
				continue
			}
			op := &apiOperation{method: strings.ToUpper(method), path: strings.Split(path, "/")}
			if err := json.Unmarshal(raw, op); err != nil {
				t.Fatal(err)
			}
			op.name = op.method + " " + path
			op.body = op.Body.Content["application/json"].Schema
			for _, p := range op.Parameters {
				if p.In == "query" {
					op.query = append(op.query, p.Name)
				}
			}
			for status, r := range op.Responses {
				if _, err := fmt.Sscanf(status, "2%02d", &op.status); err == nil {
					op.status += 200
					for op.media = range r.Content {
						op.answer = r.Content[op.media].Schema
					}
					break
				}
			}
			d.operations = append(d.operations, op)
		}
	}
	if len(d.operations) < 40 {
		t.Fatalf("only %d operations were found in the document", len(d.operations))
	}
	return d
}

// find is the operation of a request: of several, the one with the fewest variables.
func (d *apiDocument) find(method, path string) *apiOperation {
	var found *apiOperation
	parts, fewest := strings.Split(path, "/"), 0
	for _, op := range d.operations {
		variables, fits := 0, op.method == method && len(op.path) == len(parts)
		for i := 0; fits && i < len(parts); i++ {
			if strings.HasPrefix(op.path[i], "{") {
				variables++
			} else {
				fits = op.path[i] == parts[i]
			}
		}
		if fits && (found == nil || variables < fewest) {
			found, fewest = op, variables
		}
	}
	return found
}

func (d *apiDocument) resolve(s *apiSchema) *apiSchema {
	for s != nil && s.Ref != "" {
		s = d.Components.Schemas[strings.TrimPrefix(s.Ref, "#/components/schemas/")]
	}
	return s
}

// sample is a value of a schema with every member that it has.
func (d *apiDocument) sample(s *apiSchema) any {
	s = d.resolve(s)
	kind, _ := s.Type.(string)
	if several, ok := s.Type.([]any); ok {
		kind, _ = several[0].(string)
	}
	switch {
	case len(s.Properties) > 0:
		all := map[string]any{}
		for name, p := range s.Properties {
			all[name] = d.sample(p)
		}
		return all
	case kind == "array":
		return []any{d.sample(s.Items)}
	case kind == "object":
		return map[string]any{"k": "v"}
	case kind == "boolean":
		return true
	case kind == "integer", kind == "number":
		return 7.0
	case s.Format == "date-time":
		return "2026-01-31T12:00:00Z"
	case slices.Contains(s.Enum, any("approved")):
		return "approved" // what a check without error must be
	case len(s.Enum) > 0:
		return s.Enum[0]
	}
	return "text"
}

// documented answers a client as the document says, and compares what the client asks with it.
type documented struct {
	t      *testing.T
	doc    *apiDocument
	called string // the client's method
	last   *apiOperation
	answer any
}

func (d *documented) RoundTrip(r *http.Request) (*http.Response, error) {
	op := d.doc.find(r.Method, r.URL.Path)
	if op == nil {
		d.t.Errorf("%s asks for %s %s, which is not in the document", d.called, r.Method, r.URL.Path)
		return nil, http.ErrNotSupported
	}
	op.reached, d.last, d.answer = true, op, nil
	d.compareQuery(op, r)
	d.compareBody(op, r)
	text := ""
	if op.answer != nil {
		d.answer = d.doc.sample(op.answer)
		b, err := json.Marshal(d.answer)
		if err != nil {
			return nil, err
		}
		text = string(b)
	}
	if op.media == "text/event-stream" {
		text = "data: " + text + "\n\n"
	}
	return &http.Response{
		StatusCode: op.status, Header: http.Header{"Content-Type": {op.media}}, Body: io.NopCloser(strings.NewReader(text)), Request: r,
	}, nil
}

func (d *documented) compareQuery(op *apiOperation, r *http.Request) {
	for name := range r.URL.Query() {
		if !slices.Contains(op.query, name) {
			d.t.Errorf("%s sends the parameter %s, which %s does not have", d.called, name, op.name)
		}
	}
	for _, name := range op.query {
		if !r.URL.Query().Has(name) {
			d.t.Errorf("%s cannot send the parameter %s of %s", d.called, name, op.name)
		}
	}
}

func (d *documented) compareBody(op *apiOperation, r *http.Request) {
	var sent any
	if r.Body != nil {
		if err := json.NewDecoder(r.Body).Decode(&sent); err != nil {
			d.t.Errorf("%s: the body: %v", d.called, err)
		}
	}
	if (sent != nil) != (op.body != nil) && len(d.doc.members(op.body)) > 0 {
		d.t.Errorf("%s: a body in the document: %t, in the request: %t", d.called, op.body != nil, sent != nil)
		return
	}
	if op.body != nil {
		d.compareMembers(op.body, sent, "")
	}
}

func (d *apiDocument) members(s *apiSchema) map[string]*apiSchema {
	if s == nil {
		return nil
	}
	return d.resolve(s).Properties
}

func (d *documented) compareMembers(s *apiSchema, sent any, at string) {
	s = d.doc.resolve(s)
	switch v := sent.(type) {
	case []any:
		for _, one := range v {
			d.compareMembers(s.Items, one, at+"/0")
		}
	case map[string]any:
		if s.Values != nil && len(s.Properties) == 0 {
			return // WebAuthn's own JSON, or names of the caller's
		}
		for name := range v {
			if p := s.Properties[name]; p == nil {
				d.t.Errorf("%s sends %s/%s, which the document does not have", d.called, at, name)
			} else {
				d.compareMembers(p, v[name], at+"/"+name)
			}
		}
		for name, p := range s.Properties {
			if _, ok := v[name]; !ok && !p.ReadOnly {
				d.t.Errorf("%s cannot send %s/%s", d.called, at, name)
			}
		}
	}
}

// holds says whether a client's value has everything of an answer, or of what an answer is there to wrap.
func holds(value, answer any) bool {
	switch a := answer.(type) {
	case map[string]any:
		if v, ok := value.(map[string]any); ok {
			whole := true
			for name, member := range a {
				whole = whole && holds(v[name], member)
			}
			if whole {
				return true
			}
		}
		if len(a) <= 2 { // a list in a member of its own, maybe with a cursor
			for _, member := range a {
				if holds(value, member) {
					return true
				}
			}
		}
		return false
	case []any:
		if v, ok := value.([]any); ok {
			return len(v) == len(a) && holds(v[0], a[0])
		}
		return holds(value, a[0])
	}
	return value == answer
}

// fill puts something into everything that a value is made of.
func fill(v reflect.Value) {
	switch {
	case v.Type() == reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)))
		return
	case v.Type() == reflect.TypeFor[json.RawMessage]():
		v.SetBytes([]byte(`{"k":"v"}`))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("text")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Map:
		one := reflect.New(v.Type().Elem()).Elem()
		fill(one)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("k"), one)
	default:
		panic("a client's argument has a " + v.Type().String())
	}
}

// results calls a method with full arguments. What it gives piece by piece is read once.
func results(t *testing.T, method reflect.Value) (value any, err error) {
	args := []reflect.Value{reflect.ValueOf(t.Context())}
	for i := 1; i < method.Type().NumIn(); i++ {
		in := method.Type().In(i)
		if method.Type().IsVariadic() && i == method.Type().NumIn()-1 {
			in = in.Elem()
		}
		arg := reflect.New(in).Elem()
		fill(arg)
		args = append(args, arg)
	}
	out := method.Call(args)
	failed := out[len(out)-1]
	if out[0].Kind() == reflect.Func && (len(out) == 1 || failed.IsNil()) {
		for one, failed := range out[0].Seq2() {
			out = []reflect.Value{one, failed}
			break
		}
	}
	err, _ = out[len(out)-1].Interface().(error)
	if len(out) == 1 || err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(out[0].Interface()); err != nil {
		t.Fatal(err)
	}
	if err := json.NewDecoder(&b).Decode(&value); err != nil {
		t.Fatal(err)
	}
	return value, nil
}

func TestTheGoClientHasEveryOperation(t *testing.T) {
	i := serve(t, quiet)
	_, text := i.raw("GET", "/openapi.json", "")
	doc := readDocument(t, text)
	instance := &documented{t: t, doc: doc}
	c, err := client.New(client.Config{URL: i.url, Key: i.key, HTTP: &http.Client{Transport: instance}})
	if err != nil {
		t.Fatal(err)
	}
	for _, of := range []any{c, c.Sandbox()} {
		v := reflect.ValueOf(of)
		for n := range v.NumMethod() {
			method := v.Method(n)
			if method.Type().NumIn() == 0 || method.Type().In(0) != reflect.TypeFor[context.Context]() {
				continue // it calls nobody
			}
			instance.called, instance.last = v.Type().Method(n).Name, nil
			value, err := results(t, method)
			switch {
			case err != nil:
				t.Errorf("%s: %v", instance.called, err)
			case instance.last == nil:
				t.Errorf("%s asked for nothing", instance.called)
			case value != nil && !holds(value, instance.answer):
				t.Errorf("%s loses something of what %s answers:\n%v\n%v", instance.called, instance.last.name, value, instance.answer)
			}
		}
	}
	for _, op := range doc.operations {
		if !op.reached {
			t.Errorf("the client has no method for %s", op.name)
		}
	}
}
