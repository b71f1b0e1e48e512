package smpp

import (
	"bytes"
	"testing"

	"countersign"
)

func FuzzReadPDU(f *testing.F) {
	f.Add((&pdu{id: deliverSM, seq: 1, body: []byte("\x00\x01\x0114155550101\x00\x05\x00Shop\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x04id:1")}).bytes())
	f.Add([]byte("HTTP/1.1 200 OK\r\n\r\n"))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := readPDU(bytes.NewReader(b))
		if err != nil {
			return
		}
		if len(p.body) > maxPDU || !bytes.HasPrefix(b, p.bytes()) {
			t.Errorf("%x is read as %x", b, p.bytes())
		}
		if d, ok := parseDelivery(p.body); ok {
			text := decode(d, len(b)%2 == 0)
			_, _ = parseReport(d, text)
		}
		_, _ = messageID(p.body)
	})
}

// FuzzReceiptText: no message's own text can say how a message fared, and what is read is bounded.
func FuzzReceiptText(f *testing.F) {
	f.Add("id:123 sub:001 dlvrd:001 submit date:2701150800 done date:2701150801 stat:DELIVRD err:000 text:hello")
	f.Add("id: 9 stat: UNDELIV err:ab")
	f.Add("text:id:1 stat:DELIVRD")
	f.Add("ID:AbC STAT:delivrd")
	f.Fuzz(func(t *testing.T, text string) {
		r, ok := parseReport(&delivery{class: 4}, text)
		if !ok {
			return
		}
		if r.id == "" || len(r.id) > 65 || len(r.detail) > 20 || r.status == "" {
			t.Errorf("%q is read as %+v", text, r)
		}
		if got, ok := parseReport(&delivery{class: 4}, text+" text:id:evil stat:DELIVRD"); !ok || got != r {
			t.Errorf("%q with a text behind it is read as %+v", text, got)
		}
	})
}

func FuzzParts(f *testing.F) {
	f.Add("Kod: {1} €", false)
	f.Add("ж😀", true)
	f.Fuzz(func(t *testing.T, text string, latin1 bool) {
		_, list, err := parts(text, latin1, 1)
		if err != nil {
			return
		}
		for _, p := range list {
			if len(p) > 160 {
				t.Errorf("a part of %d octets", len(p))
			}
		}
	})
}

func TestMemoryForgets(t *testing.T) {
	m := newMemory()
	for i := range maxEarly + 10 {
		m.find(report{id: "x", status: countersign.DeliveryDelivered}, string(rune('0'+i%10)), true)
	}
	if m.kept > maxEarly {
		t.Errorf("%d early reports", m.kept)
	}
	m.idle()
	if m.kept != 0 || len(m.early) != 0 {
		t.Error("early reports stay for ever")
	}
}
