package storetest

import (
	"crypto/rand"
	"encoding/base32"
	"fmt"
	"time"

	"countersign"
)

// The defaults of the records that the suite makes.
const (
	testApp      = "app-one"
	otherApp     = "app-two"
	rightCode    = "314159"
	wrongCode    = "271828"
	testLifetime = 300 * time.Second
	testLease    = 10 * time.Second
)

// NewPhone draws the keyed hash of a phone that nobody has used.
func NewPhone() countersign.Hash {
	var h countersign.Hash
	rand.Read(h[:]) // never fails (crypto/rand, since Go 1.24)
	return h
}

// NewID draws a valid verification id in the phone's shard.
func NewID(phone countersign.Hash) string {
	var b [16]byte
	rand.Read(b[:]) // never fails (crypto/rand, since Go 1.24)
	enc := base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)
	return "ver_" + phone.Shard() + enc.EncodeToString(b[:])
}

// NewKeyring draws a ring with one key of each use.
func NewKeyring() (*countersign.Keyring, error) {
	began := time.Unix(0, 0)
	var keys []countersign.Key
	for _, use := range []countersign.KeyUse{countersign.KeyCode, countersign.KeyTag, countersign.KeySeal, countersign.KeyPhone} {
		key, err := countersign.NewKey(use, 1, began)
		if err != nil {
			return nil, fmt.Errorf("making a test key: %w", err)
		}
		keys = append(keys, key)
	}
	return countersign.NewKeyring(keys, began.Add(time.Second))
}

// NewBegin makes a start of a verification whose code is the given one: six digits, five checks, three sends,
// exempt from the send limits.
func NewBegin(ring *countersign.Keyring, app string, phone countersign.Hash, code string) *countersign.Begin {
	id := NewID(phone)
	return &countersign.Begin{
		Record: &countersign.Record{
			ID: id, App: app, Purpose: countersign.PurposeLogin, Channel: countersign.ChannelSMS, Face: countersign.FaceREST,
			Phone: phone, Country: "DE", Alphabet: countersign.Digits, Length: len(code),
			CodeKey: 1, Nonce: []byte("0123456789abcdef"), Tag: ring.NewTag(app, id, countersign.NewCode(code)),
			Sealed: []byte("sealed bytes of " + id), MaxChecks: countersign.MaxChecks, MaxSends: 3,
		},
		Lifetime: testLifetime, Lease: testLease, Exempt: true,
	}
}

// NewCheck makes the check of a typed code against one verification.
func NewCheck(ring *countersign.Keyring, app, id, typed string) (*countersign.Check, error) {
	guess, err := countersign.ParseGuess(typed)
	if err != nil {
		return nil, fmt.Errorf("a test's guess: %w", err)
	}
	return &countersign.Check{
		App: app, ID: id, Tags: ring.TagsFor(app, id, guess), Shape: guess.Shape(), Length: guess.Len(),
		JTI: "prf_" + id[4:], Lease: 5 * time.Second,
	}, nil
}

// request makes the request memory's key and body from two words.
func request(key, body string) countersign.Request {
	var r countersign.Request
	copy(r.Key[:], "k:"+key)
	copy(r.Body[:], "b:"+body)
	return r
}

// hash makes a look-up hash from a word.
func hash(word string) countersign.Hash {
	var h countersign.Hash
	copy(h[:], "h:"+word)
	return h
}
