package message_test

import (
	"errors"
	"strings"
	"testing"

	"countersign"
	"countersign/message"
)

func TestNewReportsEverything(t *testing.T) {
	_, err := message.New(message.Options{
		Name: "http://evil.example", Locale: "not a tag", Origin: "https://login.acme.example", AndroidHash: "short",
		CodeLength: 11, AllowSegments: 9,
		Overrides: []message.Override{
			{Purpose: "dance", Channel: "drum", Locale: "??", Body: "x"},
			{Purpose: countersign.PurposeLogin, Channel: countersign.ChannelEmail, Locale: "en", Body: "{{code}}"},
			{Purpose: countersign.PurposeLogin, Channel: countersign.ChannelSMS, Locale: "en", Subject: "s", Body: "{{code}}"},
			{Purpose: countersign.PurposeLogin, Channel: countersign.ChannelSMS, Locale: "EN", Body: "{{code}}"},
		},
	})
	if err == nil {
		t.Fatal("New succeeded")
	}
	for _, want := range []string{
		"the name", "the locale \"not a tag\"", "origin", "app hash", "code length", "segments",
		"template 1: the locale", "template 1: the purpose", "template 1: the channel", "template 2: e-mail", "template 3: e-mail", "template 4: there is another",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("New says nothing of %q:\n%v", want, err)
		}
	}
}

// refused are texts that must not be used, each with a word of the reason.
var refused = []struct {
	name, want string
	ch         countersign.Channel
	p          countersign.Purpose
	subject    string
	body       string
}{
	{"empty", "empty", countersign.ChannelSMS, "", "", ""},
	{"huge", "bytes", countersign.ChannelSMS, "", "", "{{code}}" + strings.Repeat("x", 2000)},
	{"not UTF-8", "UTF-8", countersign.ChannelSMS, "", "", "{{code}} \xff"},
	{"Go's templates", "placeholder", countersign.ChannelSMS, "", "", `{{template "x"}} {{code}}`},
	{"spaces in a placeholder", "placeholder", countersign.ChannelSMS, "", "", "{{ code }}"},
	{"an unknown name", "placeholder", countersign.ChannelSMS, "", "", "{{code}} {{phone}}"},
	{"a brace alone", "placeholder", countersign.ChannelSMS, "", "", "{{code}} ${7*7}"},
	{"a brace too many", "placeholder", countersign.ChannelSMS, "", "", "{{{code}}}"},
	{"a brace left open", "placeholder", countersign.ChannelSMS, "", "", "{{code}} {{app"},
	{"no code", "{{code}} is missing", countersign.ChannelSMS, "", "", "hello {{app}}"},
	{"two codes", "more than once", countersign.ChannelSMS, "", "", "{{code}} {{code}}"},
	{"minutes first", "before other numbers", countersign.ChannelSMS, "", "", "{{minutes}} min: {{code}}"},
	{"a link", "links", countersign.ChannelSMS, "", "", "{{code}} at bit.ly/x"},
	{"a scheme", "links", countersign.ChannelSMS, "", "", "{{code}} at http://x"},
	{"a link made of a placeholder", "links", countersign.ChannelSMS, "", "", "{{code}} www.{{app}}"},
	{"another", "links", countersign.ChannelSMS, "", "", "{{code}} {{app}}.com"},
	{"an origin line of its own", "last line", countersign.ChannelSMS, "", "", "{{code}}\n\n@evil.example #{{code}}"},
	{"digits", "four digits", countersign.ChannelSMS, "", "", "{{code}} call 12 34"},
	{"a number to call", "four digits", countersign.ChannelSMS, "", "", "{{code}} call 1-900"},
	{"a digit beside the code", "beside {{code}}", countersign.ChannelSMS, "", "", "1{{code}}"},
	{"other digits", "0 to 9", countersign.ChannelSMS, "", "", "{{code}} ١"},
	{"a bidirectional control", "cannot be seen", countersign.ChannelSMS, "", "", "{{code}} \u202eemca"},
	{"no width", "cannot be seen", countersign.ChannelSMS, "", "", "{{code}} a\u200bb"},
	{"a no-break space", "cannot be seen", countersign.ChannelSMS, "", "", "{{code}}\u00a0x"},
	{"a carriage return", "cannot be seen", countersign.ChannelSMS, "", "", "{{code}}\r\nx"},
	{"a line end", "must not begin or end", countersign.ChannelSMS, "", "", "{{code}}\n"},
	{"two segments", "2 segments; 1 allowed", countersign.ChannelSMS, "", "", "{{code}}" + strings.Repeat(" word", 31)},
	{"UCS-2 in two segments", "UCS-2", countersign.ChannelSMS, "", "", "{{code}} is your code’s friend. It is valid for a very short time, so do hurry up"},
	{"no payee", "{{payee}} is missing", countersign.ChannelSMS, countersign.PurposeTransaction, "", "{{code}} {{amount}} {{currency}}"},
	{"a payee without a transaction", "transaction only", countersign.ChannelSMS, "", "", "{{code}} {{payee}}"},
	{"a code in the subject", "locked screens", countersign.ChannelEmail, "", "{{code}}", "{{code}}"},
	{"a line in the subject", "breaks the line", countersign.ChannelEmail, "", "a\nBcc: x", "{{code}}"},
	{"an amount in the subject", "transaction only", countersign.ChannelEmail, "", "{{amount}}", "{{code}}"},
	{"lines in speech", "breaks the line", countersign.ChannelVoice, "", "", "{{code}}\n{{code}}"},
}

func TestRefusedTemplates(t *testing.T) {
	for _, tt := range refused {
		if tt.p == "" {
			tt.p = countersign.PurposeLogin
		}
		if tt.ch == countersign.ChannelEmail && tt.subject == "" {
			tt.subject = "x"
		}
		_, err := message.New(message.Options{Name: "Acme", Overrides: []message.Override{
			{Purpose: tt.p, Channel: tt.ch, Locale: "en", Subject: tt.subject, Body: tt.body},
		}})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: New = %v, want it to say %q", tt.name, err, tt.want)
		}
	}
}

func TestSegmentsAllowance(t *testing.T) {
	long := message.Override{Purpose: countersign.PurposeLogin, Channel: countersign.ChannelSMS, Locale: "en", Body: "{{code}}" + strings.Repeat(" word", 40)}
	for allowed, good := range map[int]bool{1: false, 2: true} {
		_, err := message.New(message.Options{Name: "Acme", AllowSegments: allowed, Overrides: []message.Override{long}})
		if (err == nil) != good {
			t.Errorf("with %d segments allowed: %v", allowed, err)
		}
	}
	// An app hash bounds the message to 140 bytes, whatever is paid for.
	fits := message.Override{Purpose: countersign.PurposeLogin, Channel: countersign.ChannelSMS, Locale: "en", Body: "{{code}}" + strings.Repeat(" word", 26)}
	for hash, good := range map[string]bool{"": true, hash: false} {
		_, err := message.New(message.Options{Name: "Acme", AndroidHash: hash, Overrides: []message.Override{fits}})
		if (err == nil) != good {
			t.Errorf("with the app hash %q: %v", hash, err)
		}
	}
	// A name outside GSM-7 is counted as what it makes of the text.
	for name, good := range map[string]bool{"Ромашка": true, strings.Repeat("Ж", 32): false} {
		_, err := message.New(message.Options{Name: name})
		if (err == nil) != good {
			t.Errorf("the name %q: %v", name, err)
		}
	}
}

// names are values for CheckName and CheckPayee alike.
var names = []struct {
	name string
	good bool
}{
	{"Acme", true},
	{"ACME AB", true},
	{"H&M", true},
	{"McDonald's", true},
	{"Acme S.A.", true},
	{"St. Moritz", true},
	{"Café Zoë", true},
	{"Bank24", true},
	{"7-Eleven", true},
	{"Kiosk 2024", true},
	{"ООО Ромашка", true},
	{"株式会社 Acme", true},
	{"بنك الراجحي", true},
	{"भारतीय स्टेट बैंक", true},
	{"삼성전자", true},
	{"x", true},
	{strings.Repeat("W", 32), true},

	{"", false},
	{" ", false},
	{"’", false},
	{"-", false},
	{" Acme", false},
	{"Acme ", false},
	{"A  B", false},
	{strings.Repeat("W", 33), false},
	{"PayPal security. Call +1-900-555-0123. Code", false},
	{"Call 1-900-555-0123", false},
	{"Call 1 9 0 0 5", false},
	{"12345", false},
	{"http://evil.example", false},
	{"bit.ly/x", false},
	{"evil.com", false},
	{"www.evil", false},
	{`{{template "x"}}`, false},
	{"${7*7}", false},
	{"{{code}}", false},
	{"Acme\n@evil.example #123456", false},
	{"Acme\r", false},
	{"\u202eemca", false},
	{"A\u200bcme", false},
	{"A\u00a0cme", false},
	{"Aсme", false},
	{"Αcme", false},
	{"Ромαшка", false},
	{"Ⓐcme", false},
	{"ACME <b>", false},
	{"a@b", false},
	{"a#b", false},
	{"١٢٣", false},
	{"\xff", false},
	{"a\u0301\u0301\u0301\u0301", false},
	{"\u0301a", false},
	{"Ꭺcme", false},
	{"\U0001F600", false},
	{strings.Repeat("\U00020000", 17), false},
}

func TestCheckName(t *testing.T) {
	for _, tt := range names {
		if err := message.CheckName(tt.name); (err == nil) != tt.good {
			t.Errorf("CheckName(%q) = %v, want good: %t", tt.name, err, tt.good)
		}
	}
}

func TestCheckPayee(t *testing.T) {
	rows := append([]struct {
		name string
		good bool
	}{
		{"ACME Ltd; amount 1 EUR", false}, {"ACME 1 EUR", false}, {"EUR 1", false}, {"ACME 1EUR", false}, {"usd 5 off", false}, {"Top 10", true}, {"Euro Shop 7", true},
	}, names...)
	for _, tt := range rows {
		err := message.CheckPayee(tt.name)
		if (err == nil) != tt.good {
			t.Errorf("CheckPayee(%q) = %v, want good: %t", tt.name, err, tt.good)
		}
		checkTold(t, err, "/transaction/payee", tt.name)
	}
}

func TestCheckAmount(t *testing.T) {
	for amount, good := range map[string]bool{
		"49.90": true, "0": true, "0.5": true, "1": true, "999999999999.9999": true, "10.000": true,
		"": false, "-1": false, "+1": false, "01": false, "00": false, ".5": false, "5.": false, "1,5": false, "1,000,000.00 EUR": false, "1e3": false,
		"١٠": false, " 1": false, "1 ": false, "1.2.3": false, "1000000000000": false, "1.00000": false, "0x1": false, "NaN": false, "1\n": false,
	} {
		err := message.CheckAmount(amount)
		if (err == nil) != good {
			t.Errorf("CheckAmount(%q) = %v, want good: %t", amount, err, good)
		}
		checkTold(t, err, "/transaction/amount", "")
	}
}

func TestCheckCurrency(t *testing.T) {
	for code, good := range map[string]bool{
		"EUR": true, "USD": true, "SEK": true, "JPY": true, "XAF": true, "SLE": true, "ZWG": true, "XCG": true, "MRU": true, "VES": true,
		"": false, "eur": false, "Eur": false, "EU": false, "EURO": false, "XXX": false, "XTS": false, "QQQ": false, "€": false, "E€": false, "123": false,
	} {
		err := message.CheckCurrency(code)
		if (err == nil) != good {
			t.Errorf("CheckCurrency(%q) = %v, want good: %t", code, err, good)
		}
		checkTold(t, err, "/transaction/currency", "")
	}
}

// checkTold wants an error that may be told, with its pointer, and without the value that was sent.
func checkTold(t *testing.T, err error, pointer, sent string) {
	t.Helper()
	if err == nil {
		return
	}
	var told *countersign.Error
	if !errors.As(err, &told) || told.Kind != countersign.ErrInvalidRequest || told.Pointer != pointer {
		t.Errorf("%v is no invalid request at %s", err, pointer)
		return
	}
	if len(sent) > 6 && strings.Contains(told.Detail, sent) {
		t.Errorf("the detail repeats what was sent: %q", told.Detail)
	}
}

func FuzzCheckPayee(f *testing.F) {
	for _, tt := range names {
		f.Add(tt.name)
	}
	c := catalog(f, message.Options{Origin: host})
	f.Fuzz(func(t *testing.T, payee string) {
		in := text(countersign.PurposeTransaction, countersign.ChannelSMS, "en")
		in.Transaction.Payee = payee
		out, err := c.Render(in)
		if message.CheckPayee(payee) != nil {
			if err == nil {
				t.Fatalf("%q was rendered", payee)
			}
			return
		}
		if err != nil {
			return // too long in its letters
		}
		if strings.ContainsAny(payee, "@#{}\n\r/:+") || !strings.Contains(out.Body, payee) {
			t.Fatalf("%q got through: %q", payee, out.Body)
		}
		if o, ok := message.ParseOriginBound(out.Body); ok && (o.Host != host || o.Code != "123456") {
			t.Fatalf("%q changed the origin line: %q", payee, out.Body)
		}
		if n := message.Segments(out.Body).Segments; n > 2 {
			t.Fatalf("%q makes %d segments", payee, n)
		}
	})
}

// FuzzTemplate: what New accepts renders to a text that has the code, no placeholder and no more than one segment.
func FuzzTemplate(f *testing.F) {
	for _, s := range []string{"{{code}}", "{{code}} {{app}} {{minutes}}", "{{{code}}}", "{{code", "}}{{", "a{{code}}b\n{{app}}", "{{payee}}", "${7*7}", "{{code}}\u202e", "1{{code}}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		c, err := message.New(message.Options{Name: "Acme", Origin: host, Overrides: []message.Override{
			{Purpose: countersign.PurposeLogin, Channel: countersign.ChannelSMS, Locale: "en", Body: body},
		}})
		if err != nil {
			return
		}
		out := render(t, c, text(countersign.PurposeLogin, countersign.ChannelSMS, "en"))
		o, ok := message.ParseOriginBound(out.Body)
		if !ok || o.Host != host || o.Code != "123456" || strings.Count(out.Body, "123456") != 2 {
			t.Fatalf("%q gives %q", body, out.Body)
		}
		if n := message.Segments(out.Body).Segments; n != 1 {
			t.Fatalf("%q gives %d segments", body, n)
		}
		if strings.ContainsAny(out.Body, "{}") {
			t.Fatalf("%q gives %q", body, out.Body)
		}
	})
}
