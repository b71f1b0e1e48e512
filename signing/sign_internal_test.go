package signing

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/hex"
	"testing"
)

// The vector of RFC 6979, A.2.5, for SHA-256 and the message "sample".
func TestSignaturesAreThoseOfRFC6979(t *testing.T) {
	scalar, err := hex.DecodeString("c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721")
	if err != nil {
		t.Fatal(err)
	}
	private, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), scalar)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256([]byte("sample"))
	got, err := sign(private, &digest)
	if err != nil {
		t.Fatal(err)
	}
	const want = "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716" +
		"f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"
	if hex.EncodeToString(got[:]) != want {
		t.Errorf("signature %x, want %s", got, want)
	}
}
