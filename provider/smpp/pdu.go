package smpp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
)

// This file writes and reads the PDUs of SMPP 3.4 that a transceiver needs.

// command ids.
const (
	genericNack         = 0x80000000
	submitSM            = 0x00000004
	submitSMResp        = 0x80000004
	deliverSM           = 0x00000005
	deliverSMResp       = 0x80000005
	unbind              = 0x00000006
	unbindResp          = 0x80000006
	bindTransceiver     = 0x00000009
	bindTransceiverResp = 0x80000009
	enquireLink         = 0x00000015
	enquireLinkResp     = 0x80000015
	response            = 0x80000000 // the bit of every answer
)

// command statuses that we send.
const (
	statusOK        = 0x00
	statusInvalidID = 0x03
	statusTemporary = 0x64 // ESME_RX_T_APPN: deliver it again later
)

// optional parameters that we read.
const (
	tagReceiptedID    = 0x001e
	tagMessagePayload = 0x0424
	tagMessageState   = 0x0427
)

const (
	headerSize = 16
	maxPDU     = 64 << 10
)

// pdu is one protocol data unit.
type pdu struct {
	id, status, seq uint32
	body            []byte
}

func (p *pdu) bytes() []byte {
	b := make([]byte, 0, headerSize+len(p.body))
	b = binary.BigEndian.AppendUint32(b, uint32(headerSize+len(p.body)))
	b = binary.BigEndian.AppendUint32(b, p.id)
	b = binary.BigEndian.AppendUint32(b, p.status)
	b = binary.BigEndian.AppendUint32(b, p.seq)
	return append(b, p.body...)
}

var errPDU = errors.New("not a PDU of SMPP")

// readPDU reads one; a length that no PDU has ends the session, because nothing after it can be trusted.
func readPDU(r io.Reader) (*pdu, error) {
	var h [headerSize]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(h[:])
	if n < headerSize || n > maxPDU {
		return nil, errPDU
	}
	p := &pdu{
		id: binary.BigEndian.Uint32(h[4:]), status: binary.BigEndian.Uint32(h[8:]), seq: binary.BigEndian.Uint32(h[12:]),
		body: make([]byte, n-headerSize),
	}
	_, err := io.ReadFull(r, p.body)
	return p, err
}

// fields reads a body from its front; after the first mistake everything is empty and ok is false.
type fields struct {
	b  []byte
	ok bool
}

func (f *fields) text(limit int) string {
	i := bytes.IndexByte(f.b, 0)
	if !f.ok || i < 0 || i >= limit {
		f.ok = false
		return ""
	}
	s := string(f.b[:i])
	f.b = f.b[i+1:]
	return s
}

func (f *fields) octet() byte {
	if !f.ok || len(f.b) == 0 {
		f.ok = false
		return 0
	}
	c := f.b[0]
	f.b = f.b[1:]
	return c
}

func (f *fields) take(n int) []byte {
	if !f.ok || len(f.b) < n {
		f.ok = false
		return nil
	}
	b := f.b[:n]
	f.b = f.b[n:]
	return b
}

// bindBody is the body of a bind.
func bindBody(cfg *Config) []byte {
	var b []byte
	for _, s := range []string{cfg.SystemID, string(cfg.Password), cfg.SystemType} {
		b = append(append(b, s...), 0)
	}
	return append(b, 0x34, 0, 0, 0) // version, and no address range
}

// submission is what a submit says.
type submission struct {
	ton, npi       byte
	from, to       string
	class, coding  byte
	validity       string
	receipt        bool
	text           []byte
	userDataHeader bool
}

func (s *submission) body() []byte {
	b := make([]byte, 0, 64+len(s.text))
	b = append(b, 0, s.ton, s.npi) // service_type
	b = append(append(b, s.from...), 0)
	b = append(b, 1, 1) // international, ISDN
	b = append(append(b, s.to...), 0)
	class := s.class
	if s.userDataHeader {
		class |= 0x40
	}
	b = append(b, class, 0, 0, 0) // protocol_id, priority_flag, schedule_delivery_time
	b = append(append(b, s.validity...), 0)
	registered := byte(0)
	if s.receipt {
		registered = 1 // on success and on failure
	}
	b = append(b, registered, 0, s.coding, 0, byte(len(s.text))) // replace_if_present_flag, sm_default_msg_id
	return append(b, s.text...)
}

// delivery is a deliver_sm: a receipt, or a message that a person sent.
type delivery struct {
	from, to      string
	class, coding byte
	text          []byte
	receiptedID   string
	state         byte // 0 when it is not said
}

// receipt says whether it is one (SMPP 3.4, 5.2.12).
func (d *delivery) receipt() bool { return d.class&0x3c == 0x04 }

func parseDelivery(body []byte) (*delivery, bool) {
	f := &fields{b: body, ok: true}
	d := &delivery{}
	f.text(6)
	f.take(2)
	d.from = f.text(21)
	f.take(2)
	d.to = f.text(21)
	d.class = f.octet()
	f.take(2)
	f.text(17)
	f.text(17)
	f.take(2)
	d.coding = f.octet()
	f.octet()
	d.text = f.take(int(f.octet()))
	for f.ok && len(f.b) > 0 {
		head := f.take(4)
		if !f.ok {
			break
		}
		value := f.take(int(binary.BigEndian.Uint16(head[2:])))
		if !f.ok {
			break
		}
		switch binary.BigEndian.Uint16(head) {
		case tagReceiptedID:
			d.receiptedID = string(bytes.TrimRight(value, "\x00"))
		case tagMessagePayload:
			d.text = value
		case tagMessageState:
			if len(value) == 1 {
				d.state = value[0]
			}
		}
	}
	return d, f.ok
}
