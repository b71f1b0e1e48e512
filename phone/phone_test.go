package phone_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/nyaruka/phonenumbers"
	"pgregory.net/rapid"

	"countersign/phone"
)

func TestParse(t *testing.T) {
	tests := []struct {
		name, text, region string
		want               string
		wantRegion         string
		wantType           phone.LineType
	}{
		{"plain", "+12015550123", "", "+12015550123", "US", phone.FixedOrMobile},
		{"punctuation", " +1-(201)-555.0123 ", "", "+12015550123", "US", phone.FixedOrMobile},
		{"country code twice", "+1 1 201 555 0123", "", "+12015550123", "US", phone.FixedOrMobile},
		{"national with parentheses", "(201) 555-0123", "US", "+12015550123", "US", phone.FixedOrMobile},
		{"trunk zero", "+44 (0)7400 123456", "", "+447400123456", "GB", phone.Mobile},
		{"national trunk zero", "07400 123456", "GB", "+447400123456", "GB", phone.Mobile},
		{"international prefix of the region", "0044 7400 123456", "DE", "+447400123456", "GB", phone.Mobile},
		{"Argentine mobile prefix", "+54 011 15 2345 6789", "", "+5491123456789", "AR", phone.Mobile},
		{"Isle of Man is not Britain", "+447624123456", "", "+447624123456", "IM", phone.Mobile},
		{"Jamaica is not the United States", "+18765550123", "", "+18765550123", "JM", phone.Mobile},
		{"premium", "+19005550123", "", "+19005550123", "US", phone.Premium},
		{"toll-free", "+18005550199", "", "+18005550199", "US", phone.TollFree},
		{"global network", "+881612345678", "", "+881612345678", "001", phone.Mobile},
		{"Italian zero stays", "+390612345678", "", "+390612345678", "IT", phone.FixedLine},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n, err := phone.Parse(tt.text, tt.region)
			if err != nil {
				t.Fatalf("Parse(%q, %q): %v", tt.text, tt.region, err)
			}
			if n.E164() != tt.want || n.Region() != tt.wantRegion || n.Type() != tt.wantType {
				t.Errorf("Parse(%q, %q) = %s %s %s, want %s %s %s", tt.text, tt.region, n.E164(), n.Region(), n.Type(), tt.want, tt.wantRegion, tt.wantType)
			}
			if stored, err := phone.Decode(n.Encode()); err != nil || stored != n {
				t.Errorf("Decode(%q) = %v, %v; want the same number", n.Encode(), stored, err)
			}
			back, err := phone.FromE164(n.E164())
			if err != nil || back != n {
				t.Errorf("FromE164(%q) = %v, %v; want the same number", n.E164(), back, err)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	tests := []struct {
		text, region string
		want         error
	}{
		{"", "US", phone.ErrShape},
		{"+", "US", phone.ErrShape},
		{"   ", "US", phone.ErrShape},
		{"+1", "", phone.ErrInvalid},
		{"2015550123", "", phone.ErrRegion},
		{"911", "US", phone.ErrInvalid},
		{"+44999", "", phone.ErrInvalid},
		{"+12015550123 ext. 5", "", phone.ErrShape},
		{"+12015550123,99", "", phone.ErrShape},
		{"tel:+12015550123", "", phone.ErrShape},
		{"+1800FLOWERS", "", phone.ErrShape},
		{"+1٢٠١٥٥٥٠١٢٣", "", phone.ErrShape},
		{"+1\u200b2015550123", "", phone.ErrShape},
		{"+1\u00a02015550123", "", phone.ErrShape},
		{"+12015550123\n", "", phone.ErrShape},
		{"+12015550123\x00", "", phone.ErrShape},
		{"++12015550123", "", phone.ErrShape},
		{"+1+2015550123", "", phone.ErrShape},
		{"-12015550123", "US", phone.ErrShape},
		{"+12015550123-", "", phone.ErrShape},
		{"*100#", "US", phone.ErrShape},
		{"+12010000000", "", phone.ErrInvalid},
		{"+210123456789", "", phone.ErrInvalid},
		{"+12015550123", "XX", nil},
		{"2015550123", "XX", phone.ErrInvalid},
		{"+1" + strings.Repeat("1", 62), "", phone.ErrInvalid},
		{"+1" + strings.Repeat("1", 63), "", phone.ErrShape},
	}
	for _, tt := range tests {
		if _, err := phone.Parse(tt.text, tt.region); !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) {
			t.Errorf("Parse(%q, %q): %v, want %v", tt.text, tt.region, err, tt.want)
		}
	}
}

func TestFromE164WantsTheCanonicalForm(t *testing.T) {
	for _, text := range []string{"+1 2015550123", "+112015550123", "+5401115 23456789", "2015550123"} {
		if n, err := phone.FromE164(text); err == nil {
			t.Errorf("FromE164(%q) = %v, want an error", text, n)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	for _, text := range []string{"", "+1", "+12015550123", "+12015550123 US", "+12015550123 US 1", "12015550123 US 1 3", "+12015550123 US x 3", "+12015550123 US 1 99", "+12015550123 US 1 -1"} {
		if n, err := phone.Decode(text); err == nil {
			t.Errorf("Decode(%q) = %v, want an error", text, n)
		}
	}
}

func TestNumberPrintsMasked(t *testing.T) {
	n, err := phone.Parse("+12015550123", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{fmt.Sprint(n), fmt.Sprintf("%v %+v %#v %s", n, n, n, n), n.LogValue().String()} {
		if strings.Contains(s, "5550") {
			t.Errorf("a number prints as %q", s)
		}
	}
}

// Every accepted spelling of a number must give that number (INV-6): separators, and the + of an international one.
func TestSpellingsShareOneNumber(t *testing.T) {
	regions := []string{"US", "GB", "DE", "FR", "IN", "BR", "AR", "MX", "IT", "AU", "JP", "SE", "CI", "NG"}
	rapid.Check(t, func(t *rapid.T) {
		n, ok := phone.Example(rapid.SampledFrom(regions).Draw(t, "region"))
		if !ok {
			t.Fatal("a region without an example number")
		}
		var b strings.Builder
		for i, c := range n.E164() {
			if i > 1 {
				b.WriteString(rapid.SampledFrom([]string{"", "", "", " ", "-", ".", "(", ")", " ("}).Draw(t, "separator"))
			}
			b.WriteRune(c)
		}
		got, err := phone.Parse(b.String(), "")
		if err != nil || got != n {
			t.Fatalf("Parse(%q) = %v, %v; want %v", b.String(), got, err, n)
		}
	})
}

// The short way for North America must say what libphonenumber says, of every number of its shape.
func TestNorthAmericanNumbersAreReadAsTheLibraryReadsThem(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := fmt.Sprintf("+1%010d", rapid.Uint64Range(2_000_000_000, 9_999_999_999).Draw(t, "number"))
		want := ""
		if p, err := phonenumbers.Parse(text, ""); err == nil && phonenumbers.IsValidNumber(p) {
			want = phonenumbers.Format(p, phonenumbers.E164) + phonenumbers.GetRegionCodeForNumber(p)
		}
		got := ""
		if n, err := phone.Parse(text, "DE"); err == nil {
			got = n.E164() + n.Region()
		}
		if got != want {
			t.Fatalf("Parse(%q) = %q, the library says %q", text, got, want)
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"+12015550123", "+44 (0)7400 123456", "911", "tel:+1", "+1800FLOWERS", "\xff\xfe", "+54 011 15 2345 6789"} {
		f.Add(s, "US")
		f.Add(s, "")
	}
	f.Fuzz(func(t *testing.T, text, region string) {
		n, err := phone.Parse(text, region)
		if err != nil {
			return
		}
		again, err := phone.Parse(n.E164(), "")
		if err != nil || again != n {
			t.Fatalf("Parse(%q, %q) = %s, which reads back as %v, %v", text, region, n.E164(), again, err)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := phone.Parse("+1 201 555 0123", ""); err != nil {
			b.Fatal(err)
		}
	}
}
