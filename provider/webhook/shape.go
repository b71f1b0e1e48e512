package webhook

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"mime"
	"net/url"
	"strings"
	"time"

	"countersign"
	"countersign/phone"
)

// This file finds templates that hostile text could break out of. A message's text, subject and custom string come
// from outside, so a template is filled with the worst of them when it is configured: what comes out must still be one
// well-formed body of the same shape. A missing |json is found at the start, not by an attacker.

// hostile is what a value may hold at its worst.
const hostile = "\"'\\</a>&=x&y[]={}\r\nX-Evil: 1\r\n\r\n%00\u2028é😀]]>{{code}}"

// sample fills every field that comes from outside with a text.
func sample(to countersign.Address, text string) *fields {
	return &fields{
		sender: text, at: time.Unix(1, 0), ref: text, guess: "123456",
		m: &countersign.Message{
			ID: "msg_a", Verification: "ver_a", App: "app", To: to, Channel: countersign.ChannelSMS, Purpose: countersign.PurposeLogin,
			Subject: text, Text: text, Code: countersign.NewCode("123456"), Locale: text, Template: text, Custom: text, Lifetime: time.Minute, Attempt: 1,
		},
	}
}

func mediaType(contentType string) string {
	m, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return ""
	}
	return m
}

// checkBody says whether a body keeps its shape whatever its values hold.
func checkBody(contentType string, t *template) error {
	number, mailbox, err := addresses()
	if err != nil {
		return err
	}
	plain, bad := t.render(nil, sample(number, "x")), t.render(nil, sample(number, hostile))
	// A mailbox may hold & and +, which no JSON string minds.
	mail := t.render(nil, sample(mailbox, hostile))
	switch m := mediaType(contentType); {
	case m == "":
		return errors.New("cannot be checked: content_type is no media type")
	case m == "application/json" || strings.HasSuffix(m, "+json"):
		if !json.Valid(plain) {
			return errors.New("gives no valid JSON")
		}
		if !json.Valid(bad) {
			return errors.New("lets a text break out of its place: use |json on every value, without quotes around it")
		}
	case m == "application/x-www-form-urlencoded":
		if !sameForm(plain, mail) {
			return errors.New("lets a text break out of its place: use |urlquery on every value")
		}
	case strings.HasSuffix(m, "xml"):
		if !wellFormed(plain) {
			return errors.New("gives no well-formed XML")
		}
		if !wellFormed(mail) {
			return errors.New("lets a text break out of its place: use |xml on every value")
		}
	}
	return nil
}

// addresses are a number and a mailbox to fill templates with.
func addresses() (number, mailbox countersign.Address, err error) {
	n, err := phone.FromE164("+14155550123")
	if err != nil {
		return number, mailbox, err
	}
	mailbox, err = countersign.ParseEmail("a&b=c+d'e@example.com")
	return countersign.PhoneAddress(n), mailbox, err
}

// sameForm says whether two forms have the same names, each once.
func sameForm(a, b []byte) bool {
	x, errX := url.ParseQuery(string(a))
	y, errY := url.ParseQuery(string(b))
	if errX != nil || errY != nil || len(x) != len(y) {
		return false
	}
	for name := range x {
		if len(y[name]) != len(x[name]) {
			return false
		}
	}
	return true
}

func wellFormed(b []byte) bool {
	d := xml.NewDecoder(strings.NewReader(string(b)))
	for {
		if _, err := d.Token(); err != nil {
			return errors.Is(err, io.EOF)
		}
	}
}

// checkHeader says whether a header's value stays one line whatever it holds.
func checkHeader(t *template) error {
	if t.uses("code", "text", "guess") {
		return errors.New("must not carry the code or the text: headers are what proxies and servers log")
	}
	if t.uses("ref") {
		return errors.New("must not carry {{ref}}: a start has none yet")
	}
	number, _, err := addresses()
	if err != nil {
		return err
	}
	if !headerValue(string(t.render(nil, sample(number, "x")))) || !headerValue(string(t.render(nil, sample(number, hostile)))) {
		return errors.New("lets a value break out of its line: use a filter, as in {{subject|base64}}")
	}
	return nil
}

// headerValue says whether a text is a field value of RFC 9110, 5.5, in ASCII.
func headerValue(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < ' ' && c != '\t') || c >= 0x7f {
			return false
		}
	}
	return strings.TrimSpace(s) == s
}
