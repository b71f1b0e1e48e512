package passkey_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"countersign"
	"countersign/passkey"
	"countersign/passkey/passkeytest"
)

var (
	party = &countersign.RelyingParty{ID: "shop.example", Name: "Shop", Origins: []string{"https://shop.example", "https://login.shop.example"}}
	codec = passkey.WebAuthn{}
)

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

func device() *passkeytest.Device {
	return &passkeytest.Device{Origin: "https://shop.example", Step: 1}
}

// create makes a passkey on a device and has it verified.
func create(d *passkeytest.Device) (*countersign.Passkey, error) {
	n := &countersign.NewPasskey{Challenge: random(32), Handle: random(32), Name: "+12015550123"}
	options, err := codec.CreationOptions(party, n)
	if err != nil {
		return nil, err
	}
	answer, err := d.Create(options)
	if err != nil {
		return nil, err
	}
	p, err := codec.Created(party, n.Challenge, answer)
	if err == nil {
		p.Handle = n.Handle
	}
	return p, err
}

func mustCreate(t testing.TB, d *passkeytest.Device) *countersign.Passkey {
	t.Helper()
	p, err := create(d)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// use has a passkey used, with the options of a challenge.
func use(t testing.TB, d *passkeytest.Device, challenge []byte, from ...*countersign.Passkey) []byte {
	t.Helper()
	options, err := codec.RequestOptions(party, challenge, from)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := d.Get(options)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func TestAPasskeyIsMadeAndUsed(t *testing.T) {
	d := device()
	p := mustCreate(t, d)
	if !bytes.Equal(p.ID, d.Keys[0].ID) || p.Counter != 1 || p.Synced || len(p.Transport) != 1 {
		t.Errorf("made %+v", p)
	}
	challenge := random(32)
	answer := use(t, d, challenge)
	id, handle, err := codec.Names(answer)
	if err != nil || !bytes.Equal(id, p.ID) || !bytes.Equal(handle, p.Handle) {
		t.Errorf("names %x of %x: %v", id, handle, err)
	}
	now, err := codec.Used(party, challenge, p, answer)
	if err != nil {
		t.Fatal(err)
	}
	if now.Counter != 2 {
		t.Errorf("the counter is %d", now.Counter)
	}
	// Another host of the same domain is as good where it is named.
	d.Origin = "https://login.shop.example"
	if _, err := codec.Used(party, challenge, p, use(t, d, challenge, p)); err != nil {
		t.Error(err)
	}
	// What a device may leave out when it was told which passkey is meant.
	d.Nameless = true
	if _, err := codec.Used(party, challenge, p, use(t, d, challenge, p)); err != nil {
		t.Error(err)
	}
}

// A synced passkey says whether it is backed up, which may change; that it may be copied never does.
func TestSyncedPasskeys(t *testing.T) {
	d := device()
	d.Synced, d.Step = true, 0
	p := mustCreate(t, d)
	if !p.Synced || p.BackedUp || p.Counter != 0 {
		t.Fatalf("made %+v", p)
	}
	d.BackedUp = true
	challenge := random(32)
	now, err := codec.Used(party, challenge, p, use(t, d, challenge))
	if err != nil || !now.BackedUp {
		t.Errorf("%+v, %v", now, err)
	}
	d.Synced, d.BackedUp = false, false
	if _, err := codec.Used(party, challenge, p, use(t, d, challenge)); !errors.Is(err, countersign.ErrPasskeyRefused) {
		t.Errorf("a passkey that stopped being one that is synced: %v", err)
	}
}

// The options ask for what the rules here need, and hold what WebAuthn's own parsers take.
func TestOptions(t *testing.T) {
	n := &countersign.NewPasskey{Challenge: random(32), Handle: random(32), Name: "+12015550123", Exclude: []*countersign.Passkey{{ID: []byte("one"), Transport: []string{"internal"}}}}
	text, err := codec.CreationOptions(party, n)
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	for _, part := range []string{
		`"challenge":"` + b64(n.Challenge) + `"`, `"id":"` + b64(n.Handle) + `"`, `"rp":{"name":"Shop","id":"shop.example"}`,
		`"residentKey":"required"`, `"userVerification":"required"`, `"attestation":"none"`, `"excludeCredentials":[{"type":"public-key","id":"b25l","transports":["internal"]}]`,
		`"alg":-7`, `"alg":-8`, `"alg":-257`, `"timeout":300000`,
	} {
		if !strings.Contains(string(text), part) {
			t.Errorf("%s is not in %s", part, text)
		}
	}
	challenge := random(32)
	text, err = codec.RequestOptions(party, challenge, nil)
	if err != nil {
		t.Fatal(err)
	}
	var o map[string]any
	if err := json.Unmarshal(text, &o); err != nil {
		t.Fatal(err)
	}
	if o["challenge"] != b64(challenge) || o["rpId"] != "shop.example" || o["userVerification"] != "required" || o["allowCredentials"] != nil {
		t.Errorf("asked %s", text)
	}
}

// What an answer must not get away with. The control is the first test: the same without the lie is taken.
func TestAnswersThatLie(t *testing.T) {
	for name, lie := range map[string]func(d *passkeytest.Device){
		"another origin":         func(d *passkeytest.Device) { d.Origin = "https://shop.example.evil.example" },
		"a sibling host":         func(d *passkeytest.Device) { d.Origin = "https://blog.shop.example" },
		"the origin by http":     func(d *passkeytest.Device) { d.Origin = "http://shop.example" },
		"the origin in capitals": func(d *passkeytest.Device) { d.Origin = "https://SHOP.example" },
		"another port":           func(d *passkeytest.Device) { d.Origin = "https://shop.example:8443" },
		"another relying party":  func(d *passkeytest.Device) { d.RPID = "evil.example" },
		"not unlocked":           func(d *passkeytest.Device) { d.Locked = true },
		"nobody there":           func(d *passkeytest.Device) { d.Away = true },
		"in a frame":             func(d *passkeytest.Device) { d.Framed = true },
		"another challenge": func(d *passkeytest.Device) {
			d.Change = func(c map[string]any) { c["challenge"] = base64.RawURLEncoding.EncodeToString(random(32)) }
		},
		"no challenge": func(d *passkeytest.Device) { d.Change = func(c map[string]any) { delete(c, "challenge") } },
		"the other ceremony": func(d *passkeytest.Device) {
			d.Change = func(c map[string]any) {
				c["type"] = map[any]string{"webauthn.get": "webauthn.create", "webauthn.create": "webauthn.get"}[c["type"]]
			}
		},
		"backed up and not to be copied": func(d *passkeytest.Device) { d.BackedUp = true },
	} {
		t.Run(name, func(t *testing.T) {
			d := device()
			p := mustCreate(t, d)
			lie(d)
			challenge := random(32)
			answer, err := d.Use(d.Keys[0], base64.RawURLEncoding.EncodeToString(challenge))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := codec.Used(party, challenge, p, answer); !errors.Is(err, countersign.ErrPasskeyRefused) {
				t.Errorf("used: %v", err)
			}
			if _, err := create(d); !errors.Is(err, countersign.ErrPasskeyRefused) {
				t.Errorf("made: %v", err)
			}
		})
	}
	d := device()
	p, other := mustCreate(t, d), mustCreate(t, d)
	challenge := random(32)
	answer := use(t, d, challenge, p)
	if _, err := codec.Used(party, challenge, p, answer); err != nil {
		t.Fatalf("control: %v", err)
	}
	if _, err := codec.Used(party, challenge, &countersign.Passkey{ID: p.ID, PublicKey: other.PublicKey}, answer); !errors.Is(err, countersign.ErrPasskeyRefused) {
		t.Errorf("another's signature: %v", err)
	}
	if _, err := codec.Used(party, challenge, other, answer); !errors.Is(err, countersign.ErrPasskeyRefused) {
		t.Errorf("another passkey: %v", err)
	}
}

func TestRelyingPartiesThatAreNone(t *testing.T) {
	if err := passkey.Validate(party); err != nil {
		t.Errorf("control: %v", err)
	}
	for _, id := range []string{"", "127.0.0.1", "::1", "https://shop.example", "shop.example:443", "shop.example/login"} {
		if err := passkey.Validate(&countersign.RelyingParty{ID: id, Name: "Shop", Origins: party.Origins}); err == nil {
			t.Errorf("%q is taken", id)
		}
	}
}

// FuzzAnswers feeds whatever a browser might send to both readers: they answer with an error of a kind, or with a passkey
// that they can write again.
func FuzzAnswers(f *testing.F) {
	d := device()
	options, err := codec.CreationOptions(party, &countersign.NewPasskey{Challenge: make([]byte, 32), Handle: make([]byte, 32), Name: "n"})
	if err != nil {
		f.Fatal(err)
	}
	made, err := d.Create(options)
	if err != nil {
		f.Fatal(err)
	}
	p, err := codec.Created(party, make([]byte, 32), made)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(made)
	f.Add(use(f, d, make([]byte, 32)))
	f.Add([]byte(`{"id":"AA","rawId":"AA","type":"public-key","response":{}}`))
	f.Add([]byte(`{"id":null}`))
	f.Fuzz(func(t *testing.T, answer []byte) {
		check := func(err error) {
			if k := countersign.KindOf(err); err != nil && k != countersign.ErrInvalidRequest && k != countersign.ErrPasskeyRefused {
				t.Errorf("%v", err)
			}
		}
		again, err := codec.Created(party, make([]byte, 32), answer)
		check(err)
		if err == nil {
			if _, err := codec.RequestOptions(party, make([]byte, 32), []*countersign.Passkey{again}); err != nil {
				t.Error(err)
			}
		}
		_, _, err = codec.Names(answer)
		check(err)
		_, err = codec.Used(party, make([]byte, 32), p, answer)
		check(err)
	})
}

func BenchmarkUsed(b *testing.B) {
	d := device()
	p := mustCreate(b, d)
	challenge := random(32)
	answer := use(b, d, challenge)
	for b.Loop() {
		if _, err := codec.Used(party, challenge, p, answer); err != nil {
			b.Fatal(err)
		}
	}
}
