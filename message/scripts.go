package message

import "unicode"

// This file keeps look-alikes apart: the "moderately restrictive" level of UTS #39, section 5.2, over the scripts
// that UAX #31, table 5, recommends.

// script is a bit of a scriptSet.
type script uint32

const (
	latin script = 1 << iota
	cyrillic
	greek
	han
	kana
	hangul
	bopomofo
	other // the first of the rest; each has a bit of its own
)

// scriptSet is which scripts a text has.
type scriptSet struct{ seen script }

// add notes a letter's script; false when that is not one in common use.
func (s *scriptSet) add(r rune) bool {
	if r < 0x80 || r == 'ª' || r == 'º' {
		s.seen |= latin
		return true
	}
	switch {
	case unicode.Is(unicode.Latin, r):
		s.seen |= latin
	case unicode.Is(unicode.Cyrillic, r):
		s.seen |= cyrillic
	case unicode.Is(unicode.Greek, r):
		s.seen |= greek
	case unicode.Is(unicode.Han, r):
		s.seen |= han
	case unicode.In(r, unicode.Hiragana, unicode.Katakana), r == 'ー':
		s.seen |= kana
	case unicode.Is(unicode.Hangul, r):
		s.seen |= hangul
	case unicode.Is(unicode.Bopomofo, r):
		s.seen |= bopomofo
	default:
		return s.addOther(r)
	}
	return true
}

func (s *scriptSet) addOther(r rune) bool {
	for i, table := range [...]*unicode.RangeTable{
		unicode.Arabic, unicode.Armenian, unicode.Bengali, unicode.Devanagari, unicode.Ethiopic, unicode.Georgian,
		unicode.Gujarati, unicode.Gurmukhi, unicode.Hebrew, unicode.Kannada, unicode.Khmer, unicode.Lao, unicode.Malayalam,
		unicode.Myanmar, unicode.Oriya, unicode.Sinhala, unicode.Tamil, unicode.Telugu, unicode.Thaana, unicode.Thai, unicode.Tibetan,
	} {
		if unicode.Is(table, r) {
			s.seen |= other << i
			return true
		}
	}
	return false
}

// together says whether the scripts may stand in one text.
func (s *scriptSet) together() bool {
	rest := s.seen &^ latin
	switch {
	case rest == 0, rest&^(han|kana) == 0, rest&^(han|hangul) == 0, rest&^(han|bopomofo) == 0:
		return true
	case rest&(rest-1) != 0: // two more
		return false
	}
	return s.seen&latin == 0 || rest&(cyrillic|greek) == 0
}
