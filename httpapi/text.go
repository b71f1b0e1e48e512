package httpapi

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// printable says whether a text has 1 to most characters that a person can see, and blanks between them. Marks that
// reorder or hide text (category Cf) are refused: what is shown must read as what is meant.
func printable(s string, most int) bool {
	if s == "" || strings.TrimSpace(s) == "" || utf8.RuneCountInString(s) > most {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) })
}
