package message

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// This file decides whether a text may be sent. It works on what a template can become in the worst case, so that
// nothing is refused or grows when a code must go out.

// own prepares an app's own text.
func (b *builder) own(p int, k kind, o *Override) text {
	where := cmp.Or(o.Where, fmt.Sprintf("template %s/%s/%s", o.Purpose, o.Channel, o.Locale))
	t := text{locale: o.Locale, pause: b.pauseOf(o.Locale)}
	if o.Subject != "" {
		t.subject = b.subject(where, o.Subject, p)
	}
	body, ok := b.body(where, o.Body, p, k)
	if !ok {
		return t
	}
	t.body = body
	if k == kindSMS {
		t.body = append(t.body, tail(b.options.Origin, b.options.AndroidHash)...).bind(fieldApp, b.options.Name)
		if fault := b.tooLong(t.body, p, b.options.AndroidHash != ""); fault != "" {
			b.fault("%s: %s", where, fault)
		}
	}
	return t
}

// builtin prepares a built-in text. Where the origin line or the app hash does not fit, the text goes without it.
func (b *builder) builtin(p int, k kind, l *speech) text {
	where := fmt.Sprintf("built-in text %s/%s/%s", purposeName(p), k.channel(), l.tag)
	w := l.of(p)
	t := text{locale: l.tag, pause: l.pause}
	switch k {
	case kindMail:
		t.subject = b.subject(where, w.subject, p)
		t.body, _ = b.body(where, w.mail, p, k)
	case kindVoice:
		t.body, _ = b.body(where, w.voice, p, k)
	case kindWhatsApp:
		t.body, _ = b.body(where, w.short, p, k)
	case kindSMS:
		body, _ := b.body(where, w.short, p, k)
		t.body = b.withTail(where, body, p, l.tag)
	}
	return t
}

func (b *builder) withTail(where string, body template, p int, locale string) template {
	host, hash := b.options.Origin, b.options.AndroidHash
	type ending struct{ host, hash string }
	for _, e := range []ending{{host, hash}, {host, ""}, {"", hash}} {
		if e == (ending{}) {
			continue
		}
		whole := append(slices.Clone(body), tail(e.host, e.hash)...).bind(fieldApp, b.options.Name)
		if b.tooLong(whole, p, e.hash != "") != "" {
			continue
		}
		b.drop(p, locale, host != "" && e.host == "", hash != "" && e.hash == "")
		return whole
	}
	b.drop(p, locale, host != "", hash != "")
	if fault := b.tooLong(body, p, false); fault != "" {
		b.fault("%s: %s", where, fault)
	}
	return body
}

func (b *builder) drop(p int, locale string, line, hash bool) {
	for what, gone := range map[string]bool{"the line that binds the code to the site": line, "the Android app hash": hash} {
		if gone {
			key := fmt.Sprintf("%s is left out of the built-in %s texts", what, purposeName(p))
			b.dropped[key] = append(b.dropped[key], locale)
		}
	}
}

func (b *builder) warnings() []string {
	var list []string
	for what, locales := range b.dropped {
		slices.Sort(locales)
		list = append(list, fmt.Sprintf("%s in %s: it does not fit", what, strings.Join(locales, ", ")))
	}
	slices.Sort(list)
	return list
}

func (b *builder) subject(where, source string, p int) template {
	t, ok := b.parse(where+" subject", source, false)
	if !ok {
		return nil
	}
	if t.count(fieldCode) > 0 {
		b.fault("%s subject: a subject is shown on locked screens and must not have the code", where)
	}
	b.noTransaction(where+" subject", t, p)
	return t.bind(fieldApp, b.options.Name)
}

// body checks what a text says.
func (b *builder) body(where, source string, p int, k kind) (template, bool) {
	t, ok := b.parse(where, source, k != kindVoice)
	if !ok {
		return nil, false
	}
	codes := t.count(fieldCode)
	switch {
	case codes == 0:
		b.fault("%s: {{code}} is missing", where)
	case codes > 1 && k != kindVoice:
		b.fault("%s: {{code}} is there more than once", where)
	}
	if k == kindSMS {
		at := t.first(fieldCode)
		if t.first(fieldMinutes) < at || t.first(fieldAmount) < at || t.first(fieldPayee) < at {
			b.fault("%s: {{code}} must come before other numbers, as phones offer the first one to fill in", where)
		}
	}
	if p == purposeTransaction {
		for _, f := range []field{fieldPayee, fieldAmount, fieldCurrency} {
			if t.count(f) == 0 {
				b.fault("%s: {{%s}} is missing: the message must show what is approved", where, fieldNames[f])
			}
		}
	}
	b.noTransaction(where, t, p)
	return t.bind(fieldApp, b.options.Name), true
}

func (b *builder) noTransaction(where string, t template, p int) {
	if p == purposeTransaction {
		return
	}
	for _, f := range []field{fieldPayee, fieldAmount, fieldCurrency} {
		if t.count(f) > 0 {
			b.fault("%s: {{%s}} is for the purpose transaction only", where, fieldNames[f])
		}
	}
}

func (b *builder) parse(where, source string, lines bool) (template, bool) {
	t, err := parse(source)
	if err != nil {
		b.fault("%s: %w", where, err)
		return nil, false
	}
	// Letters stand for the values, so that a dot beside them makes a link.
	fault := lintLiteral(string(t.render(nil, &values{"", "xx", "xx", "xx", "xx", "xx", "xx"})), lines)
	if fault == "" && t.digitBesideCode() {
		fault = "a digit beside {{code}} would be taken for a part of it"
	}
	if strings.TrimSpace(source) != source {
		fault = "it must not begin or end with a space or an empty line"
	}
	if fault != "" {
		b.fault("%s: %s", where, fault)
		return nil, false
	}
	return t, true
}

// allowed is how many segments a purpose's short messages may take.
func (b *builder) allowed(p int) int {
	if p == purposeTransaction {
		return b.options.AllowSegments + 1
	}
	return b.options.AllowSegments
}

// tooLong says how a short message does not fit in the worst case, or "".
func (b *builder) tooLong(t template, p int, retriever bool) string {
	worst := string(t.render(nil, &values{
		fieldCode:     strings.Repeat("0", b.options.CodeLength),
		fieldMinutes:  "10",
		fieldPayee:    strings.Repeat("W", MaxPayee),
		fieldAmount:   strings.Repeat("9", maxWhole+1+maxDecimals),
		fieldCurrency: "WWW",
	}))
	c := Segments(worst)
	if most := b.allowed(p); c.Segments > most {
		return fmt.Sprintf("it takes up to %d units of %s, which is %d segments; %d allowed: shorten it, or raise allow_segments", c.Units, c.Encoding, c.Segments, most)
	}
	bytes := c.Units
	if c.Encoding == UCS2 {
		bytes *= 2
	}
	if retriever && bytes > retrieverLimit {
		return fmt.Sprintf("it takes up to %d bytes; with an Android app hash %d are allowed", bytes, retrieverLimit)
	}
	return ""
}
