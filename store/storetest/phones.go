package storetest

import (
	"time"

	"countersign"
)

func phoneScenarios() []scenario {
	return []scenario{
		{"Unlock/lock-out", unlockLockout},
		{"Unlock/hard stop", unlockHard},
		{"Phone/windows slide", phoneWindows},
		{"Phone/over all apps", phoneOverApps},
		{"Count/guesses", countGuesses},
		{"Count/sends", countSends},
		{"Count/streak", countStreak},
		{"Count/device", countDevice},
	}
}

func (k *kit) unlock(phone countersign.Hash, want bool) {
	k.Helper()
	was, err := k.store.Unlock(k.ctx, phone)
	if must(k, was, err) != want {
		k.Errorf("Unlock says %v, want %v", was, want)
	}
}

func unlockLockout(k *kit) {
	phone := NewPhone()
	k.unlock(phone, false)
	k.spendGuesses(phone, 3)
	k.unlock(phone, false)
	k.forgetLimits()
	k.spendGuesses(phone, countersign.MaxPhoneChecks)
	k.want(k.tryBegin(phone), countersign.OutcomeLocked)
	k.unlock(phone, true)
	k.unlock(phone, false)
	r := k.begin(phone)
	if o := k.want(k.check(r, wrongCode), countersign.OutcomeIncorrect); o.Phone.ChecksLeft != countersign.MaxPhoneChecks-1 || o.Phone.Locked {
		k.Errorf("after Unlock the phone is %+v", o.Phone)
	}
}

func unlockHard(k *kit) {
	phone := NewPhone()
	k.wrongInARow(phone, countersign.MaxPhoneStreak)
	k.advance(countersign.PhoneWindow)
	k.want(k.tryBegin(phone), countersign.OutcomeLocked)
	k.unlock(phone, true)
	r := k.begin(phone)
	k.want(k.check(r, rightCode), countersign.OutcomeApproved)
}

func phoneWindows(k *kit) {
	phone := NewPhone()
	r := k.begin(phone, func(b *countersign.Begin) { b.Lifetime, b.Record.MaxChecks = 3*countersign.PhoneWindow, 100 })
	var firstHalf, o *countersign.Outcome
	for range countersign.MaxPhoneChecks / 2 {
		firstHalf = k.want(k.check(r, wrongCode), countersign.OutcomeIncorrect)
	}
	k.advance(12 * time.Hour)
	for range countersign.MaxPhoneChecks / 2 {
		o = k.want(k.check(r, wrongCode), countersign.OutcomeIncorrect)
	}
	if !o.Phone.Locked || o.Phone.LockedUntil.After(firstHalf.Now.Add(countersign.PhoneWindow)) {
		k.Errorf("the lock-out ends when the oldest guess leaves the window, not at %v", o.Phone.LockedUntil)
	}
	k.advance(12 * time.Hour)
	p := k.lookup(r.ID).Phone
	if p.Locked || p.ChecksLeft != countersign.MaxPhoneChecks/2 {
		k.Errorf("a day after the first half the phone is %+v", p)
	}
}

func phoneOverApps(k *kit) {
	phone := NewPhone()
	a, b := k.begin(phone), k.begin(phone, inApp(otherApp), onFace(countersign.FaceSinch))
	k.want(k.check(a, wrongCode), countersign.OutcomeIncorrect)
	o := k.want(k.check(b, wrongCode), countersign.OutcomeIncorrect)
	if o.Phone.ChecksLeft != countersign.MaxPhoneChecks-2 {
		k.Errorf("guesses in two apps leave %d", o.Phone.ChecksLeft)
	}
	stranger := k.begin(NewPhone())
	if o = k.want(k.check(stranger, wrongCode), countersign.OutcomeIncorrect); o.Phone.ChecksLeft != countersign.MaxPhoneChecks-1 {
		k.Errorf("another phone's guesses count: %d left", o.Phone.ChecksLeft)
	}
}

// forgetLimits forgets what counts.
func (k *kit) forgetLimits() {
	k.Helper()
	if err := k.store.ForgetLimits(k.ctx); err != nil {
		k.Fatalf("forgetting the limits: %v", err)
	}
}
