package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// catalog is the text of the hosted page in one language: sentences by key, with {names} to fill in. No sentence
// changes with a number ("Attempts left: 3"), so no language needs its plural rules here.
type catalog map[string]string

var placeholder = regexp.MustCompile(`\{[a-z]+\}`)

// loadCatalogs reads every language and refuses one that lacks a key, has one too many, or fills in other names than
// English does.
func loadCatalogs(source fs.FS) (map[string]catalog, error) {
	catalogs := map[string]catalog{}
	for _, lang := range languages {
		name := "messages/" + lang + ".json"
		text, err := fs.ReadFile(source, name)
		if err != nil {
			return nil, fmt.Errorf("reading translations: %w", err)
		}
		var c catalog
		if err := json.Unmarshal(text, &c); err != nil {
			return nil, fmt.Errorf("reading %s: %w", name, err)
		}
		catalogs[lang] = c
	}
	var mistakes []error
	for _, lang := range languages[1:] {
		mistakes = append(mistakes, compare(lang, catalogs[lang], catalogs[languages[0]])...)
	}
	return catalogs, errors.Join(mistakes...)
}

func compare(lang string, c, reference catalog) (mistakes []error) {
	for key, sentence := range reference {
		translated, ok := c[key]
		if !ok || translated == "" {
			mistakes = append(mistakes, fmt.Errorf("messages/%s.json: %q is missing", lang, key))
			continue
		}
		if want, got := names(sentence), names(translated); !slices.Equal(want, got) {
			mistakes = append(mistakes, fmt.Errorf("messages/%s.json: %q fills in %v, want %v", lang, key, got, want))
		}
	}
	for key := range c {
		if _, ok := reference[key]; !ok {
			mistakes = append(mistakes, fmt.Errorf("messages/%s.json: %q is not a key", lang, key))
		}
	}
	return mistakes
}

func names(sentence string) []string {
	found := placeholder.FindAllString(sentence, -1)
	slices.Sort(found)
	return slices.Compact(found)
}

// fill puts values, given as name, value pairs, into a sentence. Each value is set between Unicode isolates (U+2068,
// U+2069) where the text runs right to left, so that "+1 555" inside Arabic keeps its own order.
func fill(sentence, dir string, pairs ...string) string {
	replacements := make([]string, len(pairs))
	for i := 0; i < len(pairs); i += 2 {
		replacements[i] = "{" + pairs[i] + "}"
		replacements[i+1] = pairs[i+1]
		if dir == "rtl" {
			replacements[i+1] = "\u2068" + pairs[i+1] + "\u2069"
		}
	}
	return strings.NewReplacer(replacements...).Replace(sentence)
}

// wait says a duration in the language's short units, rounded up, so that nobody comes back too early.
func (c catalog) wait(d time.Duration) string {
	switch {
	case d <= 90*time.Second:
		return fill(c["seconds"], "", "n", roundUp(d, time.Second))
	case d <= 90*time.Minute:
		return fill(c["minutes"], "", "n", roundUp(d, time.Minute))
	}
	return fill(c["hours"], "", "n", roundUp(d, time.Hour))
}

func roundUp(d, unit time.Duration) string {
	return strconv.FormatInt(int64((d+unit-1)/unit), 10)
}
