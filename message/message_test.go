package message_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"countersign"
	"countersign/message"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	languages = []string{"en", "es", "fr", "de", "sv", "pt", "ar", "hi", "ja", "zh"}
	ucs2      = map[string]bool{"ar": true, "hi": true, "ja": true, "zh": true}
	purposes  = []countersign.Purpose{countersign.PurposeSignup, countersign.PurposeLogin, countersign.PurposeStepUp, countersign.PurposeTransaction}
	channels  = []countersign.Channel{countersign.ChannelSMS, countersign.ChannelWhatsApp, countersign.ChannelVoice, countersign.ChannelEmail}
)

const (
	host = "login.acme.example"
	hash = "FA+9qCX9VSu"
)

func catalog(t testing.TB, o message.Options) *message.Catalog {
	t.Helper()
	if o.Name == "" {
		o.Name = "Acme"
	}
	c, err := message.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func text(p countersign.Purpose, ch countersign.Channel, locale string) countersign.Text {
	in := countersign.Text{Channel: ch, Purpose: p, Locale: locale, Code: "123456", Lifetime: 5 * time.Minute}
	if p == countersign.PurposeTransaction {
		in.Transaction = &countersign.Transaction{Payee: "ACME AB", Amount: "49.90", Currency: "EUR"}
	}
	return in
}

func render(t testing.TB, c *message.Catalog, in countersign.Text) countersign.Rendered {
	t.Helper()
	out, err := c.Render(in)
	if err != nil {
		t.Fatalf("Render(%s, %s, %s) = %v", in.Purpose, in.Channel, in.Locale, err)
	}
	return out
}

// Every built-in text says what it must and nothing that it must not.
func TestBuiltinTexts(t *testing.T) {
	c := catalog(t, message.Options{})
	seen := map[string]string{}
	for _, locale := range languages {
		for _, p := range purposes {
			for _, ch := range channels {
				where := fmt.Sprintf("%s/%s/%s", p, ch, locale)
				out := render(t, c, text(p, ch, locale))
				if out.Locale != locale {
					t.Errorf("%s: the language is %q", where, out.Locale)
				}
				if other, ok := seen[out.Body]; ok && ch != countersign.ChannelWhatsApp && ch != countersign.ChannelSMS {
					t.Errorf("%s reads like %s", where, other)
				}
				seen[out.Body] = where
				if strings.ContainsAny(out.Body+out.Subject, "{}@#") || strings.Contains(out.Body, "http") {
					t.Errorf("%s: %q", where, out.Body)
				}
				if !strings.Contains(out.Body, "Acme") {
					t.Errorf("%s does not name the app: %q", where, out.Body)
				}
				if p == countersign.PurposeTransaction {
					for _, want := range []string{"ACME AB", "49.90", "EUR"} {
						if !strings.Contains(out.Body, want) {
							t.Errorf("%s does not show %s: %q", where, want, out.Body)
						}
					}
				}
				switch ch {
				case countersign.ChannelVoice:
					pause := map[string]string{"ar": "، ", "ja": "、", "zh": "、"}[locale]
					if pause == "" {
						pause = ", "
					}
					if strings.Count(out.Body, strings.Join(strings.Split("123456", ""), pause)) != 2 {
						t.Errorf("%s does not say the code twice, digit by digit: %q", where, out.Body)
					}
				case countersign.ChannelEmail:
					if out.Subject == "" || strings.Contains(out.Subject, "123456") || !strings.Contains(out.Subject, "Acme") {
						t.Errorf("%s: subject %q", where, out.Subject)
					}
					if !strings.Contains(out.Body, "5") {
						t.Errorf("%s does not say how long the code lives: %q", where, out.Body)
					}
					fallthrough
				default:
					if !strings.HasPrefix(out.Body, "123456 ") || strings.Count(out.Body, "123456") != 1 {
						t.Errorf("%s does not begin with the code, once: %q", where, out.Body)
					}
				}
			}
		}
	}
}

// One segment, for a name of twenty characters: in every language without the origin line, and with it, for a short
// host, where the text is GSM-7. A transaction in UCS-2 cannot fit (payee and amount alone fill it) and has two.
func TestBuiltinTextsFitOneSegment(t *testing.T) {
	name := "Acme Online Banking1"
	if len(name) != 20 {
		t.Fatal("the name must have twenty characters")
	}
	plain := catalog(t, message.Options{Name: name})
	bound := catalog(t, message.Options{Name: name, Origin: host})
	for _, locale := range languages {
		for _, p := range purposes {
			in := text(p, countersign.ChannelSMS, locale)
			if in.Transaction != nil {
				in.Transaction.Payee = strings.Repeat("W", message.MaxPayee)
			}
			want := message.Count{Encoding: message.GSM7, Segments: 1}
			if ucs2[locale] {
				want.Encoding = message.UCS2
				if in.Transaction != nil {
					want.Segments = 2
				}
			}
			body := render(t, plain, in).Body
			if got := message.Segments(body); got.Encoding != want.Encoding || got.Segments > want.Segments {
				t.Errorf("%s/%s: %+v, want %+v: %q", p, locale, got, want, body)
			}
			body = render(t, bound, in).Body
			if got := message.Segments(body); got.Encoding != want.Encoding || got.Segments > want.Segments {
				t.Errorf("%s/%s with an origin: %+v, want %+v: %q", p, locale, got, want, body)
			}
			o, ok := message.ParseOriginBound(body)
			if !ucs2[locale] && (!ok || o.Host != host || o.Code != "123456") {
				t.Errorf("%s/%s: no browser reads %q", p, locale, body)
			}
			if ok && !strings.Contains(body, "\n\n@") {
				t.Errorf("%s/%s: no empty line in %q", p, locale, body)
			}
		}
	}
}

// Every notice exists in every language, says who speaks, and is short: one segment in GSM-7, two in UCS-2.
func TestBuiltinNotices(t *testing.T) {
	c := catalog(t, message.Options{Name: "Acme Online Banking1"})
	seen := map[string]string{}
	for _, locale := range languages {
		for _, what := range countersign.Notices() {
			where := fmt.Sprintf("%s/%s", what, locale)
			out := c.Notice(what, locale)
			if out.Locale != locale || strings.Count(out.Body, "Acme Online Banking1") != 2 || strings.ContainsAny(out.Body, "{}@#") {
				t.Errorf("%s: %+v", where, out)
			}
			if other, ok := seen[out.Body]; ok {
				t.Errorf("%s reads like %s", where, other)
			}
			seen[out.Body] = where
			want := message.Count{Encoding: message.GSM7, Segments: 1}
			if ucs2[locale] {
				want = message.Count{Encoding: message.UCS2, Segments: 2}
			}
			if got := message.Segments(out.Body); got.Encoding != want.Encoding || got.Segments > want.Segments {
				t.Errorf("%s: %+v, want %+v: %q", where, got, want, out.Body)
			}
		}
	}
	swedish := catalog(t, message.Options{Locale: "sv"})
	for asked, want := range map[string]string{"": "sv", "pt-BR": "pt", "zh-TW": "zh", "en-GB": "en"} {
		if got := swedish.Notice(countersign.NoticeNumberChanged, asked).Locale; got != want {
			t.Errorf("asked for %q, a Swedish app speaks %q, want %q", asked, got, want)
		}
	}
}

// The longest name and code there can be still fit everywhere, transactions aside.
func TestLongestNameAndCode(t *testing.T) {
	catalog(t, message.Options{Name: strings.Repeat("W", message.MaxName), CodeLength: countersign.MaxCodeLength})
}

func TestOriginLineAndAppHash(t *testing.T) {
	for _, tt := range []struct{ name, origin, hash, want string }{
		{"origin", host, "", "123456 is your Acme login code. Never share it.\n\n@login.acme.example #123456"},
		{"both", host, hash, "123456 is your Acme login code. Never share it.\n\n@login.acme.example #123456 FA+9qCX9VSu"},
		{"hash", "", hash, "123456 is your Acme login code. Never share it.\n\nFA+9qCX9VSu"},
		{"neither", "", "", "123456 is your Acme login code. Never share it."},
	} {
		c := catalog(t, message.Options{Origin: tt.origin, AndroidHash: tt.hash})
		body := render(t, c, text(countersign.PurposeLogin, countersign.ChannelSMS, "en")).Body
		if body != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, body, tt.want)
		}
		if tt.hash != "" && (len(body) > 140 || !strings.HasSuffix(body, tt.hash)) {
			t.Errorf("%s: SMS Retriever does not read %q (%d bytes)", tt.name, body, len(body))
		}
		for _, ch := range channels[1:] {
			if strings.ContainsAny(render(t, c, text(countersign.PurposeLogin, ch, "en")).Body, "@#+") {
				t.Errorf("%s: the line is on %s too", tt.name, ch)
			}
		}
	}
}

// What does not fit is left out, and the operator is told.
func TestWarnings(t *testing.T) {
	if w := catalog(t, message.Options{}).Warnings(); len(w) != 0 {
		t.Errorf("warnings without an origin: %q", w)
	}
	c := catalog(t, message.Options{Origin: "a-long-host-name.sign-in.acme.example", AndroidHash: hash})
	all := strings.Join(c.Warnings(), "\n")
	for _, want := range []string{"binds the code to the site", "Android app hash", "login texts in", "ar"} {
		if !strings.Contains(all, want) {
			t.Errorf("the warnings do not speak of %q:\n%s", want, all)
		}
	}
	body := render(t, c, text(countersign.PurposeLogin, countersign.ChannelSMS, "ar")).Body
	if got := message.Segments(body); got.Segments != 1 {
		t.Errorf("%+v: %q", got, body)
	}
}

func TestOverrides(t *testing.T) {
	c := catalog(t, message.Options{
		Locale: "nl",
		Overrides: []message.Override{
			{Purpose: countersign.PurposeLogin, Channel: countersign.ChannelSMS, Body: "{{app}}: {{code}} is je code"},
			{Purpose: countersign.PurposeLogin, Channel: countersign.ChannelSMS, Locale: "pt-BR", Body: "{{code}} para entrar na {{app}}"},
			{Purpose: countersign.PurposeLogin, Channel: countersign.ChannelSMS, Locale: "en", Body: "Use {{code}} for {{app}}, {{minutes}} min"},
			{Purpose: countersign.PurposeLogin, Channel: countersign.ChannelEmail, Locale: "zh", Subject: "{{app}}", Body: "{{code}}\n{{minutes}}"},
			{Purpose: countersign.PurposeLogin, Channel: countersign.ChannelVoice, Locale: "zh-TW", Body: "{{code}}"},
		},
	})
	for _, tt := range []struct {
		ch                     countersign.Channel
		locale, want, language string
	}{
		{countersign.ChannelSMS, "nl-BE", "Acme: 123456 is je code", "nl"},
		{countersign.ChannelSMS, "", "Acme: 123456 is je code", "nl"},
		{countersign.ChannelSMS, "xx-YY", "Acme: 123456 is je code", "nl"},
		{countersign.ChannelSMS, "pt-BR", "123456 para entrar na Acme", "pt-BR"},
		{countersign.ChannelSMS, "pt-PT", "123456 para entrar em Acme. Nunca mostre a outra pessoa.", "pt"},
		{countersign.ChannelSMS, "en-US", "Use 123456 for Acme, 5 min", "en"},
		{countersign.ChannelEmail, "zh", "123456\n5", "zh"},
		{countersign.ChannelVoice, "zh-TW", "1、2、3、4、5、6", "zh-TW"},
		{countersign.ChannelWhatsApp, "nl", "123456 is your Acme login code. Never share it.", "en"},
	} {
		out := render(t, c, text(countersign.PurposeLogin, tt.ch, tt.locale))
		if out.Body != tt.want || out.Locale != tt.language {
			t.Errorf("%s in %q = %q (%s), want %q (%s)", tt.ch, tt.locale, out.Body, out.Locale, tt.want, tt.language)
		}
	}
}

func TestLocales(t *testing.T) {
	c := catalog(t, message.Options{Locale: "sv"})
	for asked, want := range map[string]string{
		"": "sv", "xx-YY": "sv", "en": "en", "en-GB": "en", "EN_us": "en", "fr-CA": "fr", "de-CH-1996": "de", "es-419": "es",
		"zh-Hant-TW": "zh", "pt-BR": "pt", "ar-EG": "ar", "hi-IN": "hi", "ja-JP": "ja", "ko": "sv",
		"not a tag": "sv", "en\x00": "sv", strings.Repeat("en-", 100): "sv",
	} {
		for range 2 { // the second answer is from memory
			if got := render(t, c, text(countersign.PurposeLogin, countersign.ChannelSMS, asked)).Locale; got != want {
				t.Errorf("%q gives %q, want %q", asked, got, want)
			}
		}
	}
	for i := range 5000 { // more than are remembered
		render(t, c, text(countersign.PurposeLogin, countersign.ChannelSMS, fmt.Sprintf("en-x-%d", i)))
	}
	if got := render(t, c, text(countersign.PurposeLogin, countersign.ChannelSMS, "fr")).Locale; got != "fr" {
		t.Errorf("after a flood of tags fr gives %q", got)
	}
}

func TestLifetime(t *testing.T) {
	c := catalog(t, message.Options{Overrides: []message.Override{
		{Purpose: countersign.PurposeLogin, Channel: countersign.ChannelSMS, Body: "{{code}} {{app}} {{minutes}}"},
	}})
	for d, want := range map[time.Duration]string{
		10 * time.Minute: "10", 5 * time.Minute: "5", 299 * time.Second: "4", 59 * time.Second: "1", 0: "1", -time.Second: "1",
	} {
		in := text(countersign.PurposeLogin, countersign.ChannelSMS, "en")
		in.Lifetime = d
		if got := render(t, c, in).Body; got != "123456 Acme "+want {
			t.Errorf("%s: %q, want %s minutes", d, got, want)
		}
	}
}

// Channels that show nothing, and questions that make no sense.
func TestRenderEdges(t *testing.T) {
	c := catalog(t, message.Options{})
	if out := render(t, c, text(countersign.PurposeLogin, countersign.ChannelFlashCall, "fr")); out.Body != "" || out.Locale != "fr" {
		t.Errorf("a flash call reads %+v", out)
	}
	for name, in := range map[string]countersign.Text{
		"no purpose":                             {Channel: countersign.ChannelSMS},
		"a transaction that is not there":        {Channel: countersign.ChannelSMS, Purpose: countersign.PurposeTransaction},
		"a transaction where it does not belong": {Channel: countersign.ChannelSMS, Purpose: countersign.PurposeLogin, Transaction: &countersign.Transaction{}},
	} {
		if _, err := c.Render(in); err == nil {
			t.Errorf("%s: rendered", name)
		}
	}
}

func TestTransactionValues(t *testing.T) {
	c := catalog(t, message.Options{})
	good := countersign.Transaction{Payee: "ACME AB", Amount: "49.90", Currency: "EUR"}
	for _, tt := range []struct {
		pointer string
		change  func(*countersign.Transaction)
	}{
		{"/transaction/payee", func(x *countersign.Transaction) { x.Payee = "evil.com" }},
		{"/transaction/amount", func(x *countersign.Transaction) { x.Amount = "-1" }},
		{"/transaction/currency", func(x *countersign.Transaction) { x.Currency = "eur" }},
	} {
		for _, ch := range append(channels, countersign.ChannelFlashCall) {
			x := good
			tt.change(&x)
			in := text(countersign.PurposeTransaction, ch, "en")
			in.Transaction = &x
			_, err := c.Render(in)
			var told *countersign.Error
			if !errors.As(err, &told) || told.Kind != countersign.ErrInvalidRequest || told.Pointer != tt.pointer {
				t.Errorf("%s: Render = %v, want an invalid request at %s", ch, err, tt.pointer)
			}
		}
	}
}

// A payee in other letters makes UCS-2 of the message: sent while it stays within the bound, refused beyond.
func TestPayeeInOtherLetters(t *testing.T) {
	in := text(countersign.PurposeTransaction, countersign.ChannelSMS, "en")
	in.Transaction.Payee = "ООО Ромашка"
	out := render(t, catalog(t, message.Options{Name: "Acme Online Banking"}), in)
	if got := message.Segments(out.Body); got.Encoding != message.UCS2 || got.Segments != 2 {
		t.Errorf("%+v: %q", got, out.Body)
	}
	in.Transaction.Payee = strings.Repeat("Ж", message.MaxPayee)
	_, err := catalog(t, message.Options{Name: strings.Repeat("W", 32), Origin: host}).Render(in)
	var told *countersign.Error
	if !errors.As(err, &told) || told.Pointer != "/transaction/payee" {
		t.Errorf("Render = %v, want a refusal that points at the payee", err)
	}
}

func BenchmarkRender(b *testing.B) {
	c := catalog(b, message.Options{Origin: host, AndroidHash: hash})
	for _, bb := range []struct {
		name string
		in   countersign.Text
	}{
		{"sms", text(countersign.PurposeLogin, countersign.ChannelSMS, "en-US")},
		{"voice", text(countersign.PurposeLogin, countersign.ChannelVoice, "ja-JP")},
		{"email", text(countersign.PurposeLogin, countersign.ChannelEmail, "fr-CA")},
		{"transaction", text(countersign.PurposeTransaction, countersign.ChannelSMS, "de-AT")},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Render(bb.in); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		catalog(b, message.Options{Origin: host})
	}
}
