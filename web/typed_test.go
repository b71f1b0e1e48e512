package web_test

import (
	"testing"
	"unicode"

	"countersign/web"
)

var typed = []struct{ name, text, want string }{
	{"ascii", "+1 (415) 555-0123", "+1 (415) 555-0123"},
	{"arabic", "٠١٢٣٤٥٦٧٨٩", "0123456789"},
	{"persian", "۰۱۲۳۴۵۶۷۸۹", "0123456789"},
	{"devanagari", "०१२३४५६७८९", "0123456789"},
	{"full width", "＋８１（９０）１２３４－５６７８", "+81(90)1234-5678"},
	{"full-width letters", "ＡＢｃ１２３", "ABc123"},
	{"mixed", "١2３", "123"},
	{"marks around a copied number", "\u202a+46\u00a070\u2011123\u202c", "+46 70-123"},
	{"zero width", "12\u200b34\ufeff56", "123456"},
	{"spaces around", " \t123456\u3000\n", "123456"},
	{"ideographic space", "123\u3000456", "123 456"},
	{"other digits stay", "১২৩", "১২৩"},
	{"not UTF-8", "12\xff", "12\ufffd"},
	{"empty", "", ""},
}

func TestTyped(t *testing.T) {
	for _, tt := range typed {
		t.Run(tt.name, func(t *testing.T) {
			if got := web.Typed(tt.text); got != tt.want {
				t.Errorf("Typed(%q) = %q, want %q", tt.text, got, tt.want)
			}
		})
	}
}

func FuzzTyped(f *testing.F) {
	for _, tt := range typed {
		f.Add(tt.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := web.Typed(text)
		if again := web.Typed(got); again != got {
			t.Errorf("Typed(%q) = %q, and of that %q", text, got, again)
		}
		for _, r := range got {
			if unicode.Is(unicode.Bidi_Control, r) || unicode.In(r, unicode.Arabic, unicode.Devanagari) && unicode.IsDigit(r) {
				t.Errorf("Typed(%q) holds %U", text, r)
			}
		}
	})
}
