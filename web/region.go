package web

import (
	"cmp"
	"html/template"
	"slices"
	"strings"
	"sync"

	"golang.org/x/text/collate"
	"golang.org/x/text/language"
	"golang.org/x/text/language/display"
)

// Region is a country or territory that can be chosen beside the phone field.
type Region struct {
	Code        string // ISO 3166-1 alpha-2
	CallingCode string // digits, without the plus
}

// regionOptions are the options of the field for the country, made ready for each language when it is first asked for:
// there are more than two hundred of them, and they hardly differ from page to page.
type regionOptions struct {
	byLang map[string]func() []regionOption
}

type regionOption struct {
	code   string
	markup string // what follows the code in its <option>
}

func newRegionOptions(regions []Region) *regionOptions {
	r := &regionOptions{byLang: map[string]func() []regionOption{}}
	for _, lang := range languages {
		r.byLang[lang] = sync.OnceValue(func() []regionOption { return nameRegions(regions, lang) })
	}
	return r
}

// nameRegions names the regions in a language and sorts them as that language sorts.
func nameRegions(regions []Region, lang string) []regionOption {
	tag := language.Make(lang)
	namer, order := display.Regions(tag), collate.New(tag)
	names := map[string]string{}
	for _, r := range regions {
		if region, err := language.ParseRegion(r.Code); err == nil {
			names[r.Code] = namer.Name(region)
		}
		names[r.Code] = cmp.Or(names[r.Code], r.Code)
	}
	sorted := slices.Clone(regions)
	slices.SortStableFunc(sorted, func(a, b Region) int { return order.CompareString(names[a.Code], names[b.Code]) })
	options := make([]regionOption, len(sorted))
	for i, r := range sorted {
		calling := "+" + r.CallingCode
		if direction(lang) == "rtl" {
			calling = "\u2066" + calling + "\u2069" // or the plus would change sides
		}
		options[i] = regionOption{code: r.Code, markup: ">" + template.HTMLEscapeString(names[r.Code]+" ("+calling+")") + "\n"}
	}
	return options
}

// in returns the options in lang, only those in allowed unless that is nil, with one selected.
func (r *regionOptions) in(lang string, allowed []string, selected string) template.HTML {
	var b strings.Builder
	for _, o := range r.byLang[lang]() {
		if allowed != nil && !slices.Contains(allowed, o.code) {
			continue
		}
		b.WriteString("<option value=\"" + template.HTMLEscapeString(o.code) + "\"")
		if o.code == selected {
			b.WriteString(" selected")
		}
		b.WriteString(o.markup)
	}
	return template.HTML(b.String()) //nolint:gosec // every part is escaped above
}
