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

// A flush goes on over a move that is none, and on a server that has forgotten the scripts. What the others come to is in
// the suite of all stores.
func TestSentManyOnAServerWithoutScripts(t *testing.T) {
	server := startRedis(t)
	s := open(t, Options{URL: server.url(), Timeout: patient})
	first, second := begin(t, s), begin(t, s)
	server.do("SCRIPT", "FLUSH")
	outcomes, err := s.SentMany(t.Context(), []*countersign.Sent{sentOf(first.r, "msg_a"), {ID: "no id"}, sentOf(second.r, "msg_b")})
	if err == nil || len(outcomes) != 3 || outcomes[1] != nil {
		t.Fatalf("%+v, %v; want a failure for the delivery without a status", outcomes, err)
	}
	for _, o := range []*countersign.Outcome{outcomes[0], outcomes[2]} {
		if o == nil || o.Result != countersign.OutcomeOK || len(o.Record.Deliveries) != 1 {
			t.Errorf("its neighbour came to %+v", o)
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
