package web_test

import (
	"bytes"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
)

func docs(t *testing.T, document string) *page {
	t.Helper()
	return render(t, func(w io.Writer) error { return newPages(t).Docs(w, []byte(document)) })
}

func TestDocs(t *testing.T) {
	document, err := os.ReadFile("testdata/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	got := docs(t, string(document))
	if got.faults != nil {
		t.Error(strings.Join(got.faults, "; "))
	}
	var headings, code []string
	for _, e := range got.elements {
		switch e.name {
		case "h2", "h3":
			headings = append(headings, strings.TrimSpace(e.label))
		case "pre":
			code = append(code, e.label)
		}
	}
	want := []string{"Verifications", "List verifications", "Start a verification", "Check a code", "Operations", "Is it up?", "Other", "DELETE /old deprecated"}
	if !slices.Equal(headings, want) {
		t.Errorf("headings = %q, want %q", headings, want)
	}
	for _, want := range []string{
		// only what must be there, from the properties' own examples
		"curl -s 'https://verify.example/v1/verifications' \\\n  -H \"Authorization: Bearer $KEY\" \\\n  -H 'Content-Type: application/json' \\\n  -d '{\"to\":\"+14155550123\"}'",
		// the body's own example, its quote safe in a shell
		`-d '{"code":"it'\''s"}'`,
		// no key where none is asked for
		"curl -s 'https://verify.example/healthz'",
		"curl -s -X DELETE 'https://verify.example/old'",
		// an answer made from its schema, which holds itself
		"\"created_at\": \"2026-01-02T15:04:05Z\"",
	} {
		if !slices.ContainsFunc(code, func(c string) bool { return strings.Contains(c, want) }) {
			t.Errorf("no block holds %q; there are\n%s", want, strings.Join(code, "\n----\n"))
		}
	}
	for _, want := range []string{
		"sms | voice", "string, at most 255, in header", "integer, 1 to 100, in query", "string or null",
		"deliveries[].status", "<code>application/problem&#43;json</code>", "&lt;script&gt;",
	} {
		if !strings.Contains(got.text, want) {
			t.Errorf("the page does not hold %q", want)
		}
	}
}

func TestDocsRefuses(t *testing.T) {
	for _, document := range []string{"", "{", "[]", `{"openapi":"3.0.3"}`, `{"openapi":"3.1.0","paths":[]}`} {
		var b bytes.Buffer
		if err := newPages(t).Docs(&b, []byte(document)); err == nil || b.Len() != 0 {
			t.Errorf("Docs(%q) = %v and %d bytes, want an error and none", document, err, b.Len())
		}
	}
}

func FuzzDocs(f *testing.F) {
	document, err := os.ReadFile("testdata/openapi.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(document)
	f.Add([]byte(`{"openapi":"3.1.0","paths":{"/":{"get":null,"post":{"responses":{"200":{}}}}}}`))
	f.Add([]byte(`{"openapi":"3.1.0","components":{"schemas":{"A":{"allOf":[{"$ref":"#/components/schemas/A"}]}}},` +
		`"paths":{"/a":{"post":{"requestBody":{"content":{"application/json":{"schema":{"$ref":"#/components/schemas/A"}}}}}}}}`))
	pages := newPages(f)
	f.Fuzz(func(_ *testing.T, document []byte) {
		_ = pages.Docs(io.Discard, document) // an error or a page, and an end to it
	})
}
