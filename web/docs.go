package web

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// Docs writes the API reference, made from an OpenAPI 3.1 document in JSON. A document that cannot be read is an error,
// and nothing is written.
func (p *Pages) Docs(w io.Writer, document []byte) error {
	files, err := p.current()
	if err != nil {
		return err
	}
	doc, err := parseOpenAPI(document)
	if err != nil {
		return err
	}
	return files.render(w, "docs.html", reference(doc))
}

// docsPage is the API reference as the template sees it.
type docsPage struct {
	Title, Version string
	Intro          []paragraph
	Groups         []docsGroup
}

type docsGroup struct {
	ID, Name   string
	Intro      []paragraph
	Operations []docsOperation
}

type docsOperation struct {
	ID, Method, Path, Summary string
	Intro                     []paragraph
	Deprecated, Secured       bool
	Parameters, Body          []docsField
	Responses                 []docsResponse
	Curl, Answer              string
	AnswerStatus              string
}

type docsField struct {
	Name, Type, In string
	Required       bool
	Text           []paragraph
}

type docsResponse struct {
	Status string
	Text   []paragraph
	Fields []docsField
}

// paragraph is prose with `code` in it.
type paragraph []span

type span struct {
	Text string
	Code bool
}

// prose splits a description at blank lines and backquotes, which is all of Markdown that the descriptions use.
func prose(text string) (paragraphs []paragraph) {
	for block := range strings.SplitSeq(text, "\n\n") {
		var p paragraph
		for i, part := range strings.Split(strings.TrimSpace(block), "`") {
			if part != "" {
				p = append(p, span{Text: part, Code: i%2 == 1})
			}
		}
		if p != nil {
			paragraphs = append(paragraphs, p)
		}
	}
	return paragraphs
}

// reference arranges a document by tag, in the document's order of tags; what has no tag comes last.
func reference(doc *openapi) docsPage {
	page := docsPage{Title: doc.Info.Title, Version: doc.Info.Version, Intro: prose(doc.Info.Description)}
	for _, tag := range doc.Tags {
		page.Groups = append(page.Groups, docsGroup{ID: "tag-" + slug(tag.Name), Name: tag.Name, Intro: prose(tag.Description)})
	}
	group := func(name string) *docsGroup {
		i := slices.IndexFunc(page.Groups, func(g docsGroup) bool { return g.Name == name })
		if i < 0 {
			page.Groups = append(page.Groups, docsGroup{ID: "tag-" + slug(name), Name: name})
			i = len(page.Groups) - 1
		}
		return &page.Groups[i]
	}
	for _, path := range slices.Sorted(maps.Keys(doc.Paths)) {
		item := doc.Paths[path]
		for _, m := range item.methods() {
			tag := "Other"
			if len(m.Tags) > 0 {
				tag = m.Tags[0]
			}
			g := group(tag)
			g.Operations = append(g.Operations, doc.describe(path, m.Name, item.Parameters, m.operation))
		}
	}
	page.Groups = slices.DeleteFunc(page.Groups, func(g docsGroup) bool { return len(g.Operations) == 0 })
	return page
}

func (d *openapi) describe(path, method string, shared []parameter, op *operation) docsOperation {
	security := d.Security
	if op.Security != nil {
		security = *op.Security
	}
	out := docsOperation{
		ID:     cmp.Or(op.ID, slug(method+path)),
		Method: method, Path: path,
		Summary: cmp.Or(op.Summary, method+" "+path), Intro: prose(op.Description),
		Deprecated: op.Deprecated, Secured: len(security) > 0,
	}
	for _, p := range slices.Concat(shared, op.Parameters) {
		p = d.parameter(p)
		s := d.resolve(p.Schema)
		out.Parameters = append(out.Parameters, docsField{
			Name: p.Name, In: p.In, Type: s.describeType(), Required: p.Required,
			Text: prose(cmp.Or(p.Description, s.Description)),
		})
	}
	request := first(d.body(op.Body).Content)
	out.Body = d.fields(request.Schema, "", maxDepth-2)
	out.Curl = d.curl(out, request)
	for _, status := range slices.Sorted(maps.Keys(op.Responses)) {
		r := d.response(op.Responses[status])
		content := first(r.Content)
		answer := docsResponse{Status: status, Text: prose(r.Description)}
		if strings.HasPrefix(status, "2") {
			answer.Fields = d.fields(content.Schema, "", maxDepth-2)
			if out.AnswerStatus == "" {
				out.AnswerStatus, out.Answer = status, d.example(content, "")
			}
		}
		out.Responses = append(out.Responses, answer)
	}
	return out
}

// first takes the JSON form of a body where there is one.
func first(content map[string]media) media {
	if m, ok := content["application/json"]; ok {
		return m
	}
	for _, kind := range slices.Sorted(maps.Keys(content)) {
		return content[kind]
	}
	return media{}
}

// fields lists the members of an object, and those of the objects in it as "outer.inner".
func (d *openapi) fields(s *schema, prefix string, depth int) (fields []docsField) {
	s = d.resolve(s)
	if s.Items != nil {
		s, prefix = d.resolve(s.Items), prefix+"[]"
	}
	if prefix != "" {
		prefix += "."
	}
	for _, name := range s.order() {
		if name == "$schema" {
			continue
		}
		property := d.resolve(s.Properties[name])
		fields = append(fields, docsField{
			Name: prefix + name, Type: property.describeType(), Required: slices.Contains(s.Required, name),
			Text: prose(property.Description),
		})
		if depth > 0 {
			fields = append(fields, d.fields(s.Properties[name], prefix+name, depth-1)...)
		}
	}
	return fields
}

// describeType says what a value may be: "string, date-time", "integer, 0 to 5", "sms | voice".
func (s *schema) describeType() string {
	if len(s.Enum) > 0 {
		values := make([]string, len(s.Enum))
		for i, v := range s.Enum {
			values[i] = strings.Trim(string(v), `"`)
		}
		return strings.Join(values, " | ")
	}
	said := strings.Join(s.Type, " or ")
	if s.Items != nil && len(s.Items.Type) > 0 {
		said += " of " + strings.Join(s.Items.Type, " or ")
	}
	if s.Format != "" {
		said += ", " + s.Format
	}
	switch {
	case s.Minimum != nil && s.Maximum != nil:
		said += fmt.Sprintf(", %s to %s", *s.Minimum, *s.Maximum)
	case s.MaxLength != nil:
		said += fmt.Sprintf(", at most %s", *s.MaxLength)
	}
	return said
}

// curl is a command that makes the call, as it would be typed.
func (d *openapi) curl(op docsOperation, request media) string {
	server := ""
	if len(d.Servers) > 0 {
		server = strings.TrimSuffix(d.Servers[0].URL, "/")
	}
	lines := []string{"curl -s '" + server + op.Path + "'"}
	if op.Method != "GET" && (op.Method != "POST" || op.Body == nil) {
		lines[0] = "curl -s -X " + op.Method + " '" + server + op.Path + "'"
	}
	if op.Secured {
		lines = append(lines, `-H "Authorization: Bearer $KEY"`)
	}
	if op.Body != nil {
		body := strings.ReplaceAll(d.example(request, "  "), "'", `'\''`)
		lines = append(lines, "-H 'Content-Type: application/json'", "-d '"+body+"'")
	}
	return strings.Join(lines, " \\\n  ")
}

// shortExample is how long an example may be to stay on one line.
const shortExample = 60

// example is the document's own example of a body, or one made from its schema. Lines after the first begin with prefix.
func (d *openapi) example(m media, prefix string) string {
	given := m.Example
	for _, name := range slices.Sorted(maps.Keys(m.Examples)) {
		if given == nil {
			given = m.Examples[name].Value
		}
	}
	if given == nil {
		if m.Schema == nil {
			return ""
		}
		given = d.sample(m.Schema, maxDepth)
	}
	var short, long bytes.Buffer
	if json.Compact(&short, given) != nil || json.Indent(&long, given, prefix, "  ") != nil {
		return string(given)
	}
	if short.Len() <= shortExample {
		return short.String()
	}
	return long.String()
}

// sample makes a value that fits a schema.
func (d *openapi) sample(s *schema, depth int) json.RawMessage {
	s = d.resolve(s)
	for _, given := range slices.Concat([]json.RawMessage{s.Example}, s.Examples, []json.RawMessage{s.Const, s.Default}, s.Enum) {
		if given != nil {
			return given
		}
	}
	switch {
	case depth == 0:
		return json.RawMessage("null")
	case s.Items != nil:
		return slices.Concat(json.RawMessage("["), d.sample(s.Items, depth-1), json.RawMessage("]"))
	case len(s.Properties) > 0:
		return d.sampleObject(s, depth)
	}
	kind := ""
	if len(s.Type) > 0 {
		kind = s.Type[0]
	}
	switch {
	case kind == "integer" || kind == "number":
		return json.RawMessage("0")
	case kind == "boolean":
		return json.RawMessage("true")
	case kind == "object" || kind == "":
		return json.RawMessage("{}")
	case kind == "array":
		return json.RawMessage("[]")
	case s.Format == "date-time":
		return json.RawMessage(`"2026-01-02T15:04:05Z"`)
	}
	return json.RawMessage(`"…"`)
}

func (d *openapi) sampleObject(s *schema, depth int) json.RawMessage {
	var members [][]byte
	for _, name := range s.order() {
		if name == "$schema" || s.optionalBesides(name) {
			continue
		}
		key, _ := json.Marshal(name) // a string always encodes
		members = append(members, slices.Concat(key, []byte(":"), d.sample(s.Properties[name], depth-1)))
	}
	return slices.Concat([]byte("{"), bytes.Join(members, []byte(",")), []byte("}"))
}

// slug is a name as a fragment of an address: lower-case letters and digits, hyphens between.
func slug(name string) string {
	return strings.Join(strings.FieldsFunc(strings.ToLower(name), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9')
	}), "-")
}
