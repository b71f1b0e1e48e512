package countersign_test

import (
	"testing"
	"time"

	"countersign"
)

const testPhone = "+14155550100"

func withTestNumber(code string, life time.Duration) option {
	return func(cfg *countersign.Config, a *countersign.App) {
		a.TestNumbers = map[string]countersign.TestNumber{testPhone: {Code: countersign.NewCode(code), Until: cfg.Store.Now().Add(life)}}
	}
}

// A test number is never sent to, may start as often as it likes, and its proof says what it is; another number, the
// control, is sent to and meets its cooldown.
func TestATestNumber(t *testing.T) {
	b := newBench(t, withTestNumber("246802", time.Hour))
	for range 4 {
		v := b.mustStart(t, testPhone)
		if !v.Test || v.Deliveries[0].Status != countersign.DeliveryDelivered || b.carrier.count() != 0 {
			t.Fatalf("%+v, %d messages", v, b.carrier.count())
		}
		if _, err := b.Send(t.Context(), &countersign.SendRequest{App: b.app, ID: v.ID, Wait: true}); err != nil {
			t.Fatalf("sending again: %v", err)
		}
		done, err := b.check(t, v.ID, "246802")
		if err != nil {
			t.Fatal(err)
		}
		if c := claims(t, b, done.Proof); c["test"] != true {
			t.Errorf("the proof does not say that it is a test: %v", c)
		}
	}
	if b.carrier.count() != 0 {
		t.Errorf("%d messages went out", b.carrier.count())
	}

	v := b.mustStart(t, number)
	if v.Test || b.carrier.count() != 1 {
		t.Errorf("control: %+v, %d messages", v, b.carrier.count())
	}
	_, err := b.check(t, v.ID, "246802")
	wantKind(t, err, countersign.ErrIncorrectCode)
	_, err = b.start(t, number)
	wantKind(t, err, countersign.ErrResendTooSoon)
	if done, err := b.check(t, v.ID, b.carrier.code(t)); err != nil || claims(t, b, done.Proof)["test"] != nil {
		t.Errorf("control: %+v, %v", done, err)
	}
}

// Guesses of a test number are counted as everywhere.
func TestGuessesOfATestNumber(t *testing.T) {
	b := newBench(t, withTestNumber("246802", time.Hour))
	for n := range countersign.MaxPhoneChecks {
		v := b.mustStart(t, testPhone)
		for left := 4; left >= 0; left-- {
			_, err := b.check(t, v.ID, "000000")
			wantKind(t, err, countersign.ErrIncorrectCode)
		}
		if n == countersign.MaxPhoneChecks/countersign.MaxChecks-1 {
			break
		}
	}
	_, err := b.start(t, testPhone)
	wantKind(t, err, countersign.ErrTooManyChecks)
}

// A test number whose time is over is a number like any other, and what began before goes on.
func TestATestNumberExpires(t *testing.T) {
	b := newBench(t, withTestNumber("ABCDEFG2", time.Minute))
	v := b.mustStart(t, testPhone)
	if v.CodeLength != 8 {
		t.Errorf("the code's length is %d", v.CodeLength)
	}
	b.advance(t, 61*time.Second)
	if _, err := b.check(t, v.ID, "abcd-efg2"); err != nil {
		t.Error(err)
	}
	v = b.mustStart(t, testPhone)
	if v.Test || b.carrier.count() != 1 {
		t.Fatalf("%+v, %d messages", v, b.carrier.count())
	}
	if _, err := b.check(t, v.ID, "ABCDEFG2"); err == nil {
		t.Error("the code of a test number is right after its time")
	}
	if _, err := b.check(t, v.ID, b.carrier.code(t)); err != nil {
		t.Error(err)
	}
}

func TestParseTestCode(t *testing.T) {
	for text, ok := range map[string]bool{
		"246802": true, "24 68 02": true, "abcdef": true, "ABC234": true, "12345": false, "12345678901": false, "ABC10O": false, "": false, "+12345": false,
	} {
		if _, err := countersign.ParseTestCode(text); (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
		}
	}
}
