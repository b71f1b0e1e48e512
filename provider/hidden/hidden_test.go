package hidden_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"countersign/provider/hidden"
)

// Every way by which a configuration finds its way into a log: none shows the text, alone or within a struct. The control
// is a plain string, which all of them show.
func TestNothingPrintsIt(t *testing.T) {
	const text = "dummy-c1e7"
	type config[T any] struct {
		Password T
		Next     *T
	}
	for name, print := range map[string]func(v any) string{
		"%v": func(v any) string { return fmt.Sprintf("%v", v) }, "%+v": func(v any) string { return fmt.Sprintf("%+v", v) },
		"%#v": func(v any) string { return fmt.Sprintf("%#v", v) }, "%s": func(v any) string { return fmt.Sprintf("%s", v) },
		"%q":   func(v any) string { return fmt.Sprintf("%q", v) },
		"json": func(v any) string { b, err := json.Marshal(v); return fmt.Sprint(string(b), err) },
		"slog text": func(v any) string {
			var b bytes.Buffer
			slog.New(slog.NewTextHandler(&b, nil)).Info("", "v", v)
			return b.String()
		},
		"slog json": func(v any) string {
			var b bytes.Buffer
			slog.New(slog.NewJSONHandler(&b, nil)).Info("", "v", v)
			return b.String()
		},
	} {
		secret, plain := hidden.Text(text), text
		for _, v := range []any{secret, config[hidden.Text]{secret, &secret}, map[string]hidden.Text{"p": secret}, []hidden.Text{secret}} {
			if got := print(v); strings.Contains(got, text) {
				t.Errorf("%s of a %T shows the text: %s", name, v, got)
			}
		}
		if got := print(config[string]{plain, nil}); !strings.Contains(got, text) {
			t.Errorf("%s does not show a plain string: the control fails: %s", name, got)
		}
	}
	b, err := xml.Marshal(config[hidden.Text]{Password: text})
	if err != nil || strings.Contains(string(b), text) {
		t.Errorf("xml: %s, %v", b, err)
	}
	if string(hidden.Text(text)) != text {
		t.Error("a conversion gives another text")
	}
}
