package signing_test

import (
	"testing"
	"time"

	"countersign/signing"
)

// A store's clock may stand before every key, when it was set back or its machine's is wrong. The first key signs then:
// an approval has been consumed by the time it is signed. A key that is retired, the control, never signs.
func TestAClockBeforeTheFirstKey(t *testing.T) {
	first, second := newKey(t, start), newKey(t, start.Add(time.Hour))
	retired := newKey(t, time.Time{})
	retired.Retired = start.Add(-2 * time.Hour)
	ring, err := signing.NewRing([]signing.Key{second, first, retired})
	if err != nil {
		t.Fatal(err)
	}
	signer := signing.Signer{Ring: ring, Now: func() time.Time { return start.Add(-time.Hour) }}
	token, err := signer.Sign("proof+jwt", []byte(`{"a":1}`))
	if err != nil {
		t.Fatal(err)
	}
	if _, kid := verify(t, ring, token); kid != first.ID {
		t.Errorf("signed by %s, want %s", kid, first.ID)
	}
	if err := ring.Replace([]signing.Key{retired}); err != nil {
		t.Fatal(err)
	}
	if _, err := signer.Sign("proof+jwt", []byte(`{"a":1}`)); err == nil {
		t.Error("control: a retired key signs")
	}
}
