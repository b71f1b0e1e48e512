package storetest

import (
	"bytes"
	"time"

	"countersign"
)

func beginScenarios() []scenario {
	return []scenario{
		{"Begin/saves what it is given", beginSaves},
		{"Begin/twice is once", beginTwice},
		{"Begin/cooldown", beginCooldown},
		{"Begin/three in ten minutes", beginBurst},
		{"Begin/ten a day", beginDay},
		{"Begin/exempt", beginExempt},
		{"Begin/locked", beginLocked},
		{"Begin/sixth pending", beginSixth},
		{"Begin/supersede", beginSupersede},
		{"Begin/hosted", beginHosted},
	}
}

func beginSaves(k *kit) {
	phone := NewPhone()
	b := k.draft(phone, rightCode, counted)
	b.Record.TxnHash, b.Record.RefHash, b.Record.Test = bytes.Repeat([]byte{7}, 32), hash("ref"), true
	want := *b.Record
	answer, err := k.store.Begin(k.ctx, b)
	o := k.want(must(k, answer, err), countersign.OutcomeOK)
	r := o.Record
	switch {
	case r.Status != countersign.StatusPending, r.Sends != 1, r.Seq != 1, r.Checks != 0, o.Replayed, !r.Ended.IsZero():
		k.Errorf("a new record is %+v", r)
	case !sameInstant(r.Created, o.Now), !r.Expires.Equal(r.Created.Add(testLifetime)), !r.Lease.Equal(r.Created.Add(testLease)):
		k.Errorf("its instants are %v, %v, %v at %v", r.Created, r.Expires, r.Lease, o.Now)
	case !r.Created.Equal(r.Created.Truncate(time.Millisecond)):
		k.Errorf("an instant has more than milliseconds: %v", r.Created)
	}
	p := o.Phone
	if p.ChecksLeft != countersign.MaxPhoneChecks || p.SendsLeft != 2 || !p.NextSend.Equal(r.Created.Add(30*time.Second)) || p.Locked || p.Hard {
		k.Errorf("the phone's state is %+v", p)
	}
	if p.SendsReset <= countersign.PhoneWindow-time.Minute || p.SendsReset > countersign.PhoneWindow {
		k.Errorf("the sends are empty again in %s", p.SendsReset)
	}
	got := k.lookup(r.ID)
	for _, have := range []*countersign.Record{r, got.Record} {
		if diff := payloadDiff(&want, have); diff != "" {
			k.Errorf("saved otherwise than given: %s", diff)
		}
	}
	if got.Phone.SendsLeft != 2 || got.Phone.ChecksLeft != countersign.MaxPhoneChecks || got.ChecksLeft != countersign.MaxChecks {
		k.Errorf("Lookup gives the phone as %+v and %d checks", got.Phone, got.ChecksLeft)
	}
	if _, ok, err := k.store.Lookup(k.ctx, NewID(phone)); ok || err != nil {
		k.Errorf("Lookup of an unknown id: %v, %v", ok, err)
	}
}

// payloadDiff names the first field that the store must give back as it got it.
func payloadDiff(a, b *countersign.Record) string {
	switch {
	case a.ID != b.ID, a.App != b.App, a.Purpose != b.Purpose, a.Channel != b.Channel, a.Face != b.Face, a.Phone != b.Phone:
		return "what it is"
	case a.Country != b.Country, a.Alphabet != b.Alphabet, a.Length != b.Length, a.Test != b.Test:
		return "country, alphabet, length or test"
	case a.CodeKey != b.CodeKey, !bytes.Equal(a.Nonce, b.Nonce), a.Tag != b.Tag, !bytes.Equal(a.TxnHash, b.TxnHash):
		return "the code's parts"
	case !bytes.Equal(a.Sealed, b.Sealed), a.RefHash != b.RefHash:
		return "the sealed part or the reference"
	case a.Hosted != b.Hosted, a.HostedScope != b.HostedScope, a.MaxChecks != b.MaxChecks, a.MaxSends != b.MaxSends:
		return "hosting or bounds"
	}
	return ""
}

func beginTwice(k *kit) {
	phone := NewPhone()
	b := k.draft(phone, rightCode, counted)
	again := func() *countersign.Outcome {
		copied := *b
		record := *b.Record
		copied.Record = &record
		o, err := k.store.Begin(k.ctx, &copied)
		return k.want(must(k, o, err), countersign.OutcomeOK)
	}
	first := again()
	second := again()
	if !second.Replayed || second.Record.Sends != 1 || second.Phone.SendsLeft != 2 || !second.Record.Lease.Equal(first.Record.Lease) {
		k.Errorf("the second Begin gives %+v, phone %+v", second.Record, second.Phone)
	}
	k.advance(testLease + time.Second)
	third := again()
	if !third.Replayed || !third.Record.Lease.After(third.Now) {
		k.Errorf("the lease was over and nothing was sent, but no new lease was taken: %v at %v", third.Record.Lease, third.Now)
	}
	k.sent(&countersign.Sent{ID: b.Record.ID, Channel: countersign.ChannelSMS, Delivery: delivery("msg_a", countersign.DeliverySent)})
	if fourth := again(); !fourth.Replayed || !fourth.Record.Lease.IsZero() {
		k.Errorf("a lease was taken on what is sent: %v", fourth.Record.Lease)
	}
	foreign := *b.Record
	foreign.App = otherApp
	if o, err := k.store.Begin(k.ctx, &countersign.Begin{Record: &foreign, Lifetime: testLifetime}); err == nil {
		k.Errorf("another app's id was accepted: %s", resultName(o.Result))
	}
}

func beginCooldown(k *kit) {
	phone := NewPhone()
	first := k.begin(phone, counted)
	k.advance(25 * time.Second)
	o := k.want(k.tryBegin(phone, counted, inApp(otherApp), supersede), countersign.OutcomeTooSoon)
	if want := first.Created.Add(30 * time.Second).Sub(o.Now); o.RetryAfter != want || want <= 0 {
		k.Errorf("retry after %s, want %s", o.RetryAfter, want)
	}
	if r := k.lookup(first.ID).Record; r.Status != countersign.StatusPending || r.Seq != 1 {
		k.Errorf("a refusal changed a record: %+v", r)
	}
	k.advance(5 * time.Second)
	second := k.begin(phone, counted, inApp(otherApp))
	k.advance(31 * time.Second)
	o = k.want(k.tryBegin(phone, counted), countersign.OutcomeTooSoon)
	if want := second.Created.Add(60 * time.Second).Sub(o.Now); o.RetryAfter != want {
		k.Errorf("after the second send: retry after %s, want %s", o.RetryAfter, want)
	}
}

func beginBurst(k *kit) {
	phone := NewPhone()
	first := k.begin(phone, counted)
	k.advance(30 * time.Second)
	k.begin(phone, counted)
	k.advance(60 * time.Second)
	k.begin(phone, counted)
	k.advance(120 * time.Second)
	o := k.want(k.tryBegin(phone, counted), countersign.OutcomeTooManySends)
	if want := first.Created.Add(countersign.SendsBurst).Sub(o.Now); o.RetryAfter != want {
		k.Errorf("retry after %s, want %s", o.RetryAfter, want)
	}
	k.advance(o.RetryAfter)
	if o = k.want(k.tryBegin(phone, counted), countersign.OutcomeOK); o.Phone.SendsLeft != 0 {
		k.Errorf("%d sends left of a full burst", o.Phone.SendsLeft)
	}
}

func beginDay(k *kit) {
	phone := NewPhone()
	var first *countersign.Record
	for i := range countersign.MaxSendsDay {
		o := k.want(k.tryBegin(phone, counted, supersede), countersign.OutcomeOK)
		if i == 0 {
			first = o.Record
		}
		k.advance(11 * time.Minute)
	}
	o := k.want(k.tryBegin(phone, counted), countersign.OutcomeTooManySends)
	if want := first.Created.Add(countersign.PhoneWindow).Sub(o.Now); o.RetryAfter != want {
		k.Errorf("retry after %s, want %s", o.RetryAfter, want)
	}
	k.advance(o.RetryAfter - 2*time.Second)
	k.want(k.tryBegin(phone, counted), countersign.OutcomeTooManySends)
	k.advance(2 * time.Second)
	k.want(k.tryBegin(phone, counted), countersign.OutcomeOK)
	k.advance(countersign.PhoneWindow)
	if o = k.want(k.tryBegin(phone, counted), countersign.OutcomeOK); !o.Phone.NextSend.Equal(o.Record.Created.Add(30 * time.Second)) {
		k.Errorf("a day later the cooldown has not gone back: %v at %v", o.Phone.NextSend, o.Now)
	}
}

func beginExempt(k *kit) {
	phone := NewPhone()
	for range 12 {
		if o := k.want(k.tryBegin(phone, supersede), countersign.OutcomeOK); o.Phone.SendsLeft != 3 || !o.Phone.NextSend.IsZero() || o.Phone.SendsReset != 0 {
			k.Fatalf("an exempt send was counted: %+v", o.Phone)
		}
	}
}

func beginLocked(k *kit) {
	phone := NewPhone()
	k.spendGuesses(phone, countersign.MaxPhoneChecks)
	for _, o := range []*countersign.Outcome{k.tryBegin(phone), k.tryBegin(phone, inApp(otherApp), counted)} {
		k.want(o, countersign.OutcomeLocked)
		if o.RetryAfter <= 23*time.Hour || o.RetryAfter > countersign.PhoneWindow {
			k.Errorf("retry after %s", o.RetryAfter)
		}
	}
}

func beginSixth(k *kit) {
	phone := NewPhone()
	first := k.begin(phone)
	k.advance(10 * time.Second)
	for range countersign.MaxPending - 1 {
		k.begin(phone)
	}
	o := k.want(k.tryBegin(phone), countersign.OutcomePending)
	if want := first.Expires.Sub(o.Now); o.RetryAfter != want {
		k.Errorf("retry after %s, want %s", o.RetryAfter, want)
	}
	k.begin(phone, inApp(otherApp))
	k.begin(phone, supersede)
	k.cancelAll(phone)
	for range countersign.MaxPending {
		k.begin(phone)
	}
	k.want(k.tryBegin(phone), countersign.OutcomePending)
	k.advance(testLifetime)
	k.begin(phone)
}

// cancelAll ends what is pending of the phone in the test app.
func (k *kit) cancelAll(phone countersign.Hash) {
	k.Helper()
	pending, err := k.store.Pending(k.ctx, testApp, phone, "")
	for _, r := range must(k, pending, err) {
		k.want(k.cancel(r), countersign.OutcomeOK)
	}
}

func beginSupersede(k *kit) {
	phone := NewPhone()
	old := k.begin(phone, forPurpose(countersign.PurposeSignup))
	face := k.begin(phone, onFace(countersign.FaceSinch))
	foreign := k.begin(phone, inApp(otherApp))
	o := k.want(k.tryBegin(phone, supersede), countersign.OutcomeOK)
	if len(o.Ended) != 1 || o.Ended[0].ID != old.ID || o.Ended[0].Status != countersign.StatusCanceled || !sameInstant(o.Ended[0].Ended, o.Now) {
		k.Errorf("superseded: %+v", o.Ended)
	}
	if r := k.lookup(old.ID).Record; r.Status != countersign.StatusCanceled || r.Seq <= old.Seq || !r.Lease.IsZero() {
		k.Errorf("the superseded record is %+v", r)
	}
	for _, r := range []*countersign.Record{face, foreign} {
		if now := k.lookup(r.ID).Record; now.Status != countersign.StatusPending {
			k.Errorf("a record of another face or app was superseded")
		}
	}
	k.want(k.check(old, rightCode), countersign.OutcomeClosed)
	k.want(k.check(o.Record, rightCode), countersign.OutcomeApproved)
}

func beginHosted(k *kit) {
	phone := NewPhone()
	first := k.begin(phone, hosted("vendor", "scope"))
	k.begin(phone, hosted("another", "scope"))
	o := k.want(k.tryBegin(phone, hosted("vendor", "scope"), inApp(testApp)), countersign.OutcomeOK)
	if len(o.Ended) != 1 || o.Ended[0].ID != first.ID || o.Ended[0].Status != countersign.StatusCanceled {
		k.Errorf("the vendor's verification was not taken over: %+v", o.Ended)
	}
	holder := o.Record
	o = k.want(k.tryBegin(phone, hosted("vendor", "other"), inApp(otherApp)), countersign.OutcomeHostedTaken)
	if want := holder.Expires.Sub(o.Now); o.RetryAfter != want {
		k.Errorf("retry after %s, want %s", o.RetryAfter, want)
	}
	own := func(b *countersign.Begin) { b.OwnCode = true }
	o = k.want(k.tryBegin(phone, hosted("vendor", "other"), own), countersign.OutcomeOK)
	if o.Record.Hosted != "" || !o.Record.HostedScope.IsZero() || len(o.Ended) != 0 {
		k.Errorf("with an own code allowed, the record is hosted by %q", o.Record.Hosted)
	}
	if r := k.lookup(holder.ID).Record; r.Status != countersign.StatusPending || r.Hosted != "vendor" {
		k.Errorf("the holder of the vendor's verification is %s", r.Status)
	}
	k.advance(testLifetime)
	if o = k.want(k.tryBegin(phone, hosted("vendor", "other")), countersign.OutcomeOK); o.Record.Hosted != "vendor" {
		k.Errorf("an expired record still holds the vendor's verification")
	}
}
