package message

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// This file parses templates. The syntax is {{name}} with one of six names, without spaces; a brace anywhere else is
// a mistake. Parsing happens when the configuration is read, never on what a request brings.

// field is what a placeholder stands for.
type field uint8

const (
	literal field = iota
	fieldCode
	fieldApp
	fieldMinutes
	fieldPayee
	fieldAmount
	fieldCurrency
	fieldCount
)

var fieldNames = [fieldCount]string{"", "code", "app", "minutes", "payee", "amount", "currency"}

// part is a piece of a template: text, or a placeholder.
type part struct {
	field field
	text  string
}

// template is a parsed text.
type template []part

// maxTemplate bounds a template, in bytes. No channel takes more.
const maxTemplate = 2000

// parse reads a template. The error says where, as a byte offset, and what.
func parse(text string) (template, error) {
	switch {
	case text == "":
		return nil, fmt.Errorf("the text is empty")
	case len(text) > maxTemplate:
		return nil, fmt.Errorf("the text has %d bytes; %d are allowed", len(text), maxTemplate)
	case !utf8.ValidString(text):
		return nil, fmt.Errorf("the text is not valid UTF-8")
	}
	var t template
	for at := 0; at < len(text); {
		i := strings.IndexAny(text[at:], "{}")
		if i < 0 {
			return append(t, part{literal, text[at:]}), nil
		}
		if i > 0 {
			t = append(t, part{literal, text[at : at+i]})
		}
		at += i
		f, n := placeholder(text[at:])
		if f == literal {
			return nil, fmt.Errorf("at byte %d: %q begins no placeholder; they are {{code}}, {{app}}, {{minutes}}, {{payee}}, {{amount}} and {{currency}}", at, clip(text[at:]))
		}
		t = append(t, part{field: f})
		at += n
	}
	return t, nil
}

// placeholder reads one at the start of a text, and how long it is.
func placeholder(text string) (field, int) {
	for f := fieldCode; f < fieldCount; f++ {
		if mark := "{{" + fieldNames[f] + "}}"; strings.HasPrefix(text, mark) {
			return f, len(mark)
		}
	}
	return literal, 0
}

func clip(s string) string {
	const most = 16
	for i := range s {
		if i > most {
			return s[:i] + "…"
		}
	}
	return s
}

// count is how often a field is in the template.
func (t template) count(f field) int {
	n := 0
	for _, p := range t {
		if p.field == f {
			n++
		}
	}
	return n
}

// first is the place of a field in the template, or its length.
func (t template) first(f field) int {
	for i, p := range t {
		if p.field == f {
			return i
		}
	}
	return len(t)
}

// digitBesideCode says whether a digit would read as a part of the code.
func (t template) digitBesideCode() bool {
	const between = " .-"
	digit := func(s string) bool { return s != "" && hasDigit(s[:1]) }
	for i, p := range t {
		if p.field != fieldCode {
			continue
		}
		if i > 0 {
			before := strings.TrimRight(t[i-1].text, between)
			if before != "" && digit(before[len(before)-1:]) {
				return true
			}
		}
		if i+1 < len(t) && digit(strings.TrimLeft(t[i+1].text, between)) {
			return true
		}
	}
	return false
}

// bind puts a constant in the place of a field and joins what is text then.
func (t template) bind(f field, value string) template {
	var out template
	for _, p := range t {
		if p.field == f {
			p = part{literal, value}
		}
		if n := len(out); p.field == literal && n > 0 && out[n-1].field == literal {
			out[n-1].text += p.text
			continue
		}
		out = append(out, p)
	}
	return out
}

// values are what the placeholders stand for in one message.
type values [fieldCount]string

// render writes the message.
func (t template) render(b []byte, v *values) []byte {
	for i := range t {
		if t[i].field == literal {
			b = append(b, t[i].text...)
		} else {
			b = append(b, v[t[i].field]...)
		}
	}
	return b
}

// lintLiteral says what is wrong with the text between placeholders, or "".
func lintLiteral(text string, lines bool) string {
	run := 0
	for i, r := range text {
		switch {
		case r == '\n' && lines:
		case unicode.IsControl(r), invisible(r):
			return fmt.Sprintf("the character %U cannot be seen or breaks the line", r)
		case r == '@' || r == '#':
			return fmt.Sprintf("%q is kept for the last line that binds the code to a site", r)
		case unicode.IsDigit(r) && (r < '0' || r > '9'):
			return "digits must be 0 to 9"
		}
		if '0' <= r && r <= '9' {
			run++
		} else if !separator(r) {
			run = 0
		}
		if run >= 4 {
			return "four digits in a row could be taken for a code or a telephone number"
		}
		if dotted(text, i) || strings.HasPrefix(text[i:], "//") {
			return "links are not allowed"
		}
	}
	return ""
}

// separator says whether a character between digits still leaves them one number for the eye.
func separator(r rune) bool { return r == ' ' || r == '.' || r == '-' }

// dotted says whether at i there is a dot that joins two words, as in a domain name. One letter behind the dot is no
// domain: "S.A." may stand.
func dotted(text string, i int) bool {
	if text[i] != '.' || i == 0 {
		return false
	}
	before, _ := utf8.DecodeLastRuneInString(text[:i])
	first, n := utf8.DecodeRuneInString(text[i+1:])
	second, _ := utf8.DecodeRuneInString(text[i+1+n:])
	return wordy(before) && unicode.IsLetter(first) && unicode.IsLetter(second)
}

func wordy(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// invisible characters reorder or hide text: bidirectional controls, joiners, tags, private use and the like.
func invisible(r rune) bool {
	return unicode.In(r, unicode.Cf, unicode.Co, unicode.Cs, unicode.Zl, unicode.Zp) || (r != ' ' && unicode.Is(unicode.Zs, r))
}
