package sinchauth

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"log/slog"
	"strings"
)

// Secret is an application's secret. It prints as "(secret)" everywhere.
type Secret struct {
	text string // as displayed by the vendor: base64; Basic uses it as it is
	raw  []byte // decoded: the HMAC key
}

// ParseSecret reads a secret in base64, padded or not: the vendor's own samples come in both forms.
func ParseSecret(text string) (Secret, error) {
	raw, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "="))
	if err != nil || len(raw) == 0 {
		return Secret{}, errors.New("an application secret is base64 text, as the vendor's page shows it")
	}
	return Secret{text: text, raw: raw}, nil
}

// IsZero says whether there is no secret.
func (s Secret) IsZero() bool { return len(s.raw) == 0 }

// equalText compares with what a Basic header holds, in constant time whatever the lengths.
func (s Secret) equalText(given string) bool {
	a, b := sha256.Sum256([]byte(s.text)), sha256.Sum256([]byte(given))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1 && !s.IsZero()
}

// String hides the secret.
func (Secret) String() string { return "(secret)" }

// GoString hides the secret from %#v.
func (Secret) GoString() string { return "(secret)" }

// LogValue hides the secret from slog.
func (Secret) LogValue() slog.Value { return slog.StringValue("(secret)") }

// MarshalText hides the secret from every encoder.
func (Secret) MarshalText() ([]byte, error) { return []byte("(secret)"), nil }

// Credentials are an application's key and secret.
type Credentials struct {
	Key    string // the application key, in the form of a UUID
	Secret Secret
}
