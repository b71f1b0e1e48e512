package webhook

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"countersign"
)

// This file is the template language of bodies and headers. It has one thing, the placeholder:
//
//	{{field}}   {{field|filter}}   {{field|filter|filter}}
//
// Names are fixed and checked when a template is parsed; there are no conditions, loops or calls, so a template can do
// nothing but put a value in a place. A value is never read as a template: outside data cannot become one.

const (
	maxTemplate     = 64 << 10
	maxPlaceholders = 100
	maxFilters      = 4
)

// template is a parsed text with holes.
type template struct{ parts []part }

// part is a literal, followed by a field unless there is none.
type part struct {
	literal string
	field   string
	value   func(*fields) string
	filters []func(string) string
}

// fields is what a placeholder can name.
type fields struct {
	m      *countersign.Message
	sender string
	at     time.Time
	ref    string // the vendor's id, in questions about a hosted verification
	guess  string // in a report
}

// fieldNamed finds a field. Everything a vendor may need is here and nothing else.
func fieldNamed(name string) (func(*fields) string, bool) {
	switch name {
	case "id":
		return func(f *fields) string { return f.m.ID }, true
	case "verification":
		return func(f *fields) string { return f.m.Verification }, true
	case "app":
		return func(f *fields) string { return f.m.App }, true
	case "to":
		return func(f *fields) string { return f.m.To.Dial() }, true
	case "country":
		return func(f *fields) string { return f.m.To.Country() }, true
	case "sender":
		return func(f *fields) string { return f.sender }, true
	case "template":
		return func(f *fields) string { return f.m.Template }, true
	case "channel":
		return func(f *fields) string { return string(f.m.Channel) }, true
	case "purpose":
		return func(f *fields) string { return string(f.m.Purpose) }, true
	case "subject":
		return func(f *fields) string { return f.m.Subject }, true
	case "text":
		return func(f *fields) string { return f.m.Text }, true
	case "code":
		return func(f *fields) string { return f.m.Code.Reveal() }, true
	case "locale":
		return func(f *fields) string { return f.m.Locale }, true
	case "custom":
		return func(f *fields) string { return f.m.Custom }, true
	case "expires_in":
		return func(f *fields) string { return strconv.Itoa(int(f.m.Lifetime / time.Second)) }, true
	case "attempt":
		return func(f *fields) string { return strconv.Itoa(f.m.Attempt) }, true
	case "ref":
		return func(f *fields) string { return f.ref }, true
	case "guess":
		return func(f *fields) string { return f.guess }, true
	case "timestamp":
		return func(f *fields) string { return strconv.FormatInt(f.at.Unix(), 10) }, true
	}
	return nil, false
}

// filterNamed finds a filter.
func filterNamed(name string) (func(string) string, bool) {
	switch name {
	case "json": // a JSON string, with its quotes
		return jsonString, true
	case "xml": // text inside an XML element or attribute
		return xmlText, true
	case "urlquery": // a value in a query or a form
		return url.QueryEscape, true
	case "path": // one segment of an address' path
		return url.PathEscape, true
	case "base64":
		return func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }, true
	case "hex":
		return func(s string) string { return hex.EncodeToString([]byte(s)) }, true
	case "digits": // "+14155550123" becomes "14155550123"
		return digits, true
	case "lower":
		return strings.ToLower, true
	case "upper":
		return strings.ToUpper, true
	}
	return nil, false
}

func jsonString(s string) string {
	if plainJSON(s) {
		return `"` + s + `"`
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		return `""` // cannot happen: a string always encodes
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// plainJSON says whether a string is its own JSON. Numbers, codes, ids and most texts are.
func plainJSON(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

func xmlText(s string) string {
	var b strings.Builder
	if err := xml.EscapeText(&b, []byte(s)); err != nil {
		return "" // cannot happen: a Builder takes everything
	}
	return b.String()
}

func digits(s string) string {
	return strings.Map(func(r rune) rune {
		if '0' <= r && r <= '9' {
			return r
		}
		return -1
	}, s)
}

// parseTemplate reads a template. "}}" outside of a placeholder is plain text, so JSON needs no escaping; "{{" always
// opens one.
func parseTemplate(text string) (*template, error) {
	if len(text) > maxTemplate {
		return nil, fmt.Errorf("is longer than %d bytes", maxTemplate)
	}
	t := &template{}
	for rest := text; rest != ""; {
		if len(t.parts) > maxPlaceholders {
			return nil, fmt.Errorf("has more than %d placeholders", maxPlaceholders)
		}
		literal, after, opened := strings.Cut(rest, "{{")
		if !opened {
			t.parts = append(t.parts, part{literal: literal})
			break
		}
		inside, after, closed := strings.Cut(after, "}}")
		if !closed {
			return nil, fmt.Errorf("has a {{ without its }} at byte %d", len(text)-len(rest)+len(literal))
		}
		p, err := parsePlaceholder(inside)
		if err != nil {
			return nil, fmt.Errorf("%w at byte %d", err, len(text)-len(rest)+len(literal))
		}
		p.literal = literal
		t.parts = append(t.parts, p)
		rest = after
	}
	return t, nil
}

func parsePlaceholder(inside string) (part, error) {
	names := strings.Split(inside, "|")
	if len(names) > maxFilters+1 {
		return part{}, fmt.Errorf("has more than %d filters in a placeholder", maxFilters)
	}
	p := part{field: strings.Trim(names[0], " ")}
	var ok bool
	if p.value, ok = fieldNamed(p.field); !ok {
		return part{}, fmt.Errorf("names a field that does not exist, %.40q,", p.field)
	}
	for _, name := range names[1:] {
		name = strings.Trim(name, " ")
		f, ok := filterNamed(name)
		if !ok {
			return part{}, fmt.Errorf("names a filter that does not exist, %.40q,", name)
		}
		p.filters = append(p.filters, f)
	}
	return p, nil
}

// render fills the holes.
func (t *template) render(b []byte, f *fields) []byte {
	for i := range t.parts {
		p := &t.parts[i]
		b = append(b, p.literal...)
		if p.value == nil {
			continue
		}
		v := p.value(f)
		for _, filter := range p.filters {
			v = filter(v)
		}
		b = append(b, v...)
	}
	return b
}

// uses says whether a template names one of the fields.
func (t *template) uses(names ...string) bool {
	for _, p := range t.parts {
		for _, n := range names {
			if p.field == n {
				return true
			}
		}
	}
	return false
}
