package providertest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"countersign"
	"countersign/phone"
)

// NewMessage makes the i-th of different messages: its own ids, number and code.
func NewMessage(i int) *countersign.Message {
	n, err := phone.FromE164(fmt.Sprintf("+1415555%04d", 100+i%400))
	if err != nil {
		panic("providertest: " + err.Error())
	}
	code := fmt.Sprintf("%06d", 741852+i)
	return &countersign.Message{
		ID: "msg_" + digits32(i), Verification: "ver_0af" + digits32(i), App: "demo", To: countersign.PhoneAddress(n),
		Channel: countersign.ChannelSMS, Purpose: countersign.PurposeLogin, Text: "Demo: " + code + " is your code.",
		Code: countersign.NewCode(code), Alphabet: countersign.Digits, Locale: "en", Lifetime: 5 * time.Minute, Attempt: 1,
	}
}

// digits32 writes i as the 26 characters of an id.
func digits32(i int) string {
	const chars = "abcdefghijklmnopqrstuvwxyz234567"
	b := []byte(strings.Repeat("a", 26))
	for at := len(b) - 1; i > 0; at-- {
		b[at] = chars[i%32]
		i /= 32
	}
	return string(b)
}

// Sink is a countersign.ReceiptSink that keeps what it is given.
type Sink struct {
	mu       sync.Mutex
	err      error
	receipts []countersign.Receipt
}

var _ countersign.ReceiptSink = (*Sink)(nil)

// Fail lets the next receipts fail with err, or succeed again when it is nil.
func (s *Sink) Fail(err error) {
	s.mu.Lock()
	s.err = err
	s.mu.Unlock()
}

// Receipts lists what came, oldest first.
func (s *Sink) Receipts() []countersign.Receipt {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]countersign.Receipt(nil), s.receipts...)
}

// TakeReceipt implements countersign.ReceiptSink.
func (s *Sink) TakeReceipt(_ context.Context, r countersign.Receipt) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	s.receipts = append(s.receipts, r)
	return nil
}

// TakeOutcome implements countersign.ReceiptSink.
func (*Sink) TakeOutcome(context.Context, string, countersign.Status) error { return nil }

// TakeReply implements countersign.ReceiptSink.
func (*Sink) TakeReply(context.Context, string, countersign.Address, string) error { return nil }

// CodeFor implements countersign.ReceiptSink; it knows no code.
func (*Sink) CodeFor(context.Context, string, countersign.Address) (countersign.Code, time.Duration, error) {
	return countersign.Code{}, 0, countersign.ErrNotFound
}
