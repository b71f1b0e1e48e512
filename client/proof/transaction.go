package proof

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
)

// Transaction is what somebody approved. Fill it from what you are about to carry out, never from what a browser sent.
type Transaction struct {
	Payee    string
	Amount   string // exactly the text that was given at the start
	Currency string
}

// Hash is SHA-256 over the canonical JSON (RFC 8785).
func (t *Transaction) Hash() []byte {
	b := appendString([]byte(`{"amount":`), t.Amount)
	b = appendString(append(b, `,"currency":`...), t.Currency)
	b = appendString(append(b, `,"payee":`...), t.Payee)
	sum := sha256.Sum256(append(b, '}'))
	return sum[:]
}

func (t *Transaction) text() string {
	if t == nil {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(t.Hash())
}

// appendString writes a string as RFC 8785, 3.2.2.2 wants it.
func appendString(b []byte, s string) []byte {
	short := map[byte]string{'"': `\"`, '\\': `\\`, '\b': `\b`, '\t': `\t`, '\n': `\n`, '\f': `\f`, '\r': `\r`}
	b = append(b, '"')
	for i := range len(s) {
		switch escape, special := short[s[i]]; {
		case special:
			b = append(b, escape...)
		case s[i] < 0x20:
			b = fmt.Appendf(b, `\u%04x`, s[i])
		default:
			b = append(b, s[i])
		}
	}
	return append(b, '"')
}
