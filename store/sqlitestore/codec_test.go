package sqlitestore

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"countersign"
)

func drawHash(t *rapid.T) (h countersign.Hash) {
	copy(h[:], rapid.SliceOfN(rapid.Byte(), countersign.HashSize, countersign.HashSize).Draw(t, "hash"))
	return h
}

func drawInstant(t *rapid.T) instant { return instant(rapid.Int64Range(0, 1<<42).Draw(t, "instant")) }

func drawBytes(t *rapid.T) []byte {
	b := rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "bytes")
	if len(b) == 0 {
		return nil
	}
	return b
}

func drawText(t *rapid.T) string { return rapid.StringN(0, 20, 60).Draw(t, "text") }

func drawMemory(t *rapid.T) (m memory) {
	for range rapid.IntRange(0, 3).Draw(t, "remembered") {
		m = append(m, remembered{key: drawHash(t), body: drawHash(t), result: countersign.OutcomeIncorrect, checksLeft: 3, at: drawInstant(t), id: drawText(t)})
	}
	return m
}

func drawEntry(t *rapid.T) *entry {
	small := rapid.IntRange(0, 1000)
	e := &entry{checkLease: drawInstant(t), memory: drawMemory(t)}
	e.Record = countersign.Record{
		Purpose: countersign.Purpose(drawText(t)), Channel: countersign.Channel(drawText(t)), Face: countersign.Face(drawText(t)),
		Country: drawText(t), Created: drawInstant(t).time(), Ended: drawInstant(t).time(), Alphabet: countersign.Letters,
		Length: small.Draw(t, "n"), CodeKey: rapid.Uint16().Draw(t, "key"), Nonce: drawBytes(t),
		TxnHash: drawBytes(t), Sealed: drawBytes(t), RefHash: drawHash(t), Hosted: drawText(t), HostedRef: drawText(t), HostedScope: drawHash(t),
		Test: rapid.Bool().Draw(t, "test"), Checks: small.Draw(t, "n"), MaxChecks: small.Draw(t, "n"), Sends: small.Draw(t, "n"),
		MaxSends: small.Draw(t, "n"), Lease: drawInstant(t).time(), JTI: drawText(t), ApprovedBy: drawHash(t), IssuedAt: drawInstant(t).time(),
		Seq: small.Draw(t, "n"),
	}
	e.Tag.Key = rapid.Uint16().Draw(t, "tag key")
	h := drawHash(t)
	copy(e.Tag.Sum[:], h[:])
	for range rapid.IntRange(0, 3).Draw(t, "deliveries") {
		e.Deliveries = append(e.Deliveries, countersign.Delivery{
			ID: drawText(t), Channel: countersign.ChannelSMS, Provider: drawText(t), Ref: drawText(t), Status: countersign.DeliverySent,
			At: drawInstant(t).time(), Detail: drawText(t),
		})
	}
	return e
}

func drawPhone(t *rapid.T) *phone {
	p := &phone{streak: rapid.IntRange(0, 200).Draw(t, "streak"), streakAt: drawInstant(t), memory: drawMemory(t)}
	for range rapid.IntRange(0, 5).Draw(t, "n") {
		p.sends, p.guesses = append(p.sends, drawInstant(t)), append(p.guesses, drawInstant(t))
		p.pending = append(p.pending, pending{
			id: drawText(t), app: drawText(t), hosted: drawText(t), face: countersign.FaceREST, purpose: countersign.PurposeLogin,
			scope: drawHash(t), expires: drawInstant(t),
		})
		p.devices = append(p.devices, &device{id: drawHash(t), sends: []instant{drawInstant(t)}, guesses: []instant{drawInstant(t)}, last: drawInstant(t)})
		p.forgot = append(p.forgot, forgot{app: drawText(t), at: drawInstant(t)})
	}
	return p
}

var unexported = cmp.AllowUnexported(entry{}, phone{}, pending{}, remembered{}, device{}, forgot{})

func TestPacksAndUnpacks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := drawEntry(t)
		var got entry
		if err := got.unpack(e.pack(nil)); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(e, &got, unexported, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("a record came back changed:\n%s", diff)
		}
		p := drawPhone(t)
		var back phone
		if err := back.unpack(p.pack(nil)); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(p, &back, unexported, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("a phone came back changed:\n%s", diff)
		}
	})
}

// TestUnpackCut cuts and lengthens packed rows: all of that is told.
func TestUnpackCut(t *testing.T) {
	e, p := sampleEntry().pack(nil), samplePhone().pack(nil)
	for n := range e {
		if err := new(entry).unpack(e[:n]); err == nil {
			t.Errorf("a record of %d of %d bytes decodes", n, len(e))
		}
	}
	for n := range p {
		if err := new(phone).unpack(p[:n]); err == nil {
			t.Errorf("a phone of %d of %d bytes decodes", n, len(p))
		}
	}
	if new(entry).unpack(append(e, 0)) == nil || new(phone).unpack(append(p, 0)) == nil {
		t.Error("a row with a byte too many decodes")
	}
}

func sampleEntry() *entry {
	e := &entry{checkLease: 7, memory: memory{{key: countersign.Hash{1}, body: countersign.Hash{2}, at: 5, id: "ver_a"}}}
	e.Record = countersign.Record{
		Purpose: countersign.PurposeLogin, Channel: countersign.ChannelSMS, Nonce: []byte("nonce"), Sealed: bytes.Repeat([]byte("s"), 200),
		Created: time.UnixMilli(1_700_000_000_000).UTC(), Deliveries: []countersign.Delivery{{ID: "msg_a", Status: countersign.DeliverySent}},
	}
	return e
}

func samplePhone() *phone {
	return &phone{
		sends: []instant{1, 2, 3}, guesses: []instant{4, 5}, streak: 2, streakAt: 5,
		pending: []pending{{id: "ver_a", app: "app", face: countersign.FaceREST, expires: 9}},
		memory:  memory{{key: countersign.Hash{1}, at: 5, id: "ver_a"}},
		devices: []*device{{id: countersign.Hash{2}, sends: []instant{6}, last: 6}}, forgot: []forgot{{app: "app", at: 7}},
	}
}

// A file that an earlier release wrote has no devices in it.
func TestUnpacksAPhoneWithoutDevices(t *testing.T) {
	p := samplePhone()
	p.devices, p.forgot = nil, nil
	old := p.pack(nil)
	old = old[:len(old)-2]
	old[0] = 1
	var got phone
	if err := got.unpack(old); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(p, &got, unexported, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("the phone came back changed:\n%s", diff)
	}
}

// FuzzUnpack feeds the decoders any bytes: they never panic, and what they accept packs to something they accept.
func FuzzUnpack(f *testing.F) {
	f.Add(sampleEntry().pack(nil))
	f.Add(samplePhone().pack(nil))
	f.Add([]byte{})
	f.Add([]byte{1})
	f.Add([]byte{1, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		var e entry
		if e.unpack(b) == nil {
			var again entry
			if err := again.unpack(e.pack(nil)); err != nil {
				t.Errorf("a record that decoded does not decode again: %v", err)
			}
			if diff := cmp.Diff(&e, &again, unexported, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("a record changed:\n%s", diff)
			}
		}
		var p phone
		if p.unpack(b) == nil {
			var again phone
			if err := again.unpack(p.pack(nil)); err != nil {
				t.Errorf("a phone that decoded does not decode again: %v", err)
			}
		}
	})
}
