package sqlstore

import (
	"encoding/json"
	"testing"
	"time"

	"countersign"
)

// reflected is a body as encoding/json writes it.
func reflected(t *testing.T, r *countersign.Record) string {
	t.Helper()
	b := body{
		Country: r.Country, Ended: instant(r.Ended), Alphabet: r.Alphabet, Length: r.Length,
		CodeKey: r.CodeKey, Nonce: r.Nonce, TagKey: r.Tag.Key, TxnHash: r.TxnHash,
		Hosted: r.Hosted, HostedRef: r.HostedRef, HostedScope: hashBytes(r.HostedScope), Test: r.Test,
		Checks: r.Checks, MaxChecks: r.MaxChecks, Sends: r.Sends, MaxSends: r.MaxSends, Lease: instant(r.Lease),
		JTI: r.JTI, ApprovedBy: hashBytes(r.ApprovedBy), IssuedAt: instant(r.IssuedAt), Deliveries: r.Deliveries,
	}
	if r.Tag != (countersign.Tag{}) {
		b.Tag = r.Tag.Sum[:]
	}
	text, err := json.Marshal(&b)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestBodyIsWhatReflectionWrites(t *testing.T) {
	at := time.Date(2026, 3, 4, 5, 6, 7, 80_000_000, time.UTC)
	hard := "a \"quoted\" \\ <b>&amp; åäö \u2028 \x00\x7f \xff"
	for name, r := range map[string]*countersign.Record{
		"empty": {},
		"full": {
			Country: "SE", Ended: at, Alphabet: countersign.Letters, Length: 8, CodeKey: 65535, Nonce: []byte("0123456789abcdef"),
			Tag: countersign.Tag{Key: 3, Sum: [countersign.TagSize]byte{1, 2, 255}}, TxnHash: []byte{0, 1}, Hosted: "vendor", HostedRef: hard,
			HostedScope: countersign.Hash{9}, Test: true, Checks: 1, MaxChecks: 5, Sends: 2, MaxSends: 3, Lease: at, JTI: "prf_x",
			ApprovedBy: countersign.Hash{8}, IssuedAt: at.Add(time.Nanosecond),
			Deliveries: []countersign.Delivery{
				{ID: "msg_1", Channel: "sms", Provider: "sink", Status: countersign.DeliveryAccepted, At: at},
				{ID: "msg_2", Channel: "voice", Provider: hard, Ref: hard, Status: countersign.DeliveryFailed, At: at.Add(1), Detail: hard},
				{},
			},
		},
		"a tag without a key": {Tag: countersign.Tag{Sum: [countersign.TagSize]byte{15: 1}}},
		"a key without a tag": {Tag: countersign.Tag{Key: 1}},
		"empty, not nil":      {Nonce: []byte{}, TxnHash: []byte{}, Deliveries: []countersign.Delivery{}},
		"negative":            {Checks: -1, Ended: time.Unix(0, -5)},
	} {
		if got, want := string(appendBody(nil, r)), reflected(t, r); got != want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, want)
		}
	}
}
