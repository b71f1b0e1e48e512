package storetest

import (
	"time"

	"countersign"
)

func outboxScenarios() []scenario {
	return []scenario{
		{"Outbox/begin and end", outboxBeginEnd},
		{"Outbox/every end", outboxEveryEnd},
		{"Outbox/age, order, most", outboxOrder},
		{"Outbox/acknowledged too early", outboxEarly},
	}
}

func (k *kit) outbox(age time.Duration, most int) []*countersign.Record {
	k.Helper()
	records, err := k.store.Outbox(k.ctx, age, most)
	return must(k, records, err)
}

func (k *kit) acknowledge(records ...*countersign.Record) {
	k.Helper()
	if err := k.store.Acknowledge(k.ctx, records); err != nil {
		k.Fatalf("acknowledging: %v", err)
	}
}

func outboxBeginEnd(k *kit) {
	r := k.begin(NewPhone())
	got := k.outbox(0, 100)
	if len(got) != 1 || got[0].ID != r.ID || got[0].Status != countersign.StatusPending {
		k.Fatalf("after Begin the outbox holds %+v", got)
	}
	if diff := payloadDiff(r, got[0]); diff != "" {
		k.Errorf("handed out otherwise than saved: %s", diff)
	}
	k.acknowledge(got...)
	if got = k.outbox(0, 100); len(got) != 0 {
		k.Errorf("acknowledged, but the outbox holds %d", len(got))
	}
	n := k.sent(&countersign.Sent{ID: r.ID, Channel: r.Channel, Delivery: delivery("msg_1", countersign.DeliverySent)}).Record
	k.want(k.check(r, wrongCode), countersign.OutcomeIncorrect)
	if got = k.outbox(0, 100); len(got) != 0 {
		k.Errorf("a change of a pending record (seq %d) went to the outbox", n.Seq)
	}
	end := k.want(k.check(r, rightCode), countersign.OutcomeApproved).Record
	got = k.outbox(0, 100)
	if len(got) != 1 || got[0].Status != countersign.StatusApproved || got[0].Seq != end.Seq || got[0].JTI != end.JTI {
		k.Fatalf("after the end the outbox holds %+v", got)
	}
	k.acknowledge(got...)
	k.receipt(&countersign.Receipt{ID: r.ID, DeliveryID: "msg_1", Status: countersign.DeliveryDelivered})
	got = k.outbox(0, 100)
	if len(got) != 1 || got[0].Deliveries[0].Status != countersign.DeliveryDelivered {
		k.Fatalf("after a change of a final record the outbox holds %+v", got)
	}
	k.acknowledge(got...)
	k.acknowledge(got...)
	k.acknowledge()
	k.acknowledge(&countersign.Record{ID: NewID(r.Phone), Phone: r.Phone, Seq: 1})
	if got = k.outbox(0, 100); len(got) != 0 {
		k.Errorf("at the end the outbox holds %d", len(got))
	}
}

func outboxEveryEnd(k *kit) {
	ends := map[countersign.Status]func(r *countersign.Record){
		countersign.StatusCanceled: func(r *countersign.Record) { k.cancel(r) },
		countersign.StatusFailed: func(r *countersign.Record) {
			for range countersign.MaxChecks {
				k.check(r, wrongCode)
			}
		},
		countersign.StatusExpired: func(*countersign.Record) { k.advance(testLifetime); k.sweep(100) },
		countersign.StatusUndeliverable: func(r *countersign.Record) {
			k.sent(&countersign.Sent{ID: r.ID, Delivery: delivery("msg_1", countersign.DeliveryFailed), End: countersign.StatusUndeliverable})
		},
	}
	for status, end := range ends {
		r := k.begin(NewPhone())
		k.acknowledge(k.outbox(0, 100)...)
		end(r)
		got := k.outbox(0, 100)
		if len(got) != 1 || got[0].ID != r.ID || got[0].Status != status {
			k.Errorf("after the end as %s the outbox holds %+v", status, got)
		}
		k.acknowledge(got...)
	}
}

func outboxOrder(k *kit) {
	var all []*countersign.Record
	for range 5 {
		all = append(all, k.begin(NewPhone()))
		k.advance(10 * time.Second)
	}
	got := k.outbox(25*time.Second, 100)
	if len(got) != 3 {
		k.Fatalf("%d entries are 25 s old, want 3", len(got))
	}
	for i, r := range got {
		if r.ID != all[i].ID {
			k.Errorf("place %d is not the oldest", i)
		}
	}
	if got = k.outbox(0, 2); len(got) != 2 || got[0].ID != all[0].ID || got[1].ID != all[1].ID {
		k.Errorf("of at most two, %d came", len(got))
	}
}

func outboxEarly(k *kit) {
	r := k.begin(NewPhone())
	end := k.want(k.check(r, rightCode), countersign.OutcomeApproved).Record
	k.acknowledge(r)
	got := k.outbox(0, 100)
	if len(got) != 1 || got[0].Status != countersign.StatusApproved {
		k.Fatalf("an acknowledgment of the start took the end away: %+v", got)
	}
	k.acknowledge(end)
	if got = k.outbox(0, 100); len(got) != 0 {
		k.Errorf("acknowledged, but the outbox holds %d", len(got))
	}
}
