package sqlstore

import (
	"encoding/base64"
	"encoding/json"
	"strconv"
	"time"

	"countersign"
)

// This file writes the JSON of a row's body. There is one for every change of a verification, and reflection would take
// longer than the rest of the row's way into the database; TestBodyIsWhatReflectionWrites holds it to encoding/json.

// object writes a JSON object whose empty members are left out.
type object struct {
	b    []byte
	open bool
}

func (o *object) name(name string) {
	sep := byte(',')
	if !o.open {
		o.open, sep = true, '{'
	}
	o.b = append(o.b, sep, '"')
	o.b = append(o.b, name...)
	o.b = append(o.b, '"', ':')
}

func (o *object) text(name, v string) {
	if v != "" {
		o.name(name)
		o.b = appendText(o.b, v)
	}
}

func (o *object) number(name string, v int64) {
	if v != 0 {
		o.name(name)
		o.b = strconv.AppendInt(o.b, v, 10)
	}
}

func (o *object) bytes(name string, v []byte) {
	if len(v) > 0 {
		o.name(name)
		o.b = append(o.b, '"')
		o.b = base64.StdEncoding.AppendEncode(o.b, v)
		o.b = append(o.b, '"')
	}
}

func (o *object) end() []byte {
	if !o.open {
		o.b = append(o.b, '{')
	}
	return append(o.b, '}')
}

// appendBody adds a record's body.
func appendBody(b []byte, r *countersign.Record) []byte {
	if b == nil {
		b = make([]byte, 0, 320+224*len(r.Deliveries))
	}
	o := object{b: b}
	o.text("c", r.Country)
	o.number("e", instant(r.Ended))
	o.number("a", int64(r.Alphabet))
	o.number("n", int64(r.Length))
	o.number("k", int64(r.CodeKey))
	o.bytes("no", r.Nonce)
	o.number("tk", int64(r.Tag.Key))
	if r.Tag != (countersign.Tag{}) {
		o.bytes("t", r.Tag.Sum[:])
	}
	o.bytes("x", r.TxnHash)
	o.text("h", r.Hosted)
	o.text("hr", r.HostedRef)
	o.bytes("hs", hashBytes(r.HostedScope))
	if r.Test {
		o.name("test")
		o.b = append(o.b, "true"...)
	}
	o.number("ch", int64(r.Checks))
	o.number("mc", int64(r.MaxChecks))
	o.number("s", int64(r.Sends))
	o.number("ms", int64(r.MaxSends))
	o.number("l", instant(r.Lease))
	o.text("j", r.JTI)
	o.bytes("by", hashBytes(r.ApprovedBy))
	o.number("i", instant(r.IssuedAt))
	if len(r.Deliveries) > 0 {
		o.name("d")
		o.b = append(o.b, '[')
		for i := range r.Deliveries {
			if i > 0 {
				o.b = append(o.b, ',')
			}
			o.b = appendDelivery(o.b, &r.Deliveries[i])
		}
		o.b = append(o.b, ']')
	}
	return o.end()
}

func appendDelivery(b []byte, d *countersign.Delivery) []byte {
	b = appendText(append(b, `{"id":`...), d.ID)
	b = appendText(append(b, `,"ch":`...), string(d.Channel))
	b = appendText(append(b, `,"p":`...), d.Provider)
	if d.Ref != "" {
		b = appendText(append(b, `,"r":`...), d.Ref)
	}
	b = appendText(append(b, `,"s":`...), string(d.Status))
	b = d.At.AppendFormat(append(b, `,"at":"`...), time.RFC3339Nano)
	b = append(b, '"')
	if d.Detail != "" {
		b = appendText(append(b, `,"d":`...), d.Detail)
	}
	return append(b, '}')
}

// appendText adds a JSON string. Nearly all of them need no escapes.
func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			escaped, err := json.Marshal(s)
			if err != nil {
				return append(b, `""`...) // cannot happen: a string always encodes
			}
			return append(b, escaped...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}
