package webhook

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"countersign"
)

func testFields(t testing.TB, text string) *fields {
	t.Helper()
	number, _, err := addresses()
	if err != nil {
		t.Fatal(err)
	}
	return &fields{sender: "ACME", at: time.Unix(1_800_000_000, 0), m: &countersign.Message{
		ID: "msg_1", Verification: "ver_1", App: "demo", To: number, Channel: countersign.ChannelSMS,
		Purpose: countersign.PurposeLogin, Subject: "s", Text: text, Code: countersign.NewCode("123456"), Locale: "en",
		Template: "tpl", Custom: "c", Lifetime: 90 * time.Second, Attempt: 2,
	}}
}

func TestTemplates(t *testing.T) {
	for _, c := range []struct{ name, template, text, want string }{
		{"literal", `{"a":{"b":1}}`, "", `{"a":{"b":1}}`},
		{"every field", `{{id}} {{verification}} {{app}} {{to}} {{country}} {{sender}} {{template}} {{channel}} {{purpose}} {{subject}} {{text}} {{code}} {{locale}} {{custom}} {{expires_in}} {{attempt}} {{timestamp}}`, "hi", `msg_1 ver_1 demo +14155550123 US ACME tpl sms login s hi 123456 en c 90 2 1800000000`},
		{"json", `{"text":{{text|json}}}`, "a\"b\\c\n\u2028<é>", `{"text":"a\"b\\c\n\u2028<é>"}`},
		{"form", `to={{ to | urlquery }}&t={{text|urlquery}}`, "a&b=ü", `to=%2B14155550123&t=a%26b%3D%C3%BC`},
		{"xml", `<t>{{text|xml}}</t>`, "<a>&'", `<t>&lt;a&gt;&amp;&#39;</t>`},
		{"digits", `{{to|digits}}`, "", `14155550123`},
		{"base64", `{{text|base64}}`, "hi?", `aGk/`},
		{"hex", `{{text|hex}}`, "hi", `6869`},
		{"chain", `{{text|upper|base64|lower}}`, "hi", `sek=`},
		{"a value is no template", `{{text}}`, "{{code}}", "{{code}}"},
	} {
		t.Run(c.name, func(t *testing.T) {
			parsed, err := parseTemplate(c.template)
			if err != nil {
				t.Fatal(err)
			}
			if got := string(parsed.render(nil, testFields(t, c.text))); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestTemplatesThatAreRefused(t *testing.T) {
	for name, text := range map[string]string{
		"no end":           `{"a":{{text`,
		"no field":         `{{}}`,
		"unknown field":    `{{secret}}`,
		"unknown filter":   `{{text|printf}}`,
		"another language": `{{range .}}{{end}}`,
		"call":             `{{.Text}}`,
		"capital":          `{{Text}}`,
		"empty filter":     `{{text|}}`,
		"five filters":     `{{text|json|json|json|json|json}}`,
		"too many":         strings.Repeat(`{{text|json}}`, 200),
		"too long":         strings.Repeat("x", maxTemplate+1),
	} {
		if _, err := parseTemplate(text); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestHostileTexts: a body that a text could break out of is refused when it is configured. Its control is a check that
// only looks at harmless texts: it must let every one of these bodies through.
func TestHostileTexts(t *testing.T) {
	for _, c := range []struct {
		name, contentType, body string
		ok                      bool
	}{
		{"json", "application/json", `{"to":"{{to}}","text":{{text|json}}}`, true},
		{"json with a charset", "application/json; charset=utf-8", `{"text":{{text|json}}}`, true},
		{"json in quotes", "application/json", `{"text":"{{text}}"}`, false},
		{"vendor's json", "application/vnd.acme+json", `{"text":"{{text}}"}`, false},
		{"json inside json", "application/json", `{"custom":"{{custom}}","text":{{text|json}}}`, false},
		{"form", "application/x-www-form-urlencoded", `to={{to|urlquery}}&text={{text|urlquery}}`, true},
		{"bare form", "application/x-www-form-urlencoded", `to={{to|urlquery}}&text={{text}}`, false},
		{"bare mailbox", "application/x-www-form-urlencoded", `to={{to}}&text={{text|urlquery}}`, false},
		{"xml", "text/xml", `<m to="{{to|xml}}">{{text|xml}}</m>`, true},
		{"bare xml", "application/soap+xml", `<m>{{text}}</m>`, false},
		{"plain text", "text/plain", `{{text}}`, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			parsed, err := parseTemplate(c.body)
			if err != nil {
				t.Fatal(err)
			}
			if err := checkBody(c.contentType, parsed); (err == nil) != c.ok {
				t.Errorf("checkBody = %v, want ok %v", err, c.ok)
			}
			if plain := parsed.render(nil, testFields(t, "x")); strings.Contains(c.contentType, "json") && !json.Valid(plain) {
				t.Error("the control sees a difference: this body is broken anyway")
			}
		})
	}
}

func FuzzTemplate(f *testing.F) {
	for _, seed := range []string{
		`{"a":{{text|json}}}`, `{{`, `}}`, `{{}}`, `{{text|json|base64}}`, `{{ to|digits }}`, "{{text|\x00}}", `{{{{text}}}}`,
	} {
		f.Add(seed, "x\"\n")
	}
	f.Fuzz(func(t *testing.T, text, value string) {
		parsed, err := parseTemplate(text)
		if err != nil {
			return
		}
		got := string(parsed.render(nil, testFields(t, value)))
		if !strings.Contains(text, "{{") && got != text {
			t.Errorf("a text without placeholders changed: %q to %q", text, got)
		}
		if err := checkBody("application/json", parsed); err == nil && !json.Valid([]byte(got)) {
			t.Errorf("a checked template gave broken JSON: %q with %q", text, value)
		}
	})
}

// FuzzFilters: what a filter makes stays in its place, whatever it is given.
func FuzzFilters(f *testing.F) {
	f.Add(hostile)
	f.Add("\xff\xfe\x00")
	f.Fuzz(func(t *testing.T, value string) {
		if !json.Valid([]byte(jsonString(value))) {
			t.Errorf("json of %q", value)
		}
		if q, err := url.ParseQuery("a=" + url.QueryEscape(value) + "&b=1"); err != nil || len(q) != 2 || q.Get("a") != value {
			t.Errorf("urlquery of %q", value)
		}
		if !wellFormed([]byte("<a b=\"" + xmlText(value) + "\">" + xmlText(value) + "</a>")) {
			t.Errorf("xml of %q", value)
		}
	})
}

func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{`{"id":"1","status":"OK"}`, `[]`, `{"id":{}}`, "\x00", `{"error":"+14155550123"}`, `{"id":1e999}`} {
		f.Add(200, []byte(seed), "messages.0.id")
		f.Add(400, []byte(seed), "id")
	}
	f.Fuzz(func(t *testing.T, status int, body []byte, at string) {
		p, err := parsePath(at)
		if err != nil {
			return
		}
		a := &answer{ref: p, errorAt: path{"error"}, acceptedAt: path{"status"}, accepted: []string{"OK"}}
		v, ref, detail := a.judge(&reading{status: status, body: body})
		if v.accepted && p != nil && ref == "" {
			t.Error("accepted without the id")
		}
		if len(ref) > maxRef || len(detail) > 90 {
			t.Errorf("ref of %d, detail of %d bytes", len(ref), len(detail))
		}
	})
}

func BenchmarkTemplate(b *testing.B) {
	parsed, err := parseTemplate(`{"to":"{{to|digits}}","from":{{sender|json}},"text":{{text|json}}}`)
	if err != nil {
		b.Fatal(err)
	}
	f := testFields(b, "Your code is 123456. It expires in 5 minutes.")
	buffer := make([]byte, 0, 512)
	b.ReportAllocs()
	for b.Loop() {
		buffer = parsed.render(buffer[:0], f)
	}
}
