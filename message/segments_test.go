package message_test

import (
	"strings"
	"testing"

	"countersign/message"
)

func TestSegments(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       message.Count
	}{
		{"empty", "", message.Count{Encoding: message.GSM7, Units: 0, Segments: 1}},
		{"one full", strings.Repeat("a", 160), message.Count{Encoding: message.GSM7, Units: 160, Segments: 1}},
		{"one too many", strings.Repeat("a", 161), message.Count{Encoding: message.GSM7, Units: 161, Segments: 2}},
		{"two full", strings.Repeat("a", 306), message.Count{Encoding: message.GSM7, Units: 306, Segments: 2}},
		{"three", strings.Repeat("a", 307), message.Count{Encoding: message.GSM7, Units: 307, Segments: 3}},
		{"the basic table", "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ ¤¡ÄÖÑÜ§¿äöñüà`"[:len("@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ ¤¡ÄÖÑÜ§¿äöñüà")], message.Count{Encoding: message.GSM7, Units: 45, Segments: 1}},
		{"the extension costs two", "\f^{}\\[~]|€", message.Count{Encoding: message.GSM7, Units: 20, Segments: 1}},
		{"80 of it are full", strings.Repeat("€", 80), message.Count{Encoding: message.GSM7, Units: 160, Segments: 1}},
		{"one is not cut in two", strings.Repeat("€", 153), message.Count{Encoding: message.GSM7, Units: 306, Segments: 3}},
		{"a back quote is UCS-2", "`", message.Count{Encoding: message.UCS2, Units: 1, Segments: 1}},
		{"a curly apostrophe is UCS-2", "it’s", message.Count{Encoding: message.UCS2, Units: 4, Segments: 1}},
		{"an ellipsis is UCS-2", "…", message.Count{Encoding: message.UCS2, Units: 1, Segments: 1}},
		{"letters that GSM-7 lacks", "áíóúçãõêâô", message.Count{Encoding: message.UCS2, Units: 10, Segments: 1}},
		{"70", strings.Repeat("я", 70), message.Count{Encoding: message.UCS2, Units: 70, Segments: 1}},
		{"71", strings.Repeat("я", 71), message.Count{Encoding: message.UCS2, Units: 71, Segments: 2}},
		{"134", strings.Repeat("я", 134), message.Count{Encoding: message.UCS2, Units: 134, Segments: 2}},
		{"135", strings.Repeat("я", 135), message.Count{Encoding: message.UCS2, Units: 135, Segments: 3}},
		{"a surrogate pair", "😀", message.Count{Encoding: message.UCS2, Units: 2, Segments: 1}},
		{"35 pairs", strings.Repeat("😀", 35), message.Count{Encoding: message.UCS2, Units: 70, Segments: 1}},
		{"a pair is not cut in two", strings.Repeat("😀", 67), message.Count{Encoding: message.UCS2, Units: 134, Segments: 3}},
		{"with a line of origin", "123456 is your Acme code. Never share it.\n\n@login.acme.example #123456 FA+9qCX9VSu", message.Count{Encoding: message.GSM7, Units: 82, Segments: 1}},
	} {
		if got := message.Segments(tt.text); got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

var originBound = []struct {
	text string
	want message.OriginBound
	ok   bool
}{
	{"123456 is your Acme code.\n\n@login.acme.example #123456", message.OriginBound{Host: "login.acme.example", Code: "123456"}, true},
	{"123456 is your Acme code.\n\n@login.acme.example #123456 FA+9qCX9VSu", message.OriginBound{Host: "login.acme.example", Code: "123456"}, true},
	{"@acme.example #AB-12", message.OriginBound{Host: "acme.example", Code: "AB-12"}, true},
	{"x\n@acme.example #1 @pay.example", message.OriginBound{Host: "acme.example", Code: "1", Embedded: "pay.example"}, true},
	{"x\n@acme.example #1 @pay.example more", message.OriginBound{Host: "acme.example", Code: "1", Embedded: "pay.example"}, true},
	{"x\n@acme.example #1\tmore", message.OriginBound{Host: "acme.example", Code: "1"}, true},

	{"", message.OriginBound{}, false},
	{"@login.acme.example #123456\n", message.OriginBound{}, false},
	{"@https://login.acme.example #123456", message.OriginBound{}, false},
	{"#123456 @login.acme.example", message.OriginBound{}, false},
	{"x @login.acme.example #123456", message.OriginBound{}, false},
	{" @login.acme.example #123456", message.OriginBound{}, false},
	{"@login.acme.example  #123456", message.OriginBound{}, false},
	{"@login.acme.example#123456", message.OriginBound{}, false},
	{"@login.acme.example 123456", message.OriginBound{}, false},
	{"@login.acme.example #", message.OriginBound{}, false},
	{"@login.acme.example # 123456", message.OriginBound{}, false},
	{"@login.acme.example", message.OriginBound{}, false},
	{"@ #123456", message.OriginBound{}, false},
	{"@login.acme.example:8443 #123456", message.OriginBound{}, false},
	{"@1.2.3.4 #123456", message.OriginBound{}, false},
	{"@login.acme.example #123456\n\nbye", message.OriginBound{}, false},
}

func TestParseOriginBound(t *testing.T) {
	for _, tt := range originBound {
		if got, ok := message.ParseOriginBound(tt.text); got != tt.want || ok != tt.ok {
			t.Errorf("ParseOriginBound(%q) = %+v, %t, want %+v, %t", tt.text, got, ok, tt.want, tt.ok)
		}
	}
}

func FuzzParseOriginBound(f *testing.F) {
	for _, tt := range originBound {
		f.Add(tt.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		o, ok := message.ParseOriginBound(text)
		if !ok {
			return
		}
		if o.Host == "" || o.Code == "" || strings.ContainsAny(o.Host+o.Code+o.Embedded, " \n\t\r") {
			t.Fatalf("ParseOriginBound(%q) = %+v", text, o)
		}
		again := "x\n\n@" + o.Host + " #" + o.Code
		if o.Embedded != "" {
			again += " @" + o.Embedded
		}
		if got, ok := message.ParseOriginBound(again); !ok || got != o {
			t.Fatalf("%+v written and read is %+v, %t", o, got, ok)
		}
	})
}
