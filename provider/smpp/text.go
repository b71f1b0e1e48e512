package smpp

import (
	"errors"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// This file writes texts as octets: the GSM 03.38 default alphabet, one character an octet (data_coding 0), ISO 8859-1
// (3) or UCS-2 (8), in parts with a user data header where one message cannot hold them (3GPP TS 23.040, 9.2.3.24.1).

const (
	codingDefault = 0
	codingASCII   = 1
	codingLatin1  = 3
	codingUCS2    = 8

	maxParts = 8
	escape   = 0x1b
)

// gsm is the default alphabet, by its codes. U+00A0 stands where the escape is.
const gsm = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\u00a0ÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"

// gsmMore are the characters behind the escape.
var gsmMore = map[rune]byte{'\f': 0x0a, '^': 0x14, '{': 0x28, '}': 0x29, '\\': 0x2f, '[': 0x3c, '~': 0x3d, ']': 0x3e, '|': 0x40, '€': 0x65}

var gsmCodes, gsmRunes = func() (map[rune]byte, []rune) {
	runes := []rune(gsm)
	codes := make(map[rune]byte, len(runes))
	for i, r := range runes {
		if i != escape {
			codes[r] = byte(i)
		}
	}
	return codes, runes
}()

// encode gives the text as units that must not be torn apart.
func encode(text string, latin1 bool) (coding byte, units [][]byte) {
	if latin1 {
		if units, ok := encodeLatin1(text); ok {
			return codingLatin1, units
		}
	} else if units, ok := encodeGSM(text); ok {
		return codingDefault, units
	}
	for _, r := range text {
		var unit []byte
		for _, u := range utf16.AppendRune(nil, r) {
			unit = append(unit, byte(u>>8), byte(u))
		}
		units = append(units, unit)
	}
	return codingUCS2, units
}

func encodeLatin1(text string) (units [][]byte, ok bool) {
	for _, r := range text {
		if r > 0xff || r >= 0x80 && r < 0xa0 || r == utf8.RuneError {
			return nil, false
		}
		units = append(units, []byte{byte(r)})
	}
	return units, true
}

func encodeGSM(text string) (units [][]byte, ok bool) {
	for _, r := range text {
		if c, ok := gsmCodes[r]; ok {
			units = append(units, []byte{c})
		} else if c, ok := gsmMore[r]; ok {
			units = append(units, []byte{escape, c})
		} else {
			return nil, false
		}
	}
	return units, true
}

var errLong = errors.New("the text takes more than 8 parts")

// parts cuts a text. Several begin with a header that says which of how many they are.
func parts(text string, latin1 bool, ref byte) (coding byte, list [][]byte, err error) {
	coding, units := encode(text, latin1)
	whole, part := 160, 153 // septets: 140 octets, less the header's 6, hold 160 and 153 of them
	if coding != codingDefault {
		whole, part = 140, 134
	}
	total := 0
	for _, u := range units {
		total += len(u)
	}
	if total <= whole {
		return coding, [][]byte{join(units)}, nil
	}
	var now [][]byte
	size := 0
	for _, u := range units {
		if size+len(u) > part {
			list, now, size = append(list, join(now)), nil, 0
		}
		now, size = append(now, u), size+len(u)
	}
	list = append(list, join(now))
	if len(list) > maxParts {
		return 0, nil, errLong
	}
	for i := range list {
		list[i] = append([]byte{5, 0, 3, ref, byte(len(list)), byte(i + 1)}, list[i]...)
	}
	return coding, list, nil
}

func join(units [][]byte) []byte {
	var b []byte
	for _, u := range units {
		b = append(b, u...)
	}
	return b
}

// decode reads what a person or the SMSC wrote. A user data header is skipped.
func decode(d *delivery, latin1 bool) string {
	b := d.text
	if d.class&0x40 != 0 && len(b) > 0 && int(b[0])+1 <= len(b) {
		b = b[int(b[0])+1:]
	}
	switch {
	case d.coding == codingUCS2:
		units := make([]uint16, 0, len(b)/2)
		for i := 0; i+1 < len(b); i += 2 {
			units = append(units, uint16(b[i])<<8|uint16(b[i+1]))
		}
		return string(utf16.Decode(units))
	case d.coding == codingLatin1, d.coding == codingASCII, latin1:
		runes := make([]rune, len(b))
		for i, c := range b {
			runes[i] = rune(c)
		}
		return string(runes)
	}
	var s strings.Builder
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case c == escape && i+1 < len(b):
			i++
			for r, code := range gsmMore {
				if code == b[i] {
					s.WriteRune(r)
				}
			}
		case int(c) < len(gsmRunes):
			s.WriteRune(gsmRunes[c])
		}
	}
	return s.String()
}
