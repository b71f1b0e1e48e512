package redisstore

import (
	"testing"
	"time"

	"countersign"
)

func sentOf(r *countersign.Record, id string) *countersign.Sent {
	return &countersign.Sent{ID: r.ID, Channel: r.Channel, Delivery: countersign.Delivery{
		ID: id, Channel: r.Channel, Provider: "route", Status: countersign.DeliveryAccepted, At: time.UnixMilli(1_700_000_000_000).UTC(),
	}}
}

// Moves of one flush come out as moves made one by one, whatever became of their neighbours, and also on a server that
// has forgotten the scripts.
func TestSentMany(t *testing.T) {
	server := startRedis(t)
	s := open(t, Options{URL: server.url(), Timeout: patient})
	plain, ends, final := begin(t, s), begin(t, s), begin(t, s)
	final.must(code, countersign.OutcomeApproved)
	gone := *plain.r
	gone.ID = plain.r.ID[:7] + "aaaaaaaaaaaaaaaaaaaaaaaaaa"
	failed := sentOf(ends.r, "msg_b")
	failed.End, failed.Delivery.Status = countersign.StatusUndeliverable, countersign.DeliveryFailed
	server.do("SCRIPT", "FLUSH")

	outcomes, err := s.SentMany(t.Context(), []*countersign.Sent{
		sentOf(plain.r, "msg_a"), failed, sentOf(final.r, "msg_c"), sentOf(&gone, "msg_d"), {ID: "no id"}, sentOf(plain.r, "msg_e"),
	})
	if err == nil || len(outcomes) != 6 {
		t.Fatalf("%d outcomes and %v; want 6 and a failure for the delivery without a status", len(outcomes), err)
	}
	if o := outcomes[4]; o != nil {
		t.Errorf("the move that failed has the outcome %+v", o)
	}
	for i, want := range []struct {
		result     countersign.Result
		status     countersign.Status
		deliveries int
	}{
		{countersign.OutcomeOK, countersign.StatusPending, 1},
		{countersign.OutcomeOK, countersign.StatusUndeliverable, 1},
		{countersign.OutcomeOK, countersign.StatusApproved, 1},
		{result: countersign.OutcomeUnknown},
		{},
		{countersign.OutcomeOK, countersign.StatusPending, 2},
	} {
		o := outcomes[i]
		switch {
		case i == 4:
		case o == nil || o.Result != want.result || (o.Record == nil) != (want.status == ""):
			t.Errorf("move %d: %+v, want the result %d", i, o, want.result)
		case o.Record != nil && (o.Record.Status != want.status || len(o.Record.Deliveries) != want.deliveries || !o.Record.Lease.IsZero()):
			t.Errorf("move %d: the record is %+v", i, o.Record)
		}
	}
}

// A process that has not heard of another one's clock makes the moves again by the new one.
func TestSentManyAfterAnotherProcessAdvanced(t *testing.T) {
	server := startRedis(t)
	s, other := open(t, Options{URL: server.url(), Timeout: patient}), open(t, Options{URL: server.url(), Timeout: patient})
	if err := other.Advance(t.Context(), time.Hour); err != nil {
		t.Fatal(err)
	}
	there := begin(t, other)
	outcomes, err := s.SentMany(t.Context(), []*countersign.Sent{sentOf(there.r, "msg_a")})
	if err != nil || outcomes[0] == nil || outcomes[0].Record == nil || len(outcomes[0].Record.Deliveries) != 1 {
		t.Fatalf("%v, %+v; want the delivery written down", err, outcomes)
	}
}

// A server that is gone fails the whole flush.
func TestSentManyWithoutAServer(t *testing.T) {
	server := startRedis(t)
	s := open(t, Options{URL: server.url(), Timeout: patient})
	v := begin(t, s)
	server.kill()
	outcomes, err := s.SentMany(t.Context(), []*countersign.Sent{sentOf(v.r, "msg_a"), sentOf(v.r, "msg_b")})
	if countersign.KindOf(err) != countersign.ErrUnavailable || len(outcomes) != 2 || outcomes[0] != nil || outcomes[1] != nil {
		t.Fatalf("%v, %+v; want no outcome and the store unavailable", err, outcomes)
	}
}
