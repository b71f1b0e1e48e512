package web_test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
)

// page is what a test sees of a rendered page: its elements in order, and what is wrong with them.
type page struct {
	text     string
	elements []element
	faults   []string
}

type element struct {
	name  string
	attr  map[string]string
	label string // the text directly in it
}

// voids are the elements without an end tag, and "option", whose end tag may be left out.
var voids = []string{"meta", "link", "input", "img", "br", "option"}

// read takes a page apart and finds every fault that no browser would tell: elements that are not closed, and whatever
// the policy, a screen reader or a person without a script would stumble over.
func read(text string) *page {
	p := &page{text: text}
	d := xml.NewDecoder(strings.NewReader(text))
	d.Strict, d.Entity = false, xml.HTMLEntity
	var open []int
	for {
		token, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			p.fault("is not well formed: %v", err)
			break
		}
		switch token := token.(type) {
		case xml.StartElement:
			p.elements = append(p.elements, element{name: token.Name.Local, attr: attributes(token)})
			if !slices.Contains(voids, token.Name.Local) {
				open = append(open, len(p.elements)-1)
			}
		case xml.EndElement:
			if slices.Contains([]string{"rect", "path", "circle"}, token.Name.Local) && len(open) > 0 &&
				p.elements[open[len(open)-1]].name != token.Name.Local {
				continue
			}
			if len(open) == 0 || p.elements[open[len(open)-1]].name != token.Name.Local {
				p.fault("</%s> closes nothing", token.Name.Local)
				return p
			}
			open = open[:len(open)-1]
		case xml.CharData:
			for _, i := range open {
				p.elements[i].label += string(token)
			}
		}
	}
	for _, i := range open {
		p.fault("<%s> is not closed", p.elements[i].name)
	}
	p.checkPolicy()
	p.checkAccess()
	return p
}

func attributes(e xml.StartElement) map[string]string {
	all := map[string]string{}
	for _, a := range e.Attr {
		all[a.Name.Local] = a.Value
	}
	return all
}

func (p *page) fault(format string, args ...any) {
	p.faults = append(p.faults, fmt.Sprintf(format, args...))
}

// checkPolicy finds what the Content-Security-Policy would stop.
func (p *page) checkPolicy() {
	for _, e := range p.elements {
		if e.name == "style" || e.name == "script" && (e.attr["src"] == "" || strings.TrimSpace(e.label) != "") {
			p.fault("an inline <%s>", e.name)
		}
		for name, value := range e.attr {
			if name == "style" || strings.HasPrefix(name, "on") {
				p.fault("<%s> has the attribute %s", e.name, name)
			}
			own := strings.HasPrefix(value, "/") && !strings.HasPrefix(value, "//") || strings.HasPrefix(value, "#") || value == ""
			if (name == "src" || name == "href") && !own {
				p.fault("<%s> points to %q", e.name, value)
			}
		}
	}
	if strings.Contains(p.text, "ZgotmplZ") {
		p.fault("a value was refused by the template")
	}
}

// checkAccess finds fields without a label, buttons and links without a name, and references to nothing.
func (p *page) checkAccess() {
	ids, labelled := map[string]bool{}, map[string]bool{}
	for _, e := range p.elements {
		if id, ok := e.attr["id"]; ok {
			if ids[id] {
				p.fault("the id %q is there twice", id)
			}
			ids[id] = true
		}
		if e.name == "label" {
			labelled[e.attr["for"]] = strings.TrimSpace(e.label) != ""
		}
	}
	for _, e := range p.elements {
		switch e.name {
		case "input", "select", "textarea":
			if e.attr["type"] != "hidden" && !labelled[e.attr["id"]] {
				p.fault("<%s name=%s> has no label", e.name, e.attr["name"])
			}
		case "button", "a", "summary", "h1", "title":
			if strings.TrimSpace(e.label) == "" {
				p.fault("<%s> has no text", e.name)
			}
		case "img":
			if _, ok := e.attr["alt"]; !ok {
				p.fault("<img> has no alt")
			}
		}
		for _, id := range strings.Fields(e.attr["aria-describedby"] + " " + e.attr["aria-labelledby"]) {
			if !ids[id] {
				p.fault("<%s> refers to #%s, which is not there", e.name, id)
			}
		}
	}
	if n := len(p.all("h1")); n != 1 {
		p.fault("%d headings of the first order", n)
	}
	if html := p.all("html"); len(html) != 1 || html[0].attr["lang"] == "" {
		p.fault("no language")
	}
}

func (p *page) all(name string) []element {
	return slices.DeleteFunc(slices.Clone(p.elements), func(e element) bool { return e.name != name })
}

// byID is the element with an id; a zero one where there is none.
func (p *page) byID(id string) element {
	for _, e := range p.elements {
		if e.attr["id"] == id {
			return e
		}
	}
	return element{}
}

// fields are the values that the form with a step would send as they are.
func (p *page) fields(step string) map[string]string {
	values := map[string]string{}
	for _, e := range p.elements {
		if e.name == "form" && values["step"] != step {
			clear(values)
		}
		if e.name == "form" && values["step"] == step {
			return values
		}
		if e.name == "input" {
			values[e.attr["name"]] = e.attr["value"]
		}
	}
	return values
}

func TestReaderSeesFaults(t *testing.T) {
	tests := []struct{ name, body, want string }{
		{"style attribute", `<p style="color:red">x</p>`, "attribute style"},
		{"handler", `<p onclick="f()">x</p>`, "attribute onclick"},
		{"inline script", `<script>f()</script>`, "inline <script>"},
		{"inline style", `<style>p{}</style>`, "inline <style>"},
		{"other origin", `<img alt="" src="https://cdn.example/x.png">`, "points to"},
		{"other origin, no scheme", `<script src="//cdn.example/x.js"></script>`, "points to"},
		{"no label", `<input name="a" id="a">`, "no label"},
		{"no text", `<button></button>`, "no text"},
		{"described by nothing", `<p aria-describedby="gone">x</p>`, "not there"},
		{"id twice", `<p id="a">x</p><p id="a">y</p>`, "twice"},
		{"not closed", `<div><p>x</p>`, "closes nothing"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := read(`<!doctype html><html lang="en"><title>t</title><h1>t</h1>` + tt.body + `</html>`)
			if got := strings.Join(p.faults, "; "); !strings.Contains(got, tt.want) {
				t.Errorf("faults = %q, want one with %q", got, tt.want)
			}
		})
	}
	if p := read(`<!doctype html><html lang="en"><title>t</title><h1>t</h1></html>`); p.faults != nil {
		t.Errorf("faults of a good page = %q", p.faults)
	}
}
