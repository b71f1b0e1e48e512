package httpapi

import (
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// This file writes the one answer that is given all day, a verification, without reflection: that is a tenth of the
// face's own work on a start. Its text is what json.Marshal makes of the same struct (TestAppendedIsMarshaled).

// appender is an answer that writes itself. False is for what only the encoder can do.
type appender interface {
	appendJSON() ([]byte, bool)
}

// appendJSON implements appender.
func (v *verification) appendJSON() ([]byte, bool) {
	if len(v.Metadata) > 0 || v.Transaction != nil {
		return nil, false
	}
	o := object{b: append(make([]byte, 0, 640+len(v.Proof)+len(v.DeviceToken)), '{')}
	o.text("id", v.ID)
	o.text("app", v.App)
	o.text("status", v.Status)
	o.text("to", v.To)
	o.text("channel", v.Channel)
	o.text("purpose", v.Purpose)
	o.textOrNull("reference", v.Reference)
	o.text("created_at", v.CreatedAt)
	o.text("expires_at", v.ExpiresAt)
	o.number("expires_in", v.ExpiresIn)
	o.number("code_length", v.CodeLength)
	o.number("checks_left", v.ChecksLeft)
	o.number("sends", v.Sends)
	o.number("sends_left", v.SendsLeft)
	o.number("resend_in", v.ResendIn)
	if v.Deliveries != nil {
		o.name("deliveries")
		o.b = append(o.b, '[')
		for i := range v.Deliveries {
			if i > 0 {
				o.b = append(o.b, ',')
			}
			v.Deliveries[i].appendTo(&o)
		}
		o.b = append(o.b, ']')
	}
	if v.Proof != "" {
		o.text("proof", v.Proof)
	}
	if v.DeviceToken != "" {
		o.text("device_token", v.DeviceToken)
	}
	return append(o.b, '}'), !o.failed
}

func (d *delivery) appendTo(o *object) {
	o.b = append(o.b, '{')
	o.text("id", d.ID)
	o.text("channel", d.Channel)
	o.textOrNull("provider", d.Provider)
	o.text("status", d.Status)
	o.text("at", d.At)
	o.textOrNull("detail", d.Detail)
	o.b = append(o.b, '}')
}

// object is JSON on its way. The names are our own and need no escapes.
type object struct {
	b      []byte
	failed bool // a text is not UTF-8
}

func (o *object) name(n string) {
	if c := o.b[len(o.b)-1]; c != '{' {
		o.b = append(o.b, ',')
	}
	o.b = append(o.b, '"')
	o.b = append(o.b, n...)
	o.b = append(o.b, '"', ':')
}

func (o *object) text(n, value string) {
	o.name(n)
	var err error
	o.b, err = jsontext.AppendQuote(o.b, value)
	o.failed = o.failed || err != nil
}

func (o *object) textOrNull(n string, value *string) {
	if value == nil {
		o.name(n)
		o.b = append(o.b, "null"...)
		return
	}
	o.text(n, *value)
}

func (o *object) number(n string, value int) {
	o.name(n)
	o.b = strconv.AppendInt(o.b, int64(value), 10)
}
