package vonage

import (
	"regexp"
	"strings"

	"countersign"
)

// This file writes WhatsApp's authentication templates. They have a button that copies the code, which makes them what the
// vendor calls interactive: they go as a custom object, in WhatsApp's own words.

// templateForm is a template's name, and the language that it was approved in where that is not the message's own.
var templateForm = regexp.MustCompile(`^[a-z0-9_]{1,512}(/[a-z]{2,3}(_[A-Z]{2})?)?$`)

type custom struct {
	Type     string   `json:"type"`
	Template template `json:"template"`
}

type template struct {
	Name       string      `json:"name"`
	Language   language    `json:"language"`
	Components []component `json:"components"`
}

type language struct {
	Policy string `json:"policy"`
	Code   string `json:"code"`
}

type component struct {
	Type       string      `json:"type"`
	SubType    string      `json:"sub_type,omitempty"`
	Index      string      `json:"index,omitempty"`
	Parameters []parameter `json:"parameters"`
}

type parameter struct {
	Type string `json:"type"`
	Text string `json:"text"`
}

// authentication fills a template with the code: once for the eye, once for the button.
func authentication(id string, m *countersign.Message) *custom {
	name, code, given := strings.Cut(id, "/")
	if !given {
		code = whatsappLanguage(m.Locale)
	}
	what := []parameter{{"text", m.Code.Reveal()}}
	return &custom{Type: "template", Template: template{
		Name: name, Language: language{Policy: "deterministic", Code: code},
		Components: []component{{Type: "body", Parameters: what}, {Type: "button", SubType: "url", Index: "0", Parameters: what}},
	}}
}

// whatsappLanguage writes a BCP 47 tag as WhatsApp does: pt_BR.
func whatsappLanguage(tag string) string {
	lang, region, _ := strings.Cut(strings.ReplaceAll(tag, "_", "-"), "-")
	lang, region = strings.ToLower(lang), strings.ToUpper(region)
	if len(lang) < 2 || len(lang) > 3 {
		return "en"
	}
	if len(region) != 2 {
		return lang
	}
	return lang + "_" + region
}
