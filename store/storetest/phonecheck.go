package storetest

import (
	"time"

	"countersign"
)

func phoneCheckScenarios() []scenario {
	return []scenario{
		{"CheckPhone/one of several", byPhoneMatch},
		{"CheckPhone/wrong", byPhoneWrong},
		{"CheckPhone/uses up", byPhoneUsesUp},
		{"CheckPhone/nothing pending", byPhoneNone},
		{"CheckPhone/expired on the way", byPhoneExpired},
		{"CheckPhone/shape", byPhoneShape},
		{"CheckPhone/locked", byPhoneLocked},
		{"CheckPhone/memory", byPhoneMemory},
		{"CheckPhone/hosted", byPhoneHosted},
	}
}

// trio begins three verifications of one phone, each with its own code, oldest first.
func (k *kit) trio(phone countersign.Hash) []*countersign.Record {
	k.Helper()
	var all []*countersign.Record
	for _, code := range []string{"100001", "200002", "300003"} {
		o, err := k.store.Begin(k.ctx, k.draft(phone, code))
		all = append(all, k.want(must(k, o, err), countersign.OutcomeOK).Record)
		k.advance(time.Second)
	}
	return all
}

func byPhoneMatch(k *kit) {
	phone := NewPhone()
	all := k.trio(phone)
	other := k.begin(phone, forPurpose(countersign.PurposeSignup))
	c := k.checkPhoneOf("200002", all...)
	o := k.want(k.checkPhone(c), countersign.OutcomeApproved)
	n := o.Record
	if n == nil || n.ID != all[1].ID || n.Status != countersign.StatusApproved || n.JTI != c.JTI || !n.ApprovedBy.IsZero() || n.Checks != 1 {
		k.Fatalf("approved: %+v", n)
	}
	if !sameInstant(n.Ended, o.Now) || !n.IssuedAt.Equal(n.Ended) {
		k.Errorf("approved at %v, issued at %v, now %v", n.Ended, n.IssuedAt, o.Now)
	}
	if o.Phone.ChecksLeft != countersign.MaxPhoneChecks-1 {
		k.Errorf("one guess against three was counted as %d", countersign.MaxPhoneChecks-o.Phone.ChecksLeft)
	}
	for _, i := range []int{0, 2} {
		if r := k.lookup(all[i].ID).Record; r.Status != countersign.StatusPending || r.Checks != 1 {
			k.Errorf("a compared record beside the match is %s with %d checks", r.Status, r.Checks)
		}
	}
	if r := k.lookup(other.ID).Record; r.Checks != 0 {
		k.Errorf("a record of another purpose was counted")
	}
	k.want(k.checkPhone(c), countersign.OutcomeIncorrect)
}

func byPhoneWrong(k *kit) {
	all := k.trio(NewPhone())
	k.want(k.check(all[2], wrongCode), countersign.OutcomeIncorrect)
	o := k.want(k.checkPhone(k.checkPhoneOf(wrongCode, all...)), countersign.OutcomeIncorrect)
	if o.Record == nil || o.Record.ID != all[2].ID || o.Record.Checks != 2 {
		k.Errorf("the newest compared record is not the answer's: %+v", o.Record)
	}
	if o.ChecksLeft != countersign.MaxChecks-1 {
		k.Errorf("%d checks left, want the largest of the compared, %d", o.ChecksLeft, countersign.MaxChecks-1)
	}
	if o.Phone.ChecksLeft != countersign.MaxPhoneChecks-2 {
		k.Errorf("the phone has %d left", o.Phone.ChecksLeft)
	}
	part := k.checkPhoneOf(wrongCode, all[0])
	o = k.want(k.checkPhone(part), countersign.OutcomeIncorrect)
	if o.Record.ID != all[0].ID || k.lookup(all[1].ID).Record.Checks != 1 {
		k.Errorf("a record that the tags do not name was compared")
	}
}

func byPhoneUsesUp(k *kit) {
	all := k.trio(NewPhone())
	for range countersign.MaxChecks - 1 {
		k.want(k.check(all[0], wrongCode), countersign.OutcomeIncorrect)
	}
	o := k.want(k.checkPhone(k.checkPhoneOf("300003", all...)), countersign.OutcomeApproved)
	if len(o.Ended) != 1 || o.Ended[0].ID != all[0].ID || o.Ended[0].Status != countersign.StatusFailed {
		k.Errorf("the used-up record beside the match: %+v", o.Ended)
	}
	last := k.begin(all[0].Phone)
	for i := range countersign.MaxChecks {
		o = k.want(k.checkPhone(k.checkPhoneOf(wrongCode, last)), countersign.OutcomeIncorrect)
		if o.ChecksLeft != countersign.MaxChecks-1-i || len(o.Ended) != 0 {
			k.Errorf("guess %d: %d left, ended beside it %d", i+1, o.ChecksLeft, len(o.Ended))
		}
	}
	if o.Record.Status != countersign.StatusFailed {
		k.Errorf("after five guesses the record is %s", o.Record.Status)
	}
	k.want(k.checkPhone(k.checkPhoneOf(rightCode, last)), countersign.OutcomeNone)
}

func byPhoneNone(k *kit) {
	r := k.begin(NewPhone())
	stranger := *r
	stranger.Phone = NewPhone()
	k.want(k.checkPhone(k.checkPhoneOf(rightCode, &stranger)), countersign.OutcomeNone)
	c := k.checkPhoneOf(rightCode, r)
	c.App = otherApp
	k.want(k.checkPhone(c), countersign.OutcomeNone)
	c = k.checkPhoneOf(rightCode, r)
	c.Tags = nil
	k.want(k.checkPhone(c), countersign.OutcomeNone)
	k.cancel(r)
	k.want(k.checkPhone(k.checkPhoneOf(rightCode, r)), countersign.OutcomeNone)
	if left := k.lookup(r.ID).Phone.ChecksLeft; left != countersign.MaxPhoneChecks {
		k.Errorf("a guess at nothing was counted: %d left", left)
	}
}

func byPhoneExpired(k *kit) {
	phone := NewPhone()
	old := k.begin(phone)
	k.advance(testLifetime - 10*time.Second)
	young := k.begin(phone)
	k.advance(10 * time.Second)
	o := k.want(k.checkPhone(k.checkPhoneOf(rightCode, old, young)), countersign.OutcomeApproved)
	if o.Record.ID != young.ID {
		k.Errorf("an expired record was approved")
	}
	if len(o.Ended) != 1 || o.Ended[0].ID != old.ID || o.Ended[0].Status != countersign.StatusExpired {
		k.Errorf("the expired record on the way: %+v", o.Ended)
	}
	if r := k.lookup(old.ID).Record; r.Status != countersign.StatusExpired || r.Checks != 0 || r.Seq <= old.Seq {
		k.Errorf("the expired record is %+v", r)
	}
}

func byPhoneShape(k *kit) {
	phone := NewPhone()
	r := k.begin(phone)
	k.want(k.checkPhone(k.checkPhoneOf("1234567", r)), countersign.OutcomeShape)
	long, err := k.store.Begin(k.ctx, k.draft(phone, "1234567"))
	k.want(must(k, long, err), countersign.OutcomeOK)
	o := k.want(k.checkPhone(k.checkPhoneOf("1234567", r, long.Record)), countersign.OutcomeApproved)
	if o.Record.ID != long.Record.ID || k.lookup(r.ID).Record.Checks != 0 {
		k.Errorf("a record of another shape was compared")
	}
}

func byPhoneLocked(k *kit) {
	phone := NewPhone()
	k.spendGuesses(phone, countersign.MaxPhoneChecks-1)
	r := k.begin(phone)
	if o := k.want(k.checkPhone(k.checkPhoneOf(wrongCode, r)), countersign.OutcomeIncorrect); o.ChecksLeft != 0 {
		k.Errorf("the phone's last guess leaves %d", o.ChecksLeft)
	}
	o := k.want(k.checkPhone(k.checkPhoneOf(rightCode, r)), countersign.OutcomeLocked)
	if o.RetryAfter <= 23*time.Hour || o.RetryAfter > countersign.PhoneWindow {
		k.Errorf("retry after %s", o.RetryAfter)
	}
}

func byPhoneMemory(k *kit) {
	all := k.trio(NewPhone())
	c := k.checkPhoneOf(wrongCode, all...)
	c.Request = request("one", "body")
	first := k.want(k.checkPhone(c), countersign.OutcomeIncorrect)
	again := k.want(k.checkPhone(c), countersign.OutcomeIncorrect)
	if !again.Replayed || first.Replayed || again.ChecksLeft != first.ChecksLeft || again.Record == nil || again.Record.ID != first.Record.ID {
		k.Errorf("the repeat gives %+v", again)
	}
	if again.Phone.ChecksLeft != countersign.MaxPhoneChecks-1 || k.lookup(all[0].ID).Record.Checks != 1 {
		k.Errorf("a repeat was counted")
	}
	other := *c
	other.Request = request("one", "other")
	k.want(k.checkPhone(&other), countersign.OutcomeMismatch)

	right := k.checkPhoneOf("100001", all...)
	right.Request = request("two", "body")
	k.want(k.checkPhone(right), countersign.OutcomeApproved)
	again = k.want(k.checkPhone(right), countersign.OutcomeApproved)
	if !again.Replayed || again.Record.ID != all[0].ID || again.Record.JTI != right.JTI {
		k.Errorf("the repeat of a right guess gives %+v", again)
	}
	k.advance(61 * time.Second)
	if o := k.want(k.checkPhone(c), countersign.OutcomeIncorrect); o.Replayed {
		k.Errorf("the request is remembered for more than a minute")
	}
	k.cancelAll(all[0].Phone)
	none := *c
	none.Request = request("three", "body")
	k.want(k.checkPhone(&none), countersign.OutcomeNone)
	if o := k.want(k.checkPhone(&none), countersign.OutcomeNone); o.Replayed {
		k.Errorf("a refusal was remembered")
	}
}

func byPhoneHosted(k *kit) {
	phone := NewPhone()
	old := k.begin(phone, hosted("vendor-a", "scope"))
	k.advance(time.Second)
	young := k.begin(phone, hosted("vendor-b", "scope"))
	c := k.checkPhoneOf(rightCode, old, young)
	c.Request = request("one", "body")
	o := k.want(k.checkPhone(c), countersign.OutcomeReserved)
	if o.Record.ID != young.ID || o.Record.Checks != 1 {
		k.Fatalf("reserved: %+v", o.Record)
	}
	k.want(k.checkPhone(c), countersign.OutcomeBusy)
	next := k.checkPhoneOf(rightCode, old, young)
	if o = k.want(k.checkPhone(next), countersign.OutcomeReserved); o.Record.ID != old.ID {
		k.Errorf("with the newest reserved, the older was not taken")
	}
	k.want(k.checkPhone(next), countersign.OutcomeBusy)
	if left := k.lookup(old.ID).Phone.ChecksLeft; left != countersign.MaxPhoneChecks-2 {
		k.Errorf("two reservations leave the phone %d", left)
	}
	k.want(k.settle(&countersign.Settle{App: testApp, ID: young.ID, Approved: true, JTI: "prf_hosted", Request: c.Request}), countersign.OutcomeApproved)
	again := k.want(k.checkPhone(c), countersign.OutcomeApproved)
	if !again.Replayed || again.Record.ID != young.ID || again.Record.JTI != "prf_hosted" {
		k.Errorf("the repeat of a settled check gives %+v", again)
	}
	k.settle(&countersign.Settle{App: testApp, ID: old.ID})
	own := k.begin(phone)
	if o = k.want(k.checkPhone(k.checkPhoneOf(wrongCode, old, own)), countersign.OutcomeIncorrect); o.Record.ID != own.ID {
		k.Errorf("beside an own code the vendor was asked")
	}
	if r := k.lookup(old.ID).Record; r.Checks != 1 {
		k.Errorf("a hosted record was counted beside an own code: %d", r.Checks)
	}
}
