package web

import "strings"

// zeros are the digits 0 of the scripts whose keyboards people use with our languages; nine more follow each.
var zeros = [...]rune{
	'\u0660', // Arabic-Indic
	'\u06f0', // Extended Arabic-Indic (Persian, Urdu)
	'\u0966', // Devanagari
}

// Typed gives the ASCII that somebody meant who typed or pasted text into a form: Arabic-Indic, Devanagari and
// full-width digits, full-width letters and signs, and the typographic spaces and dashes that address books put between
// digits. Marks that cannot be seen, such as the direction marks around a copied number, are dropped. Everything else
// stays, for the parser behind to refuse.
func Typed(text string) string {
	return strings.TrimSpace(strings.Map(ascii, text))
}

func ascii(r rune) rune {
	if r < 0x80 {
		return r
	}
	for _, zero := range zeros {
		if r >= zero && r < zero+10 {
			return '0' + r - zero
		}
	}
	switch {
	case r >= '\uff01' && r <= '\uff5e': // the full-width forms mirror ASCII from "!" to "~"
		return r - '\uff01' + '!'
	case r == '\u00a0' || r >= '\u2000' && r <= '\u200a' || r == '\u202f' || r == '\u3000':
		return ' '
	case r >= '\u2010' && r <= '\u2015' || r == '\u2212':
		return '-'
	case r == '\u00ad' || r == '\u061c' || r >= '\u200b' && r <= '\u200f' || r >= '\u202a' && r <= '\u202e' ||
		r >= '\u2060' && r <= '\u2069' || r == '\ufeff':
		return -1
	}
	return r
}
