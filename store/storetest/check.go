package storetest

import (
	"time"

	"countersign"
)

func checkScenarios() []scenario {
	return []scenario{
		{"Check/right", checkRight},
		{"Check/wrong five times", checkWrong},
		{"Check/repeated", checkRepeated},
		{"Check/expired", checkExpired},
		{"Check/shape", checkShape},
		{"Check/tag keys", checkTagKeys},
		{"Check/unknown and foreign", checkUnknown},
		{"Check/locked", checkLocked},
		{"Check/hard stop", checkHardStop},
		{"Check/streak forgotten", checkStreak},
	}
}

func checkRight(k *kit) {
	r := k.begin(NewPhone())
	c := k.checkOf(r, rightCode)
	c.Caller = hash("caller")
	o := k.want(k.move(c), countersign.OutcomeApproved)
	n := o.Record
	if n.Status != countersign.StatusApproved || n.JTI != c.JTI || n.ApprovedBy != c.Caller || n.Checks != 1 || n.Seq <= r.Seq || !n.Lease.IsZero() {
		k.Errorf("the approved record is %+v", n)
	}
	if !sameInstant(n.Ended, o.Now) || !n.IssuedAt.Equal(n.Ended) || o.ChecksLeft != 0 {
		k.Errorf("approved at %v, issued at %v, now %v, %d checks left", n.Ended, n.IssuedAt, o.Now, o.ChecksLeft)
	}
	if o.Phone.ChecksLeft != countersign.MaxPhoneChecks-1 {
		k.Errorf("a right guess was compared, but %d are left of the phone", o.Phone.ChecksLeft)
	}
	if got := k.lookup(r.ID).Record; got.Status != countersign.StatusApproved || got.JTI != c.JTI || got.Seq != n.Seq {
		k.Errorf("Lookup gives %+v", got)
	}
	for _, typed := range []string{rightCode, wrongCode} {
		k.want(k.check(r, typed), countersign.OutcomeClosed)
		if left := k.lookup(r.ID).Phone.ChecksLeft; left != countersign.MaxPhoneChecks-1 {
			k.Errorf("a check of a closed record was counted: %d left", left)
		}
	}
}

func checkWrong(k *kit) {
	r := k.begin(NewPhone())
	for i := 1; i <= countersign.MaxChecks; i++ {
		o := k.want(k.check(r, wrongCode), countersign.OutcomeIncorrect)
		if o.ChecksLeft != countersign.MaxChecks-i || o.Record.Checks != i || o.Phone.ChecksLeft != countersign.MaxPhoneChecks-i {
			k.Errorf("after %d wrong guesses: %d left, phone %+v, record %+v", i, o.ChecksLeft, o.Phone, o.Record)
		}
		if failed := o.Record.Status == countersign.StatusFailed; failed != (i == countersign.MaxChecks) {
			k.Errorf("after %d wrong guesses the record is %s", i, o.Record.Status)
		}
	}
	if o := k.want(k.check(r, rightCode), countersign.OutcomeClosed); o.Record.Status != countersign.StatusFailed {
		k.Errorf("the record is %s", o.Record.Status)
	}
	few := k.begin(NewPhone(), func(b *countersign.Begin) { b.Record.MaxChecks = 2 })
	if o := k.want(k.check(few, wrongCode), countersign.OutcomeIncorrect); o.ChecksLeft != 1 {
		k.Errorf("%d left of two checks", o.ChecksLeft)
	}
	if o := k.want(k.check(few, wrongCode), countersign.OutcomeIncorrect); o.Record.Status != countersign.StatusFailed {
		k.Errorf("after two of two checks the record is %s", o.Record.Status)
	}
	phone := NewPhone()
	k.spendGuesses(phone, countersign.MaxPhoneChecks-3)
	last := k.begin(phone)
	if o := k.want(k.check(last, wrongCode), countersign.OutcomeIncorrect); o.ChecksLeft != 2 {
		k.Errorf("%d left where the phone has two", o.ChecksLeft)
	}
}

func checkRepeated(k *kit) {
	approve := func(p countersign.Purpose) (*countersign.Record, *countersign.Check) {
		r := k.begin(NewPhone(), forPurpose(p))
		c := k.checkOf(r, rightCode)
		c.Caller = hash("caller")
		return k.want(k.move(c), countersign.OutcomeApproved).Record, c
	}
	r, c := approve(countersign.PurposeLogin)
	again := *c
	again.JTI = "prf_other"
	o := k.want(k.move(&again), countersign.OutcomeRepeated)
	if o.Record.JTI != r.JTI || !o.Record.IssuedAt.Equal(r.IssuedAt) || o.Record.Seq != r.Seq || o.Record.Checks != 1 {
		k.Errorf("the repeated check gives %+v", o.Record)
	}
	if left := k.lookup(r.ID).Phone.ChecksLeft; left != countersign.MaxPhoneChecks-1 {
		k.Errorf("a repeated check was counted: %d left", left)
	}
	wrong := k.checkOf(r, wrongCode)
	wrong.Caller = c.Caller
	k.want(k.move(wrong), countersign.OutcomeClosed)
	stranger := *c
	stranger.Caller = hash("stranger")
	k.want(k.move(&stranger), countersign.OutcomeClosed)
	stranger.Caller = countersign.Hash{}
	k.want(k.move(&stranger), countersign.OutcomeClosed)
	k.advance(58 * time.Second)
	k.want(k.move(c), countersign.OutcomeRepeated)
	k.advance(3 * time.Second)
	k.want(k.move(c), countersign.OutcomeClosed)

	_, c = approve(countersign.PurposeTransaction)
	k.want(k.move(c), countersign.OutcomeClosed)
	nobody := k.begin(NewPhone())
	k.want(k.check(nobody, rightCode), countersign.OutcomeApproved)
	k.want(k.check(nobody, rightCode), countersign.OutcomeClosed)
}

func checkExpired(k *kit) {
	r := k.begin(NewPhone())
	k.advance(testLifetime - 2*time.Second)
	k.want(k.check(r, wrongCode), countersign.OutcomeIncorrect)
	k.advance(2 * time.Second)
	o := k.want(k.check(r, rightCode), countersign.OutcomeExpired)
	if n := o.Record; n.Status != countersign.StatusExpired || n.Checks != 1 || n.Ended.Before(n.Expires) || n.JTI != "" {
		k.Errorf("the expired record is %+v", n)
	}
	k.want(k.check(r, rightCode), countersign.OutcomeExpired)
	if left := k.lookup(r.ID).Phone.ChecksLeft; left != countersign.MaxPhoneChecks-1 {
		k.Errorf("a guess at an expired record was counted: %d left", left)
	}
	seen := k.begin(NewPhone())
	k.advance(testLifetime)
	if n := k.lookup(seen.ID).Record; n.Status != countersign.StatusExpired || !n.Ended.Equal(n.Expires) || n.Seq != seen.Seq {
		k.Errorf("Lookup past the life gives %+v", n)
	}
}

func checkShape(k *kit) {
	mixed := func(a countersign.Alphabet) option {
		return func(b *countersign.Begin) { b.Record.Alphabet = a }
	}
	for _, c := range []struct {
		options []option
		typed   string
		fits    bool
	}{
		{nil, "1234567", false},
		{nil, "12345", false},
		{nil, "12345A", false},
		{nil, "+12345", false},
		{[]option{mixed(countersign.Letters)}, "ABCDEF", true},
		{[]option{mixed(countersign.Letters)}, "ABCDE2", false},
		{[]option{mixed(countersign.Alphanumeric)}, "ABCDE2", true},
		{[]option{mixed(countersign.Alphanumeric)}, "234567", true},
		{[]option{mixed(countersign.Alphanumeric)}, "ABCDE23", false},
		{[]option{hosted("v", "s")}, "1234", true},
		{[]option{hosted("v", "s")}, "ABCD12345X", true},
		{[]option{hosted("v", "s")}, "123", false},
		{[]option{hosted("v", "s")}, "12345678901", false},
		{[]option{hosted("v", "s")}, "+12015550123", false},
		{[]option{hosted("v", "s"), flashCall}, "+12015550123", true},
		{[]option{hosted("v", "s"), flashCall}, "0123", true},
		{[]option{hosted("v", "s"), flashCall}, "123", false},
		{[]option{hosted("v", "s"), flashCall}, "123456789012345", true},
		{[]option{hosted("v", "s"), flashCall}, "ABCD", false},
	} {
		r := k.begin(NewPhone(), c.options...)
		o := k.check(r, c.typed)
		if fits := o.Result != countersign.OutcomeShape; fits != c.fits {
			k.Errorf("%q against alphabet %d, hosted %q, channel %s: %s", c.typed, r.Alphabet, r.Hosted, r.Channel, resultName(o.Result))
		}
		if n := k.lookup(r.ID); !c.fits && (n.Record.Checks != 0 || n.Phone.ChecksLeft != countersign.MaxPhoneChecks) {
			k.Errorf("%q has not the shape and was counted", c.typed)
		}
	}
}

func flashCall(b *countersign.Begin) { b.Record.Channel = countersign.ChannelFlashCall }

func checkTagKeys(k *kit) {
	r := k.begin(NewPhone())
	c := k.checkOf(r, rightCode)
	good := c.Tags[0]
	c.Tags = []countersign.Tag{{Key: good.Key + 1, Sum: good.Sum}}
	k.want(k.move(c), countersign.OutcomeIncorrect)
	nearly := good
	nearly.Sum[countersign.TagSize-1] ^= 1
	c.Tags = []countersign.Tag{nearly}
	k.want(k.move(c), countersign.OutcomeIncorrect)
	c.Tags = nil
	k.want(k.move(c), countersign.OutcomeIncorrect)
	c.Tags = []countersign.Tag{{Key: good.Key + 1}, good}
	k.want(k.move(c), countersign.OutcomeApproved)
}

func checkUnknown(k *kit) {
	r := k.begin(NewPhone())
	c := k.checkOf(r, rightCode)
	c.App = otherApp
	_, err := k.store.Check(k.ctx, c)
	k.wantNotFound(err)
	c = k.checkOf(r, rightCode)
	c.ID = NewID(r.Phone)
	_, err = k.store.Check(k.ctx, c)
	k.wantNotFound(err)
	c = k.checkOf(r, rightCode)
	c.App = "" // the engine's own moves name no app
	k.want(k.move(c), countersign.OutcomeApproved)
}

func checkLocked(k *kit) {
	phone := NewPhone()
	k.spendGuesses(phone, countersign.MaxPhoneChecks-1)
	r := k.begin(phone, func(b *countersign.Begin) { b.Lifetime = 2 * countersign.PhoneWindow })
	o := k.want(k.check(r, wrongCode), countersign.OutcomeIncorrect)
	if o.ChecksLeft != 0 || o.Record.Status != countersign.StatusPending || !o.Phone.Locked || o.Phone.Hard || o.Phone.ChecksLeft != 0 {
		k.Errorf("the twentieth guess gives %d left, %s, phone %+v", o.ChecksLeft, o.Record.Status, o.Phone)
	}
	until := o.Phone.LockedUntil
	o = k.want(k.check(r, rightCode), countersign.OutcomeLocked)
	if want := until.Sub(o.Now); o.RetryAfter != want || want <= 23*time.Hour || want > countersign.PhoneWindow {
		k.Errorf("retry after %s, want %s", o.RetryAfter, want)
	}
	if o.Record != nil && o.Record.Checks != 1 {
		k.Errorf("a refused guess was counted")
	}
	k.advance(o.RetryAfter)
	k.want(k.check(r, rightCode), countersign.OutcomeApproved)
}

// wrongInARow makes n wrong guesses, waiting out the day's lock.
func (k *kit) wrongInARow(phone countersign.Hash, n int) {
	k.Helper()
	for n > 0 {
		now := min(n, countersign.MaxPhoneChecks)
		k.spendGuesses(phone, now)
		n -= now
		if now == countersign.MaxPhoneChecks && n > 0 {
			k.advance(countersign.PhoneWindow)
		}
	}
}

func checkHardStop(k *kit) {
	phone := NewPhone()
	r := k.begin(phone, inApp(otherApp), func(b *countersign.Begin) { b.Lifetime = 60 * countersign.PhoneWindow })
	k.wrongInARow(phone, countersign.MaxPhoneStreak-1)
	if o := k.lookup(r.ID); o.Phone.Hard || o.Phone.ChecksLeft != 1 {
		k.Errorf("one before the hard stop the phone is %+v", o.Phone)
	}
	k.spendGuesses(phone, 1)
	o := k.want(k.check(r, rightCode), countersign.OutcomeLocked)
	if o.RetryAfter != 0 {
		k.Errorf("a hard stop tells to come back after %s", o.RetryAfter)
	}
	k.advance(2 * countersign.PhoneWindow)
	k.want(k.check(r, rightCode), countersign.OutcomeLocked)
	if o = k.want(k.tryBegin(phone), countersign.OutcomeLocked); o.RetryAfter != 0 {
		k.Errorf("a hard stop tells a start to come back after %s", o.RetryAfter)
	}
	if p := k.lookup(r.ID).Phone; !p.Locked || !p.Hard || p.ChecksLeft != 0 {
		k.Errorf("the phone's state is %+v", p)
	}
	k.advance(countersign.StreakLifetime - 2*countersign.PhoneWindow)
	k.want(k.check(r, rightCode), countersign.OutcomeApproved)
}

func checkStreak(k *kit) {
	phone := NewPhone()
	keep := k.begin(phone, inApp(otherApp), func(b *countersign.Begin) { b.Lifetime = 60 * countersign.PhoneWindow })
	k.wrongInARow(phone, countersign.MaxPhoneStreak-1)
	k.want(k.check(keep, rightCode), countersign.OutcomeApproved)
	k.advance(countersign.PhoneWindow)
	r := k.begin(phone)
	if o := k.want(k.check(r, wrongCode), countersign.OutcomeIncorrect); o.Phone.Hard || o.Phone.ChecksLeft != countersign.MaxPhoneChecks-1 {
		k.Errorf("an approval did not end the streak: %+v", o.Phone)
	}
}
