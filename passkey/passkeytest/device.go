// Package passkeytest is a device with passkeys in software, for tests: it answers options as a browser does with an
// authenticator behind it (WebAuthn Level 3, ES256, no attestation), and can be made to lie in every way that matters.
package passkeytest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// Device holds passkeys. Its fields say how it behaves and may be changed between answers.
type Device struct {
	Origin string // of the page that asks
	// RPID is for whom it answers; "" is whom the options name.
	RPID     string
	Locked   bool   // it answers without having been unlocked
	Away     bool   // it answers without anybody touching it
	Step     uint32 // what each signature adds to the counter; 0: the device does not count
	Synced   bool   // its passkeys may be copied
	BackedUp bool
	Framed   bool   // the page stands in one of another site
	Nameless bool   // it leaves the user's handle out
	ForcedID []byte // the id of the next passkey; nil for one of its own
	// Change is called on what the browser says before it is signed.
	Change func(clientData map[string]any)

	Keys []*Key
}

// Key is one passkey.
type Key struct {
	ID, Handle []byte
	RPID       string
	Counter    uint32
	private    *ecdsa.PrivateKey
}

// Clone is a copy of the key, as a thief has it.
func (k *Key) Clone() *Key {
	c := *k
	return &c
}

// ErrNone says that the device has no passkey that was asked for, or has one that must not be there twice.
var ErrNone = errors.New("no passkey here")

type descriptor struct {
	ID string `json:"id"`
}

// options are those of both kinds, as far as the device reads them.
type options struct {
	Challenge string `json:"challenge"`
	RPID      string `json:"rpId"`
	RP        struct {
		ID string `json:"id"`
	} `json:"rp"`
	User struct {
		ID string `json:"id"`
	} `json:"user"`
	Allow   []descriptor `json:"allowCredentials"`
	Exclude []descriptor `json:"excludeCredentials"`
}

var b64 = base64.RawURLEncoding

func has(list []descriptor, id []byte) bool {
	return slices.ContainsFunc(list, func(d descriptor) bool { return d.ID == b64.EncodeToString(id) })
}

// Create makes a passkey and answers as toJSON does.
func (d *Device) Create(creationOptions []byte) ([]byte, error) {
	var o options
	if err := json.Unmarshal(creationOptions, &o); err != nil {
		return nil, err
	}
	for _, k := range d.Keys {
		if has(o.Exclude, k.ID) {
			return nil, fmt.Errorf("creating: %w", ErrNone)
		}
	}
	handle, err := b64.DecodeString(o.User.ID)
	if err != nil {
		return nil, err
	}
	k := &Key{ID: make([]byte, 16), Handle: handle, RPID: d.rpID(o.RP.ID), Counter: d.Step}
	rand.Read(k.ID)
	if d.ForcedID != nil {
		k.ID = d.ForcedID
	}
	if k.private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, err
	}
	client, err := d.clientData("webauthn.create", o.Challenge)
	if err != nil {
		return nil, err
	}
	d.Keys = append(d.Keys, k)
	auth := d.authData(k, 0x40)
	auth = append(auth, make([]byte, 16)...) // AAGUID
	auth = binary.BigEndian.AppendUint16(auth, uint16(len(k.ID)))
	auth = append(append(auth, k.ID...), k.cose()...)
	return json.Marshal(map[string]any{
		"id": b64.EncodeToString(k.ID), "rawId": b64.EncodeToString(k.ID), "type": "public-key",
		"authenticatorAttachment": "platform", "clientExtensionResults": map[string]any{"credProps": map[string]any{"rk": true}},
		"response": map[string]any{
			"clientDataJSON": b64.EncodeToString(client), "attestationObject": b64.EncodeToString(attestation(auth)), "transports": []string{"internal"},
		},
	})
}

// Get uses a passkey and answers as toJSON does.
func (d *Device) Get(requestOptions []byte) ([]byte, error) {
	var o options
	if err := json.Unmarshal(requestOptions, &o); err != nil {
		return nil, err
	}
	for _, k := range d.Keys {
		if k.RPID == o.RPID && (len(o.Allow) == 0 || has(o.Allow, k.ID)) {
			return d.Use(k, o.Challenge)
		}
	}
	return nil, ErrNone
}

// Use answers with one of the keys.
func (d *Device) Use(k *Key, challenge string) ([]byte, error) {
	client, err := d.clientData("webauthn.get", challenge)
	if err != nil {
		return nil, err
	}
	k.Counter += d.Step
	was := k.RPID
	k.RPID = d.rpID(k.RPID)
	auth := d.authData(k, 0)
	k.RPID = was
	sum := sha256.Sum256(client)
	digest := sha256.Sum256(append(slices.Clone(auth), sum[:]...))
	signature, err := ecdsa.SignASN1(rand.Reader, k.private, digest[:])
	if err != nil {
		return nil, err
	}
	response := map[string]any{
		"clientDataJSON": b64.EncodeToString(client), "authenticatorData": b64.EncodeToString(auth), "signature": b64.EncodeToString(signature),
	}
	if !d.Nameless {
		response["userHandle"] = b64.EncodeToString(k.Handle)
	}
	return json.Marshal(map[string]any{
		"id": b64.EncodeToString(k.ID), "rawId": b64.EncodeToString(k.ID), "type": "public-key",
		"authenticatorAttachment": "platform", "clientExtensionResults": map[string]any{}, "response": response,
	})
}

func (d *Device) rpID(asked string) string {
	if d.RPID != "" {
		return d.RPID
	}
	return asked
}

func (d *Device) clientData(kind, challenge string) ([]byte, error) {
	data := map[string]any{"type": kind, "challenge": challenge, "origin": d.Origin, "crossOrigin": d.Framed}
	if d.Change != nil {
		d.Change(data)
	}
	return json.Marshal(data)
}

// authData is what the authenticator says and signs (WebAuthn Level 3, 6.1).
func (d *Device) authData(k *Key, flags byte) []byte {
	for flag, on := range map[byte]bool{0x01: !d.Away, 0x04: !d.Locked, 0x08: d.Synced, 0x10: d.BackedUp} {
		if on {
			flags |= flag
		}
	}
	sum := sha256.Sum256([]byte(k.RPID))
	return binary.BigEndian.AppendUint32(append(sum[:], flags), k.Counter)
}

// cose is the public key as a COSE_Key: {1: 2 (EC2), 3: -7 (ES256), -1: 1 (P-256), -2: x, -3: y}.
func (k *Key) cose() []byte {
	point, err := k.private.PublicKey.Bytes()
	if err != nil {
		panic(err) // the key was made by this program
	}
	out := []byte{0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20}
	out = append(append(out, point[1:33]...), 0x22, 0x58, 0x20)
	return append(out, point[33:]...)
}

// attestation is an attestation object that attests nothing: {"fmt": "none", "attStmt": {}, "authData": …}.
func attestation(auth []byte) []byte {
	out := []byte("\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x59")
	return append(binary.BigEndian.AppendUint16(out, uint16(len(auth))), auth...)
}
