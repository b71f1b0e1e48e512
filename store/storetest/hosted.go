package storetest

import (
	"time"

	"countersign"
)

func hostedScenarios() []scenario {
	return []scenario{
		{"Settle/approved", settleApproved},
		{"Settle/wrong", settleWrong},
		{"Settle/ended by the vendor", settleEnded},
		{"Settle/late", settleLate},
		{"Settle/not reserved", settleNotReserved},
		{"Settle/memory", settleMemory},
	}
}

// reserve begins a hosted verification and reserves a check of it.
func (k *kit) reserve() *countersign.Record {
	k.Helper()
	r := k.begin(NewPhone(), hosted("vendor", "scope"))
	return k.want(k.check(r, "1234"), countersign.OutcomeReserved).Record
}

func settleApproved(k *kit) {
	r := k.reserve()
	if r.Checks != 1 || r.Status != countersign.StatusPending || r.Seq != 2 {
		k.Errorf("the reserved record is %+v", r)
	}
	k.want(k.check(r, "1234"), countersign.OutcomeBusy)
	if left := k.lookup(r.ID).Phone.ChecksLeft; left != countersign.MaxPhoneChecks-1 {
		k.Errorf("a busy answer was counted: %d left", left)
	}
	s := &countersign.Settle{App: testApp, ID: r.ID, Approved: true, JTI: "prf_settled", Caller: hash("caller")}
	o := k.want(k.settle(s), countersign.OutcomeApproved)
	if n := o.Record; n.Status != countersign.StatusApproved || n.JTI != "prf_settled" || n.ApprovedBy != s.Caller || !n.IssuedAt.Equal(n.Ended) || !sameInstant(n.Ended, o.Now) || o.ChecksLeft != 0 {
		k.Errorf("the approved record is %+v", n)
	}
	k.want(k.settle(s), countersign.OutcomeClosed)
	_, err := k.store.Settle(k.ctx, &countersign.Settle{App: otherApp, ID: r.ID, Approved: true})
	k.wantNotFound(err)
}

func settleWrong(k *kit) {
	r := k.begin(NewPhone(), hosted("vendor", "scope"))
	for i := 1; i <= countersign.MaxChecks; i++ {
		k.want(k.check(r, "1234"), countersign.OutcomeReserved)
		o := k.want(k.settle(&countersign.Settle{App: testApp, ID: r.ID}), countersign.OutcomeIncorrect)
		if o.ChecksLeft != countersign.MaxChecks-i || (o.Record.Status == countersign.StatusFailed) != (i == countersign.MaxChecks) {
			k.Errorf("after %d wrong guesses: %d left, %s", i, o.ChecksLeft, o.Record.Status)
		}
	}
	k.want(k.check(r, "1234"), countersign.OutcomeClosed)
}

func settleEnded(k *kit) {
	for _, end := range []countersign.Status{countersign.StatusFailed, countersign.StatusDenied, countersign.StatusExpired} {
		r := k.reserve()
		o := k.want(k.settle(&countersign.Settle{App: testApp, ID: r.ID, End: end}), countersign.OutcomeIncorrect)
		if o.Record.Status != end || o.ChecksLeft != 0 || !sameInstant(o.Record.Ended, o.Now) {
			k.Errorf("ended by the vendor as %s: %+v", end, o.Record)
		}
	}
}

func settleLate(k *kit) {
	r := k.reserve()
	k.advance(6 * time.Second)
	if o := k.want(k.check(r, "1234"), countersign.OutcomeReserved); o.Record.Checks != 2 {
		k.Errorf("the lease was over, but the next check gives %+v", o.Record)
	}
	k.advance(6 * time.Second)
	k.want(k.settle(&countersign.Settle{App: testApp, ID: r.ID, Approved: true}), countersign.OutcomeApproved)

	edge := k.begin(NewPhone(), hosted("vendor", "scope"))
	k.advance(testLifetime - 2*time.Second)
	k.want(k.check(edge, "1234"), countersign.OutcomeReserved)
	k.advance(3 * time.Second)
	if n := find(k.sweep(100), edge.ID); n != nil && n.Status.Final() {
		k.Errorf("a record with a live check lease was swept")
	}
	k.want(k.settle(&countersign.Settle{App: testApp, ID: edge.ID, Approved: true}), countersign.OutcomeApproved)

	lost := k.begin(NewPhone(), hosted("vendor", "scope"))
	k.advance(testLifetime - 2*time.Second)
	k.want(k.check(lost, "1234"), countersign.OutcomeReserved)
	k.advance(8 * time.Second)
	k.want(k.check(lost, "1234"), countersign.OutcomeExpired)
	k.want(k.settle(&countersign.Settle{App: testApp, ID: lost.ID, Approved: true}), countersign.OutcomeExpired)
}

func settleNotReserved(k *kit) {
	r := k.begin(NewPhone(), hosted("vendor", "scope"))
	k.want(k.settle(&countersign.Settle{App: testApp, ID: r.ID, Approved: true}), countersign.OutcomeBusy)
	if n := k.lookup(r.ID).Record; n.Status != countersign.StatusPending || n.Seq != r.Seq {
		k.Errorf("a settle of what nobody reserved changed %+v", n)
	}
	k.cancel(r)
	k.want(k.settle(&countersign.Settle{App: testApp, ID: r.ID, Approved: true}), countersign.OutcomeClosed)
	canceled := k.reserve()
	k.cancel(canceled)
	k.want(k.settle(&countersign.Settle{App: testApp, ID: canceled.ID, Approved: true}), countersign.OutcomeClosed)
	_, err := k.store.Settle(k.ctx, &countersign.Settle{App: testApp, ID: NewID(r.Phone)})
	k.wantNotFound(err)
}

func settleMemory(k *kit) {
	r := k.begin(NewPhone(), hosted("vendor", "scope"))
	c := k.checkOf(r, "1234")
	c.Request = request("one", "body")
	k.want(k.move(c), countersign.OutcomeReserved)
	k.want(k.move(c), countersign.OutcomeBusy)
	other := *c
	other.Request = request("one", "other")
	k.want(k.move(&other), countersign.OutcomeMismatch)
	k.want(k.settle(&countersign.Settle{App: testApp, ID: r.ID, Request: c.Request}), countersign.OutcomeIncorrect)
	o := k.want(k.move(c), countersign.OutcomeIncorrect)
	if !o.Replayed || o.ChecksLeft != countersign.MaxChecks-1 || o.Record.Checks != 1 {
		k.Errorf("the repeat of a settled check gives %+v, %d left", o.Record, o.ChecksLeft)
	}
	lost := *c
	lost.Request = request("two", "body")
	k.want(k.move(&lost), countersign.OutcomeReserved)
	k.advance(6 * time.Second)
	if o = k.want(k.move(&lost), countersign.OutcomeReserved); o.Replayed || o.Record.Checks != 3 {
		k.Errorf("the reservation was lost, but the repeat gives %+v", o.Record)
	}
	k.want(k.settle(&countersign.Settle{App: testApp, ID: r.ID, Approved: true, JTI: "prf_late", Request: lost.Request}), countersign.OutcomeApproved)
	if o = k.want(k.move(&lost), countersign.OutcomeApproved); !o.Replayed || o.Record.JTI != "prf_late" {
		k.Errorf("the repeat of an approved check gives %+v", o.Record)
	}
}
