package message

import "unicode/utf16"

// This file counts what a text costs on the air: 3GPP TS 23.038 (alphabets) and TS 23.040, 9.2.3.24 (parts).

// Encoding is the alphabet that a short message is sent in.
type Encoding uint8

// The alphabets.
const (
	GSM7 Encoding = iota // 7 bits a character, some take two
	UCS2                 // 16 bits a unit; a character beyond U+FFFF takes two
)

// String names the alphabet as in the standard.
func (e Encoding) String() string {
	if e == UCS2 {
		return "UCS-2"
	}
	return "GSM-7"
}

// Count is what a text takes.
type Count struct {
	Encoding Encoding
	Units    int // characters of the alphabet
	Segments int // messages that are paid for
}

// Capacity of one message alone and of each part of a longer one.
const (
	gsmSingle, gsmPart = 160, 153
	ucsSingle, ucsPart = 70, 67
)

// gsmBasic and gsmExtended are the default alphabet and its extension table, whose characters take two units.
const (
	gsmBasic = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?" +
		"¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
	gsmExtended = "\f^{}\\[~]|€"
)

// gsmUnits is what a character takes in GSM-7; 0 when it is not there.
func gsmUnits(r rune) int {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', ' ' <= r && r <= '?':
		return 1
	case contains(gsmExtended, r):
		return 2
	case contains(gsmBasic, r):
		return 1
	}
	return 0
}

func contains(set string, r rune) bool {
	for _, c := range set {
		if c == r {
			return true
		}
	}
	return false
}

// Segments counts a text. One character that is not in GSM-7 sends all of it in UCS-2. A character that takes two
// units is never cut in two between parts.
func Segments(text string) Count {
	c := Count{Encoding: GSM7}
	for _, r := range text {
		n := gsmUnits(r)
		if n == 0 {
			return countParts(text, UCS2, ucsSingle, ucsPart, utf16Units)
		}
		c.Units += n
	}
	if c.Units <= gsmSingle {
		c.Segments = 1
		return c
	}
	return countParts(text, GSM7, gsmSingle, gsmPart, gsmUnits)
}

func utf16Units(r rune) int {
	if n := utf16.RuneLen(r); n > 0 {
		return n
	}
	return 1 // U+FFFD in place of what is no character
}

func countParts(text string, e Encoding, single, part int, units func(rune) int) Count {
	c := Count{Encoding: e, Segments: 1}
	room := part
	for _, r := range text {
		n := units(r)
		c.Units += n
		if room -= n; room < 0 {
			c.Segments++
			room = part - n
		}
	}
	if c.Units <= single {
		c.Segments = 1
	}
	return c
}
