package web_test

import (
	"slices"
	"strings"
	"testing"

	"countersign/web"
)

func TestMatchLanguage(t *testing.T) {
	tests := []struct{ name, wanted, accept, want string }{
		{"nothing", "", "", "en"},
		{"browser", "", "sv-SE,sv;q=0.9,en;q=0.8", "sv"},
		{"browser, by weight", "", "en;q=0.1,ja;q=0.9", "ja"},
		{"query beats browser", "fr", "sv", "fr"},
		{"second wish", "eo fr-CA", "sv", "fr"},
		{"wish unknown", "eo", "sv", "sv"},
		{"wish is nonsense", "<script>", "de-AT", "de"},
		{"Brazilian", "pt-BR", "", "pt"},
		{"traditional Chinese", "", "zh-TW", "zh"},
		{"Egypt", "", "ar-EG", "ar"},
		{"nothing that we have", "", "eo;q=1, tlh", "en"},
		{"broken", "", ";;;q=,", "en"},
		{"any", "", "*", "en"},
		{"very long", strings.Repeat("x-", 5000), strings.Repeat("sv,", 5000), "sv"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := web.MatchLanguage(tt.wanted, tt.accept); got != tt.want {
				t.Errorf("MatchLanguage(%.40q, %.40q) = %q, want %q", tt.wanted, tt.accept, got, tt.want)
			}
		})
	}
}

func FuzzMatchLanguage(f *testing.F) {
	f.Add("fr", "sv-SE,sv;q=0.9")
	f.Add("x-x-x \x00", "*;q=0.5,zh-Hant")
	f.Fuzz(func(t *testing.T, wanted, accept string) {
		if got := web.MatchLanguage(wanted, accept); !slices.Contains(web.Languages(), got) {
			t.Errorf("MatchLanguage(%q, %q) = %q, which is not one of ours", wanted, accept, got)
		}
	})
}

func TestLanguagesCanBeChosen(t *testing.T) {
	p := newPages(t)
	for _, lang := range web.Languages() {
		v := asked(web.StepPhone)
		v.Lang = lang
		var offered []string
		for _, e := range verify(t, p, v).all("button") {
			if e.attr["name"] == "lang" {
				offered = append(offered, e.attr["value"])
			}
		}
		offered = append(offered, lang)
		slices.Sort(offered)
		want := web.Languages()
		slices.Sort(want)
		if !slices.Equal(offered, want) {
			t.Errorf("%s: with its own %v can be chosen, want %v", lang, offered, want)
		}
	}
}

// TestTranslationsAreTranslated looks for sentences that are the English ones: a key that was copied and forgotten.
func TestTranslationsAreTranslated(t *testing.T) {
	p := newPages(t)
	said := func(lang string, step web.Step) []string {
		v := asked(step)
		v.Lang, v.CanResend, v.Problem = lang, true, &web.Problem{Code: "unavailable"}
		var all []string
		got := verify(t, p, v)
		for _, e := range got.elements {
			hasOwn := slices.Contains([]string{"h1", "p", "label", "button"}, e.name) && e.attr["class"] != "app"
			if hasOwn && e.attr["name"] != "lang" && strings.TrimSpace(e.label) != "" && e.label != "Code" {
				all = append(all, strings.TrimSpace(e.label))
			}
		}
		return all
	}
	for _, step := range []web.Step{web.StepPhone, web.StepCode, web.StepDone, web.StepPasskey, web.StepMessage} {
		english := said("en", step)
		for _, lang := range web.Languages()[1:] {
			for _, sentence := range said(lang, step) {
				if slices.Contains(english, sentence) {
					t.Errorf("%s, %s: %q is English", lang, step, sentence)
				}
			}
		}
	}
}
