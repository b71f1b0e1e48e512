package countersign

import (
	"crypto/rand"
	"encoding/base32"
)

// Identifiers carry a prefix that says what they name and 128 random bits (OWASP ASVS 11.5.1), in lower-case
// base32. A verification's also carries its shard, so that a check by id finds the right Redis slot.
const (
	verificationPrefix = "ver_"
	messagePrefix      = "msg_"
	proofPrefix        = "prf_"
	randomChars        = 26
	shardChars         = 3
)

var base32Lower = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

func newID(prefix string) string {
	var b [16]byte
	rand.Read(b[:]) // never fails (crypto/rand, since Go 1.24)
	return prefix + base32Lower.EncodeToString(b[:])
}

// ValidVerificationID says whether a text could be a verification's id: exact, case-sensitive. What is not goes
// into no key and no query.
func ValidVerificationID(s string) bool {
	if len(s) != len(verificationPrefix)+shardChars+randomChars || s[:len(verificationPrefix)] != verificationPrefix {
		return false
	}
	for i := len(verificationPrefix); i < len(s); i++ {
		c := s[i]
		digit, letter := '0' <= c && c <= '9', 'a' <= c && c <= 'z'
		if i < len(verificationPrefix)+shardChars {
			letter = 'a' <= c && c <= 'f'
		} else {
			digit = '2' <= c && c <= '7'
		}
		if !digit && !letter {
			return false
		}
	}
	return true
}

// ShardOf is the shard in a verification's id, which must be valid.
func ShardOf(id string) string {
	return id[len(verificationPrefix) : len(verificationPrefix)+shardChars]
}

// randomNonce is what makes two verifications of one phone have unrelated codes.
func randomNonce() []byte {
	b := make([]byte, 16)
	rand.Read(b) // never fails (crypto/rand, since Go 1.24)
	return b
}

// Prefixes of what belongs to people.
const (
	userPrefix    = "usr_"
	sessionPrefix = "ses_"
	factorPrefix  = "fac_"
)

// ValidUserID says whether a text could be a user's id.
func ValidUserID(s string) bool { return plainID(s, userPrefix) }

// ValidSessionID says whether a text could be a session's id.
func ValidSessionID(s string) bool { return plainID(s, sessionPrefix) }

func plainID(s, prefix string) bool {
	if len(s) != len(prefix)+randomChars || s[:len(prefix)] != prefix {
		return false
	}
	for i := len(prefix); i < len(s); i++ {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '2' || c > '7') {
			return false
		}
	}
	return true
}

// NewFactorID draws the id of a factor.
func NewFactorID() string { return newID(factorPrefix) }

// ValidFactorID says whether a text could be a factor's id.
func ValidFactorID(s string) bool { return plainID(s, factorPrefix) }
