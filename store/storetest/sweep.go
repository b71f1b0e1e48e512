package storetest

import (
	"time"

	"countersign"
)

func sweepScenarios() []scenario {
	return []scenario{
		{"Sweep/ends the expired", sweepExpired},
		{"Sweep/claims", sweepClaims},
		{"Sweep/renewed", sweepRenewed},
		{"Sweep/bounded", sweepBounded},
	}
}

// sweep sweeps with a lease of ten seconds.
func (k *kit) sweep(most int) []*countersign.Record {
	k.Helper()
	swept, err := k.store.Sweep(k.ctx, testLease, most)
	return must(k, swept, err)
}

func find(records []*countersign.Record, id string) *countersign.Record {
	for _, r := range records {
		if r.ID == id {
			return r
		}
	}
	return nil
}

// sentRecord begins a verification whose send is done.
func (k *kit) sentRecord(phone countersign.Hash, options ...option) *countersign.Record {
	k.Helper()
	r := k.begin(phone, options...)
	o := k.sent(&countersign.Sent{ID: r.ID, Channel: r.Channel, Delivery: delivery("msg_1", countersign.DeliverySent), Hosted: r.Hosted})
	return k.want(o, countersign.OutcomeOK).Record
}

func sweepExpired(k *kit) {
	r := k.sentRecord(NewPhone())
	if swept := k.sweep(100); len(swept) != 0 {
		k.Errorf("with nothing due, %d were swept", len(swept))
	}
	k.advance(testLifetime)
	swept := k.sweep(100)
	if n := find(swept, r.ID); len(swept) != 1 || n == nil || n.Status != countersign.StatusExpired || n.Seq <= r.Seq || n.Ended.Before(n.Expires) {
		k.Fatalf("swept: %+v", swept)
	}
	if n := k.lookup(r.ID).Record; n.Status != countersign.StatusExpired || n.Seq != swept[0].Seq {
		k.Errorf("Lookup gives %+v", n)
	}
	if swept = k.sweep(100); len(swept) != 0 {
		k.Errorf("the same record was swept twice")
	}
	k.want(k.check(r, rightCode), countersign.OutcomeExpired)
}

func sweepClaims(k *kit) {
	r := k.begin(NewPhone())
	k.advance(testLease + countersign.ClaimAfter - time.Second)
	if swept := k.sweep(100); len(swept) != 0 {
		k.Errorf("a send was claimed %s after its lease", countersign.ClaimAfter-time.Second)
	}
	k.advance(time.Second)
	swept := k.sweep(100)
	now := k.lookup(r.ID)
	if n := find(swept, r.ID); n == nil || n.Status != countersign.StatusPending || !n.Lease.After(now.Now.Add(testLease-5*time.Second)) || n.Lease.After(now.Now.Add(testLease)) {
		k.Fatalf("claimed: %+v at %v", swept, now.Now)
	}
	if again := k.sweep(100); len(again) != 0 {
		k.Errorf("two claimed the same send")
	}
	k.want(k.sent(&countersign.Sent{ID: r.ID, Channel: r.Channel, Delivery: delivery("msg_1", countersign.DeliverySent)}), countersign.OutcomeOK)
	k.advance(testLease + countersign.ClaimAfter + time.Second)
	if again := k.sweep(100); len(again) != 0 {
		k.Errorf("what is sent was claimed")
	}
}

// sweepRenewed: a send that takes long renews its lease, and one that was written down as done cannot get it back: else a
// report that comes late would have the message sent again.
func sweepRenewed(k *kit) {
	r := k.begin(NewPhone())
	renew := &countersign.Sent{ID: r.ID, Channel: r.Channel, Delivery: delivery("msg_1", countersign.DeliveryQueued), KeepLease: true, Lease: testLease}
	k.advance(testLease - time.Second)
	k.want(k.sent(renew), countersign.OutcomeOK)
	k.advance(testLease)
	if swept := k.sweep(100); len(swept) != 0 {
		k.Errorf("a renewed lease was claimed")
	}
	k.advance(countersign.ClaimAfter)
	if swept := k.sweep(100); find(swept, r.ID) == nil {
		k.Errorf("a lease that nobody renews any more was not claimed")
	}

	r = k.sentRecord(NewPhone())
	k.want(k.sent(&countersign.Sent{ID: r.ID, Channel: r.Channel, Delivery: delivery("msg_1", countersign.DeliveryQueued), KeepLease: true, Lease: testLease}), countersign.OutcomeOK)
	k.advance(testLease + countersign.ClaimAfter + time.Second)
	if swept := k.sweep(100); find(swept, r.ID) != nil {
		k.Errorf("a late renewal brought a lease back, and the message would be sent again")
	}
	if d := k.lookup(r.ID).Record.Deliveries; len(d) != 1 || d[0].Status != countersign.DeliverySent {
		k.Errorf("a late renewal changed the delivery: %+v", d)
	}
}

func sweepBounded(k *kit) {
	left := map[string]bool{}
	for range 7 {
		left[k.sentRecord(NewPhone()).ID] = true
	}
	k.advance(testLifetime)
	for round := range 4 {
		swept := k.sweep(3)
		if want := min(3, len(left)); len(swept) != want {
			k.Errorf("round %d swept %d, want %d", round, len(swept), want)
		}
		for _, r := range swept {
			if !left[r.ID] {
				k.Errorf("a record was swept twice")
			}
			delete(left, r.ID)
		}
	}
	if len(left) != 0 {
		k.Errorf("%d expired records were never swept", len(left))
	}
}
