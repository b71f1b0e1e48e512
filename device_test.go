package countersign_test

import (
	"encoding/base64"
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"countersign"
)

// on makes a start from a device.
func on(token string) func(*countersign.StartRequest) {
	return func(q *countersign.StartRequest) { q.DeviceToken = token }
}

// with makes a check from a device.
func with(token string) func(*countersign.CheckRequest) {
	return func(q *countersign.CheckRequest) { q.DeviceToken = token }
}

// prove approves a verification and returns the device's token.
func (b *bench) prove(t testing.TB, number, token string) string {
	t.Helper()
	v := b.mustStart(t, number, on(token))
	done, err := b.check(t, v.ID, b.carrier.code(t), with(token))
	if err != nil {
		t.Fatal(err)
	}
	if !countersign.ValidDeviceToken(done.DeviceToken) {
		t.Fatalf("an approval gives the device token %q", done.DeviceToken)
	}
	return done.DeviceToken
}

// attack is a stranger at a phone: he uses up its guesses for the day.
func (b *bench) attack(t testing.TB, number string) {
	t.Helper()
	for {
		b.advance(t, 11*time.Minute)
		v, err := b.start(t, number)
		if err != nil {
			wantKind(t, err, countersign.ErrTooManyChecks)
			return
		}
		wrong := other(b.carrier.code(t))
		for err == nil || countersign.KindOf(err) == countersign.ErrIncorrectCode {
			_, err = b.check(t, v.ID, wrong)
		}
	}
}

// A stranger locks somebody's phone and keeps messages from it; its owner, on a device that proved it, still gets in
// (security reference, B16).
func TestAStrangerCannotKeepTheOwnerOut(t *testing.T) {
	b := newBench(t)
	token := b.prove(t, number, "")
	b.attack(t, number)

	v := b.mustStart(t, number, on(token))
	code := b.carrier.code(t)
	_, err := b.check(t, v.ID, code) // the stranger, were he to know the id
	wantKind(t, err, countersign.ErrTooManyChecks)
	_, err = b.check(t, v.ID, other(code), with(token)) // a slip
	if e := wantKind(t, err, countersign.ErrIncorrectCode); e.ChecksLeft == nil || *e.ChecksLeft != 4 {
		t.Errorf("after a slip there are %v guesses left", e.ChecksLeft)
	}
	if _, err := b.check(t, v.ID, code, with(token)); err != nil {
		t.Fatal(err)
	}
	// His success ends the row of wrong guesses; the stranger's lock stays for strangers.
	_, err = b.start(t, number)
	wantKind(t, err, countersign.ErrTooManyChecks)
}

func TestAStrangerCannotKeepMessagesFromTheOwner(t *testing.T) {
	b := newBench(t)
	token := b.prove(t, number, "")
	b.advance(t, 24*time.Hour)
	for range countersign.MaxSendsDay {
		v := b.mustStart(t, number)
		if _, err := b.Cancel(t.Context(), &countersign.CancelRequest{App: b.app, ID: v.ID}); err != nil {
			t.Fatal(err)
		}
		b.advance(t, countersign.SendsBurst)
	}
	_, err := b.start(t, number)
	wantKind(t, err, countersign.ErrTooManySends)
	b.prove(t, number, token)

	// The device of an approval that was asked for by a device has no more than that one has.
	b.advance(t, countersign.Cooldown(1))
	token = b.prove(t, number, token)
	b.advance(t, countersign.Cooldown(1))
	_, err = b.start(t, number, on(token))
	wantKind(t, err, countersign.ErrTooManySends)
	if n, most := b.carrier.count(), 1+countersign.MaxSendsDay+countersign.MaxDeviceSends; n != most {
		t.Errorf("%d messages went to the phone, want %d", n, most)
	}
}

func TestAResendOfADeviceOfItsOwn(t *testing.T) {
	b := newBench(t)
	token := b.prove(t, number, "")
	b.advance(t, 24*time.Hour)
	v := b.mustStart(t, number)
	b.advance(t, 10*time.Second)
	send := func(token string) error {
		_, err := b.Send(t.Context(), &countersign.SendRequest{App: b.app, ID: v.ID, Face: countersign.FaceREST, DeviceToken: token, Wait: true})
		return err
	}
	wantKind(t, send(""), countersign.ErrResendTooSoon)
	if err := send(token); err != nil {
		t.Error(err)
	}
}

func TestADeviceTokenThatIsWorthNothing(t *testing.T) {
	b := newBench(t)
	token := b.prove(t, number, "")
	elsewhere := b.prove(t, second, "")
	b.attack(t, number)

	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(token, "dev_"))
	if err != nil {
		t.Fatal(err)
	}
	refused := func(what, token string) {
		t.Helper()
		if _, err := b.start(t, number, on(token)); countersign.KindOf(err) != countersign.ErrTooManyChecks {
			t.Errorf("%s: %v", what, err)
		}
	}
	refused("of another phone", elsewhere)
	for i := range raw {
		forged := append([]byte(nil), raw...)
		forged[i] ^= 1
		refused("forged", "dev_"+base64.RawURLEncoding.EncodeToString(forged))
	}
	own := b.app.ID
	b.app.ID = "other"
	refused("of another app", token)
	b.app.ID = own

	for _, text := range []string{"x", "dev_", token[:len(token)-1], token + "A", "dev_" + strings.Repeat("=", len(token)-4)} {
		_, err := b.start(t, number, on(text))
		if e := wantKind(t, err, countersign.ErrInvalidRequest); e.Pointer != "/device_token" {
			t.Errorf("%q: points at %q", text, e.Pointer)
		}
		if countersign.ValidDeviceToken(text) {
			t.Errorf("%q is a device token", text)
		}
	}
	b.mustStart(t, number, on(token)) // and the right one is worth something

	if err := b.ForgetDevices(t.Context(), b.app, address(t, number)); err != nil {
		t.Fatal(err)
	}
	refused("forgotten", token)
}

func TestADeviceTokenEndsAfter180Days(t *testing.T) {
	b := newBench(t)
	token := b.prove(t, number, "")
	if _, err := b.db.RotateRing(t.Context(), countersign.KeySeal, time.Now()); err != nil {
		t.Fatal(err)
	}
	b.advance(t, countersign.DeviceLifetime-24*time.Hour)
	b.attack(t, number)
	v := b.mustStart(t, number, on(token))
	if _, err := b.check(t, v.ID, b.carrier.code(t), with(token)); err != nil {
		t.Errorf("on its last day: %v", err)
	}
	b.advance(t, 24*time.Hour)
	b.attack(t, number)
	_, err := b.start(t, number, on(token))
	wantKind(t, err, countersign.ErrTooManyChecks)
}

func TestARepeatedApprovalIsTheSameDevice(t *testing.T) {
	b := newBench(t)
	v := b.mustStart(t, number)
	code := b.carrier.code(t)
	same := func(q *countersign.CheckRequest) { q.Client = client(home) }
	first, err := b.check(t, v.ID, code, same)
	if err != nil {
		t.Fatal(err)
	}
	again, err := b.check(t, v.ID, code, same)
	if err != nil {
		t.Fatal(err)
	}
	b.attack(t, number)
	b.mustStart(t, number, on(again.DeviceToken))
	b.advance(t, countersign.SendsBurst)
	v = b.mustStart(t, number, on(first.DeviceToken))
	wrong := other(b.carrier.code(t))
	for n := range countersign.MaxDeviceChecks {
		_, err := b.check(t, v.ID, wrong, with([]string{first.DeviceToken, again.DeviceToken}[n%2]))
		wantKind(t, err, countersign.ErrIncorrectCode)
	}
	for _, token := range []string{first.DeviceToken, again.DeviceToken} {
		_, err := b.start(t, number, on(token))
		wantKind(t, err, countersign.ErrTooManyChecks)
	}
}

// fixedRing is the same in every process of the fuzzer.
func fixedRing(t testing.TB) *countersign.Keyring {
	t.Helper()
	var keys []countersign.Key
	for i, use := range []countersign.KeyUse{countersign.KeyCode, countersign.KeyTag, countersign.KeySeal, countersign.KeyPhone} {
		secret := make([]byte, countersign.KeySize)
		secret[0] = byte(i)
		keys = append(keys, countersign.Key{Use: use, ID: 1, Secret: secret})
	}
	ring, err := countersign.NewKeyring(keys, time.Unix(1, 0))
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

// sealedDevice is a token as an approval makes it: the device, the phone and when.
func sealedDevice(t testing.TB, ring *countersign.Keyring, at time.Time) string {
	t.Helper()
	plain := make([]byte, 2*countersign.HashSize, 2*countersign.HashSize+8)
	plain[0], plain[countersign.HashSize] = 1, 2
	sealed, err := ring.Seal("dev_demo", binary.BigEndian.AppendUint64(plain, uint64(at.UnixMilli())))
	if err != nil {
		t.Fatal(err)
	}
	return "dev_" + base64.RawURLEncoding.EncodeToString(sealed)
}

func FuzzReadDeviceToken(f *testing.F) {
	ring, at := fixedRing(f), time.Unix(1_800_000_000, 0)
	token := sealedDevice(f, ring, at)
	if d, err := countersign.ReadDeviceToken(ring, "demo", token, at); err != nil || d == nil || d.Phone != (countersign.Hash{2}) || !d.Issued.Equal(at) {
		f.Fatalf("the seed reads as %+v, %v", d, err)
	}
	for _, seed := range []string{token, "", "dev_", strings.ToUpper(token), token + "="} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := countersign.ReadDeviceToken(ring, "demo", text, at)
		if (err == nil) != countersign.ValidDeviceToken(text) {
			t.Errorf("%q: %v", text, err)
		}
		if d != nil && (d.ID != countersign.Hash{1} || d.Phone != countersign.Hash{2} || !d.Issued.Equal(at)) {
			t.Errorf("%q was never sealed and reads as %+v", text, d)
		}
	})
}

func BenchmarkReadDeviceToken(b *testing.B) {
	ring, at := fixedRing(b), time.Unix(1_800_000_000, 0)
	token := sealedDevice(b, ring, at)
	for b.Loop() {
		if d, err := countersign.ReadDeviceToken(ring, "demo", token, at); err != nil || d == nil {
			b.Fatal(d, err)
		}
	}
}
