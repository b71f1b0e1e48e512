package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// This file signs and recognises requests by Standard Webhooks: HMAC-SHA256 over "id.timestamp.body", base64, under
// version v1. Comparison is in constant time; a request has one value of each header, or it is refused.

// The headers of Standard Webhooks.
const (
	HeaderID        = "Webhook-Id"
	HeaderTimestamp = "Webhook-Timestamp"
	HeaderSignature = "Webhook-Signature"
)

// Tolerance is how far a receipt's time may be from ours.
const Tolerance = 5 * time.Minute

const (
	secretPrefix   = "whsec_"
	minSecret      = 24
	maxSecret      = 64
	maxHeaderID    = 256
	maxSignatures  = 10
	signatureStart = "v1,"
)

// Secret is a signing key. It prints hidden.
type Secret struct{ key []byte }

// ParseSecret reads a secret: "whsec_" and 24 to 64 bytes in base64.
func ParseSecret(text string) (Secret, error) {
	encoded, ok := strings.CutPrefix(text, secretPrefix)
	if !ok {
		return Secret{}, errors.New("must begin with whsec_")
	}
	key, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil {
		return Secret{}, errors.New("must be base64 after whsec_")
	}
	if len(key) < minSecret || len(key) > maxSecret {
		return Secret{}, errors.New("must hold 24 to 64 bytes")
	}
	return Secret{key}, nil
}

// String hides the secret.
func (Secret) String() string { return "(secret)" }

// GoString hides the secret from %#v.
func (Secret) GoString() string { return "(secret)" }

// LogValue hides the secret from slog.
func (Secret) LogValue() slog.Value { return slog.StringValue("(secret)") }

// MarshalText hides the secret from every encoder.
func (Secret) MarshalText() ([]byte, error) { return []byte("(secret)"), nil }

func (s Secret) isZero() bool { return len(s.key) == 0 }

func (s Secret) mac(id, timestamp string, body []byte) []byte {
	m := hmac.New(sha256.New, s.key)
	m.Write([]byte(id))
	m.Write([]byte{'.'})
	m.Write([]byte(timestamp))
	m.Write([]byte{'.'})
	m.Write(body)
	return m.Sum(nil)
}

// Sign sets the three headers on a request whose body this is. Several secrets give several signatures, so that a
// receiver can change from one to the other.
func Sign(h http.Header, id string, at time.Time, body []byte, secrets ...Secret) {
	timestamp := strconv.FormatInt(at.Unix(), 10)
	var b strings.Builder
	for i, s := range secrets {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(signatureStart)
		b.WriteString(base64.StdEncoding.EncodeToString(s.mac(id, timestamp, body)))
	}
	h[HeaderID] = []string{id}
	h[HeaderTimestamp] = []string{timestamp}
	h[HeaderSignature] = []string{b.String()}
}

// errUnsigned is the one answer to every wrong signature: which part was wrong helps only a forger.
var errUnsigned = errors.New("the signature is missing, wrong or out of date")

// Verify returns the id of a request that one of the secrets signed within Tolerance of now.
func Verify(h http.Header, body []byte, now time.Time, secrets ...Secret) (id string, err error) {
	id, okID := single(h, HeaderID)
	timestamp, okTime := single(h, HeaderTimestamp)
	signatures, okSignature := single(h, HeaderSignature)
	if !okID || !okTime || !okSignature || !validID(id) {
		return "", errUnsigned
	}
	at, ok := parseTimestamp(timestamp)
	if !ok || now.Sub(at).Abs() > Tolerance {
		return "", errUnsigned
	}
	given := parseSignatures(signatures)
	for _, s := range secrets {
		if s.isZero() {
			continue
		}
		want := s.mac(id, timestamp, body)
		for _, g := range given {
			if hmac.Equal(g, want) {
				return id, nil
			}
		}
	}
	return "", errUnsigned
}

func single(h http.Header, name string) (string, bool) {
	v := h[name]
	return strings.Join(v, ""), len(v) == 1
}

// validID accepts visible ASCII without a full stop: a stop in the id would let bytes move between id and timestamp.
func validID(s string) bool {
	if s == "" || len(s) > maxHeaderID {
		return false
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' || s[i] == '.' {
			return false
		}
	}
	return true
}

// parseTimestamp reads whole seconds: digits only, no sign, no leading zero.
func parseTimestamp(s string) (time.Time, bool) {
	if s == "" || len(s) > 12 || s[0] == '0' {
		return time.Time{}, false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return time.Time{}, false
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return time.Unix(n, 0), err == nil
}

// parseSignatures reads the v1 signatures of a list; other versions are not ours to judge. A list longer than
// anybody needs is cut, so that one request costs a bounded number of comparisons.
func parseSignatures(s string) [][]byte {
	var list [][]byte
	for n := 0; n < maxSignatures && s != ""; n++ {
		var one string
		one, s, _ = strings.Cut(s, " ")
		encoded, ok := strings.CutPrefix(one, signatureStart)
		if !ok || len(encoded) != base64.StdEncoding.EncodedLen(sha256.Size) {
			continue
		}
		if mac, err := base64.StdEncoding.Strict().DecodeString(encoded); err == nil {
			list = append(list, mac)
		}
	}
	return list
}
