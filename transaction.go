package countersign

import (
	"crypto/sha256"
	"fmt"
)

// Hash is SHA-256 over the transaction's canonical JSON (RFC 8785): members sorted by name, no spaces, the
// fewest escapes. Whoever verifies a proof offline computes the same from what he is about to carry out.
func (t *Transaction) Hash() []byte {
	b := []byte(`{"amount":`)
	b = appendCanonical(b, t.Amount)
	b = append(b, `,"currency":`...)
	b = appendCanonical(b, t.Currency)
	b = append(b, `,"payee":`...)
	b = appendCanonical(b, t.Payee)
	b = append(b, '}')
	sum := sha256.Sum256(b)
	return sum[:]
}

// appendCanonical writes a string as RFC 8785, 3.2.2.2 wants it.
func appendCanonical(b []byte, s string) []byte {
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\b':
			b = append(b, `\b`...)
		case '\t':
			b = append(b, `\t`...)
		case '\n':
			b = append(b, `\n`...)
		case '\f':
			b = append(b, `\f`...)
		case '\r':
			b = append(b, `\r`...)
		default:
			if c < 0x20 {
				b = fmt.Appendf(b, `\u%04x`, c)
			} else {
				b = append(b, c)
			}
		}
	}
	return append(b, '"')
}
