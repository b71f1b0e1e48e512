package sinchauth

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"time"
)

// Level is how strongly a request says who sent it.
type Level uint8

// The levels, weakest first. The zero value is none, so that a forgotten setting opens nothing.
const (
	LevelPublic      Level = iota + 1 // a key only: anybody can know it
	LevelBasic                        // key and secret in clear
	LevelApplication                  // signed
)

// String is the level's name in the configuration.
func (l Level) String() string {
	switch l {
	case LevelPublic:
		return "public"
	case LevelBasic:
		return "basic"
	case LevelApplication:
		return "application"
	}
	return "unknown"
}

// authorization is a parsed Authorization header: what is claimed, not yet believed.
type authorization struct {
	Level     Level
	Key       string
	signature [sha256.Size]byte // LevelApplication
	secret    string            // LevelBasic
}

// maxHeader bounds what is parsed at all. The longest true header is below 200 bytes.
const maxHeader = 1024

// parseAuthorization reads the three forms that the protocol knows. The scheme's case does not matter: requests
// come with "Application", callbacks with "application".
func parseAuthorization(header string) (authorization, error) {
	if header == "" {
		return authorization{}, ErrMissing
	}
	scheme, value, ok := strings.Cut(header, " ")
	if len(header) > maxHeader || !ok {
		return authorization{}, ErrMalformed
	}
	switch {
	case strings.EqualFold(scheme, "application"):
		return parseApplication(value)
	case strings.EqualFold(scheme, "basic"):
		return parseBasic(value)
	}
	return authorization{}, ErrMalformed
}

func parseApplication(value string) (authorization, error) {
	key, text, signed := strings.Cut(value, ":")
	if !validKey(key) {
		return authorization{}, ErrMalformed
	}
	if !signed {
		return authorization{Level: LevelPublic, Key: key}, nil
	}
	a := authorization{Level: LevelApplication, Key: key}
	// Strict: one signature has one spelling, or the memory of replays could be walked around. The length is checked
	// first, because the decoder skips line breaks.
	if len(text) != base64.StdEncoding.EncodedLen(sha256.Size) {
		return authorization{}, ErrMalformed
	}
	var sum [sha256.Size + 1]byte
	n, err := base64.StdEncoding.Strict().Decode(sum[:], []byte(text))
	if err != nil || n != sha256.Size {
		return authorization{}, ErrMalformed
	}
	copy(a.signature[:], sum[:])
	return a, nil
}

func parseBasic(value string) (authorization, error) {
	plain, err := base64.StdEncoding.DecodeString(value)
	if err != nil {
		return authorization{}, ErrMalformed
	}
	key, secret, ok := strings.Cut(string(plain), ":")
	if !ok || !validKey(key) {
		return authorization{}, ErrMalformed
	}
	return authorization{Level: LevelBasic, Key: key, secret: secret}, nil
}

// validKey accepts what can name an application: visible ASCII without the separators.
func validKey(key string) bool {
	if key == "" || len(key) > 128 {
		return false
	}
	for i := range len(key) {
		if c := key[i]; c <= ' ' || c > '~' || c == ':' {
			return false
		}
	}
	return true
}

// ParseTimestamp reads an x-timestamp in any form that the vendor's libraries send: RFC 3339 with no or up to nine
// fraction digits, in Z or +00:00.
func ParseTimestamp(text string) (time.Time, error) {
	if text == "" || len(text) > 40 || strings.IndexByte(text, ',') >= 0 {
		return time.Time{}, ErrTimestamp
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}, ErrTimestamp
	}
	return t, nil
}
