package web

import (
	"slices"
	"strings"

	"golang.org/x/text/language"
)

// languages are the languages of the hosted page, the fallback first.
var languages = []string{"en", "es", "fr", "de", "sv", "pt", "ar", "hi", "ja", "zh"}

var matcher = language.NewMatcher(func() []language.Tag {
	tags := make([]language.Tag, len(languages))
	for i, l := range languages {
		tags[i] = language.Make(l)
	}
	return tags
}())

// ownNames are what the languages call themselves, for people who look for theirs on a page in another.
var ownNames = map[string]string{
	"en": "English", "es": "Español", "fr": "Français", "de": "Deutsch", "sv": "Svenska",
	"pt": "Português", "ar": "العربية", "hi": "हिन्दी", "ja": "日本語", "zh": "中文",
}

// Languages returns the tags that a [VerifyView] may have in Lang, the fallback first.
func Languages() []string { return slices.Clone(languages) }

// maxLanguageText bounds what is parsed of a client's wishes. No browser sends more.
const maxLanguageText = 512

// MatchLanguage chooses the language of a page: the first wish in wanted (the query's "lang", or "ui_locales" as in
// OpenID Connect Core, section 3.1.2.1: BCP 47 tags separated by spaces, most wanted first) that is one of ours, then
// the nearest to acceptLanguage (RFC 9110, section 12.5.4), then English. What cannot be parsed is passed over.
func MatchLanguage(wanted, acceptLanguage string) string {
	for _, wish := range strings.Fields(clip(wanted)) {
		if tag, err := language.Parse(wish); err == nil {
			if base, _ := tag.Base(); slices.Contains(languages, base.String()) {
				return base.String()
			}
		}
	}
	tags, _, err := language.ParseAcceptLanguage(clip(acceptLanguage))
	if err != nil {
		return languages[0]
	}
	_, i, _ := matcher.Match(tags...)
	return languages[i]
}

func clip(s string) string { return s[:min(len(s), maxLanguageText)] }

// direction is the value of the dir attribute for a language of ours.
func direction(lang string) string {
	if lang == "ar" {
		return "rtl"
	}
	return "ltr"
}
