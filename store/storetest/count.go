package storetest

import (
	"time"

	"countersign"
)

// count changes what is counted of a phone, without a verification.
func (k *kit) count(c *countersign.Count) *countersign.Outcome {
	k.Helper()
	o, err := k.store.Count(k.ctx, c)
	return must(k, o, err)
}

// countGuesses: a counted guess is one of the phone's like that of a check, until it is given back.
func countGuesses(k *kit) {
	phone := NewPhone()
	r := k.begin(phone, func(b *countersign.Begin) { b.Record.MaxChecks = 100 })
	var last *countersign.Outcome
	for left := countersign.MaxPhoneChecks - 1; left >= 0; left-- {
		last = k.want(k.count(&countersign.Count{Phone: phone, What: countersign.CountGuess}), countersign.OutcomeOK)
		if last.Phone.ChecksLeft != left || last.Record != nil {
			k.Errorf("%d guesses left, want %d; record %v", last.Phone.ChecksLeft, left, last.Record)
		}
	}
	o := k.want(k.count(&countersign.Count{Phone: phone, What: countersign.CountGuess}), countersign.OutcomeLocked)
	if o.RetryAfter <= countersign.PhoneWindow-time.Minute || !o.Phone.Locked {
		k.Errorf("locked for %s, phone %+v", o.RetryAfter, o.Phone)
	}
	k.want(k.count(&countersign.Count{Phone: phone, What: countersign.CountSend}), countersign.OutcomeLocked)
	k.want(k.count(&countersign.Count{Phone: phone, What: countersign.CountSend, Exempt: true}), countersign.OutcomeLocked)
	k.want(k.check(r, wrongCode), countersign.OutcomeLocked)

	back := &countersign.Count{Phone: phone, What: countersign.CountGuessBack, At: last.Now}
	if o := k.want(k.count(back), countersign.OutcomeOK); o.Phone.ChecksLeft != 1 {
		k.Errorf("after one was given back %d are left", o.Phone.ChecksLeft)
	}
	k.want(k.count(&countersign.Count{Phone: phone, What: countersign.CountGuessBack, At: last.Now.Add(-time.Hour)}), countersign.OutcomeOK)
	if left := k.lookup(r.ID).Phone.ChecksLeft; left != 1 {
		k.Errorf("what was never counted was given back: %d left", left)
	}
	k.want(k.check(r, rightCode), countersign.OutcomeApproved)
	k.advance(countersign.PhoneWindow)
	k.want(k.count(&countersign.Count{Phone: phone, What: countersign.CountGuess}), countersign.OutcomeOK)
}

// countSends: a counted send is one of the phone's like that of a start.
func countSends(k *kit) {
	phone := NewPhone()
	send := func() *countersign.Outcome {
		return k.count(&countersign.Count{Phone: phone, What: countersign.CountSend})
	}
	first := k.want(send(), countersign.OutcomeOK)
	if o := k.want(send(), countersign.OutcomeTooSoon); o.RetryAfter <= 0 || o.RetryAfter > countersign.Cooldown(1) {
		k.Errorf("too soon by %s", o.RetryAfter)
	}
	k.want(k.tryBegin(phone, counted), countersign.OutcomeTooSoon)
	k.want(k.count(&countersign.Count{Phone: phone, What: countersign.CountSend, Exempt: true}), countersign.OutcomeOK)
	k.want(k.count(&countersign.Count{Phone: phone, What: countersign.CountSendBack, At: first.Now}), countersign.OutcomeOK)
	for n := 1; n <= countersign.MaxSendsBurst; n++ {
		k.want(send(), countersign.OutcomeOK)
		k.advance(countersign.Cooldown(n))
	}
	k.want(send(), countersign.OutcomeTooManySends)
}

// countStreak: wrong guesses in a row go over from another hash of the phone; the larger number stays.
func countStreak(k *kit) {
	phone := NewPhone()
	streak := func(n int, at time.Time) countersign.PhoneState {
		return k.want(k.count(&countersign.Count{Phone: phone, What: countersign.CountStreak, Streak: n, At: at}), countersign.OutcomeOK).Phone
	}
	now := k.store.Now()
	streak(countersign.MaxPhoneStreak, now.Add(-countersign.StreakLifetime-time.Minute))
	k.begin(phone) // that was over
	if p := streak(countersign.MaxPhoneStreak-1, now); p.Hard || p.ChecksLeft != 1 {
		k.Errorf("one before the hard stop the phone is %+v", p)
	}
	streak(3, now)
	if o := k.want(k.count(&countersign.Count{Phone: phone, What: countersign.CountGuess}), countersign.OutcomeOK); !o.Phone.Hard {
		k.Errorf("after the hundredth the phone is %+v", o.Phone)
	}
	if o := k.want(k.tryBegin(phone), countersign.OutcomeLocked); o.RetryAfter != 0 {
		k.Errorf("a hard stop tells a start to come back after %s", o.RetryAfter)
	}
	k.want(k.count(&countersign.Count{Phone: phone, What: countersign.CountApproved}), countersign.OutcomeOK)
	k.begin(phone)
	k.unlock(phone, false)
}

// countDevice: a device that is known has guesses and sends of its own here as well.
func countDevice(k *kit) {
	phone := k.locked()
	d := k.deviceOf(phone, "owner")
	guess := &countersign.Count{Phone: phone, What: countersign.CountGuess, App: testApp, Device: d}
	o := k.want(k.count(guess), countersign.OutcomeOK)
	if o.Phone.ChecksLeft != countersign.MaxDeviceChecks-1 {
		k.Errorf("the device has %d left", o.Phone.ChecksLeft)
	}
	back := *guess
	back.What, back.At = countersign.CountGuessBack, o.Now
	if o := k.want(k.count(&back), countersign.OutcomeOK); o.Phone.ChecksLeft != countersign.MaxDeviceChecks {
		k.Errorf("the device has %d left after its guess was given back", o.Phone.ChecksLeft)
	}
	k.want(k.count(&countersign.Count{Phone: phone, What: countersign.CountSend, App: testApp, Device: d}), countersign.OutcomeOK)
	k.want(k.count(&countersign.Count{Phone: phone, What: countersign.CountSend, App: testApp, Device: d}), countersign.OutcomeTooSoon)
	k.want(k.count(&countersign.Count{Phone: phone, What: countersign.CountGuess}), countersign.OutcomeLocked)
}
