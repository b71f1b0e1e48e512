package storetest

import (
	"fmt"
	"time"

	"countersign"
)

func sendScenarios() []scenario {
	return []scenario{
		{"Resend/counts and leases", resendCounts},
		{"Resend/refusals", resendRefusals},
		{"Resend/new code", resendNewCode},
		{"Resend/hosted", resendHosted},
		{"Sent/writes deliveries", sentWrites},
		{"Sent/ends and keeps", sentEnds},
		{"Sent/final record", sentFinal},
		{"Sent/many at once", sentMany},
		{"Receipt/raises", receiptRaises},
		{"Receipt/before the answer", receiptEarly},
		{"Receipt/unknown", receiptUnknown},
	}
}

func delivery(id string, s countersign.DeliveryStatus) countersign.Delivery {
	return countersign.Delivery{ID: id, Channel: countersign.ChannelSMS, Provider: "route", Ref: "ref-" + id, Status: s, At: time.UnixMilli(1_700_000_000_123).UTC()}
}

// ready begins a counted verification, writes its send down and waits for the cooldown.
func (k *kit) ready(options ...option) *countersign.Record {
	k.Helper()
	r := k.begin(NewPhone(), append(options, counted)...)
	o := k.want(k.sent(&countersign.Sent{
		ID: r.ID, Channel: r.Channel, Delivery: delivery("msg_first", countersign.DeliverySent), Hosted: r.Hosted,
	}), countersign.OutcomeOK)
	k.advance(30 * time.Second)
	return o.Record
}

func resendOf(r *countersign.Record) *countersign.Resend {
	return &countersign.Resend{App: r.App, ID: r.ID, Hosted: r.Hosted, MinLife: countersign.MinResendLife, Lease: testLease}
}

func resendCounts(k *kit) {
	r := k.ready()
	m := resendOf(r)
	m.Channel = countersign.ChannelVoice
	o := k.want(k.resend(m), countersign.OutcomeOK)
	n := o.Record
	if n.Sends != 2 || n.Channel != countersign.ChannelVoice || n.Seq != r.Seq+1 || !sameInstant(n.Lease, o.Now.Add(testLease)) {
		k.Errorf("after a resend the record is %+v", n)
	}
	if n.Tag != r.Tag || !n.Expires.Equal(r.Expires) {
		k.Errorf("a resend of the same code changed the code or the life")
	}
	if o.Phone.SendsLeft != 1 || !o.Phone.NextSend.Equal(o.Now.Truncate(time.Millisecond).Add(60*time.Second)) {
		k.Errorf("the phone after a resend: %+v", o.Phone)
	}
	k.want(k.tryBegin(r.Phone, counted), countersign.OutcomeTooSoon)
	k.want(k.check(r, rightCode), countersign.OutcomeApproved)
}

func resendRefusals(k *kit) {
	r := k.begin(NewPhone(), counted)
	// What the phone's rules say is said first: a message on its way changes nothing about it.
	k.want(k.resend(resendOf(r)), countersign.OutcomeTooSoon)
	hurried := resendOf(r)
	hurried.Exempt = true
	busy := k.want(k.resend(hurried), countersign.OutcomeBusy)
	if busy.RetryAfter < 0 {
		k.Errorf("retry after %s", busy.RetryAfter)
	}
	k.sent(&countersign.Sent{ID: r.ID, Channel: r.Channel, Delivery: delivery("msg_1", countersign.DeliverySent)})
	o := k.want(k.resend(resendOf(r)), countersign.OutcomeTooSoon)
	if want := r.Created.Add(30 * time.Second).Sub(o.Now); o.RetryAfter != want {
		k.Errorf("retry after %s, want %s", o.RetryAfter, want)
	}
	exempt := resendOf(r)
	exempt.Exempt = true
	for range 2 {
		o = k.want(k.resend(exempt), countersign.OutcomeOK)
		if o.Phone.SendsLeft != 2 {
			k.Errorf("an exempt resend was counted")
		}
		k.sent(&countersign.Sent{ID: r.ID, Channel: r.Channel, Delivery: delivery("msg_2", countersign.DeliverySent)})
	}
	if o = k.want(k.resend(exempt), countersign.OutcomeTooManySends); o.RetryAfter != 0 {
		k.Errorf("waiting helps nothing here, but retry after is %s", o.RetryAfter)
	}
	foreign := resendOf(r)
	foreign.App = otherApp
	_, err := k.store.Resend(k.ctx, foreign)
	k.wantNotFound(err)
	_, err = k.store.Resend(k.ctx, &countersign.Resend{App: testApp, ID: NewID(r.Phone)})
	k.wantNotFound(err)

	late := k.ready()
	k.advance(testLifetime - 30*time.Second - 50*time.Second)
	if o = k.want(k.resend(resendOf(late)), countersign.OutcomeExpired); o.Record.Status != countersign.StatusPending {
		k.Errorf("a code with too little life left was ended as %s", o.Record.Status)
	}
	k.advance(60 * time.Second)
	if o = k.want(k.resend(resendOf(late)), countersign.OutcomeExpired); o.Record.Status != countersign.StatusExpired {
		k.Errorf("past its life the record is %s", o.Record.Status)
	}
	closed := k.ready()
	k.cancel(closed)
	k.want(k.resend(resendOf(closed)), countersign.OutcomeClosed)
	other := k.begin(NewPhone(), inApp(otherApp))
	k.spendGuesses(other.Phone, countersign.MaxPhoneChecks)
	if o = k.want(k.resend(resendOf(other)), countersign.OutcomeLocked); o.RetryAfter <= 23*time.Hour {
		k.Errorf("a locked phone's resend may be tried after %s", o.RetryAfter)
	}
}

func resendNewCode(k *kit) {
	r := k.ready()
	k.want(k.check(r, wrongCode), countersign.OutcomeIncorrect)
	m := resendOf(r)
	m.NewCode = &countersign.Recode{CodeKey: 7, Nonce: []byte("fedcba9876543210"), Tag: k.ring.NewTag(r.App, r.ID, countersign.NewCode("161803"))}
	o := k.want(k.resend(m), countersign.OutcomeOK)
	if n := o.Record; n.CodeKey != 7 || string(n.Nonce) != "fedcba9876543210" || n.Tag != m.NewCode.Tag || n.Checks != 1 {
		k.Errorf("after a new code the record is %+v", n)
	}
	k.want(k.check(r, rightCode), countersign.OutcomeIncorrect)
	k.want(k.check(r, "161803"), countersign.OutcomeApproved)

	late := k.ready()
	k.advance(testLifetime - 30*time.Second - 50*time.Second)
	fresh := resendOf(late)
	fresh.NewCode = &countersign.Recode{CodeKey: 1, Nonce: []byte("fedcba9876543210"), Tag: late.Tag}
	k.want(k.resend(fresh), countersign.OutcomeOK)
}

func resendHosted(k *kit) {
	r := k.begin(NewPhone(), hosted("vendor", "scope"))
	k.sent(&countersign.Sent{ID: r.ID, Channel: r.Channel, Delivery: delivery("msg_1", countersign.DeliverySent), Hosted: "vendor", HostedRef: "theirs"})
	m := resendOf(r)
	m.Hosted, m.Exempt = "vendor", true
	o := k.want(k.resend(m), countersign.OutcomeOK)
	if o.Record.Hosted != "vendor" || o.Record.HostedRef != "theirs" || o.Record.HostedScope != hash("scope") {
		k.Errorf("the same route changed hosting: %+v", o.Record)
	}
	k.sent(&countersign.Sent{ID: r.ID, Channel: r.Channel, Delivery: delivery("msg_2", countersign.DeliverySent), Hosted: "vendor", HostedRef: "theirs"})
	m.Hosted = ""
	o = k.want(k.resend(m), countersign.OutcomeOK)
	if o.Record.Hosted != "" || o.Record.HostedRef != "" || !o.Record.HostedScope.IsZero() {
		k.Errorf("away from the vendor the record is %+v", o.Record)
	}
	k.begin(r.Phone, hosted("vendor", "other"))
}

func sentWrites(k *kit) {
	r := k.begin(NewPhone())
	s := &countersign.Sent{ID: r.ID, Channel: countersign.ChannelVoice, Delivery: delivery("msg_1", countersign.DeliverySent)}
	o := k.want(k.sent(s), countersign.OutcomeOK)
	n := o.Record
	if !n.Lease.IsZero() || n.Channel != countersign.ChannelVoice || n.Seq != r.Seq+1 || len(n.Deliveries) != 1 {
		k.Fatalf("after Sent the record is %+v", n)
	}
	if d := n.Deliveries[0]; d != s.Delivery {
		k.Errorf("the delivery is %+v, want %+v", d, s.Delivery)
	}
	s.Channel, s.Delivery.Status, s.Delivery.Provider = "", countersign.DeliveryAccepted, "second"
	o = k.want(k.sent(s), countersign.OutcomeOK)
	if d := o.Record.Deliveries; len(d) != 1 || d[0].Status != countersign.DeliverySent || d[0].Provider != "second" {
		k.Errorf("the same delivery again gives %+v", d)
	}
	if o.Record.Channel != countersign.ChannelVoice {
		k.Errorf("no channel told, but it is %s now", o.Record.Channel)
	}
	for i := range 12 {
		s.Delivery = delivery(fmt.Sprintf("msg_n%d", i), countersign.DeliverySent)
		o = k.want(k.sent(s), countersign.OutcomeOK)
	}
	if d := o.Record.Deliveries; len(d) != 10 || d[9].ID != "msg_n11" || d[0].ID != "msg_n2" {
		k.Errorf("the last ten deliveries are not kept: %d", len(d))
	}
	k.want(k.sent(&countersign.Sent{ID: NewID(r.Phone), Delivery: s.Delivery}), countersign.OutcomeUnknown)
}

func sentEnds(k *kit) {
	r := k.begin(NewPhone())
	o := k.want(k.sent(&countersign.Sent{ID: r.ID, Delivery: delivery("msg_1", countersign.DeliveryQueued), KeepLease: true}), countersign.OutcomeOK)
	if !o.Record.Lease.Equal(r.Lease) {
		k.Errorf("the lease was to be kept: %v, was %v", o.Record.Lease, r.Lease)
	}
	o = k.want(k.sent(&countersign.Sent{ID: r.ID, Delivery: delivery("msg_1", countersign.DeliveryFailed), End: countersign.StatusUndeliverable}), countersign.OutcomeOK)
	if n := o.Record; n.Status != countersign.StatusUndeliverable || !n.Lease.IsZero() || !sameInstant(n.Ended, o.Now) {
		k.Errorf("an end gives %+v", n)
	}
	k.want(k.check(r, rightCode), countersign.OutcomeClosed)

	h := k.begin(NewPhone(), hosted("vendor", "scope"))
	o = k.sent(&countersign.Sent{ID: h.ID, Delivery: delivery("msg_1", countersign.DeliverySent), Hosted: "vendor", HostedRef: "theirs"})
	if o.Record.HostedRef != "theirs" || o.Record.HostedScope != hash("scope") {
		k.Errorf("the vendor's id was not kept: %+v", o.Record)
	}
	o = k.sent(&countersign.Sent{ID: h.ID, Delivery: delivery("msg_2", countersign.DeliverySent)})
	if o.Record.Hosted != "" || o.Record.HostedRef != "" || !o.Record.HostedScope.IsZero() {
		k.Errorf("the code is ours now, but the record is %+v", o.Record)
	}
}

func sentFinal(k *kit) {
	r := k.begin(NewPhone())
	o := k.want(k.check(r, rightCode), countersign.OutcomeApproved)
	after := k.want(k.sent(&countersign.Sent{
		ID: r.ID, Channel: countersign.ChannelVoice, Delivery: delivery("msg_1", countersign.DeliveryFailed), Hosted: "vendor",
		End: countersign.StatusUndeliverable,
	}), countersign.OutcomeOK).Record
	if after.Status != countersign.StatusApproved || after.Channel != r.Channel || after.Hosted != "" || !after.Ended.Equal(o.Record.Ended) {
		k.Errorf("Sent moved a final record: %+v", after)
	}
	if len(after.Deliveries) != 1 || after.Seq != o.Record.Seq+1 {
		k.Errorf("the delivery of a final record was not written: %+v", after)
	}
}

func (k *kit) receipt(m *countersign.Receipt) *countersign.Outcome {
	k.Helper()
	o, err := k.store.Receipt(k.ctx, m)
	return must(k, o, err)
}

func receiptRaises(k *kit) {
	r := k.begin(NewPhone())
	k.sent(&countersign.Sent{ID: r.ID, Delivery: delivery("msg_1", countersign.DeliveryAccepted)})
	at := time.UnixMilli(1_700_000_100_456).UTC()
	o := k.want(k.receipt(&countersign.Receipt{ID: r.ID, Ref: "ref-msg_1", Status: countersign.DeliveryDelivered, Detail: "ok", At: at}), countersign.OutcomeOK)
	d := o.Record.Deliveries
	if len(d) != 1 || d[0].Status != countersign.DeliveryDelivered || d[0].Detail != "ok" || !d[0].At.Equal(at) {
		k.Errorf("the receipt gives %+v", d)
	}
	seq := o.Record.Seq
	for _, s := range []countersign.DeliveryStatus{countersign.DeliverySent, countersign.DeliveryFailed, countersign.DeliveryUndelivered, countersign.DeliveryDelivered} {
		o = k.want(k.receipt(&countersign.Receipt{ID: r.ID, DeliveryID: "msg_1", Status: s, Detail: "late"}), countersign.OutcomeOK)
		if d := o.Record.Deliveries[0]; d.Status != countersign.DeliveryDelivered || d.Detail != "ok" || o.Record.Seq != seq {
			k.Errorf("a receipt of %s after the final one changed %+v", s, d)
		}
	}
	k.want(k.check(r, rightCode), countersign.OutcomeApproved)
	k.sent(&countersign.Sent{ID: r.ID, Delivery: delivery("msg_2", countersign.DeliverySent)})
	o = k.want(k.receipt(&countersign.Receipt{ID: r.ID, DeliveryID: "msg_2", Status: countersign.DeliveryDelivered}), countersign.OutcomeOK)
	if o.Record.Status != countersign.StatusApproved || o.Record.Deliveries[1].Status != countersign.DeliveryDelivered {
		k.Errorf("a receipt for a final record gives %+v", o.Record)
	}
}

func receiptEarly(k *kit) {
	r := k.begin(NewPhone())
	o := k.want(k.receipt(&countersign.Receipt{ID: r.ID, DeliveryID: "msg_1", Ref: "early", Status: countersign.DeliveryDelivered}), countersign.OutcomeOK)
	if len(o.Record.Deliveries) != 1 || o.Record.Status != countersign.StatusPending {
		k.Fatalf("an early receipt gives %+v", o.Record)
	}
	o = k.want(k.sent(&countersign.Sent{ID: r.ID, Channel: r.Channel, Delivery: delivery("msg_1", countersign.DeliverySent)}), countersign.OutcomeOK)
	d := o.Record.Deliveries
	if len(d) != 1 || d[0].Status != countersign.DeliveryDelivered || d[0].Provider != "route" || d[0].Ref != "ref-msg_1" || d[0].Channel != countersign.ChannelSMS {
		k.Errorf("the answer after its receipt gives %+v", d)
	}
}

func receiptUnknown(k *kit) {
	r := k.begin(NewPhone())
	k.want(k.receipt(&countersign.Receipt{ID: NewID(r.Phone), DeliveryID: "msg_1", Status: countersign.DeliverySent}), countersign.OutcomeUnknown)
	k.want(k.receipt(&countersign.Receipt{ID: r.ID, Ref: "nobody's", Status: countersign.DeliverySent}), countersign.OutcomeUnknown)
	if n := k.lookup(r.ID).Record; n.Seq != r.Seq || len(n.Deliveries) != 0 {
		k.Errorf("an unknown receipt changed %+v", n)
	}
}

// sentMany makes moves at once, where the store can: each comes out as if made alone, whatever became of its neighbours.
func sentMany(k *kit) {
	store, ok := k.store.(countersign.SentMany)
	if !ok {
		return
	}
	plain, ends, final := k.begin(NewPhone()), k.begin(NewPhone()), k.begin(NewPhone())
	k.want(k.check(final, rightCode), countersign.OutcomeApproved)
	sent := func(id, delivered string) *countersign.Sent {
		return &countersign.Sent{ID: id, Channel: countersign.ChannelSMS, Delivery: delivery(delivered, countersign.DeliveryAccepted)}
	}
	failed := sent(ends.ID, "msg_b")
	failed.End, failed.Delivery.Status = countersign.StatusUndeliverable, countersign.DeliveryFailed
	outcomes, err := store.SentMany(k.ctx, []*countersign.Sent{
		sent(plain.ID, "msg_a"), failed, sent(final.ID, "msg_c"), sent(NewID(NewPhone()), "msg_d"), sent(plain.ID, "msg_e"),
	})
	if err != nil || len(outcomes) != 5 {
		k.Fatalf("%d outcomes, %v", len(outcomes), err)
	}
	for i, want := range []struct {
		result     countersign.Result
		status     countersign.Status
		deliveries int
	}{
		{countersign.OutcomeOK, countersign.StatusPending, 1},
		{countersign.OutcomeOK, countersign.StatusUndeliverable, 1},
		{countersign.OutcomeOK, countersign.StatusApproved, 1},
		{countersign.OutcomeUnknown, "", 0},
		{countersign.OutcomeOK, countersign.StatusPending, 2},
	} {
		o := outcomes[i]
		if k.want(o, want.result); want.status == "" {
			continue
		}
		if o.Record.Status != want.status || len(o.Record.Deliveries) != want.deliveries || !o.Record.Lease.IsZero() {
			k.Errorf("move %d: the record is %+v", i, o.Record)
		}
	}
	if got := k.lookup(plain.ID); len(got.Record.Deliveries) != 2 {
		k.Errorf("saved are %d deliveries", len(got.Record.Deliveries))
	}
}
