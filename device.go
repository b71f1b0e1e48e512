package countersign

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"slices"
	"strings"
	"time"
)

// This file makes and reads device tokens: what an approved check leaves on a device, so that a stranger who uses up a
// phone's guesses and sends cannot keep its owner out. A token says which phone was proved, on which device and when;
// it is encrypted and signed by a seal key of the ring and bound to its app, so nothing is kept for it. It is no
// login and no factor: all it gives is guesses and sends of its own (see Device).

const (
	devicePrefix = "dev_"
	deviceSize   = 2*HashSize + 8           // the device, the phone, the milliseconds of its issue
	sealedDevice = 2 + 12 + deviceSize + 16 // with what Keyring.Seal adds
)

// deviceOwner binds a token to its app.
func deviceOwner(app string) string { return devicePrefix + app }

// newDeviceToken makes the token that an approval of r leaves. The same approval gives the same device however often it
// is answered; a device that was known before keeps its account.
func newDeviceToken(ring *Keyring, r *Record, known *Device) (string, error) {
	id := ring.LookupHash("device", r.App, r.ID, r.JTI)
	if known.proved(r.Phone) {
		id = known.ID
	}
	plain := make([]byte, 0, deviceSize)
	plain = append(plain, id[:]...)
	plain = append(plain, r.Phone[:]...)
	plain = binary.BigEndian.AppendUint64(plain, uint64(r.IssuedAt.UnixMilli()))
	sealed, err := ring.Seal(deviceOwner(r.App), plain)
	if err != nil {
		return "", err
	}
	return devicePrefix + base64.RawURLEncoding.EncodeToString(sealed), nil
}

// ValidDeviceToken says whether a text could be a device token.
func ValidDeviceToken(s string) bool {
	_, ok := sealedToken(s)
	return ok
}

func sealedToken(s string) ([]byte, bool) {
	text, ok := strings.CutPrefix(s, devicePrefix)
	if !ok || len(text) != base64.RawURLEncoding.EncodedLen(sealedDevice) {
		return nil, false
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(text)
	return sealed, err == nil
}

// device reads a request's token.
func (v *Verifier) device(ring *Keyring, app, token string) (*Device, error) {
	if token == "" {
		return nil, nil
	}
	return ReadDeviceToken(ring, app, token, v.Now())
}

// ReadDeviceToken says which device a token is of. One that is forged, too old, of another app or of a key that is gone
// is none: the device is then a stranger's, as if it had sent nothing. Whether the device was forgotten since, only the
// store's moves know. Text that is no token at all fails with ErrInvalidRequest.
func ReadDeviceToken(ring *Keyring, app, token string, now time.Time) (*Device, error) {
	sealed, ok := sealedToken(token)
	if !ok {
		return nil, &Error{Kind: ErrInvalidRequest, Pointer: "/device_token", Detail: "This is not a device token. Leave it out where there is none."}
	}
	plain, err := ring.Open(deviceOwner(app), sealed)
	if err != nil || len(plain) != deviceSize {
		return nil, nil
	}
	d := &Device{
		ID: Hash(plain[:HashSize]), Phone: Hash(plain[HashSize : 2*HashSize]),
		Issued: time.UnixMilli(int64(binary.BigEndian.Uint64(plain[2*HashSize:]))),
	}
	if now.Sub(d.Issued) >= DeviceLifetime {
		return nil, nil
	}
	return d, nil
}

// proved says whether this is a device that has proved the phone; nil is none.
func (d *Device) proved(phone Hash) bool { return d != nil && d.Phone == phone }

// recognised is a device whose token names an address by a former hash of it: it has proved the address all the same. Its
// guesses and sends of its own begin anew with its next token.
func recognised(ring *Keyring, d *Device, to Address, as Hash) *Device {
	if d == nil || d.Phone == as {
		return d
	}
	if d.Phone != ring.PhoneHash(to) && !slices.Contains(ring.FormerHashes(to), d.Phone) {
		return d
	}
	return asking(d, d.Phone, as)
}

// ForgetDevices makes every device that proved an address to this app until now a stranger's again: for when the
// number went to somebody else, or a device was lost.
func (v *Verifier) ForgetDevices(ctx context.Context, app *App, to Address) error {
	for _, phone := range hashes(v.cfg.Keys(), to) {
		if err := v.cfg.Store.ForgetDevices(ctx, app.ID, phone); err != nil {
			return err
		}
	}
	return nil
}
