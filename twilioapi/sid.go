package twilioapi

import (
	"crypto/aes"
	"crypto/rand"
	"encoding/hex"

	"countersign"
)

// A SID of the vendor's form has 128 bits: here the shard (12), the id's own part (112) and a digit (4), under one block of
// AES with a key of the app and service. The digit is 0 for a verification and n for its n-th send.

func (f *Face) block(app, service string, encrypt bool, b *[aes.BlockSize]byte) {
	key := f.cfg.Keys().LookupHash("twilio sid", app, service)
	c, err := aes.NewCipher(key[:])
	if err != nil {
		panic("a hash of 16 bytes is a key of AES: " + err.Error())
	}
	if encrypt {
		c.Encrypt(b[:], b[:])
	} else {
		c.Decrypt(b[:], b[:])
	}
}

// sidOf is a verification's SID, or that of its n-th send. "" for one that was not begun on this face.
func (f *Face) sidOf(prefix, app, service, id string, n int) string {
	shard, part, ok := countersign.PackID(id)
	if !ok || n < 0 || n > 15 {
		return ""
	}
	text := shard + hex.EncodeToString(part[:]) + "0123456789abcdef"[n:n+1]
	var b [aes.BlockSize]byte
	if _, err := hex.Decode(b[:], []byte(text)); err != nil {
		return ""
	}
	f.block(app, service, true, &b)
	return prefix + hex.EncodeToString(b[:])
}

// idOf is the way back. What is not of the form, or not one of this app and service, names nothing.
func (f *Face) idOf(prefix, app, service, sid string) (id string, transaction bool, n int, ok bool) {
	if !sidForm(prefix, sid) {
		return "", false, 0, false
	}
	var b [aes.BlockSize]byte
	if _, err := hex.Decode(b[:], []byte(sid[2:])); err != nil {
		return "", false, 0, false
	}
	f.block(app, service, false, &b)
	text := hex.EncodeToString(b[:])
	part, err := hex.DecodeString(text[3:31])
	if err != nil {
		return "", false, 0, false
	}
	id, transaction = countersign.UnpackID(text[:3], [14]byte(part))
	digit := int(b[15] & 0xf)
	return id, transaction, digit, (prefix == "VE") == (digit == 0)
}

func sidForm(prefix, sid string) bool {
	if len(sid) != 34 || sid[:2] != prefix {
		return false
	}
	for i := 2; i < len(sid); i++ {
		if c := sid[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
			return false
		}
	}
	return true
}

// newSID names what is kept as an object.
func newSID(prefix string) string {
	var b [16]byte
	rand.Read(b[:]) // never fails (crypto/rand, since Go 1.24)
	return prefix + hex.EncodeToString(b[:])
}
