package countersign

import (
	"crypto/sha256"
	"encoding/binary"
	"log/slog"
	"strings"
)

// This file derives codes and recognises guesses.
//
// A code is never stored and never drawn twice: it is a function of a server key and of what the verification
// is (app, id, phone, purpose, transaction and a random nonce), so a resend, a failover or a restarted process
// sends the same one. What the store holds is a tag, keyed with another key. Both are bound to everything
// that the answer will be worth something for, so a code of one verification fails on any other (INV-17).

// Code is the secret that the person types. It prints as "(code)" everywhere; Reveal is the one way to the text.
type Code struct{ text string }

// NewCode wraps a code that came from elsewhere: a hosted provider's, or a test number's fixed one.
func NewCode(text string) Code { return Code{text} }

// Reveal is the code itself, for a message's text and for nothing else.
func (c Code) Reveal() string { return c.text }

// String hides the code.
func (Code) String() string { return "(code)" }

// GoString hides the code from %#v.
func (Code) GoString() string { return "(code)" }

// LogValue hides the code from slog.
func (Code) LogValue() slog.Value { return slog.StringValue("(code)") }

// MarshalText hides the code from JSON and every other encoder.
func (Code) MarshalText() ([]byte, error) { return []byte("(code)"), nil }

// Alphabet is the set of characters a code is drawn from.
type Alphabet uint8

// The alphabets. The letters leave out those that are taken for others when read aloud or typed (0 O, 1 I L).
const (
	Digits       Alphabet = 1
	Letters      Alphabet = 2
	Alphanumeric Alphabet = 3
)

// Bounds of a code's length. Six digits are the least of NIST SP 800-63B-4, 3.1.3.2.
const (
	MinCodeLength = 6
	MaxCodeLength = 10
)

// Characters lists the alphabet.
func (a Alphabet) Characters() string {
	switch a {
	case Letters:
		return "ABCDEFGHJKMNPQRSTUVWXYZ"
	case Alphanumeric:
		return "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
	}
	return "0123456789"
}

// CodeSubject is everything that a code is bound to.
type CodeSubject struct {
	App     string
	ID      string
	Phone   string // E.164, or the mailbox
	Purpose Purpose
	TxnHash []byte // SHA-256 of the canonical transaction; nil without one
	Nonce   []byte // the verification's own random bytes
}

// deriveCode draws a code of n characters, uniform over the alphabet: bytes that would bias the draw are
// rejected, and the stream of bytes is HMAC in counter mode, so it never runs out (INV-16).
func deriveCode(key *hashers, s CodeSubject, a Alphabet, n int) Code {
	chars := a.Characters()
	limit := 256 - 256%len(chars)
	h := key.get()
	defer key.put(h)
	h.buf = appendPrefixed(h.buf[:0], "code", s.App, s.ID, s.Phone, string(s.Purpose), string(s.TxnHash), string(s.Nonce))
	seed := len(h.buf)
	out := make([]byte, 0, MaxCodeLength)
	var block [sha256.Size]byte
	for counter := uint32(0); len(out) < n; counter++ {
		h.mac.Reset()
		h.buf = binary.BigEndian.AppendUint32(h.buf[:seed], counter)
		h.mac.Write(h.buf)
		for _, b := range h.mac.Sum(block[:0]) {
			if int(b) < limit && len(out) < n {
				out = append(out, chars[int(b)%len(chars)])
			}
		}
	}
	return Code{string(out)}
}

// TagSize is the size of a code's tag in bytes.
const TagSize = 16

// deriveTag is what a store keeps of a code. It needs no phone, so that a check can be made from the id alone.
func deriveTag(key *hashers, app, id, code string) [TagSize]byte {
	h := key.get()
	defer key.put(h)
	h.buf = appendPrefixed(h.buf[:0], "tag", app, id, code)
	h.mac.Write(h.buf)
	var sum [sha256.Size]byte
	return [TagSize]byte(h.mac.Sum(sum[:0])[:TagSize])
}

// appendPrefixed joins parts so that no two lists of parts give the same bytes.
func appendPrefixed(b []byte, parts ...string) []byte {
	for _, p := range parts {
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(p))), p...)
	}
	return b
}

// Guess is what somebody typed, in canonical form: one spelling of a code is one guess. It prints hidden.
type Guess struct {
	text  string
	shape Shape
}

// Shape says which codes a guess could be at all. A store refuses a guess of another shape without counting it.
type Shape uint8

// The shapes, as bits: "23" is both a run of digits and a run of letters-or-digits.
const (
	ShapeDigits  Shape = 1 << iota // ASCII digits only
	ShapeLetters                   // letters only
	ShapeMixed                     // both
	ShapeCaller                    // a caller's number: + and digits
)

// ParseGuess reads a typed code: at most 16 bytes, where spaces and hyphens are dropped; then ASCII letters and
// digits only, or, for a flash call, a + and digits. Letters are raised: nobody is told which case counts.
func ParseGuess(text string) (Guess, error) {
	bad := &Error{Kind: ErrInvalidCode, Pointer: "/code", Detail: "This does not look like a code. Type the digits or letters of the message, nothing else."}
	if len(text) == 0 || len(text) > 16 {
		return Guess{}, bad
	}
	var b strings.Builder
	digits, letters, plus := 0, 0, false
	for i := range len(text) {
		switch c := text[i]; {
		case c == ' ' || c == '-':
		case c == '+' && b.Len() == 0:
			plus = true
			b.WriteByte(c)
		case '0' <= c && c <= '9':
			digits++
			b.WriteByte(c)
		case 'a' <= c && c <= 'z':
			letters++
			b.WriteByte(c - 'a' + 'A')
		case 'A' <= c && c <= 'Z':
			letters++
			b.WriteByte(c)
		default:
			return Guess{}, bad
		}
	}
	g := Guess{text: b.String()}
	switch {
	case plus && letters == 0 && digits > 0:
		g.shape = ShapeCaller
	case plus || digits+letters == 0:
		return Guess{}, bad
	case letters == 0:
		g.shape = ShapeDigits
	case digits == 0:
		g.shape = ShapeLetters
	default:
		g.shape = ShapeMixed
	}
	return g, nil
}

// Len is the number of characters.
func (g Guess) Len() int { return len(g.text) }

// Shape is what the guess is made of.
func (g Guess) Shape() Shape { return g.shape }

// Reveal is the guess itself, for a hosted provider's report and for nothing else.
func (g Guess) Reveal() string { return g.text }

// String hides the guess: a wrong guess is often the right code of something else.
func (Guess) String() string { return "(guess)" }

// GoString hides the guess from %#v.
func (Guess) GoString() string { return "(guess)" }

// LogValue hides the guess from slog.
func (Guess) LogValue() slog.Value { return slog.StringValue("(guess)") }

// MarshalText hides the guess from every encoder.
func (Guess) MarshalText() ([]byte, error) { return []byte("(guess)"), nil }

// Fits says whether a guess has the shape of a code of this alphabet and length.
func (g Guess) Fits(a Alphabet, length int) bool { return FitsShape(g.shape, len(g.text), a, length) }

// FitsShape is the rule of Fits on bare values; every store applies exactly this one.
func FitsShape(s Shape, n int, a Alphabet, length int) bool {
	if n != length {
		return false
	}
	switch a {
	case Digits:
		return s == ShapeDigits
	case Letters:
		return s == ShapeLetters
	}
	return s == ShapeDigits || s == ShapeLetters || s == ShapeMixed
}
