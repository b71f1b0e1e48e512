package storetest

import (
	"context"
	"fmt"
	"time"

	"countersign"
)

func deviceScenarios() []scenario {
	return []scenario{
		{"Device/guesses of its own", deviceGuesses},
		{"Device/guesses by phone", deviceGuessesByPhone},
		{"Device/sends of its own", deviceSends},
		{"Device/the phone's come first", deviceLast},
		{"Device/of another phone or forgotten", deviceForgotten},
		{"Device/inside the hundred", deviceHundred},
		{"Device/only so many", deviceMany},
		{"Device/replays count once", deviceReplays},
	}
}

// deviceOf is a device that has proved a phone an hour ago.
func (k *kit) deviceOf(phone countersign.Hash, name string) *countersign.Device {
	return &countersign.Device{ID: hash(name), Phone: phone, Issued: k.store.Now().Add(-time.Hour)}
}

func by(d *countersign.Device) option { return func(b *countersign.Begin) { b.Device = d } }

// guessBy makes a guess from a device.
func (k *kit) guessBy(d *countersign.Device, r *countersign.Record, typed string) *countersign.Outcome {
	k.Helper()
	c := k.checkOf(r, typed)
	c.Device = d
	return k.move(c)
}

// locked uses up the guesses of a phone.
func (k *kit) locked() countersign.Hash {
	k.Helper()
	phone := NewPhone()
	k.spendGuesses(phone, countersign.MaxPhoneChecks)
	k.want(k.tryBegin(phone), countersign.OutcomeLocked)
	return phone
}

func deviceGuesses(k *kit) {
	phone := k.locked()
	d := k.deviceOf(phone, "owner")
	r := k.begin(phone, by(d), func(b *countersign.Begin) { b.Record.MaxChecks = 100 })
	for left := countersign.MaxDeviceChecks - 1; left >= 0; left-- {
		k.want(k.check(r, wrongCode), countersign.OutcomeLocked) // a stranger
		o := k.want(k.guessBy(d, r, wrongCode), countersign.OutcomeIncorrect)
		if o.ChecksLeft != left || o.Phone.ChecksLeft != left || o.Phone.Locked != (left == 0) {
			k.Errorf("the device has %d and %d left, want %d; locked %v", o.ChecksLeft, o.Phone.ChecksLeft, left, o.Phone.Locked)
		}
	}
	o := k.want(k.guessBy(d, r, rightCode), countersign.OutcomeLocked)
	if o.RetryAfter <= countersign.PhoneWindow-time.Minute || o.RetryAfter > countersign.PhoneWindow {
		k.Errorf("the device is to wait %s", o.RetryAfter)
	}
	k.want(k.tryBegin(phone, by(d)), countersign.OutcomeLocked)

	other := k.deviceOf(phone, "tablet")
	k.want(k.guessBy(other, r, rightCode), countersign.OutcomeApproved)

	k.advance(countersign.PhoneWindow)
	k.spendGuesses(phone, countersign.MaxPhoneChecks)
	r = k.begin(phone, by(d))
	k.want(k.guessBy(d, r, rightCode), countersign.OutcomeApproved)
}

func deviceGuessesByPhone(k *kit) {
	phone := k.locked()
	d := k.deviceOf(phone, "owner")
	a, b := k.begin(phone, by(d)), k.begin(phone, by(d))
	k.want(k.checkPhone(k.checkPhoneOf(wrongCode, a, b)), countersign.OutcomeLocked)
	c := k.checkPhoneOf(wrongCode, a, b)
	c.Device = d
	for range countersign.MaxDeviceChecks - 1 {
		k.want(k.checkPhone(c), countersign.OutcomeIncorrect)
	}
	c = k.checkPhoneOf(rightCode, a, b)
	c.Device = d
	k.want(k.checkPhone(c), countersign.OutcomeApproved)
}

func deviceSends(k *kit) {
	phone := NewPhone()
	for range countersign.MaxSendsBurst {
		k.want(k.tryBegin(phone, counted, supersede), countersign.OutcomeOK)
		k.advance(2 * time.Minute)
	}
	k.want(k.tryBegin(phone, counted, supersede), countersign.OutcomeTooManySends)
	d := k.deviceOf(phone, "owner")
	r := k.begin(phone, counted, supersede, by(d))
	o := k.want(k.tryBegin(phone, counted, supersede, by(d)), countersign.OutcomeTooSoon)
	if o.RetryAfter <= 0 || o.RetryAfter > countersign.Cooldown(1) {
		k.Errorf("the device is to wait %s", o.RetryAfter)
	}
	k.advance(countersign.Cooldown(1))
	k.want(k.resend(&countersign.Resend{App: r.App, ID: r.ID}), countersign.OutcomeTooManySends) // a stranger
	o = k.want(k.resend(&countersign.Resend{App: r.App, ID: r.ID, Device: d}), countersign.OutcomeOK)
	if o.Phone.SendsLeft != 0 {
		k.Errorf("%d sends left", o.Phone.SendsLeft)
	}
	k.advance(countersign.Cooldown(1))
	k.want(k.tryBegin(phone, counted, supersede, by(d)), countersign.OutcomeTooManySends)

	// The day's ten are used up, too; a day later the device's own are back first.
	for n := countersign.MaxSendsBurst; n < countersign.MaxSendsDay; n++ {
		k.advance(countersign.SendsBurst)
		k.want(k.tryBegin(phone, counted, supersede), countersign.OutcomeOK)
	}
	k.advance(countersign.SendsBurst)
	k.want(k.tryBegin(phone, counted, supersede), countersign.OutcomeTooManySends)
	k.want(k.tryBegin(phone, counted, supersede, by(d)), countersign.OutcomeTooManySends)
	k.want(k.tryBegin(phone, counted, supersede, by(k.deviceOf(phone, "tablet"))), countersign.OutcomeOK)
}

// deviceLast shows that a device takes from its own only what the phone does not give.
func deviceLast(k *kit) {
	phone := NewPhone()
	d := k.deviceOf(phone, "owner")
	r := k.begin(phone, counted, by(d))
	k.want(k.tryBegin(phone, counted, by(d)), countersign.OutcomeTooSoon) // a double click does not take from its own
	o := k.want(k.guessBy(d, r, wrongCode), countersign.OutcomeIncorrect)
	if o.Phone.ChecksLeft != countersign.MaxPhoneChecks-1+countersign.MaxDeviceChecks || o.ChecksLeft != countersign.MaxChecks-1 {
		k.Errorf("the phone has %d left for the device, the record %d", o.Phone.ChecksLeft, o.ChecksLeft)
	}
	if left := k.lookup(r.ID).Phone; left.ChecksLeft != countersign.MaxPhoneChecks-1 || left.SendsLeft != countersign.MaxSendsBurst-1 {
		k.Errorf("for strangers the phone has %+v", left)
	}
}

func deviceForgotten(k *kit) {
	phone := k.locked()
	d := k.deviceOf(NewPhone(), "owner")
	k.want(k.tryBegin(phone, by(d)), countersign.OutcomeLocked)
	d = k.deviceOf(phone, "owner")
	r := k.begin(phone, by(d))
	if err := k.store.ForgetDevices(k.ctx, testApp, phone); err != nil {
		k.Fatal(err)
	}
	k.advance(time.Minute)
	k.want(k.tryBegin(phone, by(d)), countersign.OutcomeLocked)
	k.want(k.guessBy(d, r, rightCode), countersign.OutcomeLocked)
	k.begin(phone, by(d), inApp(otherApp)) // another app's stay
	fresh := &countersign.Device{ID: d.ID, Phone: phone, Issued: k.store.Now()}
	k.want(k.guessBy(fresh, r, rightCode), countersign.OutcomeApproved)

	// What was forgotten stays so for as long as a token lives, when nothing else is kept of the phone.
	k.advance(100 * 24 * time.Hour)
	k.spendGuesses(phone, countersign.MaxPhoneChecks)
	k.want(k.tryBegin(phone, by(d)), countersign.OutcomeLocked)
}

func deviceHundred(k *kit) {
	phone := NewPhone()
	k.wrongInARow(phone, countersign.MaxPhoneStreak-1)
	d := k.deviceOf(phone, "owner")
	r := k.begin(phone, by(d))
	o := k.want(k.guessBy(d, r, wrongCode), countersign.OutcomeIncorrect)
	if !o.Phone.Hard || o.ChecksLeft != 0 {
		k.Errorf("after a hundred wrong guesses the phone is %+v", o.Phone)
	}
	k.want(k.guessBy(d, r, rightCode), countersign.OutcomeLocked)
	k.want(k.tryBegin(phone, by(d)), countersign.OutcomeLocked)
}

func deviceMany(k *kit) {
	phone := k.locked()
	r := k.begin(phone, by(k.deviceOf(phone, "device 0")), func(b *countersign.Begin) { b.Record.MaxChecks = 1000 })
	for n := range countersign.MaxDevices {
		k.want(k.guessBy(k.deviceOf(phone, fmt.Sprint("device ", n)), r, wrongCode), countersign.OutcomeIncorrect)
	}
	k.want(k.guessBy(k.deviceOf(phone, "one more"), r, wrongCode), countersign.OutcomeLocked)
	k.want(k.guessBy(k.deviceOf(phone, "device 0"), r, wrongCode), countersign.OutcomeIncorrect)
}

func deviceReplays(k *kit) {
	phone := k.locked()
	d := k.deviceOf(phone, "owner")
	r := k.begin(phone, by(d))
	c := k.checkOf(r, wrongCode)
	c.Device, c.Request = d, countersign.Request{Key: hash("key"), Body: hash("body")}
	first := k.want(k.move(c), countersign.OutcomeIncorrect)
	again := k.want(k.move(c), countersign.OutcomeIncorrect)
	if !again.Replayed || again.ChecksLeft != first.ChecksLeft || again.Phone.ChecksLeft != countersign.MaxDeviceChecks-1 {
		k.Errorf("a repeat says %+v", again)
	}
}

// OneDeviceSend races starts of one device at a phone that is in its cooldown: exactly one of them may send, and none of
// a stranger's (INV-8).
func OneDeviceSend(ctx context.Context, store countersign.Store, trials, parallel int) ([]string, error) {
	ring, err := NewKeyring()
	if err != nil {
		return nil, err
	}
	var violations []string
	for trial := range trials {
		phone, device := NewPhone(), NewPhone()
		try := func(d *countersign.Device) (countersign.Result, error) {
			b := NewBegin(ring, testApp, phone, rightCode)
			b.Exempt, b.Device = false, d
			o, err := store.Begin(ctx, b)
			return resultOf(o), err
		}
		if r, err := try(nil); err != nil || r != countersign.OutcomeOK {
			return nil, fmt.Errorf("beginning: %s, %w", resultName(r), err)
		}
		results, err := race(parallel, func(i int) (countersign.Result, error) {
			if i%2 == 0 {
				return try(nil)
			}
			return try(&countersign.Device{ID: device, Phone: phone, Issued: time.Now()})
		})
		if err != nil {
			return nil, err
		}
		if n := results[countersign.OutcomeOK]; n != 1 {
			violations = append(violations, fmt.Sprintf("trial %d: %d of %d starts within the cooldown were let through, want the device's one", trial, n, parallel))
		}
	}
	return violations, nil
}

// CappedDevice races wrong guesses of one device at a phone that is locked for everybody else: exactly MaxDeviceChecks
// of them may be compared.
func CappedDevice(ctx context.Context, store countersign.Store, trials, parallel int) ([]string, error) {
	ring, err := NewKeyring()
	if err != nil {
		return nil, err
	}
	var violations []string
	for trial := range trials {
		b := NewBegin(ring, testApp, NewPhone(), rightCode)
		b.Record.MaxChecks = 1000
		if err := begun(ctx, store, b); err != nil {
			return nil, err
		}
		for range countersign.MaxPhoneChecks {
			if r, err := guessWrong(ctx, store, ring, b.Record.ID); err != nil || r != countersign.OutcomeIncorrect {
				return nil, fmt.Errorf("locking the phone: %s, %w", resultName(r), err)
			}
		}
		d := &countersign.Device{ID: NewPhone(), Phone: b.Record.Phone, Issued: time.Now()}
		results, err := race(parallel, func(int) (countersign.Result, error) {
			c, err := NewCheck(ring, testApp, b.Record.ID, wrongCode)
			if err != nil {
				return 0, err
			}
			c.Device = d
			o, err := store.Check(ctx, c)
			return resultOf(o), err
		})
		if err != nil {
			return nil, err
		}
		if n := results[countersign.OutcomeIncorrect]; n != countersign.MaxDeviceChecks {
			violations = append(violations, fmt.Sprintf("trial %d: %d of %d guesses of a device were compared, want %d", trial, n, parallel, countersign.MaxDeviceChecks))
		}
	}
	return violations, nil
}
