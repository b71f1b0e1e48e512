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

// decimal accepts digits, with at most one point between them: 1 to 12 before it, without leading zeros, 1 to 4 after it.
func decimal(s string) bool {
	whole, fraction, pointed := strings.Cut(s, ".")
	if !digits(whole) || len(whole) > 12 || whole[0] == '0' && whole != "0" {
		return false
	}
	return !pointed || digits(fraction) && len(fraction) <= 4
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

func currency(s string) bool {
	return len(s) == 3 && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}
